"""The self-check: withhold measured tilts, rebuild without them, and predict them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import WedgefillError
from ..pipeline.pipeline import FillOptions, Finished, Progress, iter_fill
from ..tilt_series import TiltSeries
from .agreement import agreement
from .middle import middle_slices
from .stopwatch import Stopwatch
from .verdicts import SelfCheck

#: One angle in so many is withheld.
EVERY = 8
FEWEST = 9
#: Images closer than this are of one angle, and withheld together: one would predict the other.
SAME_DEG = 0.05


def withheld_tilts(angles_deg: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Choose what to withhold in the two tests: spread through the range, and outermost.

    Parameters
    ----------
    angles_deg : array_like, (n_tilts,)
        Measured tilts in degrees, ascending; those that were measured twice are withheld together.

    Returns
    -------
    tuple of ndarray
        Indices of tilts of each test.

    Raises
    ------
    WedgefillError
        With fewer than nine angles, too few would be left.
    """
    angles = np.asarray(angles_deg, np.float64)
    group = np.cumsum(np.diff(angles, prepend=angles[:1]) > SAME_DEG)
    n_angles = int(group[-1]) + 1
    if n_angles < FEWEST:
        raise WedgefillError(
            f"The self-check withholds tilts and needs at least {FEWEST} angles, but there are "
            f"{n_angles}; run without it."
        )
    edge = max(1, round(n_angles / 16))
    spread = np.arange(edge + EVERY // 2, n_angles - edge, EVERY)
    outermost = np.r_[:edge, n_angles - edge : n_angles]
    return np.flatnonzero(np.isin(group, spread)), np.flatnonzero(np.isin(group, outermost))


def iter_self_check(series: TiltSeries, options: FillOptions) -> Iterator[Progress | SelfCheck]:
    """Run the self-check on the user's own data.

    Parameters
    ----------
    series : TiltSeries
        Aligned images.
    options : FillOptions
        Methods, model, device and slices, as for the fill.

    Yields
    ------
    Progress or SelfCheck
        Progress often; the result last.
    """
    tests = withheld_tilts(series.angles_deg)
    start, stop = middle_slices(series, options.slices)
    options = replace(options, slices=(start, stop))
    watch = Stopwatch()
    errors: list[dict[str, float]] = []
    by_tilt: list[dict[str, tuple[float, ...]]] = []
    for half, withheld in enumerate(tests):
        found: dict[str, float] = {}
        each: dict[str, tuple[float, ...]] = {}
        kept = np.setdiff1d(np.arange(series.n_tilts), withheld)
        for event in iter_fill(series.tilts(kept), options):
            if isinstance(event, Progress):
                yield watch.progress(f"self-check: {event.stage}", (half + event.fraction) / 2)
            elif isinstance(event, Finished):
                # One scale that fits the kept tilts, for WBP, which loses the wedge's intensity.
                seen = agreement(series, event.volume.data, start)
                scale = seen.scale(kept)
                found[event.method] = seen.error(withheld, scale)
                each[event.method] = tuple(map(float, seen.by_tilt(scale)[withheld]))
        errors.append(found)
        by_tilt.append(each)
    spread_deg, outermost_deg = (tuple(map(float, series.angles_deg[test])) for test in tests)
    yield SelfCheck(
        errors[0], errors[1], spread_deg, outermost_deg, (start, stop), by_tilt[0], by_tilt[1]
    )
