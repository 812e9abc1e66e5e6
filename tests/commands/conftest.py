"""A tiny series on disk, and `wedgefill` run in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mrcfile
import numpy as np
import pytest

from napari_wedgefill.cli import main
from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ANGLES_DEG = np.arange(-60.0, 61.0, 5.0)
WIDTH, N_SLICES, PIXEL_NM = 32, 6, 0.8


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr of a command that failed."""
        lines = self.err.splitlines()
        assert self.code == 1, self
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture
def wedgefill(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture(scope="session")
def tiny_series() -> TiltSeries:
    """An ellipse with a dense core, projected without noise."""
    z, x, _ = np.mgrid[:WIDTH, :WIDTH, :N_SLICES].astype(np.float32)
    z, x = z - (WIDTH - 1) / 2, x - (WIDTH - 1) / 2
    density = ((z / 7) ** 2 + (x / 10) ** 2 < 1) + 1.0 * ((z - 1) ** 2 + (x + 3) ** 2 < 9)
    sinogram = ParallelBeam(ANGLES_DEG, WIDTH)(density.astype(np.float32))
    return TiltSeries.from_arrays(
        sinogram.transpose(0, 2, 1), ANGLES_DEG, pixel_nm=PIXEL_NM, name="tiny"
    )


@pytest.fixture
def tiny_path(tiny_series: TiltSeries, tmp_path: Path) -> Path:
    """`tiny_series` as tiny.mrc, with tiny.tlt beside it."""
    return write_tilt_series(tmp_path / "tiny.mrc", tiny_series)


@pytest.fixture
def write_stack() -> Callable[[Path, np.ndarray, np.ndarray | None], Path]:
    """Write images as an MRC stack and, if there are any, angles beside it."""

    def write(path: Path, images: np.ndarray, angles_deg: np.ndarray | None) -> Path:
        path.parent.mkdir(exist_ok=True)
        with warnings.catch_warnings(), mrcfile.new(path) as file:
            warnings.simplefilter("ignore", RuntimeWarning)  # it speaks up about NaN
            file.set_data(images)
            file.set_image_stack()
            file.voxel_size = 8.0
        if angles_deg is not None:
            path.with_suffix(".tlt").write_text("\n".join(f"{a:.2f}" for a in angles_deg))
        return path

    return write
