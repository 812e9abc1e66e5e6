"""The self-check: withhold measured tilts, rebuild without them, and predict them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import WedgefillError
from ..pipeline.events import Finished
from ..pipeline.fill import choose_field, iter_fill
from ..pipeline.options import FillOptions
from ..pipeline.session import Session
from ..progress import Clock, Progress
from ..tilt_series import TiltSeries
from .agreement import compare_with_images
from .verdicts import SelfCheck

#: One angle in so many is withheld.
EVERY = 8
FEWEST = 9
#: Images closer than this are of one angle, and withheld together: one would predict the other.
SAME_DEG = 0.05
#: Slices at most on which the costlier checks are made, from the middle of those asked for:
#: neighbours add little.
MOST_SLICES = 16


def choose_middle_slices(series: TiltSeries, slices: tuple[int, int] | None) -> tuple[int, int]:
    """Start and stop of at most 16 slices around the middle of `slices` (of all, if None)."""
    start, stop = slices or (0, series.height)
    middle = (start + stop) // 2
    return max(start, middle - MOST_SLICES // 2), min(stop, middle + MOST_SLICES // 2)


def choose_withheld_tilts(angles_deg: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
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


def iter_self_check(
    series: TiltSeries, options: FillOptions, session: Session | None = None
) -> Iterator[Progress | SelfCheck]:
    """Run the self-check on the user's own data.

    Parameters
    ----------
    series : TiltSeries
        Aligned images.
    options : FillOptions
        Methods, model, device and slices, as for the fill.
    session : Session, optional
        Keeps the networks open.

    Yields
    ------
    Progress or SelfCheck
        Progress often; the result last.
    """
    tests = choose_withheld_tilts(series.angles_deg)
    start, stop = choose_middle_slices(series, options.slices)
    session, clock = session or Session(), Clock()
    series, options, _ = session.correct(series, replace(options, slices=(start, stop)))
    field = choose_field(series, options, session)
    errors: list[dict[str, float]] = []
    by_tilt: list[dict[str, tuple[float, ...]]] = []
    for half, withheld in enumerate(tests):
        found: dict[str, float] = {}
        each: dict[str, tuple[float, ...]] = {}
        kept = np.setdiff1d(np.arange(series.n_tilts), withheld)
        part = series.tilts(kept)
        session.adopt_field(part, field)
        for event in iter_fill(part, options, session=session):
            if isinstance(event, Progress):
                yield clock.tell(f"self-check: {event.stage}", (half + event.fraction) / 2)
            elif isinstance(event, Finished):
                # One scale that fits the kept tilts, for WBP, which loses the wedge's intensity.
                seen = compare_with_images(series, event.volume.data, start)
                scale = seen.scale(kept)
                found[event.method] = seen.error(withheld, scale)
                each[event.method] = tuple(map(float, seen.by_tilt(scale)[withheld]))
        errors.append({name: found[name] for name in options.methods})
        by_tilt.append({name: each[name] for name in options.methods})
    spread_deg, outermost_deg = (tuple(map(float, series.angles_deg[test])) for test in tests)
    yield SelfCheck(
        errors[0], errors[1], spread_deg, outermost_deg, (start, stop), by_tilt[0], by_tilt[1]
    )
