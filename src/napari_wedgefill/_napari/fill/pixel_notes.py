"""What is odd about the pixels of the series that is chosen: told, and blank images left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from magicgui.widgets import PushButton
from napari.layers import Image
from napari.utils.notifications import show_warning

from ...errors import WedgefillError
from ...io.doubtful_pixels import (
    find_blank_images,
    find_dark_specimen,
    find_hot_pixels,
    note_blank_images,
)
from ...prepare import CleanOptions, PrepareOptions, TiltOptions
from ...tilt_series import MIN_TILTS
from ..layer_entries import remember_warnings
from ..layers import LayerMap
from ..prepare.steps import recipe_of

if TYPE_CHECKING:
    from .dock import FillWedge


class PixelNotes:
    """Looks at each series once it is chosen, in a turn of its own.

    What was read from a file with its angles brings its notes along. Layers that others made, and
    images whose angles were not found, get the same ones here.

    Parameters
    ----------
    dock : FillWedge
        Has the series.

    Attributes
    ----------
    blank : tuple of int
        Images of the layer whose pixels all have one value.
    leave_out_button : PushButton
        Seen where there are such images; leaves them out.
    """

    def __init__(self, dock: FillWedge) -> None:
        self._dock, self._bench = dock, dock.workbench
        self.blank: tuple[int, ...] = ()
        self.leave_out_button = PushButton(text="", name="leave_out_blank", gui_only=True)
        self.leave_out_button.tooltip = (
            "Make a layer without the images whose pixels all have the same value; the others "
            "stay as they are. A fill takes blank images for measurements."
        )
        dock.forms[0].insert(3, self.leave_out_button)
        self.leave_out_button.visible = False
        self.leave_out_button.clicked.connect(self.leave_out)

    def look_at(self, layer: Image | None) -> None:
        """Look at the pixels of a series, or forget what was seen where none is chosen."""
        self.blank = ()
        self._offer()
        if layer is not None:
            self._bench.turns.add(self._iter_look(layer))

    def _iter_look(self, layer: Image) -> Iterator[None]:
        yield
        if self._dock.layer != layer or layer not in self._bench.viewer.layers:
            return
        self.blank = find_blank_images(layer.data)
        self._offer()
        seen = LayerMap.of(layer)
        if "warnings" in seen.fields:
            return
        yield
        angles = seen.angles_deg
        notes = [
            *note_blank_images(self.blank, angles),
            *find_dark_specimen(layer.data),
            *find_hot_pixels(layer.data, angles),
        ]
        remember_warnings(layer, notes)
        for note in notes:
            show_warning(f"{layer.name}: {note}")
        self._dock.series_fields.describe()

    def _offer(self) -> None:
        layer, n = self._dock.layer, len(self.blank)
        is_offered = (
            layer is not None
            and n > 0
            and not recipe_of(layer)  # Prepare has decided which of its images are used
            and len(layer.data) - n >= MIN_TILTS
        )
        self.leave_out_button.text = f"Leave out {n} blank image{'' if n == 1 else 's'}"
        self.leave_out_button.visible = is_offered

    def leave_out(self) -> None:
        """Make a layer of the series without its blank images, and choose it."""
        page, layer = self._dock.prepare_page, self._dock.layer
        if layer is None or not self.blank:
            return
        try:
            inputs = page.chosen.base_inputs()
            tilts = tuple(sorted(page.chosen.tilt_at(place) for place in self.blank))
            options = PrepareOptions(
                clean=CleanOptions(spikes=False),
                tilts=TiltOptions(leave_out=tilts, leave_out_useless=False),
                align=False,
            )
            page.desk.prepare(layer, inputs, options, lambda series: None, self._dock.window())
        except WedgefillError as error:
            self._bench.fail(error)
