"""The Fill wedge dock: a magicgui container of four forms, and a footer that is always there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import napari
import napari.viewer
from magicgui.signature import MagicParameter, MagicSignature
from magicgui.widgets import ComboBox, Container, FunctionGui, Label
from magicgui.widgets.bases import BaseValueWidget, Widget
from napari.layers import Image
from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QFileDialog, QLabel, QMainWindow, QSizePolicy, QWidget

from ...errors import WedgefillError
from ...io import read_angles
from ..layers import (
    LayerMap,
    list_series,
    list_volumes,
    remember_angles,
    remember_pixel,
    was_opened,
)
from ..runs import Run
from ..stage import TILTS
from .angle_text import describe_angles, format_angles, parse_angles
from .export import ExportDialog, export_files
from .fields import Section
from .footer import Footer
from .inputs import FillInputs
from .live import LiveSlice
from .preferences import read_preferences, write_preferences
from .scrolling import Scrolling
from .settings import Checks, Methods, Prepare, Series
from .verdict import Verdict
from .workbench import find_workbench
from .worker import StepWorker

TYPED = "your entry"
NO_SERIES = "Open a tilt series, or drop its file into the window."
LAYER_EVENTS = ("inserted", "removed", "renamed", "reordered")
#: What is remembered of each series beside what its layer holds.
PER_SERIES = ("axis", "axis_shift_px", "align", "slices")
#: Space between sections and at their sides, in pixels.
MARGIN, SPACING = 6, 4
#: Between the words of a label and its field, in pixels.
LABEL_GAP = 6


class FillWedge(Container[Widget]):
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
        self._layer: Image | None = None
        self._angle_source = ""
        self._is_setting, self._is_connected = False, True
        self.forms = (
            FunctionGui(Series, call_button=False, name="series_form"),
            FunctionGui(Prepare, call_button=False, name="prepare_form"),
            FunctionGui(Methods, call_button=False, name="methods_form"),
            FunctionGui(Checks, call_button=False, name="checks_form"),
        )
        # napari offers every image layer, and volumes are no tilt series.
        self.forms[0].series.choices = self._offer_series
        self.angle_line = Label(name="angle_line", label=" ", gui_only=True)
        self.verdict = Verdict()
        self.footer = Footer()
        self.run_box = ComboBox(name="run", label="Run", choices=self._offer_runs, gui_only=True)
        self.sections = self._make_sections()
        super().__init__(widgets=[*self.sections], labels=False, name="fill_wedge")
        self._lay_out()
        self.live_slice = LiveSlice(self.workbench, self.inputs_and_layer)
        self._watcher = _Watcher(self)
        self.native.installEventFilter(self._watcher)
        self.update(read_preferences())
        self._connect()
        self._layers_changed()
        self._runs_changed()
        self._show_first_series()

    def _show_first_series(self) -> None:
        """Show the series that was there before the dock, unless results are."""
        stage = self.workbench.stage
        if self._layer is not None and not stage.shown and not list_volumes(self._viewer):
            stage.show_series(self._layer)
        self.footer.mark_view(stage.view)

    # Forms and fields

    def _make_sections(self) -> tuple[Section, ...]:
        series, prepare, methods, checks = self.forms
        result = Container[Widget](widgets=[self.run_box], name="result_form")
        result.native.layout().addWidget(self.verdict)
        return (
            Section("Series", series),
            Section("Prepare", prepare),
            Section("Methods", methods),
            Section("Checks", checks),
            Section("Result", result),
        )

    def _lay_out(self) -> None:
        """Put the sections under a scroll bar and the footer below it."""
        series = self.forms[0]
        series.insert(2, self.angle_line)
        line = self.angle_line.native
        line.setWordWrap(True)
        line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        series.pixel_nm.native.setSuffix(" nm")
        series.pixel_nm.native.setDecimals(4)
        series.pixel_nm.native.setSpecialValueText("not known")
        series.axis_shift_px.native.setSuffix(" px")
        series.axis_shift_px.native.setDecimals(2)
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
            self.workbench.stage.window = ref(self.native.window())

    def align_labels(self) -> None:
        """Give the label columns of all sections one width, in the font of the theme."""
        labels = [
            label
            for section in self.sections
            for label in section.form.native.findChildren(QLabel)
            if label is not self.angle_line.native and not self.verdict.isAncestorOf(label)
        ]
        width = max(label.fontMetrics().horizontalAdvance(label.text()) for label in labels)
        for label in labels:
            label.setFixedWidth(width + LABEL_GAP)

    def fields(self) -> Iterator[BaseValueWidget[Any]]:
        """Yield the widgets of all forms, the footer's and the verdict's left out."""
        for form in self.forms:
            yield from (widget for widget in form if widget.name and not widget.gui_only)

    def __getattr__(self, name: str) -> Any:
        """Return a field of any form by its name."""
        for form in self.__dict__.get("forms", ()):
            if (widget := form.get_widget(name)) is not None:
                return widget
        return super().__getattr__(name)

    def get_widget(self, name: str) -> Any:
        """Return a field of any form by its name, or None."""
        return next((w for w in self.fields() if w.name == name), None)

    def __dir__(self) -> list[str]:
        """List the fields beside what every container has."""
        return [*super().__dir__(), *(widget.name for widget in self.fields())]

    @property
    def __signature__(self) -> MagicSignature:
        """All fields with their values, as a signature."""
        return MagicSignature([MagicParameter.from_widget(widget) for widget in self.fields()])

    def asdict(self) -> dict[str, Any]:
        """Return the value of every field by name."""
        return {widget.name: widget.value for widget in self.fields()}

    def update(
        self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **values: Any
    ) -> None:
        """Set fields by name, and tell it once."""
        items = mapping.items() if isinstance(mapping, Mapping) else mapping
        with self.changed.blocked():
            for name, value in chain(items, values.items()):
                if (widget := self.get_widget(name)) is not None:
                    widget.value = value
        self.changed.emit(self)

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
        first, stop = self.slices.value
        n_slices = self._count_slices(layer)
        if not 0 <= first < stop <= n_slices:
            raise WedgefillError(
                f"Slices {first} to {stop} are no part of the {n_slices} slices of {layer.name}; "
                f"the first is 0, and the second number is at most {n_slices}."
            )
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
            slices=None if (first, stop) == (0, n_slices) else (first, stop),
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
        self.angles.changed.connect(self._angles_edited)
        self.angles.load_button.clicked.connect(self._ask_for_angles)
        self.pixel_nm.changed.connect(self._pixel_edited)
        self.axis.changed.connect(self._axis_edited)
        self.live.changed.connect(self._live_switched)
        self.run_box.changed.connect(self._run_chosen)
        footer.fill_button.clicked.connect(self.fill)
        footer.cancel_button.clicked.connect(bench.cancel)
        footer.compare_button.clicked.connect(self.compare)
        footer.results_button.clicked.connect(self.measure)
        footer.export_button.clicked.connect(self.export)
        footer.view_chosen.connect(self.show_view)
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
            (bench.stage.changed, self.footer.mark_view),
        )

    def detach(self) -> None:
        """Leave nothing behind that calls a dock which is gone; a job goes on without it."""
        self._remember(self._layer)
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
        with self._setting():
            self.series.reset_choices()
            self.run_box.reset_choices()

    @contextmanager
    def _setting(self) -> Iterator[None]:
        """Set fields without doing what follows where a user sets them."""
        was, self._is_setting = self._is_setting, True
        try:
            yield
        finally:
            self._is_setting = was

    def _offer_series(self, widget: Any = None) -> list[Image]:
        return list_series(self._viewer)

    def _offer_runs(self, widget: Any = None) -> list[Run]:
        return list(reversed(self.workbench.runs.runs))

    def _layers_changed(self, event: Any = None) -> None:
        """Follow the layer list: take up a series that was opened, let go of one that is gone."""
        if self._is_setting:
            return
        candidates = list_series(self._viewer)
        opened = getattr(event, "value", None) if getattr(event, "type", "") == "inserted" else None
        wanted = self._layer if self._layer in candidates else None
        if opened in candidates and (wanted is None or was_opened(opened)):
            wanted = opened
        elif wanted is None and candidates:
            wanted = candidates[-1]
        with self._setting():
            self.series.reset_choices()
            self.series.value = wanted
        if wanted is not self._layer or wanted is None:
            self._take_series(wanted, show=opened is not None and opened is wanted)
        self._set_running(self.workbench.is_running)
        self._enable_results()

    def _series_chosen(self, layer: Image | None) -> None:
        if not self._is_setting and layer is not self._layer:
            self._take_series(layer, show=True)

    def _take_series(self, layer: Image | None, *, show: bool) -> None:
        """Show what is known of another series, and what was set for it before."""
        self._remember(self._layer)
        self.live.value = False
        self._layer = layer
        with self._setting():
            if layer is None:
                self.angles.value = ""
            else:
                self._fill_in(layer)
        self._describe()
        if layer is not None and show:
            self.workbench.stage.show_series(layer)
        self._set_running(self.workbench.is_running)
        self._runs_changed()
        self.changed.emit(self)

    def _fill_in(self, layer: Image) -> None:
        seen = LayerMap.of(layer)
        known = self.workbench.remembered.get(layer, {})
        self._angle_source = seen.angle_source
        angles = seen.angles_deg
        self.angles.value = "" if angles is None else format_angles(angles)
        self.pixel_nm.value = seen.pixel_nm or 0.0
        self.axis.value = known.get("axis", "y")
        found = float(seen.fields.get("axis_shift_px", 0.0))
        self.axis_shift_px.value = known.get("axis_shift_px", found)
        self.align.value = known.get("align", False)
        self._offer_slices(layer, known.get("slices"))

    def _remember(self, layer: Image | None) -> None:
        if layer is not None:
            values = self.asdict()
            self.workbench.remembered[layer] = {name: values[name] for name in PER_SERIES}

    def _count_slices(self, layer: Image) -> int:
        return int(layer.data.shape[2 if self.axis.value == "x" else 1])

    def _offer_slices(self, layer: Image, chosen: tuple[int, int] | None = None) -> None:
        """Offer the slices of a series; all of them, unless a choice is known."""
        n_slices = self._count_slices(layer)
        first, stop = self.slices
        first.max, stop.max = n_slices - 1, n_slices
        self.slices.value = (0, n_slices) if chosen is None else chosen

    def _describe(self) -> None:
        """Say below the angles what they are, or what is wrong with them."""
        layer, line = self._layer, self.angle_line
        if layer is None:
            line.value, line.tooltip = NO_SERIES, ""
            return
        line.tooltip = LayerMap.of(layer).provenance
        try:
            angles = parse_angles(self.angles.value, len(layer.data))
        except WedgefillError as error:
            line.value = str(error)
            return
        line.value = describe_angles(angles, self._angle_source)
        if len(angles) != len(layer.data):
            line.value += f"; but there are {len(layer.data)} images"
        self.sections[0].summarise(f"{layer.name}, {len(angles)} tilts")

    def _angles_edited(self) -> None:
        if self._is_setting or self._layer is None:
            return
        self._angle_source = TYPED
        self._keep_angles()

    def _keep_angles(self) -> None:
        layer = self._layer
        try:
            n_images = None if layer is None else len(layer.data)
            angles = parse_angles(self.angles.value, n_images)
            if layer is not None and len(angles) == len(layer.data):
                remember_angles(layer, angles.tolist(), self._angle_source)
        except WedgefillError:
            pass  # said below the field
        self._describe()

    def _ask_for_angles(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.native,
            "Load tilt angles",
            str(self._folder()),
            "Tilt angles (*.tlt *.rawtlt *.mdoc *.csv *.aln *.txt);;All files (*)",
        )
        if path:
            self.load_angles(Path(path))

    def _folder(self) -> Path:
        """The folder of the series, where dialogs begin."""
        path = None if self._layer is None else LayerMap.of(self._layer).fields.get("path")
        return Path.home() if path is None else Path(path).parent

    def load_angles(self, path: Path) -> None:
        """Read angles, in the order of the images in their file, and show them."""
        if self._layer is None:
            return
        try:
            angles = LayerMap.of(self._layer).angles_from_file(read_angles(path))
        except WedgefillError as error:
            self.workbench.fail(error)
            return
        with self._setting():
            self.angles.value = format_angles(angles)
        self._angle_source = path.name
        self._keep_angles()

    def _pixel_edited(self) -> None:
        layer, pixel_nm = self._layer, self.pixel_nm.value or None
        if layer is not None and not self._is_setting and pixel_nm != LayerMap.of(layer).pixel_nm:
            remember_pixel(layer, pixel_nm)

    def _axis_edited(self) -> None:
        if self._layer is not None and not self._is_setting:
            self._offer_slices(self._layer)

    def _field_changed(self) -> None:
        """Take back an error that was said of other values, and fill the live slice anew."""
        if self._is_setting:
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
        with self._setting():
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
            with self._setting():
                self.run_box.value = run
        self.verdict.show_run(run)

    def _run_chosen(self, run: Run | None) -> None:
        self.verdict.show_run(run)
        if run is not None and not self._is_setting and run.volumes:
            self.workbench.stage.show_volumes(run.layers)

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
        with self._setting():
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
            stage.show_volumes(run.layers, name)
        self.footer.mark_view(stage.view)

    def _window(self) -> QMainWindow | None:
        window = self.native.window()
        return window if isinstance(window, QMainWindow) else None


def _disconnect_dock(dock: ReferenceType[FillWedge], *_: Any) -> None:
    """Disconnect a dock whose widget is gone, unless the dock itself is."""
    if (found := dock()) is not None:
        found._disconnect()


class _Watcher(QObject):
    """Notices that the dock was closed: napari takes its widget out of the window then."""

    def __init__(self, dock: FillWedge) -> None:
        super().__init__()
        self._dock = dock
        self._was_docked = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(dock.settle_in)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Detach the dock once it has lost its parent."""
        if (
            isinstance(watched, QWidget)
            and event is not None
            and event.type() == QEvent.Type.ParentChange
        ):
            is_docked = watched.parent() is not None
            if self._was_docked and not is_docked:
                self._dock.detach()
            self._was_docked = is_docked
        elif event is not None and event.type() == QEvent.Type.Show:
            # Only after the event has the theme reached what is inside.
            self._later.start(0)
        return False
