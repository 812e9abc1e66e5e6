"""What follows a fill in the widget's job: self-check, trust map and results; no Qt in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ...methods import METHODS
from ...pipeline.events import Done, Event, Finished
from ...pipeline.options import FillOptions
from ...progress import Progress
from ...tilt_series import TiltSeries
from ...trust.results import iter_results
from ...trust.results_table import ResultsTable
from ...trust.self_check import MOST_SLICES, choose_withheld_tilts, iter_self_check
from ...trust.trust_map import OTHER_VIEWS, choose_learned, iter_trust_map
from ...trust.verdicts import SelfCheck
from .filled import Filled


def with_checks(
    events: Iterable[Event],
    series: TiltSeries,
    options: FillOptions,
    *,
    self_check: bool,
    trust: bool,
) -> Iterator[Any]:
    """Follow a fill with the checks that were asked for, under one progress bar.

    Parameters
    ----------
    events : iterable of Progress, Finished and Done
        Of `iter_fill`.
    series : TiltSeries
        What it fills.
    options : FillOptions
        How.
    self_check, trust : bool
        What to do afterwards.

    Yields
    ------
    Progress, Finished, Filled, SelfCheck, TrustMap or Done
        `Filled` after the last volume, then the checks' results, `Done` at the end.

    Raises
    ------
    WedgefillError
        Before anything is computed, if a check could not be made.
    """
    if self_check:
        choose_withheld_tilts(series.angles_deg)
    if trust:
        choose_learned(options.methods)
    share = shares(series, options, self_check=self_check, trust=trust)
    finished: list[Finished] = []
    done: Done | None = None
    for event in events:
        if isinstance(event, Done):
            done = event
            continue
        if isinstance(event, Finished):
            finished.append(event)
        yield _scaled(event, 0.0, share[0])
    filled = Filled(series, options, tuple(finished))
    yield filled
    if self_check:
        for step in iter_self_check(series, options):
            yield _scaled(step, share[0], share[1])
    if trust:
        for step in iter_trust_map(series, options, filled.volumes.get("gan")):
            yield _scaled(step, share[0] + share[1], share[2])
    if done is not None:
        yield done


def shares(
    series: TiltSeries, options: FillOptions, *, self_check: bool, trust: bool
) -> tuple[float, float, float]:
    """Parts of the progress bar for fill, self-check and trust map, by what they cost."""
    start, stop = options.slices or (0, series.height)
    n_slices, all_methods = stop - start, sum(METHODS[method].cost for method in options.methods)
    costs = (
        n_slices * all_methods,
        2 * min(n_slices, MOST_SLICES) * all_methods * self_check,
        n_slices * len(OTHER_VIEWS) * METHODS["gan"].cost * trust,
    )
    fill, check, rest = (cost / sum(costs) for cost in costs)
    return fill, check, rest


def results_steps(
    filled: Filled, self_check: SelfCheck | None
) -> Iterator[Progress | ResultsTable]:
    """Measure the volumes of a fill; the table comes last."""
    yield from iter_results(
        filled.series,
        filled.options,
        filled.volumes,
        seconds=filled.seconds,
        self_check=self_check,
    )


def _scaled(event: Any, begin: float, share: float) -> Any:
    if not isinstance(event, Progress):
        return event
    return replace(event, fraction=begin + share * event.fraction)
