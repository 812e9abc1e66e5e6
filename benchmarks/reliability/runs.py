"""A small fill in a process of its own, and what it left in its folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("wbp", "sart", "tvm", "gan")


def write_series(path: Path, width: int = 48, n_slices: int = 24) -> Path:
    """Write a tilt series of an ellipsoid."""
    angles = np.arange(-60.0, 61.0, 4.0)
    z, x, y = (np.mgrid[:width, :width, :n_slices] - (width - 1) / 2).astype(np.float32)
    density = ((z / 14) ** 2 + (x / 18) ** 2 + (y / 40) ** 2 < 1).astype(np.float32)
    images = ParallelBeam(angles, width)(density).transpose(0, 2, 1)
    return write_tilt_series(path, TiltSeries.from_arrays(images, angles, pixel_nm=1.0))


def start_fill(series: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """Start `wedgefill fill` with this checkout's code."""
    command = [sys.executable, "-m", "napari_wedgefill.cli", "fill", str(series), "-o", str(out)]
    return subprocess.Popen(
        [*command, "--methods", ",".join(METHODS), "--device", "cpu", *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
    )


def hash_volumes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a final name but the report, which holds times."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*"))
        if path.name[0] != "." and path.suffix == ".mrc"
    }


def list_hidden(folder: Path) -> list[str]:
    """Names of what no run should leave."""
    return [path.name for path in folder.glob(".*")]
