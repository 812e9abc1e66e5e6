"""What goes on in one viewer, whether a dock is open or not: the job, the runs, the stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary, ref

from napari.layers import Image, Layer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from ...errors import WedgefillError
from ...methods import label_of
from ...pipeline.events import Done, Finished
from ...progress import Progress
from ...tilt_series import TiltSeries
from ...trust.results_table import ResultsTable
from ...trust.verdicts import QuickCheck, SelfCheck, TrustMap
from ...volume import Volume
from ..layer_entries import mark_recommended
from ..layers import LayerMap
from ..messages import Message, announce
from ..runs import Run, find_runs, name_run
from ..shared_contrast import share_contrast
from ..stage import find_stage
from ..turns import Turns
from ..wording import say_in_window
from .endings import CHECKS, tell_cancelled, tell_done
from .inputs import FillInputs
from .run_layers import make_trust_layer, make_volume_layer

if TYPE_CHECKING:
    import napari

    from .worker import StepWorker

#: Work that went on for longer is not thrown away without a question, in seconds.
LONG_S = 60.0
STOPPING = "Stopping after this step."


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
    progressed, said, busy, ran, measured, made, prepared : Signal
        Progress; a `Message`; whether a job runs; a new `Run`; a `Run` that has its table; the
        `Prepared` series that a job of the Prepare page ends with; its layer.
    """

    progressed = Signal(object)
    said = Signal(object)
    busy = Signal(bool)
    ran = Signal(object)
    measured = Signal(object)
    made = Signal(object)
    prepared = Signal(object)

    def __init__(self, viewer: napari.Viewer) -> None:
        self.turns = Turns(self.fail)
        self.stage = find_stage(viewer)
        self.stage.arranger.turns = self.turns
        self.runs = find_runs(viewer)
        self.remembered: WeakKeyDictionary[Image, dict[str, Any]] = WeakKeyDictionary()
        self.message = Message("")
        self.inputs: FillInputs | None = None
        self._session: Any = None
        self._worker: StepWorker | None = None
        self._started = 0.0
        self._reset()
        viewer.layers.events.removed.connect(self._take_back)

    def _reset(self) -> None:
        self._source: Image | None = None
        self._series: TiltSeries | None = None
        self._finished: list[Finished] = []
        self._arrived = 0.0
        self._checked_s: dict[str, float] = {}
        self._remark = ""
        self._told: dict[str, Any] = {}
        self._run: Run | None = None
        self._missing: list[type] = []

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
        self._source, self._missing = source, inputs.list_checks()
        worker = make_worker(run_steps(self.inputs, self.session))
        self._begin(worker, window)
        return worker

    def start(self, steps: Generator[Any, None, None], window: QWidget | None = None) -> StepWorker:
        """Start a job that ends with a `Prepared` series; `made` tells it."""
        from .worker import make_worker

        self._refuse_second()
        self._reset()
        worker = make_worker(steps)
        self._begin(worker, window)
        return worker

    def measure(self, run: Run, window: QWidget | None = None) -> None:
        """Make the table of a run, or say at once that it is there."""
        from .worker import make_worker, measure_steps

        if run.table is not None:
            self.measured.emit(run)
            return
        self._refuse_second()
        self._run, self._missing = run, [ResultsTable]
        volumes = {method: LayerMap.of(layer).to_volume() for method, layer in run.volumes.items()}
        steps = measure_steps(
            run.series, run.options, volumes, run.seconds, run.self_check, self.session
        )
        self._begin(make_worker(steps), window)

    def cancel(self) -> None:
        """Stop the job at its next step."""
        if self._worker is not None:
            self._worker.quit()
            self.say(STOPPING)

    def say(self, sentence: str, *, about: Run | Layer | None = None, passes: bool = False) -> None:
        """Put a sentence where the user reads it.

        Parameters
        ----------
        sentence : str
            What to say; nothing takes back what was said.
        about : Run or Layer, optional
            The sentence goes when this is gone.
        passes : bool
            Whether it goes as soon as a value is changed.
        """
        self._tell(Message(sentence, passes=passes, about=None if about is None else ref(about)))

    def _take_back(self, event: Any = None) -> None:
        """Take back what was said of a run or a layer that is gone."""
        if self.message.about is None:
            return
        about = self.message.about()
        held = self.runs.runs if isinstance(about, Run) else self.viewer.layers
        if about not in held:
            self.say("")

    def fail(self, error: Exception) -> None:
        """Say what went wrong, and offer the report if it was our fault."""
        self._tell(announce(error))

    def _tell(self, message: Message) -> None:
        self.message = message
        self.said.emit(message)

    def _refuse_second(self) -> None:
        if self.is_running:
            raise WedgefillError("A job is running; wait for it, or press Cancel.")

    def _begin(self, worker: StepWorker, window: QWidget | None) -> None:
        worker.yielded.connect(lambda item: self._take(worker, item))
        worker.errored.connect(lambda error: self._queue(lambda: self.fail(error)))
        worker.aborted.connect(lambda *_: self.turns.add(self._iter_cancel()))
        worker.finished.connect(lambda *_: self._queue(self._end))
        if window is not None:
            window.destroyed.connect(worker.quit)
            window.destroyed.connect(self.turns.clear)
        self._worker = worker
        self._started = time.monotonic()
        if self.message.passes:
            self.say("")
        self.busy.emit(True)
        self.progressed.emit(Progress("starting", 0.0, None))
        worker.start()

    def _take(self, worker: StepWorker, item: Any) -> None:
        if worker is not self._worker:
            return
        if isinstance(item, Progress):
            if not worker.abort_requested:
                self.progressed.emit(item)
        else:
            self._clock(item)
            self.turns.add(self._iter_show(worker, item))

    def _clock(self, item: Any) -> None:
        """Note how long a check took: it began when what came before it was there."""
        now, name = time.monotonic(), CHECKS.get(type(item))
        if name is not None:
            self._checked_s[name] = now - self._arrived
        if name is not None or isinstance(item, Finished):
            self._arrived = now

    def _queue(self, act: Callable[[], object]) -> None:
        """Do something once all that the worker yielded before is shown."""

        def steps() -> Iterator[None]:
            act()
            yield

        self.turns.add(steps())

    def _iter_show(self, worker: StepWorker, item: Any) -> Iterator[None]:
        """Show one thing that the worker yielded, a piece at a time."""
        from ...prepare.outcome import Prepared
        from ...run.events import Field, ImagesCorrected

        if isinstance(item, Finished):
            self._finished.append(item)
        if worker.abort_requested:
            return  # it was on its way when Cancel was pressed
        if type(item) in self._missing:
            self._missing.remove(type(item))
        if isinstance(item, TiltSeries):
            self._series = item
        elif isinstance(item, ImagesCorrected):
            self._series = item.series
            self._remark = say_in_window(item.corrections.sentence)
        elif isinstance(item, Field):
            self._told = item.to_dict()
        elif isinstance(item, Finished):
            if self.inputs is not None and len(self._finished) == len(self.inputs.methods):
                yield from self._iter_show_volumes(self.inputs)
        elif isinstance(item, ResultsTable) and self._run is not None:
            self._run.table = item
            self.measured.emit(self._run)
        elif isinstance(item, QuickCheck | SelfCheck | TrustMap) and self._run is not None:
            self.show_verdict(self._run, item)
        elif isinstance(item, Prepared):
            self.made.emit(item)
        elif isinstance(item, Done):
            self._say_done(item)
        yield

    def _iter_show_volumes(self, inputs: FillInputs) -> Iterator[None]:
        """Make a run of the volumes and put them on the stage; checks may follow."""
        series = self._series
        if series is None:
            raise RuntimeError("volumes came before their series")
        others = self.runs.of_series(self._source)
        name = name_run(inputs.describe(), [run.name for run in others])
        axis: Literal["x", "y"] = "x" if inputs.axis == "x" else "y"
        run = Run(name, series, inputs.fill_options(), self._source, axis)
        run.seconds = {item.method: item.seconds for item in self._finished}
        run.report = self._told
        self._run = run
        yield from self.iter_bring(run, {item.method: item.volume for item in self._finished})

    def iter_bring(
        self, run: Run, volumes: Mapping[str, Volume], *, shows: bool = True
    ) -> Iterator[None]:
        """Add a layer for each volume of a run, a turn each, and show them when all are there.

        Parameters
        ----------
        run : Run
            Without layers; it gets them.
        volumes : mapping of str to Volume
            By method.
        shows : bool
            Whether they go on the stage; else they stay hidden.
        """
        limits = share_contrast([volume.data for volume in volumes.values()])
        run.follow(self.runs.of_series(run.source))
        yield
        made = {}
        self.stage.arranger.hold_screen(True)  # nothing new is seen until they are on the stage
        try:
            for method, volume in volumes.items():
                layer = make_volume_layer(run, method, volume, limits)
                made[method] = self.viewer.add_layer(layer)
                yield
        finally:
            self.stage.arranger.hold_screen(False)
        # Someone may have deleted a layer between two turns.
        run.volumes = {m: layer for m, layer in made.items() if layer in self.viewer.layers}
        if not run.volumes:
            return
        self.runs.add(run)
        if not shows:
            return
        self.stage.show_volumes(list(run.volumes.values()))
        yield
        self.ran.emit(run)

    def show_verdict(self, run: Run, item: QuickCheck | SelfCheck | TrustMap) -> None:
        """Keep what a check found with its run; a trust map becomes a layer."""
        if isinstance(item, QuickCheck):
            run.quick_check = item
            mark_recommended(run.volumes, item)
        elif isinstance(item, SelfCheck):
            run.self_check = item
        else:
            run.trust_map = item
            selected = set(self.viewer.layers.selection)
            run.trust = self.viewer.add_layer(make_trust_layer(run, item.volume))
            # The controls stay those of what is seen.
            self.viewer.layers.selection = selected
        self.runs.changed.emit()

    def _say_done(self, done: Done) -> None:
        if self._run is not None:
            self._run.report = done.report
        took = {label_of(i.method): i.seconds for i in self._finished} | self._checked_s
        quick = None if self._run is None else self._run.quick_check
        told = tell_done(time.monotonic() - self._started, took, quick)
        self.say(" ".join(filter(None, [told, self._remark])), about=self._run)

    def _iter_cancel(self) -> Iterator[None]:
        """Show the volumes that were complete when Cancel was pressed, and say that they stay."""
        asked = self.inputs
        if asked is None or self._run is not None or not self._finished:
            self._say_cancelled()
            return
        have = {item.method for item in self._finished}
        some = replace(asked, methods=tuple(name for name in asked.methods if name in have))
        yield from self._iter_show_volumes(some)
        self._say_cancelled([name for name in asked.methods if name not in have])

    def _say_cancelled(self, left: Sequence[str] = ()) -> None:
        stay = [] if self._run is None else list(self._run.volumes)
        self.say(tell_cancelled(stay, left, self._missing), passes=True)

    def _end(self) -> None:
        if self.message.sentence == STOPPING:  # it came to its end before it heard of it
            self._say_cancelled()
        self._worker = None
        self._reset()
        self.busy.emit(False)


_workbenches: WeakKeyDictionary[Any, Workbench] = WeakKeyDictionary()


def tell_error(viewer: napari.Viewer | None, error: Exception) -> None:
    """Show an error as a notification, and in the status line of the viewer's dock, if any."""
    bench = None if viewer is None else _workbenches.get(getattr(viewer, "__wrapped__", viewer))
    if bench is None:
        announce(error)
    else:
        bench.fail(error)


def find_workbench(viewer: napari.Viewer) -> Workbench:
    """Return the workbench of a viewer; there is one, however many docks were opened."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _workbenches:
        _workbenches[viewer] = Workbench(viewer)
    return _workbenches[viewer]
