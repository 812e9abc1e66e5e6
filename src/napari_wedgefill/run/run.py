"""The one run: prepare, fill, check, measure and report, under one progress."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..joint_model.registry import SMOOTH_REFINEMENT
from ..methods import METHODS
from ..pipeline.box import Field
from ..pipeline.events import Done
from ..pipeline.fill import check_fill, choose_field, iter_fill, outline_volume
from ..pipeline.parts import Kept
from ..pipeline.session import Session
from ..pipeline.sinks import ArraySink, Sink
from ..prepare import Aligned, find_images_of_nothing, iter_align
from ..progress import Clock, Progress
from ..tilt_series import TiltSeries
from ..trust.quick_check import count_checked_slices, iter_quick_check
from ..trust.resolution import choose_classical
from ..trust.results import RECONSTRUCTING, iter_results
from ..trust.results_table import ResultsTable
from ..trust.self_check import MOST_SLICES, choose_withheld_tilts, iter_self_check
from ..trust.trust_map import OTHER_VIEWS, choose_learned, iter_trust_map
from ..trust.verdicts import RIVAL, QuickCheck, SelfCheck, TrustMap
from ..volume import Volume, VolumeOutline, check_planes
from .events import ComparisonPicture, ImagesCorrected, ImagesOfNothing, RunEvent
from .options import RunOptions
from .report import describe_versions

#: Cost of aligning a slice, in units of the methods' costs; for the progress bar alone.
ALIGN_COST = 19.0

Item = TypeVar("Item")


def iter_run(
    series: TiltSeries,
    options: RunOptions,
    sink: Sink | None = None,
    session: Session | None = None,
    kept: Kept | None = None,
) -> Generator[RunEvent, None, None]:
    """Fill a tilt series and do with it all that was asked for.

    Close the generator to cancel.

    Parameters
    ----------
    series : TiltSeries
        As it was read; the tilt axis lies at ``axis_shift_px`` from the images' centre.
    options : RunOptions
        What to do.
    sink : Sink, optional
        Where volumes go while they are computed; arrays by default, and always where only some
        planes of them are kept: what is done with the whole volumes needs them whole.
    session : Session, optional
        Keeps the networks open, and what was measured on the series, for the next run.
    kept : Kept, optional
        What was done of the same run before.

    Yields
    ------
    Progress
        Often: how far the whole run is, and how long the rest of it takes.
    Aligned
        The aligned series, if that was asked for.
    ImagesOfNothing
        Images that show nothing of the specimen, if there are any and none is left out.
    ImagesCorrected
        The series without frames, slopes and uneven brightness, where these were beyond doubt.
    Field
        The box of the specimen that is filled, or why it is the whole field of view.
    Finished
        Each volume; what follows begins after the last one.
    QuickCheck
        Whether the networks' volume may be believed, where there is one.
    SelfCheck, TrustMap, ResultsTable, ComparisonPicture
        What was asked for, in this order.
    Done
        Last: the report of all of it, ready for JSON.

    Raises
    ------
    WedgefillError
        Before anything is computed, for whatever cannot be done.
    """
    session = session or Session()
    sink = ArraySink() if sink is None else sink
    check_run(series, options, session, sink)
    if options.planes is not None:
        sink = ArraySink()
    report: dict[str, Any] = describe_versions()
    shares = share_out(series, options)
    told = _Teller(Clock())
    if options.align:
        aligned = None if kept is None else kept.aligned
        if aligned is None:
            aligned = yield from told.relay(iter_align(series), shares.align, Aligned)
        sources = {**series.sources, "alignment": aligned.report.sentence}
        series = replace(aligned.series, sources=sources)
        report["alignment"] = aligned.report.to_dict()
        yield Aligned(series, aligned.report)
        if options.planes is not None:  # without padding there are fewer of them
            check_planes(series.name, options.planes, series.width)
    else:
        # An alignment leaves them out, and says so.
        nothing = ImagesOfNothing(find_images_of_nothing(series))
        report["images_of_nothing"] = nothing.to_dict()
        if nothing.images:
            yield nothing
    series, fill_options, corrections = session.correct(series, options.fill)
    options = replace(options, fill=fill_options)
    if corrections is not None:
        report |= corrections.to_dict()
        if corrections.is_corrected:
            yield ImagesCorrected(series, corrections)
    yield told.tell(Progress("looking for the specimen", 0.0), shares.fill)
    if kept is not None and kept.field is not None:
        session.adopt_field(series, kept.field)
    field = choose_field(series, options.fill, session)
    yield field
    shares = share_out(series, options, field)
    told.begin_at(shares.align)
    volumes: dict[str, Volume] = {}
    seconds: dict[str, float] = {}
    parts = None if kept is None else kept.parts
    with closing(iter_fill(series, options.fill, sink, session, parts)) as events:
        for event in events:
            if isinstance(event, Progress):
                yield told.tell(event, shares.fill)
            elif isinstance(event, Done):
                report = event.report | report
            else:
                volumes[event.method], seconds[event.method] = event.volume, event.seconds
                yield replace(event, volume=keep_planes(event.volume, options))
    told.finish(shares.fill)
    if options.planes is not None:
        report["planes"] = list(options.planes)
    # As they were asked for; they came in the order in which they use each other.
    volumes = {name: volumes[name] for name in options.fill.methods}
    if is_checked(options):
        quick_steps = iter_quick_check(series, options.fill, session)
        quick = yield from told.relay(quick_steps, shares.check, QuickCheck)
        quick = replace(
            quick,
            noise_share=report["noise_share"].get(quick.learned, 1.0),
            saw_smooth=report["model"].get("refinement") == SMOOTH_REFINEMENT,
        )
        report["check"] = quick.to_dict()
        report["recommended"] = quick.recommended
        yield quick
    checked: SelfCheck | None = None
    if options.self_check:
        steps = iter_self_check(series, options.fill, session)
        checked = yield from told.relay(steps, shares.self_check, SelfCheck)
        report["self_check"] = checked.to_dict()
        yield checked
    if options.trust:
        filled = volumes[choose_learned(options.fill.methods).name]
        maps = iter_trust_map(series, options.fill, filled, session=session)
        trust = yield from told.relay(maps, shares.trust, TrustMap)
        report["trust"] = trust.to_dict()
        yield replace(trust, volume=keep_planes(trust.volume, options))
    if options.table:
        tables = iter_results(
            series,
            options.fill,
            volumes,
            seconds={name: round(seconds[name], 3) for name in volumes},
            self_check=checked,
            session=session,
        )
        table = yield from told.relay(tables, shares.table, ResultsTable)
        report["results"] = table.to_dict()
        yield table
    if options.picture:
        from ..comparison import compare  # loads Pillow

        yield ComparisonPicture(compare(volumes, title=series.name))
    yield Done(report)


def check_run(
    series: TiltSeries, options: RunOptions, session: Session, sink: Sink | None = None
) -> None:
    """Raise `WedgefillError` for whatever of a run cannot be done, before time is spent on it.

    With a `sink`, there must also be room for all volumes, the trust map among them.
    """
    check_fill(series, options.fill, session)
    if options.planes is not None:
        check_planes(series.name, options.planes, series.width)
    if sink is not None:
        names = [*options.fill.methods, *["trust"] * options.trust]
        outlines = [outline_volume(series, options.fill, name) for name in names]
        if options.planes is not None:
            ArraySink().check_room(outlines)
            outlines = [_thin_out(outline, options.planes) for outline in outlines]
        sink.check_room(outlines)
    if options.self_check:
        choose_withheld_tilts(series.angles_deg)
    if options.trust:
        choose_learned(options.fill.methods)


def _thin_out(outline: VolumeOutline, planes: tuple[int, int]) -> VolumeOutline:
    """Outline of a volume of which only some planes are kept."""
    return replace(outline, shape=(planes[1] - planes[0], *outline.shape[1:]))


def keep_planes(volume: Volume, options: RunOptions) -> Volume:
    """Return the planes of a whole volume that were asked for, in their place."""
    return volume if options.planes is None else volume.crop_planes(*options.planes)


def is_checked(options: RunOptions) -> bool:
    """Tell whether a run ends with the quick check: it does where it has a networks' volume."""
    return options.check and any(METHODS[name].needs_model for name in options.fill.methods)


