"""The Fill wedge dock: a magicgui container of four forms, and a footer that is always there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import ReferenceType, ref

import napari
import napari.viewer
from magicgui.widgets import ComboBox, Container, FunctionGui
from magicgui.widgets.bases import Widget
from napari.layers import Image
from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtWidgets import QLabel, QMainWindow, QWidget

from ...errors import WedgefillError
from ..layers import LayerMap, list_series, list_volumes, was_opened
from ..runs import Run
from ..stage import TILTS
from .closing import DockWatcher
from .export import ExportDialog, export_files
from .fields import Section
from .footer import Footer
from .forms import Forms
from .inputs import FillInputs
from .live import LiveSlice
from .preferences import read_preferences, write_preferences
from .scrolling import Scrolling
from .series_fields import SeriesFields
from .settings import Checks, Methods, Prepare, Series
from .verdict import Verdict
from .workbench import find_workbench
from .worker import StepWorker

LAYER_EVENTS = ("inserted", "removed", "renamed", "reordered")
#: Space between sections and at their sides, in pixels.
MARGIN, SPACING = 6, 4
#: Between the words of a label and its field, in pixels.
LABEL_GAP = 6


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
        forms = (
            FunctionGui(Series, call_button=False, name="series_form"),
            FunctionGui(Prepare, call_button=False, name="prepare_form"),
            FunctionGui(Methods, call_button=False, name="methods_form"),
            FunctionGui(Checks, call_button=False, name="checks_form"),
        )
        # napari offers every image layer, and volumes are no tilt series.
        forms[0].series.choices = self._offer_series
        self.verdict = Verdict()
        self.footer = Footer()
        self.run_box = ComboBox(name="run", label="Run", choices=self._offer_runs, gui_only=True)
        self.sections = self._make_sections(forms)
        super().__init__(forms, self.sections, name="fill_wedge")
        self.series_fields = SeriesFields(self, self.workbench, self.sections[0].summarise)
        self._lay_out()
        self.live_slice = LiveSlice(self.workbench, self.inputs_and_layer)
        self._watcher = DockWatcher(self.native, self.settle_in, self.detach)
        self.update(read_preferences())
        self._connect()
        self._layers_changed()
        self._runs_changed()
        self._find_on_stage()

    def _find_on_stage(self) -> None:
        """Take over what the canvas shows; a lone series is put on the stage."""
        stage, layer = self.workbench.stage, self._layer
        if layer is not None and not stage.shown and not list_volumes(self._viewer):
            stage.show_series(layer)
        self._mark_view(stage.view)

    @property
    def _layer(self) -> Image | None:
        """The tilt series that is chosen."""
        return self.series_fields.layer

    # How it is laid out

    def _make_sections(self, forms: Sequence[Container[Any]]) -> tuple[Section, ...]:
        result = Container[Widget](widgets=[self.run_box], name="result_form")
        result.native.layout().addWidget(self.verdict)
        titles = ("Series", "Prepare", "Methods", "Checks", "Result")
        return tuple(
            Section(title, form) for title, form in zip(titles, (*forms, result), strict=True)
        )

    def _lay_out(self) -> None:
        """Put the sections under a scroll bar and the footer below it."""
        content = QWidget()
        column = self.native.layout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        inner = type(column)()
        inner.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        inner.setSpacing(SPACING)
        content.setLayout(inner)
        for section in self.sections:
            inner.addWidget(section.native)
        inner.addStretch(1)
        self.scrolling = Scrolling(content)
        column.addWidget(self.scrolling, 1)
        column.addWidget(self.footer)

    def settle_in(self) -> None:
        """Take the font of the theme and the window into account, once they are known."""
        if self._is_connected:
            self.align_labels()
            self.scrolling.updateGeometry()
            window = self._window()
            self.workbench.stage.window = None if window is None else ref(window)

    def align_labels(self) -> None:
        """Give the label columns of all sections one width, in the font of the theme."""
        labels = [
            label
            for section in self.sections
            for label in section.form.native.findChildren(QLabel)
            if label is not self.series_fields.line.native and not self.verdict.isAncestorOf(label)
        ]
        width = max(label.fontMetrics().horizontalAdvance(label.text()) for label in labels)
        for label in labels:
            label.setFixedWidth(width + LABEL_GAP)

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
        return self.workbench.fill(inputs, layer, self._window())

    # What a job is started with

    def inputs(self) -> FillInputs:
        """Snapshot of the fields; raise `WedgefillError` where they are not enough."""
        return self.inputs_and_layer()[0]

    def inputs_and_layer(self) -> tuple[FillInputs, Image]:
        """Snapshot of the fields, and the layer of the series."""
        layer = self._layer
        if layer is None:
            raise WedgefillError("There is no tilt series; open one, or drop its file here.")
        if not self.methods.value:
            raise WedgefillError("No method is checked; check at least one.")
        inputs = FillInputs(
            source=LayerMap.of(layer),
            angles=self.angles.value,
            pixel_nm=self.pixel_nm.value or None,
            axis=self.axis.value,
            axis_shift_px=self.axis_shift_px.value,
            align=self.align.value,
            methods=self.methods.value,
            model=self.model.value,
            device=self.device.value,
            slices=self.series_fields.chosen_slices(layer),
            self_check=self.self_check.value,
            trust_map=self.trust_map.value,
        )
        return inputs, layer

    def fill(self) -> None:
        """Run every checked method on the chosen slices."""
        try:
            self()
        except WedgefillError as error:
            self.workbench.fail(error)

    def compare(self) -> None:
        """Open the Compare window with the run that is chosen."""
        from ..compare.window import open_compare  # it compiles on first use

        run = self.run_box.value
        open_compare(self._viewer, self._window(), run=None if run is None else run.title)

    def measure(self) -> None:
        """Open the table of the run that is chosen; it is made once."""
        if (run := self.run_box.value) is None:
            return
        try:
            self.workbench.measure(run, self._window())
        except WedgefillError as error:
            self.workbench.fail(error)

    def export(self) -> None:
        """Ask what to write and where to, and write it."""
        dialog = ExportDialog(self._viewer, self.workbench.runs, self.run_box.value)
        try:
            jobs = dialog.ask(self._window())
        except WedgefillError as error:
            self.workbench.fail(error)
            return
        if jobs:
            export_files(jobs, self.workbench.say, self.workbench.fail)

    # What follows what

    def _connect(self) -> None:
        bench, footer = self.workbench, self.footer
        for form in self.forms:
            form.changed.connect(self._field_changed)
        self.series.changed.connect(self._series_chosen)
        self.live.changed.connect(self._live_switched)
        self.run_box.changed.connect(self._run_chosen)
        footer.fill_button.clicked.connect(self.fill)
        footer.cancel_button.clicked.connect(bench.cancel)
        footer.compare_button.clicked.connect(self.compare)
        footer.results_button.clicked.connect(self.measure)
        footer.export_button.clicked.connect(self.export)
        footer.view_chosen.connect(self.show_view)
        footer.trust_button.clicked.connect(self.show_trust)
        for name in LAYER_EVENTS:
            getattr(self._viewer.layers.events, name).connect(self._layers_changed)
        for signal, slot in self._bench_slots():
            signal.connect(slot)
        self.native.destroyed.connect(partial(_disconnect_dock, ref(self)))

    def _bench_slots(self) -> tuple[tuple[Any, Any], ...]:
        bench = self.workbench
        return (
            (bench.progressed, self.footer.show_progress),
            (bench.said, self.footer.show_message),
            (bench.busy, self._set_running),
            (bench.ran, self._show_run),
            (bench.measured, self._show_table),
            (bench.prepared, self._take_prepared),
            (bench.runs.changed, self._runs_changed),
            (bench.stage.changed, self._mark_view),
        )

    def detach(self) -> None:
        """Leave nothing behind that calls a dock which is gone; a job goes on without it."""
        self.series_fields.remember()
        self._disconnect()
        self.native.deleteLater()
        if self.workbench.is_running:
            show_info("The fill goes on; open Fill wedge again to see it or to cancel it.")

    def _disconnect(self) -> None:
        if not self._is_connected:
            return
        self._is_connected = False
        self.live_slice.detach()
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

    def _offer_runs(self, widget: Any = None) -> list[Run]:
        return list(reversed(self.workbench.runs.runs))

    def _layers_changed(self, event: Any = None) -> None:
        """Follow the layer list: take up a series that was opened, let go of one that is gone."""
        if self.is_setting:
            return
        candidates = list_series(self._viewer)
        opened = getattr(event, "value", None) if getattr(event, "type", "") == "inserted" else None
        wanted = self._layer if self._layer in candidates else None
        if opened in candidates and (wanted is None or was_opened(opened)):
            wanted = opened
        elif wanted is None and candidates:
            wanted = candidates[-1]
        with self.setting():
            self.series.reset_choices()
            self.series.value = wanted
        if wanted is not self._layer or wanted is None:
            self._take_series(wanted, show=opened is not None and opened is wanted)
        self._set_running(self.workbench.is_running)
        self._enable_results()

    def _series_chosen(self, layer: Image | None) -> None:
        if not self.is_setting and layer is not self._layer:
            self._take_series(layer, show=True)

    def _take_series(self, layer: Image | None, *, show: bool) -> None:
        """Go over to another series, and show it on the canvas if asked to."""
        self.live.value = False
        self.series_fields.show(layer)
        if layer is not None and show:
            self.workbench.stage.show_series(layer)
        self._set_running(self.workbench.is_running)
        self._runs_changed()
        self.changed.emit(self)

    def _field_changed(self) -> None:
        """Take back an error that was said of other values, and fill the live slice anew."""
        if self.is_setting:
            return
        if not self.workbench.is_running and self.workbench.message.is_error:
            self.workbench.say("")
        self.live_slice.renew()
        self.sections[2].summarise(", ".join(m.upper() for m in self.methods.value))
        self.changed.emit(self)

    def _live_switched(self, on: bool) -> None:
        self.live_slice.turn(on)
        if not on and self._layer is not None and not self.workbench.stage.shown:
            self.workbench.stage.show_series(self._layer)

    def _set_running(self, running: bool) -> None:
        self.footer.set_running(running, ready=self._layer is not None)

    def _runs_changed(self) -> None:
        """Offer the runs, the newest of the series first chosen; no run, nothing to look at."""
        runs, chosen = self.workbench.runs, self.run_box.value
        with self.setting():
            self.run_box.reset_choices()
        wanted = chosen if chosen in runs.runs and chosen.source is self._layer else None
        wanted = wanted or runs.newest(self._layer)
        self._choose_run(wanted)
        self.sections[4].native.setVisible(wanted is not None)
        self._enable_results()

    def _enable_results(self) -> None:
        """Let only those buttons be pressed that have something to work on."""
        self.footer.results_button.setEnabled(self.run_box.value is not None)
        n_volumes = len(list_volumes(self._viewer))
        self.footer.compare_button.setEnabled(n_volumes > 1)
        self.footer.export_button.setEnabled(n_volumes > 0)

    def _choose_run(self, run: Run | None) -> None:
        """Choose a run whose volumes are on the stage, or will be."""
        if run is not None:
            with self.setting():
                self.run_box.value = run
        self.verdict.show_run(run)
        self.run_box.tooltip = "" if run is None else run.title
        self._mark_view(self.workbench.stage.view)

    def _run_chosen(self, run: Run | None) -> None:
        self.verdict.show_run(run)
        if run is not None and not self.is_setting and run.volumes:
            self.workbench.stage.show_volumes(list(run.volumes.values()))

    def _show_run(self, run: Run) -> None:
        self._choose_run(run)
        self.called.emit(run)

    def _show_table(self, run: Run) -> None:
        from ..results.window import open_results

        open_results(run, self._window())
        if self.workbench.is_running:
            self.workbench.say("The results are in a window of their own.")

    def _take_prepared(self, layer: Image) -> None:
        self._take_series(layer, show=False)
        with self.setting():
            self.series.reset_choices()
            self.series.value = layer
            self.align.value = False

    def show_view(self, name: str) -> None:
        """Show the images of the tilt series, or the volumes as XZ, XY or YZ slices."""
        stage = self.workbench.stage
        run = self.run_box.value
        if name == TILTS:
            if self._layer is not None:
                stage.show_series(self._layer)
        elif stage.shows_volumes or run is None:
            stage.orient(name)
        else:
            stage.show_volumes(list(run.volumes.values()), name)
        self._mark_view(stage.view)

    def show_trust(self, wanted: bool) -> None:
        """Show the trust map of the chosen run over its volume, or all of its volumes again."""
        run, stage = self.run_box.value, self.workbench.stage
        if wanted and run is not None and run.trust is not None and run.trusted is not None:
            stage.show_over(run.trusted, run.trust)
        elif run is not None:
            stage.show_volumes(list(run.volumes.values()))

    def _mark_view(self, view: str) -> None:
        """Light the buttons of what the canvas shows."""
        self.footer.mark_view(view)
        run = self.run_box.value
        offered = run is not None and run.trust is not None and run.trusted is not None
        self.footer.mark_trust(offered=offered, shown=self.workbench.stage.shows_overlay)

    def _window(self) -> QMainWindow | None:
        window = self.native.window()
        return window if isinstance(window, QMainWindow) else None


def _disconnect_dock(dock: ReferenceType[FillWedge], *_: Any) -> None:
    """Disconnect a dock whose widget is gone, unless the dock itself is."""
    if (found := dock()) is not None:
        found._disconnect()
