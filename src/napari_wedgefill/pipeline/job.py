"""The numbers that hold for a whole series: geometry, vacuum, noise and scales."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..joint_model.contract import Scales, believed_noise, density_scale, sinogram_scale
from ..normalise import Normalisation, vacuum_level
from ..projector import ParallelBeam
from ..reconstruct import iter_sirt, last
from ..reconstruct.tvm import noise_level
from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Job:
    """A series and the numbers that hold for all of it."""

    series: TiltSeries
    beam: ParallelBeam
    normalisation: Normalisation
    scales: Scales
    #: Sweeps that each slab took, by method.
    taken: dict[str, list[int]] = field(default_factory=dict)
    #: Volumes (z, y, x) of the methods that are done, in the units of the file.
    finished: dict[str, Floats] = field(default_factory=dict)
    #: Seconds spent in each stage of the work.
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


class Measured(NamedTuple):
    """The numbers without the series."""

    beam: ParallelBeam
    normalisation: Normalisation
    scales: Scales


#: What was measured, by series, for as long as the series lives: a preview and the fill after it,
#: or two previews, measure once.
_measured: WeakKeyDictionary[TiltSeries, Measured] = WeakKeyDictionary()


def prepare(series: TiltSeries, part: TiltSeries | None = None) -> Job:
    """Measure vacuum, noise and scales on slices spread over the whole series.

    They hold for every slab and for a preview, so no result depends on how slices were grouped.
    Measured once for a series; `TiltSeries` do not change.
    """
    if series not in _measured:
        _measured[series] = _measure(series)
    return Job(part or series, *_measured[series])


def _measure(series: TiltSeries) -> Measured:
    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    offset = vacuum_level(series)
    blocks = [series.sinograms(*block) - np.float32(offset) for block in _sample(series.height)]
    noise = float(np.median([noise_level(block) for block in blocks]))
    sample = np.concatenate(blocks, axis=2)
    peak = sinogram_scale(sample)
    # No ray is much longer than the field is wide, so no thinner matter made that path integral.
    # Where noise is all there is, a reconstruction that stays at or above zero may hold nothing.
    density = max(density_scale(last(iter_sirt(beam, sample, 10))), peak / beam.width)
    scales = Scales(peak / density, believed_noise(noise, peak) / density)
    return Measured(beam, Normalisation(offset, density), scales)


def _sample(height: int) -> list[tuple[int, int]]:
    """Eight blocks of four neighbouring slices, evenly spread; all slices if there are few."""
    if height <= 8 * 4:
        return [(0, height)]
    starts = np.linspace(0, height - 4, 8).astype(int)
    return [(int(start), int(start) + 4) for start in starts]