@dataclass(frozen=True)
class Shares:
    """Parts of the progress bar, 0 to 1, together 1."""

    align: float
    fill: float
    check: float
    self_check: float
    trust: float
    table: float


def share_out(series: TiltSeries, options: RunOptions, field: Field | None = None) -> Shares:
    """Share the progress bar out among the parts of a run, by what they cost.

    All but the alignment cost less in the box of the specimen, once that is known.
    """
    methods = options.fill.methods
    start, stop = options.fill.slices or (0, series.height)
    n_slices, few = stop - start, min(stop - start, MOST_SLICES)
    box = None if field is None else field.box
    share = 1.0 if box is None else max(box.measure_share(start, stop), 1e-3)

    def cost(names: Iterable[str]) -> float:
        return sum(METHODS[name].cost for name in names)

    learned = max((METHODS[m].cost for m in methods if METHODS[m].needs_model), default=0.0)
    costs = (
        series.height * ALIGN_COST * options.align / share,
        n_slices * cost(methods),
        count_checked_slices(n_slices) * (learned + cost(("sart", RIVAL))) * is_checked(options),
        2 * few * cost(methods) * options.self_check,
        n_slices * len(OTHER_VIEWS) * learned * options.trust,
        # Two halves of the tilts, and then what is measured without reconstructing.
        few * cost(choose_classical(methods)) / RECONSTRUCTING * options.table,
    )
    return Shares(*(part / sum(costs) for part in costs))


class _Teller:
    """Tells the progress of parts that follow each other as that of the whole."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin = 0.0

    def tell(self, progress: Any, share: float) -> Progress:
        """Tell the progress of the part at work."""
        return self._clock.tell_part(progress, self._begin, share)

    def begin_at(self, begin: float) -> None:
        """Say where the part at work begins, now that it is known better."""
        self._begin = begin

    def finish(self, share: float) -> None:
        """Go on to the next part."""
        self._begin += share

    def relay(
        self, steps: Iterable[Any], share: float, kind: type[Item]
    ) -> Generator[Progress, None, Item]:
        """Tell the progress of a part, and return its result, which is of a kind."""
        result: Item | None = None
        for step in steps:
            if isinstance(step, kind):
                result = step
            else:
                yield self.tell(step, share)
        self.finish(share)
        assert result is not None
        return result
