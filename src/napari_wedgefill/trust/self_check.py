"""The self-check: withhold measured tilts, rebuild without them, and predict them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..inference.pipeline import FillOptions, Finished, Progress, iter_fill
from ..tilt_series import TiltSeries
from .agreement import agreement
from .middle import middle_slices
from .stopwatch import Stopwatch
from .verdicts import SelfCheck

#: One tilt in so many is withheld.
EVERY = 8


def withheld_tilts(n_tilts: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices withheld in the two tests: spread through the range, and outermost on both sides.

    Raises
    ------
    WedgefillError
        With fewer than nine tilts, too few would be left.
    """
    if n_tilts < 9:
        raise WedgefillError(
            f"The self-check withholds tilts and needs at least 9, but there are {n_tilts}; "
            "run without it."
        )
    edge = max(1, round(n_tilts / 16))
    spread = np.arange(edge + EVERY // 2, n_tilts - edge, EVERY)
    return spread, np.r_[:edge, n_tilts - edge : n_tilts]


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
    spread, outermost = withheld_tilts(series.n_tilts)
    start, stop = middle_slices(series, options.slices)
    options = replace(options, slices=(start, stop))
    watch = Stopwatch()
    errors: list[dict[str, float]] = []
    for half, withheld in enumerate((spread, outermost)):
        found: dict[str, float] = {}
        kept = np.setdiff1d(np.arange(series.n_tilts), withheld)
        for event in iter_fill(series.tilts(kept), options):
            if isinstance(event, Progress):
                yield watch.progress(f"self-check: {event.stage}", (half + event.fraction) / 2)
            elif isinstance(event, Finished):
                # One scale that fits the kept tilts, for WBP, which loses the wedge's intensity.
                seen = agreement(series, event.volume.data, start)
                found[event.method] = seen.error(withheld, seen.scale(kept))
        errors.append(found)
    yield SelfCheck(
        errors[0],
        errors[1],
        tuple(float(a) for a in series.angles_deg[spread]),
        tuple(float(a) for a in series.angles_deg[outermost]),
        (start, stop),
    )
