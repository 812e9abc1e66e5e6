"""The Prepare page of the dock: says whether a series needs it, and does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from ...errors import WedgefillError
from ..fill.fields import Section
from ..fill.inputs import FillInputs
from ..fill.workbench import Workbench
from ..wording import say_in_window
from .axis_part import AxisPart
from .chosen import Chosen
from .clean_part import CleanPart
from .controls import make_button, make_row, make_words, say
from .desk import find_desk
from .plan import KEEP, LEAVE
from .recipe_part import RecipePart
from .region_part import RegionPart
from .settings import make_forms
from .shifts import choose_finder, keep_shifts, offer_shifts
from .tilt_overlay import TiltOverlay
from .tilts_part import TiltsPart

#: How long angles and axis rest before the images are looked at, in milliseconds.
REST_MS = 300
LOOKING = "Looking at the images\N{HORIZONTAL ELLIPSIS}"
TOO_LITTLE = "Too few tilts, or too small images, to say whether they need preparing."
AXIS_LOST = (
    "Other shifts would lose the tilt axis that was set by hand; press Apply under Tilt axis, or "
    "set its sliders back to 0."
)
AGREE = "The images contradict each other by {} %, as noise and few tilts explain."


class PreparePage(Container[Widget]):
    """The content of the dock's section Prepare.

    Parameters
    ----------
    workbench : Workbench
        Of the viewer.
    ask : callable
        Returns what the dock says of the series that is chosen, and its layer; raises
        `WedgefillError` where there is none.
    choose : callable
        Makes another layer the chosen one.

    Attributes
    ----------
    forms : dict of str to FunctionGui
        ``shifts``, ``clean``, ``tilts``, ``axis``, ``region``.
    prepare_button, undo_button, redo_button : QPushButton
        What is pressed.
    hint, history : QLabel
        Whether the series needs preparing, and what was done to it.
    clean, tilts, axis, region, recipe
        The parts, each under a heading of its own in `sections`.
    """

    def __init__(
        self,
        workbench: Workbench,
        ask: Callable[[], tuple[FillInputs, Image]],
        choose: Callable[[Image], None],
    ) -> None:
        super().__init__(labels=False, name="prepare_page")
        self._workbench, self._choose = workbench, choose
        self.desk = find_desk(workbench)
        self.chosen = Chosen(self.desk, ask)
        self._is_setting = False
        self.forms = make_forms()
        self.overlay = TiltOverlay(workbench.stage)
        self.clean = CleanPart(self.chosen, self.forms["clean"], self.overlay)
        self.tilts = TiltsPart(self.chosen, self.forms["tilts"], self.overlay)
        self.axis = AxisPart(self.chosen, self.forms["axis"], self.apply_axis)
        self.region = RegionPart(self.chosen, self.forms["region"])
        self.recipe = RecipePart(self.chosen, self._plan_loaded)
        self._lay_out()
        # With a parent: Python's collector may run in a worker, and a timer must not end there.
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._look)
        self._connect()

    def _lay_out(self) -> None:
        self.hint, self.history = make_words(), make_words()
        self.prepare_button = make_button(
            "Prepare", "Clean and align the images; the result is a new layer.", self.prepare
        )
        self.prepare_button.setStyleSheet("font-weight: bold;")
        self.undo_button = make_button("Undo", "Go back to the step before.", self.undo)
        self.redo_button = make_button("Redo", "Go on to the step after.", self.redo)
        self.forms["shifts"].margins = (0, 0, 0, 0)
        self.forms["shifts"].shifts.choices = lambda widget: offer_shifts(self.chosen)
        titles = ("Clean", "Tilts", "Tilt axis", "Region", "Recipe and shifts")
        parts = (self.clean, self.tilts, self.axis, self.region, self.recipe)
        contents: list[Container[Any]] = [part.form for part in parts]
        self.sections = {
            title: Section(title, form, is_open=False)
            for title, form in zip(titles, contents, strict=True)
        }
        column = self.native.layout()
        column.setSpacing(4)
        column.addWidget(self.hint)
        column.addLayout(
            make_row((self.prepare_button, 3), (self.undo_button, 1), (self.redo_button, 1))
        )
        column.addWidget(self.history)
        column.addWidget(self.forms["shifts"].native)
        for section in self.sections.values():
            column.addWidget(section.native)

    def _connect(self) -> None:
        self.forms["shifts"].changed.connect(self._take_shifts)
        for part in (self.clean, self.tilts, self.region):
            part.form.changed.connect(part.take)
            part.form.changed.connect(self._summarise)
        self.axis.form.changed.connect(self._summarise)
        self._workbench.viewer.dims.events.point.connect(self._slider_moved)
        for signal, slot in self._signals():
            signal.connect(slot)

    def _signals(self) -> tuple[tuple[Any, Any], ...]:
        return (
            (self._workbench.busy, self._mark),
            (self._workbench.stage.changed, self._slider_moved),
            (self.desk.glanced, self._show_glance),
        )

    def close_down(self) -> None:
        """Take away all that the page laid over the images."""
        self._timer.stop()
        self.axis.form.follow.value = False
        self.clean.preview.value = False
        self.region.remove()
        self.overlay.clear()

    def disconnect(self) -> None:
        """Leave nothing behind that calls a page which is gone."""
        self.desk.stop_looking()
        self.axis.disconnect()
        self.overlay.disconnect()
        self._workbench.viewer.dims.events.point.disconnect(self._slider_moved)
        for signal, slot in self._signals():
            signal.disconnect(slot)

    # What is shown

    def show_series(self, layer: Image | None) -> None:
        """Show what is known of another series, and look at it if nobody has."""
        self.chosen.layer = layer
        if layer is not None and not self.chosen.plan.belongs_to:
            self._follow()
        self._fill_in()
        self.axis.show()
        self._timer.start()

    def renew(self) -> None:
        """Follow the dock's fields of the series: its angles or its axis may be others."""
        if self.chosen.layer is None:
            return
        self._follow()
        self._fill_in()
        self.axis.show()
        self._timer.start()

    def _follow(self) -> None:
        """Let the plan of a series as it was opened follow its angles and its axis."""
        try:
            inputs = self.chosen.inputs()
        except WedgefillError:
            return
        if self.chosen.step is None:
            self.chosen.plan.follow(inputs.angles, inputs.axis)

    def _fill_in(self) -> None:
        """Fill every form from the plan."""
        self._is_setting = True
        shifts = self.forms["shifts"].shifts
        shifts.reset_choices()
        shifts.value = self.chosen.plan.shifts
        self.forms["shifts"].shifts_by.value = self.chosen.plan.shifts_by
        self._is_setting = False
        for part in (self.clean, self.tilts, self.region):
            part.show()
        self.overlay.write()
        self._say_state()
        self._summarise()

    def _plan_loaded(self) -> None:
        self._fill_in()
        self._workbench.say("Loaded; press Prepare to apply it.")

    def _take_shifts(self) -> None:
        if not self._is_setting:
            form = self.forms["shifts"]
            self.chosen.plan.shifts = form.shifts.value
            self.chosen.plan.shifts_by = form.shifts_by.value

    def _say_state(self) -> None:
        """Say whether the series needs preparing, or what was done to it."""
        plan, step = self.chosen.plan, self.chosen.step
        if self.chosen.layer is None:
            say(self.hint, "")
        elif step is None:
            has_angles = bool(self.chosen.base_angles_deg().size)
            say(self.hint, say_disagreement(plan) if has_angles else "")
        else:
            say(self.hint, "")
        say(self.history, "" if step is None else say_in_window("\n".join(step.report.history)))
        self._mark()

    def _mark(self, running: Any = None) -> None:
        """Let only those buttons be pressed that do something."""
        is_idle, steps = not self._workbench.is_running, self.desk.steps
        layer, layers = self.chosen.layer, self._workbench.viewer.layers
        self.prepare_button.setEnabled(layer is not None and is_idle)
        self.undo_button.setEnabled(is_idle and steps.before(layer) in layers)
        self.redo_button.setEnabled(is_idle and steps.after(layer) in layers)
        self.axis.mark()
        self.recipe.mark()
        if is_idle and layer is not None and self.chosen.plan.glance is None:
            self._timer.start()

    def _summarise(self) -> None:
        for title, part in (
            ("Clean", self.clean),
            ("Tilts", self.tilts),
            ("Tilt axis", self.axis),
            ("Region", self.region),
        ):
            self.sections[title].summarise(part.summarise())

    def _slider_moved(self, event: Any = None) -> None:
        self.tilts.mark()
        self.clean.renew()

    # A first look

    def _look(self) -> None:
        """Look at the images, unless that was done, a job is running, or angles are missing."""
        layer = self.chosen.layer
        if layer is None or self.chosen.step is not None or self._workbench.is_running:
            return
        if self.chosen.plan.glance is None and self.chosen.base_angles_deg().size:
            self.desk.glance(layer, self.chosen.base_inputs())

    def _show_glance(self, layer: Image) -> None:
        if layer is self.chosen.layer:
            self.tilts.show_table()
            self.clean.show_flaws()
            self._say_state()
            self._summarise()

    # What is done

    def prepare(self) -> None:
        """Start what the page asks for; the new layer is chosen once it is there."""
        if not self.axis.moves:
            self._start(lambda options: choose_finder(self.chosen, options))
        elif self.chosen.plan.shifts in (KEEP, LEAVE):
            self.apply_axis()
        else:
            self._workbench.fail(WedgefillError(AXIS_LOST))

    def apply_axis(self) -> None:
        """Put the axis where the sliders have it; the images keep their shifts."""
        turn, move = self.axis.form.turn_deg.value, self.axis.form.move_px.value

        def find(options: Any) -> Any:
            step = self.chosen.step
            if step is not None:
                found = keep_shifts(step, options).turn_axis(turn, move)
                return lambda series: found
            from ...prepare.preparing import leave_in_place

            return lambda series: leave_in_place(series, options).turn_axis(turn, move)

        self._start(find)

    def _start(self, find: Callable[[Any], Any]) -> None:
        layer = self.chosen.layer
        if layer is None:
            return
        self.clean.preview.value = False
        self.region.remove()
        try:
            options = self.chosen.plan.options()
            self.desk.prepare(
                layer, self.chosen.base_inputs(), options, find(options), self._window()
            )
        except WedgefillError as error:
            self._workbench.fail(error)

    def undo(self) -> None:
        """Go back to the layer of the step before; the later one stays in the list."""
        self._go_to(self.desk.steps.before(self.chosen.layer))

    def redo(self) -> None:
        """Go on to the layer of the step after."""
        self._go_to(self.desk.steps.after(self.chosen.layer))

    def _go_to(self, layer: Image | None) -> None:
        if layer is not None and layer in self._workbench.viewer.layers:
            self._choose(layer)

    def _window(self) -> QWidget | None:
        window = self.native.window()
        return window if window is not self.native else None


def say_disagreement(plan: Any) -> str:
    """Say whether a series needs preparing."""
    if plan.glance is None:
        return LOOKING
    if plan.glance.refusal:
        return say_in_window(plan.glance.refusal)
    from ...prepare.disagreement import hint  # loaded by the look

    share = plan.glance.disagreement
    if share is None:
        return TOO_LITTLE
    return hint(share) or AGREE.format(f"{100 * share:.0f}")
