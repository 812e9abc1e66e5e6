"""The Fill wedge dock widget: reads the panels, runs the job, shows what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from napari.layers import Image
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...errors import WedgefillError
from ..compare.button import CompareButton
from ..layers import LayerMap
from ..messages import announce, message_of
from ..side_by_side import ORIENTATIONS
from .export import ask_for_jobs, export_in_background, volumes_to_export
from .form import align_labels, line
from .inputs import FillInputs
from .job_view import JobView
from .method_panel import MethodPanel
from .run_panel import TILTS, RunPanel
from .scrolling import Scrolling
from .series_panel import SeriesPanel
from .trust_panel import TrustPanel
from .volume_view import Results

if TYPE_CHECKING:
    from .worker import StepWorker


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
        self.series_panel = SeriesPanel(napari_viewer)
        self.method_panel = MethodPanel()
        self.trust_panel = TrustPanel()
        self.run_panel = RunPanel()
        self.compare_button = CompareButton(napari_viewer)
        self.results = Results(napari_viewer)
        self.job = JobView(
            napari_viewer, self.series_panel, self.trust_panel, self.run_panel, self.results
        )
        self._lay_out()
        self._connect()
        self._series_changed()

    def _lay_out(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(8, 4, 8, 4)
        for panel in (self.series_panel, self.method_panel, self.trust_panel):
            column.addWidget(panel)
            column.addWidget(line())
        column.addWidget(self.run_panel)
        column.addWidget(self.compare_button)
        column.addStretch(1)
        align_labels(self.series_panel, self.method_panel, self.trust_panel)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolling(content))

    def _connect(self) -> None:
        self.series_panel.series_changed.connect(self._series_changed)
        self.series_panel.failed.connect(self._failed)
        self.trust_panel.results_wanted.connect(self.measure)
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
            self_check=self.trust_panel.self_check.isChecked(),
            trust_map=self.trust_panel.trust_map.isChecked(),
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
                self.job.remark = "The images were taken as they are, not aligned."
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
        from .worker import fill_in_background  # compiled code: not while the window opens

        inputs = inputs.taking_over(self.job.inputs)
        self.job.begin(inputs, is_preview=is_preview)
        self._run(fill_in_background(inputs))

    def measure(self) -> None:
        """Measure the volumes of the last fill and open their table."""
        if self.job.filled is None or self.is_running:
            return
        from .worker import results_in_background

        self._run(results_in_background(self.job.filled, self.job.self_check))

    def _run(self, worker: StepWorker) -> None:
        worker.yielded.connect(self._on_item)
        worker.errored.connect(self._failed)
        worker.aborted.connect(self._on_aborted)
        worker.finished.connect(self._on_finished)
        self._worker = worker
        self.run_panel.cancel_button.setEnabled(True)
        self.run_panel.bar.setValue(0)
        self.run_panel.set_running(True)
        self.trust_panel.set_ready(False)
        worker.start()

    def _on_item(self, item: Any) -> None:
        # What was already on its way when Cancel was pressed, or the window closed, is dropped.
        if self._worker is None or self._worker.abort_requested:
            return
        self.job.show(item)

    def compare(self, layers: Sequence[Image]) -> None:
        """Lay volumes out side by side."""
        self.results.compare(layers)
        self.job.check_view_button()

    def show_view(self, name: str) -> None:
        """Show the images of the tilt series, or the volumes as XZ, XY or YZ slices."""
        if name != TILTS:
            self.results.side_by_side.orient(name)
        elif self.series_panel.layer is not None:
            self.results.side_by_side.show_series(self.series_panel.layer)

    def _on_aborted(self) -> None:
        self.job.say_cancelled()

    def _on_finished(self) -> None:
        self._worker = None
        self.job.end()
        self.run_panel.set_running(False, ready=self.series_panel.layer is not None)
        self.trust_panel.set_ready(self.job.filled is not None)

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
