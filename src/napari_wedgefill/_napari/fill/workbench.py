"""What goes on in one viewer, whether a dock is open or not: the job, the runs, the stage."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Layer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from ...durations import write_duration
from ...errors import WedgefillError
from ...methods import label_of
from ...pipeline.events import Done, Finished
from ...progress import Progress
from ...tilt_series import TiltSeries
from ...trust.results_table import ResultsTable
from ...trust.verdicts import QuickCheck, SelfCheck, TrustMap
from ..layers import LayerMap, mark_recommended, series_layer, trust_layer, volume_layer
from ..messages import Message, announce
from ..runs import Run, find_runs, name_run
from ..shared_contrast import share_contrast
from ..stage import find_stage
from .inputs import FillInputs

if TYPE_CHECKING:
    import napari

    from ...prepare import Aligned
    from .worker import StepWorker

NO_BREAK_SPACE = "\u00a0"
#: Work that went on for longer is not thrown away without a question, in seconds.
LONG_S = 60.0


class Workbench:
    """The one job of a viewer, what came of earlier ones, and where both are shown.

    A dock is a view of it: one that is closed leaves the job running, one that is opened finds it.
    Lives on the main thread.

    Parameters
    ----------
    viewer : napari.Viewer
        Where layers are added.

    Attributes
    ----------
    runs : RunBook
        The runs.
    stage : Stage
        What the canvas shows.
    remembered : mapping of Image to dict
        Settings of each series, by its layer.
    progressed, said, busy, ran, measured, prepared : Signal
        Progress; a `Message`; whether a job runs; a new `Run`; a `Run` that has its table; the
        layer of an aligned series.
    """

    progressed = Signal(object)
    said = Signal(object)
    busy = Signal(bool)
    ran = Signal(object)
    measured = Signal(object)
    prepared = Signal(object)

    def __init__(self, viewer: napari.Viewer) -> None:
        self.stage = find_stage(viewer)
        self.runs = find_runs(viewer)
        self.remembered: WeakKeyDictionary[Image, dict[str, Any]] = WeakKeyDictionary()
        self.message = Message("")
        self.inputs: FillInputs | None = None
        self._session: Any = None
        self._worker: StepWorker | None = None
        self._waiting: StepWorker | None = None
        self._started = 0.0
        self._reset()

    def _reset(self) -> None:
        self._source: Image | None = None
        self._series: TiltSeries | None = None
        self._finished: list[Finished] = []
        self._run: Run | None = None
        self._remark = ""

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer."""
        return self.stage.viewer

    @property
    def session(self) -> Any:
        """What the jobs of this viewer share: open networks, measured scales."""
        if self._session is None:
            from ...pipeline.session import Session

            self._session = Session()
        return self._session

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self._worker is not None

    @property
    def ran_for_s(self) -> float:
        """How long the job has been running, in seconds."""
        return time.monotonic() - self._started if self.is_running else 0.0

    def fill(self, inputs: FillInputs, source: Image, window: QWidget | None = None) -> StepWorker:
        """Start a run.

        Parameters
        ----------
        inputs : FillInputs
            What to do.
        source : Image
            The layer of the series.
        window : QWidget, optional
            The job is stopped when this window is destroyed.
        """
        from .worker import make_worker, run_steps  # compiled code: not while the window opens

        self._refuse_second()
        self._reset()
        self.inputs = inputs.taking_over(self.inputs)
        self._source = source
        worker = make_worker(run_steps(self.inputs, self.session))
        self._begin(worker, self._show, window)
        return worker

    def measure(self, run: Run, window: QWidget | None = None) -> None:
        """Make the table of a run, or say at once that it is there."""
        from .worker import make_worker, measure_steps

        if run.table is not None:
            self.measured.emit(run)
            return
        self._refuse_second()
        self._run = run
        volumes = {method: LayerMap.of(layer).to_volume() for method, layer in run.volumes.items()}
        steps = measure_steps(
            run.series, run.options, volumes, run.seconds, run.self_check, self.session
        )
        self._begin(make_worker(steps), self._show, window)

    def look(self, worker: StepWorker, show: Any) -> None:
        """Run a worker of the live slice, which says nothing and gives way to every job."""
        self._worker_of_look = worker
        worker.yielded.connect(show)
        worker.errored.connect(self.fail)
        worker.start()

    def cancel(self) -> None:
        """Stop the job at its next step."""
        if self._worker is not None:
            self._worker.quit()
            self.say("Stopping after this step.")

    def say(self, sentence: str) -> None:
        """Put a sentence where the user reads it."""
        self._tell(Message(sentence))

    def fail(self, error: Exception) -> None:
        """Say what went wrong, and offer the report if it was our fault."""
        self._tell(announce(error))

    def _tell(self, message: Message) -> None:
        self.message = message
        self.said.emit(message)

    def _refuse_second(self) -> None:
        if self.is_running:
            raise WedgefillError("A job is running; wait for it, or press Cancel.")

    def _begin(self, worker: StepWorker, show: Any, window: QWidget | None) -> None:
        worker.yielded.connect(lambda item: self._take(worker, show, item))
        worker.errored.connect(self.fail)
        worker.aborted.connect(lambda *_: self._say_cancelled())
        worker.finished.connect(lambda *_: self._end())
        if window is not None:
            window.destroyed.connect(worker.quit)
        self._worker = worker
        self._started = time.monotonic()
        self.busy.emit(True)
        self.progressed.emit(Progress("starting", 0.0, None))
        worker.start()

    def _take(self, worker: StepWorker, show: Any, item: Any) -> None:
        # What was already on its way when Cancel was pressed, or the window closed, is dropped.
        if worker is self._worker and not worker.abort_requested:
            show(item)

    def _show(self, item: Any) -> None:
        """Show one thing that the worker yielded."""
        from ...prepare import Aligned
        from ...run.events import GainCorrected

        if isinstance(item, Progress):
            self.progressed.emit(item)
        elif isinstance(item, TiltSeries):
            self._series = item
        elif isinstance(item, Aligned):
            self._show_aligned(item)
        elif isinstance(item, GainCorrected):
            self._series = item.series
            self._remark = f"{self._remark} {item.gain.sentence}".strip()
        elif isinstance(item, Finished):
            self._finished.append(item)
            if self.inputs is not None and len(self._finished) == len(self.inputs.methods):
                self._show_volumes(self.inputs)
        elif isinstance(item, ResultsTable) and self._run is not None:
            self._run.table = item
            self.measured.emit(self._run)
        elif isinstance(item, QuickCheck | SelfCheck | TrustMap) and self._run is not None:
            self._show_verdict(self._run, item)
        elif isinstance(item, Done):
            self._say_done(item)

    def _show_aligned(self, item: Aligned) -> None:
        """Show the aligned series and go on from it, so that no one aligns twice."""
        self._series = replace(item.series, name=f"{item.series.name} aligned")
        self._remark = item.report.sentence
        layer = Layer.create(*series_layer(self._series))
        if self.inputs is not None and self.inputs.slices is not None:
            self.remembered[layer] = {"slices": self.inputs.slices}
        self._source = self.viewer.add_layer(layer)
        self.prepared.emit(self._source)

    def _show_volumes(self, inputs: FillInputs) -> None:
        """Make a run of the volumes and put them on the stage; checks may follow."""
        series = self._series
        if series is None:
            raise RuntimeError("volumes came before their series")
        features = [word for word in inputs.describe() if word != "aligned" or not self._remark]
        others = self.runs.of_series(self._source)
        name = name_run(features, [run.name for run in others])
        run = Run(name, series, inputs.fill_options(), self._source)
        limits = share_contrast([item.volume.data for item in self._finished])
        suffix = f" ({name})" if others else ""
        with self.stage.holding_screen():
            self._add_volumes(run, limits, suffix)
            self.runs.add(run)
            self.stage.show_volumes(list(run.volumes.values()))
        self._run = run
        self.ran.emit(run)

    def _add_volumes(self, run: Run, limits: tuple[float, float], suffix: str) -> None:
        """Add a layer for each method; they are shown when all are there."""
        series = run.series
        for item in self._finished:
            fields = {
                "method": item.method,
                "run": run.title,
                "angles_deg": tuple(float(angle) for angle in series.angles_deg),
                "path": None if series.path is None else str(series.path),
                "slices": run.options.slices,
            }
            data = volume_layer(
                item.volume,
                name=f"{series.name} {label_of(item.method)}{suffix}",
                first_slice=run.first_slice,
                fields=fields,
                contrast_limits=limits,
                visible=False,
            )
            run.volumes[item.method] = self.viewer.add_layer(Layer.create(*data))
        run.seconds = {item.method: item.seconds for item in self._finished}

    def _show_verdict(self, run: Run, item: QuickCheck | SelfCheck | TrustMap) -> None:
        if isinstance(item, QuickCheck):
            run.quick_check = item
            mark_recommended(run.volumes, item)
        elif isinstance(item, SelfCheck):
            run.self_check = item
        else:
            run.trust_map = item
            data, attributes, kind = trust_layer(item.volume, first_slice=run.first_slice)
            attributes["metadata"] = _with_run(attributes["metadata"], run)
            attributes["name"] = f"{run.series.name} trust"
            # It lies over the volume that it is of, when it is asked for; not on black.
            attributes["visible"] = False
            run.trust = self.viewer.add_layer(Layer.create(data, attributes, kind))
        self.runs.changed.emit()

    def _say_done(self, done: Done) -> None:
        if self._run is not None:
            self._run.report = done.report
        spent = write_duration(time.monotonic() - self._started)
        each = [f"{label_of(i.method)} {write_duration(i.seconds)}" for i in self._finished]
        # A line does not end between a method and its time.
        listed = ", ".join(text.replace(" ", NO_BREAK_SPACE) for text in each)
        self.say(f"Done in {spent}: {listed}. {self._remark}".strip())

    def _say_cancelled(self) -> None:
        if self._run is None:
            self.say("Cancelled; no volume was added.")
        else:
            self.say("Cancelled; the volumes stay.")

    def _end(self) -> None:
        self._worker = None
        self._reset()
        self.busy.emit(False)


def _with_run(metadata: dict[str, Any], run: Run) -> dict[str, Any]:
    from ..layers import KEY

    return {**metadata, KEY: {**metadata[KEY], "run": run.title}}


_workbenches: WeakKeyDictionary[Any, Workbench] = WeakKeyDictionary()


def find_workbench(viewer: napari.Viewer) -> Workbench:
    """Return the workbench of a viewer; there is one, however many docks were opened."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _workbenches:
        _workbenches[viewer] = Workbench(viewer)
    return _workbenches[viewer]
