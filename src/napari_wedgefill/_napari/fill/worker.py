"""The jobs that run in napari's threads: align if asked to, fill, and check."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from napari.qt.threading import thread_worker
from superqt.utils import GeneratorWorker

from ...pipeline.fill import iter_fill, iter_preview
from ...prepare import Aligned, AlignProgress, iter_align
from ...progress import Progress
from ...tilt_series import TiltSeries
from ...trust.verdicts import SelfCheck
from .checks import results_steps, with_checks
from .filled import Filled
from .inputs import FillInputs

#: Part of the progress bar that alignment takes when it goes first.
ALIGN_SHARE = 0.25
PROGRESS_EVERY_S = 0.05


class StepWorker(GeneratorWorker):
    """A generator worker that ends cleanly.

    Two habits of the base class are changed. It keeps an aborted generator suspended, with all its
    arrays; and it takes a `RuntimeError` for a deleted worker and then never says that it finished.
    Progress that comes faster than eyes follow is dropped, lest the window spend its time on it.
    """

    def work(self) -> Any:
        """Run the generator to its end, or close it once an abort was requested."""
        next_progress = 0.0
        with closing(self._gen) as steps:
            for item in steps:
                if self.abort_requested:
                    self.aborted.emit()
                    return None
                if isinstance(item, Progress):
                    now = time.monotonic()
                    if now < next_progress:
                        continue
                    next_progress = now + PROGRESS_EVERY_S
                self.yielded.emit(item)
        return None


@thread_worker(worker_class=StepWorker, ignore_errors=True, start_thread=False)
def fill_in_background(inputs: FillInputs) -> Generator[Any, None, None]:
    """Yield `Progress`, `Aligned` (if asked for), `Finished`, what checks give, and `Done`."""
    yield from fill_steps(inputs)


def fill_steps(inputs: FillInputs) -> Iterator[Any]:
    """Run the whole job of the widget, without Qt."""
    yield Progress("reading the layer", 0.0, None)
    series = inputs.series()
    if inputs.preview_slice is not None:
        yield from iter_preview(series, inputs.preview_slice, inputs.options())
        return
    if not inputs.align:
        yield from _fill_and_check(series, inputs)
        return
    aligned = yield from _align_steps(series)
    yield aligned
    for item in _fill_and_check(aligned.series, inputs):
        if isinstance(item, Progress):
            item = replace(item, fraction=ALIGN_SHARE + (1 - ALIGN_SHARE) * item.fraction)
        yield item


def _fill_and_check(series: TiltSeries, inputs: FillInputs) -> Iterator[Any]:
    options = inputs.options()
    events = iter_fill(series, options)
    checks = {"self_check": inputs.self_check, "trust": inputs.trust_map}
    return with_checks(events, series, options, **checks)


@thread_worker(worker_class=StepWorker, ignore_errors=True, start_thread=False)
def results_in_background(
    filled: Filled, self_check: SelfCheck | None
) -> Generator[Any, None, None]:
    """Yield `Progress` and at last a `ResultsTable`."""
    yield from results_steps(filled, self_check)


def _align_steps(series: TiltSeries) -> Generator[Progress, None, Aligned]:
    for step in iter_align(series):
        if isinstance(step, AlignProgress):
            yield Progress(step.stage, ALIGN_SHARE * step.fraction, step.seconds_left)
        else:
            sources = {**series.sources, "alignment": step.report.sentence}
            named = replace(step.series, name=f"{series.name} aligned", sources=sources)
            return Aligned(named, step.report)
    raise RuntimeError("the alignment ended without a result")
