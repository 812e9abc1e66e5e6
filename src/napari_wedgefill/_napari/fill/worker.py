"""The jobs that run in napari's threads; no widget in here."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from napari.qt.threading import thread_worker
from qtpy.compat import isalive
from superqt.utils import GeneratorWorker

from ...io import write_volume
from ...pipeline.fill import iter_preview
from ...pipeline.options import FillOptions
from ...pipeline.session import Session
from ...progress import Progress
from ...run.run import iter_run
from ...tilt_series import TiltSeries
from ...trust.results import iter_results
from ...trust.verdicts import SelfCheck
from ...volume import Volume
from .inputs import FillInputs

if TYPE_CHECKING:
    from .export import Job

PROGRESS_EVERY_S = 0.05


class StepWorker(GeneratorWorker[Any, Any, Any]):
    """A generator worker that ends cleanly.

    Three habits of the base class are changed. It keeps an aborted generator suspended, with all
    its arrays; it takes a `RuntimeError` for a deleted worker and then never says that it finished;
    and where a program ends before its workers, it tells that to signals that are gone, which ends
    the program by a signal. Progress that comes faster than eyes follow is dropped, lest the window
    spend its time on it.
    """

    def run(self) -> None:
        """Run in a thread, and be silent where nobody is left to hear of it."""
        try:
            super().run()
        except RuntimeError:
            if isalive(self.signals):
                raise

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


def run_steps(inputs: FillInputs, session: Session) -> Generator[Any, None, None]:
    """Yield the series that is filled, and then what `iter_run` yields."""
    yield Progress("reading the layer", 0.0, None)
    series = inputs.series()
    yield series
    yield from iter_run(series, inputs.run_options(), session=session)


def preview_steps(inputs: FillInputs, index: int, session: Session) -> Generator[Any, None, None]:
    """Yield what a rough fill of one slice yields, quick methods first."""
    yield from iter_preview(inputs.series(), index, inputs.fill_options(), session=session)


def measure_steps(
    series: TiltSeries,
    options: FillOptions,
    volumes: Mapping[str, Volume],
    seconds: Mapping[str, float],
    self_check: SelfCheck | None,
    session: Session,
) -> Generator[Any, None, None]:
    """Yield `Progress`, and at last the `ResultsTable` of volumes that are there."""
    yield from iter_results(
        series, options, volumes, seconds=seconds, self_check=self_check, session=session
    )


def export_steps(jobs: Sequence[Job]) -> Generator[Any, None, None]:
    """Write each volume under its path; yield the path once the file is complete.

    The dialog has asked about files that are there already.
    """
    for index, (layer, path, planes) in enumerate(jobs):
        yield Progress(f"writing {path.name}", index / len(jobs), None)
        volume = layer.to_volume()
        if planes is not None:
            volume = volume.crop_planes(*planes)
        yield write_volume(path, volume, overwrite=True)


def make_worker(steps: Generator[Any, None, None]) -> StepWorker:
    """Wrap steps into a worker that is not started yet."""

    @thread_worker(worker_class=StepWorker, ignore_errors=True, start_thread=False)
    def work() -> Generator[Any, None, None]:
        yield from steps

    worker = work()
    # napari's own slot for errors takes no error, which PySide6 answers with one more. Nobody else
    # has connected yet; where there is no window, napari has not either.
    with suppress(TypeError, RuntimeError):
        worker.errored.disconnect()
    return worker
