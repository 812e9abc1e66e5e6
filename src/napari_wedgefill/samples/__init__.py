"""Sample data: a measured tilt series that ships with the package, and a simulated one."""

from __future__ import annotations

from pathlib import Path

from .particle import simulated_particle

__all__ = ["needle_path", "simulated_particle"]


def needle_path() -> Path:
    """Path of a measured tilt series: HAADF-STEM of a needle, 77 tilts of 256 x 256 pixels, NIST.

    Its angles, acquisition log, licence and notice of origin lie beside it. The images are as the
    microscope recorded them: not aligned, and with the tilt axis along image x.
    """
    return Path(__file__).parent / "nist_needle" / "HAADF.mrc"
