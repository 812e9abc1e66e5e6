"""The part Tilt axis of the Prepare page: sliders, and one slice that follows them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from ...errors import WedgefillError
from ...progress import Progress
from ...volume import Volume
from ..fill.inputs import FillInputs
from ..fill.live import repeat_slice
from ..layers import volume_layer
from .chosen import Chosen
from .controls import make_button, make_row
from .settings import Form

if TYPE_CHECKING:
    from ...prepare.axis_slice import AxisSlices
    from ..fill.worker import StepWorker

#: How long a slider rests before the slice is made, in milliseconds.
REST_MS = 20
#: Shares of the pixels below and above the contrast: faint arcs and tails are to be seen.
CONTRAST = (0.02, 0.998)
GAMMA = 0.7
NAME = "tilt axis, live"


class AxisPart:
    """Turns and moves the tilt axis of the series that is chosen, and shows what that does.

    Parameters
    ----------
    chosen : Chosen
        The series.
    form : FunctionGui
        Of `settings.Axis`.
    apply : callable
        Makes a new layer with the axis as it is set.
    """

    def __init__(self, chosen: Chosen, form: Form, apply: Callable[[], object]) -> None:
        self._chosen, self.form = chosen, form
        self.layer: Image | None = None
        self.apply_button = make_button(
            "Apply", "Move the images so that the axis lies where it was set; a new layer.", apply
        )
        form.native.layout().addLayout(make_row((self.apply_button, 1)))
        form.turn_deg.native.setToolTip(form.turn_deg.tooltip)
        self._slices: AxisSlices | None = None
        self._worker: StepWorker | None = None
        self._is_stale = False
        self._timer = QTimer(form.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._start)
        form.follow.changed.connect(self._switch)
        form.turn_deg.changed.connect(self.renew)
        form.move_px.changed.connect(self.renew)
        self._dims = chosen.desk.workbench.viewer.dims
        self._dims.events.point.connect(self.renew)

    @property
    def is_on(self) -> bool:
        """Whether the slice follows."""
        return bool(self.form.follow.value)

    @property
    def is_working(self) -> bool:
        """Whether a slice is being made."""
        return self._worker is not None or self._timer.isActive()

    @property
    def moves(self) -> bool:
        """Whether the axis was moved or turned."""
        return bool(self.form.turn_deg.value or self.form.move_px.value)

    def show(self) -> None:
        """Begin with the axis where another series has it."""
        layer = self._chosen.layer
        with self.form.changed.blocked():
            if layer is not None:
                most = max(float(layer.data.shape[2]) / 4, 1.0)
                self.form.move_px.min, self.form.move_px.max = -most, most
            self.form.turn_deg.value = self.form.move_px.value = 0.0
        self._slices = None
        self.mark()
        self.renew()

    def mark(self) -> None:
        """Let only an axis be applied that was moved."""
        idle = not self._chosen.desk.workbench.is_running
        self.apply_button.setEnabled(self.moves and idle and self._chosen.layer is not None)

    def summarise(self) -> str:
        """Say where the axis was put."""
        turn, move = self.form.turn_deg.value, self.form.move_px.value
        return f"{turn:+.1f}\N{DEGREE SIGN}, {move:+.2f} px" if self.moves else "as found"

    def renew(self, event: Any = None) -> None:
        """Make the slice anew: the axis or the slider moved."""
        self.mark()
        if self.is_on:
            self._timer.start()

    def disconnect(self) -> None:
        """Follow the slider no more."""
        self._dims.events.point.disconnect(self.renew)

    def _switch(self, on: bool) -> None:
        bench = self._chosen.desk.workbench
        if on:
            self._start()
            return
        self._timer.stop()
        layer, self.layer = self.layer, None
        if layer is not None and layer in bench.viewer.layers:
            bench.viewer.layers.remove(layer)
        if self._chosen.layer is not None and not bench.stage.shown:
            bench.stage.show_series(self._chosen.layer)

    def _row(self, n_rows: int) -> int:
        """Slice at the slider; the middle one while the tilts are shown."""
        layer = self.layer
        if layer is None or layer not in self._chosen.desk.workbench.stage.shown:
            return n_rows // 2
        row = round(float(layer.world_to_data(self._dims.point)[1]))
        return min(max(row, 0), n_rows - 1)

    def _start(self) -> None:
        from ..fill.worker import make_worker

        if not self.is_on or self._chosen.layer is None:
            return
        if self._worker is not None:
            self._is_stale = True
            return
        try:
            inputs = self._chosen.inputs()
        except WedgefillError as error:
            self._chosen.desk.workbench.fail(error)
            return
        shape = inputs.source.data.shape
        row = self._row(shape[2] if inputs.axis == "x" else shape[1])
        steps = slice_steps(
            inputs, self._slices, row, self.form.turn_deg.value, self.form.move_px.value
        )
        self._is_stale = False
        self._worker = worker = make_worker(steps)
        worker.yielded.connect(partial(self._take, self._chosen.layer))
        worker.errored.connect(self._chosen.desk.workbench.fail)
        worker.finished.connect(lambda *_: self._end())
        worker.start()

    def _end(self) -> None:
        self._worker = None
        if self._is_stale:
            self._start()

    def _take(self, source: Image, item: Any) -> None:
        if isinstance(item, Progress) or source is not self._chosen.layer or not self.is_on:
            return
        self._slices, image = item
        self._show(item[0], image)

    def _show(self, slices: AxisSlices, image: NDArray[np.float32]) -> None:
        bench = self._chosen.desk.workbench
        data = repeat_slice(image[:, None, :], slices.shape[0])
        low, high = (float(v) for v in np.quantile(image, CONTRAST))
        limits = (low, high if high > low else low + 1.0)
        layer = self.layer
        if layer is not None and layer in bench.viewer.layers and layer.data.shape == data.shape:
            layer.data = data
            layer.contrast_limits = limits
            return
        self._switch_off_layer()
        pixel = slices.pixel_nm or 1.0
        edge = pixel * slices.factor
        made = volume_layer(
            Volume(data, (edge, pixel, edge), NAME),
            fields={"preview": True},
            contrast_limits=limits,
            gamma=GAMMA,
        )
        self.layer = bench.viewer.add_layer(Layer.create(*made))
        bench.stage.show_volumes([self.layer], "XZ")

    def _switch_off_layer(self) -> None:
        layers = self._chosen.desk.workbench.viewer.layers
        if self.layer is not None and self.layer in layers:
            layers.remove(self.layer)


def slice_steps(
    inputs: FillInputs, slices: AxisSlices | None, row: int, turn_deg: float, move_px: float
) -> Generator[Any, None, None]:
    """Yield what makes slices, made on first use, and one slice."""
    from ...prepare.axis_slice import AxisSlices

    made = AxisSlices(inputs.series()) if slices is None else slices
    yield made, made.reconstruct(row, turn_deg, move_px)
