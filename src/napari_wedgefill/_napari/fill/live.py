"""The live slice: a rough fill of the slice that is looked at, made anew when the slider rests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from ...errors import WedgefillError
from ...methods import label_of
from ...pipeline.events import Finished
from ...volume import Volume
from ..layers import volume_layer
from ..shared_contrast import share_contrast
from .inputs import FillInputs
from .workbench import Workbench
from .worker import StepWorker, make_worker, preview_steps

#: How long the slider rests before the slice is filled, in milliseconds.
REST_MS = 200
#: How a slice looks that belongs to another position of the slider.
STALE_OPACITY = 0.45


class LiveSlice:
    """Follows the slider with one layer for each method.

    A layer repeats its one slice along the tilt axis without taking memory for it: wherever the
    slider goes, the last slice stays in sight, dimmed, until its successor arrives.

    Parameters
    ----------
    workbench : Workbench
        Of the viewer.
    ask : callable
        Returns the inputs and the layer of the series; raises `WedgefillError`.
    """

    def __init__(self, workbench: Workbench, ask: Callable[[], tuple[FillInputs, Image]]) -> None:
        self._workbench, self._ask = workbench, ask
        self._layers: dict[str, Image] = {}
        self._inputs: FillInputs | None = None
        self._worker: StepWorker | None = None
        self._index = -1
        self._is_on = False
        self._fresh: set[str] = set()
        self._limits: tuple[float, ...] = ()
        # Without a parent it would end where Python collects it, which may be a worker thread.
        self._timer = QTimer(QApplication.instance())
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._start)
        self._dims = workbench.viewer.dims
        self._dims.events.point.connect(self._follow_slider)
        workbench.busy.connect(self._take_turn)
        workbench.stage.changed.connect(self._follow_slider)

    @property
    def is_on(self) -> bool:
        """Whether the slider is followed."""
        return self._is_on

    @property
    def is_working(self) -> bool:
        """Whether a slice is being filled."""
        return self._worker is not None

    @property
    def layers(self) -> dict[str, Image]:
        """Layers by method."""
        return {m: layer for m, layer in self._layers.items() if layer in self._viewer.layers}

    @property
    def _viewer(self) -> Any:
        return self._workbench.viewer

    def turn(self, on: bool) -> None:
        """Begin or end to follow the slider."""
        if on == self._is_on:
            return
        self._is_on = on
        if on:
            self._index = -1
            self._start()
        else:
            self._timer.stop()
            self._stop_worker()
            for layer in self.layers.values():
                self._viewer.layers.remove(layer)
            self._layers = {}

    def renew(self) -> None:
        """Fill the slice again: something else than the slider changed."""
        if self._is_on:
            self._index = -1
            self._timer.start()

    def detach(self) -> None:
        """Stop for good; the layers stay, as the canvas may be gone already."""
        self._is_on = False
        self._timer.stop()
        self._stop_worker()
        self._dims.events.point.disconnect(self._follow_slider)
        self._workbench.busy.disconnect(self._take_turn)
        self._workbench.stage.changed.disconnect(self._follow_slider)

    def _follow_slider(self, event: Any = None) -> None:
        """Dim what belongs to another slice; a slider moved while layers are arranged waits."""
        if self._is_on and self.layers and not self._workbench.stage.is_arranging:
            if self._position() != self._index:
                self._dim()
            self._timer.start()

    def _take_turn(self, busy: bool) -> None:
        """Give way to a job, and go on after it."""
        if busy:
            self._stop_worker()
        else:
            self.renew()

    def _position(self) -> int:
        """Slice along the tilt axis at the slider; the middle one while the tilts are shown."""
        inputs, layer = self._inputs, next(iter(self.layers.values()), None)
        if layer is not None:
            index = round(float(layer.world_to_data(self._viewer.dims.point)[1]))
            return min(max(index, 0), layer.data.shape[1] - 1)
        return 0 if inputs is None else inputs.series().height // 2

    def _start(self) -> None:
        if not self._is_on or self._workbench.is_running:
            return
        if self._index >= 0 and self._position() == self._index:
            # The slider came back to the slice that is there, or is being made.
            self._undim()
            return
        if self._worker is not None:
            # It ends at its next step, and then begins anew.
            self._worker.quit()
            return
        try:
            inputs, _ = self._ask()
            inputs = inputs.taking_over(self._inputs)
            inputs.series()
        except WedgefillError as error:
            self._workbench.fail(error)
            return
        self._inputs = inputs
        self._index = index = self._position()
        self._fresh = set()
        self._drop_unchecked(inputs)
        self._dim()
        worker = make_worker(preview_steps(inputs, index, self._workbench.session))
        worker.yielded.connect(lambda item: self._take(worker, item))
        worker.errored.connect(self._workbench.fail)
        worker.finished.connect(lambda *_: self._end(worker))
        self._worker = worker
        worker.start()

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.quit()

    def _end(self, worker: StepWorker) -> None:
        self._worker = None
        if worker.abort_requested and self._is_on:
            self._index = -1
            self._timer.start()

    def _take(self, worker: StepWorker, item: Any) -> None:
        if not isinstance(item, Finished) or worker.abort_requested or not self._is_on:
            return
        inputs = self._inputs
        if inputs is not None:
            self._fresh.add(item.method)
            self._show(item, inputs.series().height)

    def _show(self, item: Finished, n_slices: int) -> None:
        data = repeat_slice(item.volume.data, n_slices)
        layer = self.layers.get(item.method)
        if layer is not None and layer.data.shape == data.shape:
            layer.data = data
            self._undim()
            return
        volume = Volume(data, item.volume.voxel_nm, item.volume.name, item.volume.history)
        made = volume_layer(
            volume,
            name=f"{label_of(item.method)}, live",
            fields={"method": item.method, "preview": True},
        )
        self._layers[item.method] = self._viewer.add_layer(Layer.create(*made))
        layer = self._layers[item.method]
        self._share_contrast()
        low, high = layer.extent.world
        at = layer.data_to_world((0, self._index, 0))[1]
        point = ((low[0] + high[0]) / 2, at, (low[2] + high[2]) / 2)
        self._workbench.stage.show_volumes(list(self.layers.values()), "XZ", point)

    def _share_contrast(self) -> None:
        """Give all methods one contrast, unless the user has set another."""
        layers = list(self.layers.values())
        known = [tuple(layer.contrast_limits) for layer in layers[:-1]]
        if all(limits == self._limits for limits in known):
            shared = share_contrast([layer.data[:, :1] for layer in layers])
        else:
            shared = known[0]
        for layer in layers:
            layer.contrast_limits = shared
        self._limits = tuple(layers[0].contrast_limits)

    def _drop_unchecked(self, inputs: FillInputs) -> None:
        """Take away the layers of methods that are no longer wanted, or of another series."""
        series = inputs.series()
        for method, layer in self.layers.items():
            fits = layer.data.shape == (series.width, series.height, series.width)
            if method not in inputs.methods or not fits:
                self._viewer.layers.remove(layer)
        self._layers = self.layers

    def _dim(self) -> None:
        for layer in self.layers.values():
            layer.opacity = STALE_OPACITY

    def _undim(self) -> None:
        """Show brightly what belongs to the slice at the slider."""
        if self._position() == self._index:
            for method, layer in self.layers.items():
                layer.opacity = 1.0 if method in self._fresh else STALE_OPACITY


def repeat_slice(data: NDArray[np.float32], n_slices: int) -> NDArray[np.float32]:
    """Show one slice (z, 1, x) at every position along y: a view (z, n_slices, x), not a copy."""
    return np.broadcast_to(data, (data.shape[0], n_slices, data.shape[2]))
