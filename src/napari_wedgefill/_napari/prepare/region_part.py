"""The part Region of the Prepare page: a rectangle drawn on the images, and binning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from ...errors import WedgefillError
from .chosen import Chosen
from .controls import make_button, make_row
from .settings import Form

NAME = "region"
DRAW, DONE = "Draw on the image", "Done"
Span = tuple[int, int]


class RegionPart:
    """Rows, columns and bin, and the rectangle that shows them.

    Parameters
    ----------
    chosen : Chosen
        The series.
    form : FunctionGui
        Of `RegionOptions`.
    """

    def __init__(self, chosen: Chosen, form: Form) -> None:
        self._chosen, self.form = chosen, form
        self.layer: Shapes | None = None
        self._is_setting = False
        self.draw_button = make_button(
            DRAW, "Show a rectangle to drag and stretch, or draw another one.", self._switch
        )
        self.all_button = make_button("All", "Use the whole images.", self._use_all)
        form.native.layout().addLayout(make_row((self.draw_button, 2), (self.all_button, 1)))
        form.changed.connect(self._show_rectangle)

    def show(self) -> None:
        """Show the plan of the series that is chosen."""
        self.remove()
        size = self._size()
        with self.form.changed.blocked():
            if size is not None:
                self.form.rows.set_length(size[0])
                self.form.columns.set_length(size[1])
            region = self._chosen.plan.region
            self.form.rows.value, self.form.columns.value = region.rows, region.columns
            self.form.bin.value = region.bin

    def take(self) -> None:
        """Put what the form says into the plan."""
        self._chosen.plan.region = self.form()

    def summarise(self) -> str:
        """Say what is kept."""
        region = self._chosen.plan.region
        size = self._size()
        if size is None:
            return ""
        rows, columns = region.rows or (0, size[0]), region.columns or (0, size[1])
        told = f"{columns[1] - columns[0]} x {rows[1] - rows[0]} px"
        return f"{told}, bin {region.bin}" if region.bin > 1 else told

    def _size(self) -> tuple[int, int] | None:
        """Height and width of the series as it was opened."""
        try:
            inputs = self._chosen.base_inputs()
        except WedgefillError:
            return None
        h, w = inputs.source.data.shape[1:]
        return (w, h) if inputs.axis == "x" else (h, w)

    def _use_all(self) -> None:
        self.form.update({"rows": None, "columns": None})

    def _switch(self) -> None:
        if self.layer is None:
            self._draw()
        else:
            self.remove()

    def _draw(self) -> None:
        """Show the images as they were opened, and the rectangle once they are seen."""
        chosen, bench = self._chosen.layer, self._chosen.desk.workbench
        if chosen is None:
            return
        base = self._chosen.desk.steps.base_of(chosen)
        bench.stage.show_series(base)
        bench.turns.add(self._iter_add(base))

    def _iter_add(self, base: Image) -> Iterator[None]:
        bench, corners = self._chosen.desk.workbench, self._corners()
        if corners is None or base not in bench.viewer.layers or self.layer is not None:
            return
        self.layer = Shapes(
            [corners],
            shape_type="rectangle",
            name=NAME,
            scale=base.scale[1:],
            units=base.units[1:],
            axis_labels=base.axis_labels[1:],
            edge_color="yellow",
            face_color="transparent",
            edge_width=max(base.data.shape[1:]) / 200,
        )
        bench.viewer.add_layer(self.layer)
        self.layer.mode = "select"
        self.layer.selected_data = {0}
        self.layer.events.data.connect(self._take_drawn)
        self.draw_button.setText(DONE)
        yield

    def remove(self) -> None:
        """Take the rectangle away; what it chose stays."""
        layer, self.layer = self.layer, None
        layers = self._chosen.desk.workbench.viewer.layers
        if layer is not None and layer in layers:
            layers.remove(layer)
        self.draw_button.setText(DRAW)

    def _corners(self) -> NDArray[np.float64] | None:
        """Corners (y, x) of the region in the layer as it was opened."""
        size = self._size()
        if size is None:
            return None
        rows = self.form.rows.value or (0, size[0])
        columns = self.form.columns.value or (0, size[1])
        inputs = self._chosen.base_inputs()
        return corners_of(rows, columns, size, inputs.source.begins_at_top, inputs.axis == "x")

    def _show_rectangle(self) -> None:
        corners = None if self._is_setting or self.layer is None else self._corners()
        if corners is not None and self.layer is not None:
            self._is_setting = True
            self.layer.data = [corners]
            self.layer.selected_data = {0}
            self._is_setting = False

    def _take_drawn(self, event: Any = None) -> None:
        """Choose the rectangle that was drawn last."""
        layer, size = self.layer, self._size()
        if layer is None or size is None or self._is_setting or not layer.data:
            return
        inputs = self._chosen.base_inputs()
        spans = spans_of(layer.data[-1], size, inputs.source.begins_at_top, inputs.axis == "x")
        self._is_setting = True
        self.form.update({"rows": spans[0], "columns": spans[1]})
        self._is_setting = False


def spans_of(
    corners: Sequence[Sequence[float]] | NDArray[np.float64],
    size: tuple[int, int],
    begins_at_top: bool,
    is_turned: bool,
) -> tuple[Span, Span]:
    """Rows and columns of the series that a rectangle on its layer encloses.

    Parameters
    ----------
    corners : array_like, (n, 2)
        Places (y, x) in the layer, in pixels.
    size : tuple of int
        Height and width of the series.
    begins_at_top : bool
        Whether the layer's rows are turned over to make the series.
    is_turned : bool
        Whether its images are then turned by a quarter, because the axis lies across.
    """
    places = np.asarray(corners, np.float64)[:, -2:]
    height, width = (size[1], size[0]) if is_turned else size
    low = np.clip(np.round(places.min(axis=0) + 0.5), 0, [height - 1, width - 1])
    high = np.clip(np.round(places.max(axis=0) + 0.5), low + 1, [height, width])
    rows, columns = ((int(low[k]), int(high[k])) for k in range(2))
    if begins_at_top:
        rows = height - rows[1], height - rows[0]
    if is_turned:
        rows, columns = (width - columns[1], width - columns[0]), rows
    return rows, columns


def corners_of(
    rows: Span, columns: Span, size: tuple[int, int], begins_at_top: bool, is_turned: bool
) -> NDArray[np.float64]:
    """Corners (4, 2) on the layer that enclose rows and columns: what `spans_of` undoes."""
    height, width = (size[1], size[0]) if is_turned else size
    if is_turned:
        rows, columns = columns, (width - rows[1], width - rows[0])
    if begins_at_top:
        rows = height - rows[1], height - rows[0]
    (top, bottom), (left, right) = rows, columns
    corners = np.array([(top, left), (top, right), (bottom, right), (bottom, left)], np.float64)
    return corners - 0.5
