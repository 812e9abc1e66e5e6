"""The Fill wedge dock widget: reads the panels, runs the job, shows what comes back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import napari
from napari.layers import Image, Layer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..align import Aligned
from ..errors import WedgefillError
from ..inference.pipeline import Done, Finished, Progress
from .compare import ORIENTATIONS
from .export import ask_for_jobs, export_in_background, volumes_to_export
from .form import align_labels, line
from .inputs import METHOD_LABELS, FillInputs
from .layers import LayerMap, series_layer
from .messages import announce, message_of
from .method_panel import MethodPanel
from .results import Results
from .run_panel import TILTS, RunPanel, duration
from .series_panel import SeriesPanel
from .worker import StepWorker, fill_in_background


class FillWedgeWidget(QWidget):
    """Fill the missing wedge of a tilt series and compare the methods.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer that the widget belongs to; napari passes it.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._worker: StepWorker | None = None
        self._inputs: FillInputs | None = None
        self._finished: list[Finished] = []
        self._alignment = ""
        self._is_preview = False
        self._started = 0.0
        self.series_panel = SeriesPanel(napari_viewer)
        self.method_panel = MethodPanel()
        self.run_panel = RunPanel()
        self.results = Results(napari_viewer)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 4)
        column.addWidget(self.series_panel)
        column.addWidget(line())
        column.addWidget(self.method_panel)
        column.addWidget(line())
        column.addWidget(self.run_panel)
        column.addStretch(1)
        align_labels(self.series_panel, self.method_panel)
        self._connect()
        self._series_changed()

    def _connect(self) -> None:
        self.series_panel.series_changed.connect(self._series_changed)
        self.series_panel.failed.connect(self._failed)
        run = self.run_panel
        run.fill_button.clicked.connect(self.fill)
        run.preview_button.clicked.connect(self.preview)
        run.cancel_button.clicked.connect(self.cancel)
        run.export_all.triggered.connect(lambda: self.export(only_selected=False))
        run.export_selected.triggered.connect(lambda: self.export(only_selected=True))
        run.view_chosen.connect(self.show_view)
        self._viewer.dims.events.current_step.connect(self._follow_slider)
        self._viewer.dims.events.order.connect(self._follow_slider)
        self.destroyed.connect(lambda: self._detach())

    @property
    def is_running(self) -> bool:
        """Whether a job is under way."""
        return self._worker is not None

    def inputs(self) -> FillInputs:
        """Snapshot of what the widget holds; raise `WedgefillError` where it is not enough."""
        series, methods = self.series_panel, self.method_panel
        if series.layer is None:
            raise WedgefillError("There is no tilt series; open one, or drop its file here.")
        if not methods.methods:
            raise WedgefillError("No method is checked; check at least one.")
        return FillInputs(
            source=LayerMap.of(series.layer),
            angles_text=series.angle_edit.text(),
            angle_source=series.angle_source,
            pixel_nm=series.pixel_nm,
            axis=series.axis,
            axis_shift_px=series.shift_box.value(),
            align=series.align_check.isChecked(),
            methods=methods.methods,
            model=methods.model,
            device=methods.device,
            slices=methods.slices,
        )

    def fill(self) -> None:
        """Run every checked method on the chosen slices."""
        try:
            self._start(self.inputs(), is_preview=False)
        except WedgefillError as error:
            self._failed(error)

    def preview(self) -> None:
        """Run every checked method on one slice."""
        try:
            inputs = self.inputs()
            self._start(inputs.single_slice(self.run_panel.slice_box.value()), is_preview=True)
            if inputs.align:
                self._alignment = "The images were taken as they are, not aligned."
        except WedgefillError as error:
            self._failed(error)

    def cancel(self) -> None:
        """Stop the job at its next step."""
        if self._worker is not None:
            self._worker.quit()
            self.run_panel.cancel_button.setEnabled(False)
            self.run_panel.say("Stopping after this step.")

    def _start(self, inputs: FillInputs, *, is_preview: bool) -> None:
        if self.is_running:
            return
        self._inputs, self._is_preview, self._finished = inputs, is_preview, []
        self._alignment = ""
        self._started = time.monotonic()
        worker = fill_in_background(inputs)
        worker.yielded.connect(self._on_item)
        worker.errored.connect(self._failed)
        worker.aborted.connect(self._on_aborted)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        self.run_panel.cancel_button.setEnabled(True)
        self.run_panel.bar.setValue(0)
        self.run_panel.set_running(True)
        worker.start()

    def _on_item(self, item: Any) -> None:
        # What was already on its way when Cancel was pressed, or the window closed, is dropped.
        if self._worker is None or self._worker.abort_requested:
            return
        if isinstance(item, Progress):
            self.run_panel.show_progress(item.stage, item.fraction, item.seconds_left)
        elif isinstance(item, Aligned):
            self._show_aligned(item)
        elif isinstance(item, Finished):
            self._show_finished(item)
        elif isinstance(item, Done):
            self._show_done()

    def _show_aligned(self, item: Aligned) -> None:
        """Show the aligned series and go on from it, so that no one aligns twice."""
        layer = self._viewer.add_layer(Layer.create(*series_layer(item.series)))
        self.series_panel.choose(layer)
        self.series_panel.align_check.setChecked(False)
        self._alignment = item.report.sentence

    def _show_finished(self, item: Finished) -> None:
        """Keep a volume for the end of the job; show a previewed slice at once."""
        self._finished.append(item)
        if self._is_preview:
            is_first = len(self._finished) == 1
            self.results.show_preview(item, self._first_slice, is_first=is_first)
            self._check_view_button()

    def _show_done(self) -> None:
        if not self._is_preview:
            self.results.show(self._finished, self._first_slice)
            self._check_view_button()
        what = f"Preview of slice {self._first_slice}" if self._is_preview else "Done"
        spent = duration(time.monotonic() - self._started)
        each = ", ".join(f"{METHOD_LABELS[i.method]} {duration(i.seconds)}" for i in self._finished)
        self.run_panel.say(f"{what} in {spent}: {each}. {self._alignment}".strip())

    @property
    def _first_slice(self) -> int:
        slices = None if self._inputs is None else self._inputs.slices
        return 0 if slices is None else slices[0]

    def compare(self, layers: Sequence[Image]) -> None:
        """Lay volumes out side by side."""
        self.results.compare(layers)
        self._check_view_button()

    def _check_view_button(self) -> None:
        self.run_panel.view_buttons[self.results.side_by_side.orientation].setChecked(True)

    def show_view(self, name: str) -> None:
        """Show the images of the tilt series, or the volumes as XZ, XY or YZ slices."""
        if name != TILTS:
            self.results.side_by_side.orient(name)
        elif self.series_panel.layer is not None:
            self.results.side_by_side.show_series(self.series_panel.layer)

    def _on_aborted(self) -> None:
        self.run_panel.say("Cancelled." if self._is_preview else "Cancelled; no volume was added.")

    def _on_finished(self) -> None:
        self._worker = None
        self._finished = []
        self.run_panel.set_running(False, ready=self.series_panel.layer is not None)

    def _failed(self, error: Exception) -> None:
        self.run_panel.show_message(message_of(error))
        announce(error)

    def _series_changed(self) -> None:
        layer = self.series_panel.layer
        if layer is not None:
            self.method_panel.set_n_slices(self.series_panel.n_slices)
            self.run_panel.set_n_slices(self.series_panel.n_slices)
        self.run_panel.set_running(self.is_running, ready=layer is not None)

    def _follow_slider(self, event: Any = None) -> None:
        """Preview the slice that is being looked at, where slices along the axis are shown."""
        layer, dims = self.series_panel.layer, self._viewer.dims
        if layer is not None and dims.ndim == 3 and dims.order == ORIENTATIONS["XZ"]:
            self.run_panel.slice_box.setValue(round(layer.world_to_data(dims.point)[1]))

    def export(self, *, only_selected: bool = False) -> None:
        """Write volumes as MRC, after asking where to."""
        try:
            layers = volumes_to_export(self._viewer, only_selected=only_selected)
            jobs = ask_for_jobs(layers, self)
        except WedgefillError as error:
            self._failed(error)
            return
        if not jobs:
            return
        worker = export_in_background(jobs)
        worker.yielded.connect(self._exported)
        worker.errored.connect(self._failed)
        worker.start()

    def _exported(self, path: Path) -> None:
        self.run_panel.say(f"Wrote {path}")

    def _detach(self) -> None:
        """Leave nothing behind that calls a widget which is gone."""
        self._viewer.dims.events.current_step.disconnect(self._follow_slider)
        self._viewer.dims.events.order.disconnect(self._follow_slider)
        if self._worker is not None:
            self._worker.quit()
