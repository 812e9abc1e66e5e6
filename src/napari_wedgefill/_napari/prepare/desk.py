"""What goes on in one viewer about preparing, whether a dock is open or not."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Layer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from ...errors import WedgefillError
from ...prepare import PrepareOptions
from ...progress import Progress
from ..fill.inputs import FillInputs
from ..fill.workbench import Workbench
from .plan import Glance, Plan, glance_steps
from .steps import Steps, make_layer

if TYPE_CHECKING:
    from ...prepare.outcome import Found, Prepared
    from ...tilt_series import TiltSeries
    from ..fill.worker import StepWorker

    FindShifts = Callable[[TiltSeries], Found | None]


class Desk:
    """The plans and steps of a viewer, and its jobs that prepare.

    Parameters
    ----------
    workbench : Workbench
        Of the viewer; a preparation is its one job.

    Attributes
    ----------
    steps : Steps
        Which layer was prepared from which.
    plans : mapping of Image to Plan
        What is set for each layer.
    glanced : Signal
        The layer that was looked at.
    """

    glanced = Signal(object)

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.steps = Steps()
        self.plans: WeakKeyDictionary[Image, Plan] = WeakKeyDictionary()
        self._looking: StepWorker | None = None
        self._asked: tuple[Image, FillInputs] | None = None
        workbench.made.connect(self._show)

    def plan_of(self, layer: Image) -> Plan:
        """Return the plan of a layer; that of a prepared one begins with what was done."""
        plan = self.plans.get(layer)
        if plan is None:
            step = self.steps.of(layer)
            plan = self.plans[layer] = Plan() if step is None else Plan.of_step(step)
        return plan

    def prepare(
        self,
        layer: Image,
        inputs: FillInputs,
        options: PrepareOptions,
        find_shifts: FindShifts,
        window: QWidget | None = None,
    ) -> StepWorker:
        """Start a preparation; its layer is added when it is done.

        Parameters
        ----------
        layer : Image
            The one that is chosen, the step before.
        inputs : FillInputs
            The series as it was opened.
        options : PrepareOptions
            What to do.
        find_shifts : callable
            Returns shifts to apply to the series; None to do as the options say.
        window : QWidget, optional
            The job is stopped when this window is destroyed.
        """
        worker = self.workbench.start(prepare_steps(inputs, options, find_shifts), window)
        self.stop_looking()
        self._asked = layer, inputs
        return worker

    def _show(self, prepared: Prepared) -> None:
        """Add the layer, and make it the one that is chosen."""
        if self._asked is None:
            return
        layer, inputs = self._asked
        base = self.steps.base_of(layer)
        made = Layer.create(*make_layer(prepared, base.name))
        viewer = self.workbench.viewer
        self.steps.add(made, inputs, layer, prepared.report)
        viewer.add_layer(made)
        self.workbench.prepared.emit(made)
        self.workbench.say(f"Prepared: {made.name}. Fill wedge and Live slice use it.", about=made)

    def glance(self, layer: Image, inputs: FillInputs) -> None:
        """Look at a series in the background; a look at another one is given up."""
        from ..fill.worker import make_worker  # compiled code: not while the window opens

        self.stop_looking()
        worker = make_worker(glance_steps(inputs))
        worker.yielded.connect(partial(self._take_glance, worker, layer))
        worker.errored.connect(partial(self._take_refusal, worker, layer))
        worker.start()
        self._looking = worker

    def _take_glance(self, worker: StepWorker, layer: Image, found: Glance) -> None:
        if worker is self._looking and not worker.abort_requested:
            self.plan_of(layer).take_glance(found)
            self.glanced.emit(layer)

    def _take_refusal(self, worker: StepWorker, layer: Image, error: Exception) -> None:
        if isinstance(error, WedgefillError):
            self._take_glance(worker, layer, Glance(None, (), refusal=str(error)))
        else:
            self.workbench.fail(error)

    def stop_looking(self) -> None:
        """Give up a look that is under way."""
        if self._looking is not None:
            self._looking.quit()
            self._looking = None


def prepare_steps(
    inputs: FillInputs, options: PrepareOptions, find_shifts: FindShifts
) -> Generator[Any, None, None]:
    """Yield `Progress`, and the `Prepared` series last."""
    from ...prepare.preparing import iter_prepare

    yield Progress("reading the layer", 0.0, None)
    series = inputs.series()
    yield from iter_prepare(series, options, find_shifts(series))


_desks: WeakKeyDictionary[Any, Desk] = WeakKeyDictionary()


def find_desk(workbench: Workbench) -> Desk:
    """Return the desk of a viewer, by its workbench; there is one, however many docks open."""
    viewer = workbench.viewer
    if viewer not in _desks:
        _desks[viewer] = Desk(workbench)
    return _desks[viewer]
