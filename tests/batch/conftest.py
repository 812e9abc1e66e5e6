"""Tiny series on disk, and a client whose worker is a thread of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ANGLES_DEG = np.arange(-60.0, 61.0, 10.0)
WIDTH, N_SLICES = 24, 4


@pytest.fixture(scope="session")
def make_series() -> Callable[..., TiltSeries]:
    """An ellipse of the given half width, projected without noise."""

    def make(half_width: float = 8, name: str = "tiny") -> TiltSeries:
        z, x = np.mgrid[:WIDTH, :WIDTH] - (WIDTH - 1) / 2
        density = np.float32((z / 5) ** 2 + (x / half_width) ** 2 < 1)
        sinogram = ParallelBeam(ANGLES_DEG, WIDTH)(np.repeat(density[..., None], N_SLICES, 2))
        images = sinogram.transpose(0, 2, 1)
        return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=0.8, name=name)

    return make


@pytest.fixture
def write_series(make_series, tmp_path: Path) -> Callable[..., Path]:
    """Write a series as NAME.mrc with NAME.tlt beside it, below the folder ``in``."""

    def write(name: str, half_width: float = 8) -> Path:
        path = tmp_path / "in" / f"{name}.mrc"
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_tilt_series(path, make_series(half_width, path.stem))

    return write


@pytest.fixture(scope="session")
def client() -> Iterator[object]:
    """A client of a scheduler and one worker that run in this process."""
    from distributed import Client

    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0",
        set_as_default=False,
    ) as opened:  # fmt: skip
        yield opened
