"""The Fill wedge dock: a magicgui container of four forms, and a footer that is always there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from weakref import ref

import napari
import napari.viewer
from magicgui.widgets import ComboBox, Container, FunctionGui
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtWidgets import QMainWindow

from ...errors import WedgefillError
from ..cells import SOLID
from ..layer_kinds import list_series, list_volumes, was_opened
from ..layers import LayerMap
from ..prepare.page import PreparePage
from ..prepare.steps import recipe_of
from ..qt_objects import call_at_end, expect
from ..solid.panel import SolidPanel
from .actions import Actions
from .closing import DockWatcher
from .footer import Footer
from .forms import Forms
from .inputs import FillInputs
from .live import LiveSlice
from .pixel_notes import PixelNotes
from .preferences import read_preferences, write_preferences
from .run_choice import RunChoice
from .sections import align_labels, lay_out, make_sections
from .series_fields import SeriesFields
from .settings import Checks, Methods, Series
from .shortcuts import bind_keys
from .verdict import Verdict
from .views import Views
from .workbench import find_workbench
from .worker import StepWorker

LAYER_EVENTS = ("inserted", "removed", "renamed", "reordered")


class FillWedge(Forms):
    """Fill the missing wedge of a tilt series and compare the methods.

    Every field is a widget of this container: ``dock.methods.value = ("wbp", "tvm")``,
    ``dock.asdict()``, ``dock.changed.connect(...)``. Calling it starts a fill.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer that the dock belongs to; napari passes it.

    Attributes
    ----------
    called : Signal
        Emitted with the `Run` once its volumes are shown.
    """

    called = Signal(object)

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.workbench = find_workbench(napari_viewer)
        self._viewer = self.workbench.viewer
        self._is_connected = True
        self._returns_to_volumes = False  # once a live slice ends
        forms = (
            FunctionGui(Series, call_button=False, name="series_form"),
            FunctionGui(Methods, call_button=False, name="methods_form"),
            FunctionGui(Checks, call_button=False, name="checks_form"),
        )
        # napari offers every image layer, and volumes are no tilt series.
        forms[0].series.choices = self._offer_series
        self.verdict = Verdict()
        self.footer = Footer()
        self.run_box = ComboBox(name="run", label="Run", gui_only=True)
        self.solid = SolidPanel(self.workbench)
        self.prepare_page = PreparePage(self.workbench, self._ask_series, self._take_prepared)
        self.sections = make_sections(
            (forms[0], self.prepare_page, *forms[1:], self._make_result(), self.solid)
        )
        all_forms: tuple[Container[Any], ...] = (*forms, *self.prepare_page.forms.values())
        super().__init__(all_forms, self.sections, name="fill_wedge")
        self.series_fields = SeriesFields(self, self.workbench, self._describe_series)
        self.pixel_notes = PixelNotes(self)
        self.runs = RunChoice(self)
        self.scrolling = lay_out(self, self.sections, self.footer)
        self.live_slice = LiveSlice(self.workbench, self.inputs_and_layer)
        self.views, self.actions = Views(self), Actions(self)
        self._watcher = DockWatcher(self.native, self.settle_in, self.detach)
        self.update(read_preferences())
        self._connect()
        bind_keys(self)
        self._layers_changed()
        self.follow_runs()
        self._find_on_stage()

    def _find_on_stage(self) -> None:
        """Take over what the canvas shows; a lone series is put on the stage."""
        stage, layer = self.workbench.stage, self.layer
        self.runs.take_over()
        if layer is not None and not stage.shown and not list_volumes(self._viewer):
            stage.show_series(layer)
        self.mark_view(stage.view)

    @property
    def layer(self) -> Image | None:
        """The tilt series that is chosen."""
        return self.series_fields.layer

    def _make_result(self) -> Container[Any]:
        result = Container[Widget](widgets=[self.run_box], name="result_form")
        result.native.layout().addWidget(self.verdict)
        return result

    def settle_in(self) -> None:
        """Take the font of the theme and the window into account, once they are known."""
        if self._is_connected:
            align_labels(self.sections, self.verdict)
            self.scrolling.updateGeometry()
            window = self.window()
            self.workbench.stage.arranger.window = None if window is None else ref(window)

    def __call__(self, **values: Any) -> StepWorker:
        """Set fields by name, start a fill, and return its worker; `called` tells its end.

        Raises
        ------
        WedgefillError
            If the fields are not enough for a fill, or a job is running.
        """
        if values:
            self.update(values)
        inputs, layer = self.inputs_and_layer()
        self.live.value = False
        write_preferences(self.asdict())
        return self.workbench.fill(inputs, layer, self.window())

    # What a job is started with

    def inputs(self) -> FillInputs:
        """Snapshot of the fields; raise `WedgefillError` where they are not enough."""
        return self.inputs_and_layer()[0]

    def inputs_and_layer(self) -> tuple[FillInputs, Image]:
        """Snapshot of the fields, and the layer of the series."""
        series, layer = self._ask_series()
        if not self.methods.value:
            raise WedgefillError("No method is checked; check at least one.")
        inputs = replace(
            series,
            methods=self.methods.value,
            model=self.model.value,
            device=self.device.value,
            slices=self.series_fields.chosen_slices(layer),
            whole_field=self.whole_field.value,
            self_check=self.self_check.value,
            trust_map=self.trust_map.value,
        )
        return inputs, layer

    def _ask_series(self) -> tuple[FillInputs, Image]:
        """Snapshot of what is said of the series, and its layer."""
        layer = self.layer
        if layer is None:
            raise WedgefillError("There is no tilt series; open one, or drop its file here.")
        inputs = FillInputs(
            source=LayerMap.of(layer),
            angles=self.angles.value,
            pixel_nm=self.pixel_nm.value or None,
            axis=self.axis.value,
            axis_shift_px=self.axis_shift_px.value,
        )
        return inputs, layer

    def fill(self) -> None:
        """Run every checked method on the chosen slices."""
        try:
            self()
        except WedgefillError as error:
            self.workbench.fail(error)

    # What follows what

    def _connect(self) -> None:
        bench, footer = self.workbench, self.footer
        for form in self.forms:
            form.changed.connect(self._field_changed)
        self.series.changed.connect(self._series_chosen)
        self.axis.changed.connect(self._axis_edited)
        self.axis_shift_px.changed.connect(self._axis_edited)
        self.live.changed.connect(self._live_switched)
        self.follow.changed.connect(self._axis_followed)
        self.run_box.changed.connect(self.runs.show_chosen)
        for section in self.sections:
            section.help_button.clicked.connect(partial(self.actions.open_help, section.page))
        self.series_fields.array_button.clicked.connect(self.actions.cut_series)
        footer.fill_button.clicked.connect(self.fill)
        footer.cancel_button.clicked.connect(bench.cancel)
        footer.compare_button.clicked.connect(self.actions.compare)
        footer.results_button.clicked.connect(self.actions.measure)
        footer.export_button.clicked.connect(self.actions.export)
        expect(footer.save_action).triggered.connect(lambda: self.actions.save_session())
        expect(footer.open_action).triggered.connect(lambda: self.actions.open_session())
        footer.view_chosen.connect(self.views.show)
        footer.trust_button.clicked.connect(self.views.show_trust)
        for name in LAYER_EVENTS:
            getattr(self._viewer.layers.events, name).connect(self._layers_changed)
        for signal, slot in self._bench_slots():
            signal.connect(slot)
        call_at_end(self.native, self._disconnect)

    def _bench_slots(self) -> tuple[tuple[Any, Any], ...]:
        bench = self.workbench
        return (
            (bench.progressed, self.footer.show_progress),
            (bench.said, self.footer.show_message),
            (bench.busy, self._set_running),
            (bench.ran, self.runs.show_new),
            (bench.measured, self.actions.show_table),
            (bench.prepared, self._take_prepared),
            (bench.runs.changed, self.follow_runs),
            (bench.stage.changed, self.mark_view),
            (self.prepare_page.desk.glanced, self.pixel_notes.take_glance),
        )

    def detach(self) -> None:
        """Leave nothing behind that calls a dock which is gone; a job goes on without it."""
        self.series_fields.remember()
        self.live.value = False
        self.prepare_page.close_down()
        self._disconnect()
        self.native.deleteLater()
        if self.workbench.is_running:
            show_info("The fill goes on; open Fill wedge again to see it or to cancel it.")

    def _disconnect(self) -> None:
        if not self._is_connected:
            return
        self._is_connected = False
        self.pixel_notes.detach()
        self.live_slice.detach()
        self.prepare_page.disconnect()
        for name in LAYER_EVENTS:
            getattr(self._viewer.layers.events, name).disconnect(self._layers_changed)
        for signal, slot in self._bench_slots():
            signal.disconnect(slot)

    def reset_choices(self, *_: Any) -> None:
        """Offer the layers and the runs that there are; what follows is heard of by itself."""
        with self.setting():
            self.series.reset_choices()
            self.run_box.reset_choices()

    def _offer_series(self, widget: Any = None) -> list[Image]:
        return list_series(self._viewer)

    def _layers_changed(self, event: Any = None) -> None:
        """Follow the layer list: take up a series that was opened, let go of one that is gone."""
        if self.is_setting:
            return
        candidates = list_series(self._viewer)
        opened = getattr(event, "value", None) if getattr(event, "type", "") == "inserted" else None
        wanted = self.layer if self.layer in candidates else None
        # A series that was prepared here is taken up by `_take_prepared`.
        is_new = opened in candidates and not recipe_of(opened)
        if is_new and (wanted is None or was_opened(opened)):
            wanted = opened
        elif wanted is None and candidates:
            wanted = candidates[-1]
        with self.setting():
            self.series.reset_choices()
            self.series.value = wanted
        if wanted is not self.layer or wanted is None:
            self._change_series(wanted, show=opened is not None and opened is wanted)
        self.series_fields.offer_arrays()
        self._set_running(self.workbench.is_running)
        self.enable_results()

    def _series_chosen(self, layer: Image | None) -> None:
        if not self.is_setting and layer is not self.layer:
            self._change_series(layer, show=True)

    def _change_series(self, layer: Image | None, *, show: bool) -> None:
        """Go over to another series; what was said belongs to the one before."""
        if not self.workbench.is_running:
            self.workbench.say("")
        self.take_series(layer, show=show)

    def take_series(self, layer: Image | None, *, show: bool) -> None:
        """Fill the form in for a series, and show it on the canvas if asked to."""
        self.live.value = self.follow.value = False
        self.series_fields.show(layer)
        self.pixel_notes.look_at(layer)
        if layer is not None and show:
            self.workbench.stage.show_series(layer)
        self.prepare_page.show_series(layer)
        self._set_running(self.workbench.is_running)
        self.follow_runs()
        self.changed.emit(self)

    def _describe_series(self, words: str) -> None:
        """Follow the angles of the series, typed or loaded."""
        self.sections[0].summarise(words)
        if self.prepare_page.chosen.layer is self.layer:
            self.prepare_page.renew()

    def _axis_edited(self) -> None:
        if not self.is_setting:
            self.prepare_page.renew()

    def _field_changed(self) -> None:
        """Take back an error that was said of other values, and fill the live slice anew."""
        if self.is_setting:
            return
        if not self.workbench.is_running and self.workbench.message.passes:
            self.workbench.say("")
        self.live_slice.renew()
        self.sections[2].summarise(", ".join(m.upper() for m in self.methods.value))
        self.changed.emit(self)

    def _axis_followed(self, on: bool) -> None:
        """Show one live slice at a time."""
        if on:
            self.live.value = False

    def _live_switched(self, on: bool) -> None:
        stage, run = self.workbench.stage, self.run_box.value
        if on:
            self.follow.value = False
            self._returns_to_volumes = stage.shows_volumes
        self.live_slice.turn(on)
        if on or self.layer is None or stage.shown:
            return
        if self._returns_to_volumes and run is not None and run.volumes:
            stage.show_volumes(list(run.volumes.values()))
        else:
            stage.show_series(self.layer)

    def _set_running(self, running: bool) -> None:
        self.footer.set_running(running, ready=self.layer is not None)
        if not running:  # progress goes with its job
            self.footer.show_message(self.workbench.message)

    def follow_runs(self) -> None:
        """Offer the runs that there are, and what can be done with them."""
        self.runs.follow()
        self.sections[4].native.setVisible(bool(self.workbench.runs.runs))
        self.enable_results()

    def enable_results(self) -> None:
        """Let only those buttons be pressed that have something to work on."""
        self.footer.results_button.setEnabled(self.run_box.value is not None)
        n_volumes = len(list_volumes(self._viewer))
        self.footer.compare_button.setEnabled(n_volumes > 1)
        self.footer.export_button.setEnabled(n_volumes > 0)

    def _take_prepared(self, layer: Image) -> None:
        """Go on with another step of a series; a live slice follows it."""
        follows = {field: field.value for field in (self.live, self.follow)}
        self.series_fields.hand_on(layer)
        with self.setting():
            self.series.reset_choices()
            self.series.value = layer
        self.take_series(layer, show=not any(follows.values()))
        for field, is_on in follows.items():
            field.value = is_on

    def mark_view(self, view: str) -> None:
        """Light the buttons of what the canvas shows; the 3-D section comes and goes with it."""
        self.views.mark(view)
        solid, is_wanted = self.sections[5].native, view == SOLID
        if is_wanted and solid.isHidden():
            self.scrolling.reveal(solid)
        solid.setVisible(is_wanted)

    def window(self) -> QMainWindow | None:
        """Return napari's window, once the dock is in it."""
        window = self.native.window()
        return window if isinstance(window, QMainWindow) else None
