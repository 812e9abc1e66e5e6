"""What is odd about the pixels of the series that is chosen: told, and useless images left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from ...prepare import BadImage, CleanOptions, PrepareOptions, TiltOptions
from ...prepare.bad_images import USELESS_IMAGES, note_useless_images
from ...tilt_series import MIN_TILTS
from ..layer_entries import remember_warnings
from ..layers import LayerMap
from ..prepare.steps import recipe_of
from ..wording import say_in_window

if TYPE_CHECKING:
    from .dock import FillWedge


class PixelNotes:
    """Looks at each series once it is chosen, in a turn of its own.

    What was read from a file with its angles brings its notes along. Layers that others made, and
    images whose angles were not found, get the same ones here. Which images are noise, or of
    something else, the Prepare page's first look tells a little later.

    Parameters
    ----------
    dock : FillWedge
        Has the series.

    Attributes
    ----------
    blank : tuple of int
        Images of the layer whose pixels all have one value.
    useless : tuple of BadImage
        Others that show nothing of the specimen, which Prepare would leave out.
    leave_out_button : PushButton
        Seen where there are such images; leaves them out.
    """

    def __init__(self, dock: FillWedge) -> None:
        self._dock, self._bench = dock, dock.workbench
        self.blank: tuple[int, ...] = ()
        self.useless: tuple[BadImage, ...] = ()
        self._looked_at: Image | None = None
        self._is_gone = False
        self.leave_out_button = PushButton(text="", name="leave_out_blank", gui_only=True)
        self.leave_out_button.tooltip = (
            "Make a layer without the images that are blank, only noise, or of another place; the "
            "others stay as they are. A fill takes all images for measurements. Prepare "
            "lists them under Tilts."
        )
        dock.forms[0].insert(3, self.leave_out_button)
        self.leave_out_button.visible = False
        self.leave_out_button.clicked.connect(self.leave_out)

    def look_at(self, layer: Image | None) -> None:
        """Look at the pixels of a series, or forget what was seen where none is chosen."""
        self.blank, self.useless, self._looked_at = (), (), None
        self._offer()
        if layer is not None:
            self._bench.turns.add(self._iter_look(layer))

    def detach(self) -> None:
        """Touch nothing more of a dock that is gone."""
        self._is_gone = True

    def _still_shows(self, layer: Image) -> bool:
        """Tell whether the dock is there, and has this series."""
        is_there = not self._is_gone and self._dock.layer == layer
        return is_there and layer in self._bench.viewer.layers

    def _iter_look(self, layer: Image) -> Iterator[None]:
        yield
        if not self._still_shows(layer):
            return
        self.blank = find_blank_images(layer.data)
        self._offer()
        seen = LayerMap.of(layer)
        if "warnings" not in seen.fields:
            yield
            if not self._still_shows(layer):
                return
            angles = seen.angles_deg
            notes = [
                *note_blank_images(self.blank, angles),
                *find_dark_specimen(layer.data),
                *find_hot_pixels(layer.data, angles),
            ]
            self._note(layer, notes)
            self._dock.series_fields.describe()
        self._looked_at = layer
        self.take_glance(layer)

    def take_glance(self, layer: Image) -> None:
        """Tell which images of a series show nothing, once the Prepare page has looked at it."""
        chosen = self._dock.prepare_page.chosen
        if layer is not self._looked_at or layer is not chosen.layer or recipe_of(layer):
            return
        glance = chosen.plan.glance
        if glance is None or glance.bad is None:
            return
        useless = [bad for bad in glance.bad if bad.is_useless]
        self.useless = tuple(b for b in useless if chosen.place_of(b.tilt) not in self.blank)
        self._offer()
        known = LayerMap.of(layer).fields.get("warnings", ())
        others = [note for note in known if not note.startswith(USELESS_IMAGES)]
        notes = note_useless_images(self.useless)
        if [*others, *notes] != [*known]:
            self._note(layer, notes, others)
            self._dock.series_fields.say_angles()

    def _note(self, layer: Image, notes: Sequence[str], others: Sequence[str] = ()) -> None:
        """Keep notes with a layer, beside others that were told before, and tell them."""
        remember_warnings(layer, [*others, *notes])
        for note in notes:
            show_warning(f"{layer.name}: {say_in_window(note)}")

    def _offer(self) -> None:
        layer, n = self._dock.layer, len(self.blank) + len(self.useless)
        is_offered = (
            layer is not None
            and n > 0
            and not recipe_of(layer)  # Prepare has decided which of its images are used
            and len(layer.data) - n >= MIN_TILTS
        )
        images = "image" if n == 1 else "images"
        which = f"{images} that show{'s' * (n == 1)} nothing" if self.useless else f"blank {images}"
        self.leave_out_button.text = f"Leave out {n} {which}"
        self.leave_out_button.visible = is_offered

    def leave_out(self) -> None:
        """Make a layer of the series without these images, and choose it."""
        page, layer = self._dock.prepare_page, self._dock.layer
        if layer is None or not (self.blank or self.useless):
            return
        try:
            inputs = page.chosen.base_inputs()
            blank = {page.chosen.tilt_at(place) for place in self.blank}
            tilts = tuple(sorted(blank | {bad.tilt for bad in self.useless}))
            options = PrepareOptions(
                clean=CleanOptions(spikes=False),
                tilts=TiltOptions(leave_out=tilts, leave_out_useless=False),
                align=False,
            )
            page.desk.prepare(layer, inputs, options, lambda series: None, self._dock.window())
        except WedgefillError as error:
            self._bench.fail(error)
