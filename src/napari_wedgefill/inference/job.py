"""The numbers that hold for a whole series: geometry, vacuum, noise and scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..normalise import Normalisation, vacuum_level
from ..projector import ParallelBeam
from ..projector.numba_kernels import LANES
from ..reconstruct import iter_sirt, last
from ..reconstruct.tvm import noise_level
from ..tilt_series import TiltSeries
from .contract import Scales, density_scale, sinogram_scale

Floats = NDArray[np.float32]

#: Least noise that is believed, over the path integral that counts as one. Interpolated images
#: look noise-free, but alignment, detector and projection model are never better than this.
NOISE_FLOOR = 2e-3


@dataclass(frozen=True, eq=False)
class Job:
    """A series and the numbers that hold for all of it."""

    series: TiltSeries
    beam: ParallelBeam
    normalisation: Normalisation
    scales: Scales


def prepare(series: TiltSeries, part: TiltSeries | None = None) -> Job:
    """Measure vacuum, noise and scales on slices spread over the whole series.

    They hold for every slab and for a preview, so no result depends on how slices were grouped.
    """
    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    offset = vacuum_level(series)
    blocks = [series.sinograms(*block) - np.float32(offset) for block in _sample(series.height)]
    noise = float(np.median([noise_level(block) for block in blocks]))
    sample = np.concatenate(blocks, axis=2)
    density = density_scale(last(iter_sirt(beam, sample, 10)))
    peak = sinogram_scale(sample)
    scales = Scales(peak / density, max(noise, NOISE_FLOOR * peak) / density)
    return Job(part or series, beam, Normalisation(offset, density), scales)


def _sample(height: int) -> list[tuple[int, int]]:
    """Eight blocks of four neighbouring slices, evenly spread; all slices if there are few."""
    if height <= LANES // 2:
        return [(0, height)]
    starts = np.linspace(0, height - 4, 8).astype(int)
    return [(int(start), int(start) + 4) for start in starts]
