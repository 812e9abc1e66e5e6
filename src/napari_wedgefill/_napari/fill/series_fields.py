"""The fields that belong to one tilt series: angles, pixel size, tilt axis, slices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from magicgui.widgets import Label, PushButton
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog, QSizePolicy

from ...errors import WedgefillError
from ...io import read_angles
from ..dialogs import find_folder
from ..layer_entries import remember_angles, remember_pixel
from ..layers import LayerMap
from ..wording import say_in_window
from .angle_text import describe_angles, format_angles, parse_angles
from .forms import Forms
from .from_array import list_arrays, tell_why_not
from .workbench import Workbench

TYPED = "your entry"
NO_SERIES = "Open a tilt series, or drop its file into the window."
FROM_ARRAY = "From an array\N{HORIZONTAL ELLIPSIS} cuts one out."
#: What is remembered of each series beside what its layer holds.
PER_SERIES = ("axis", "axis_shift_px", "slices")


class SeriesFields:
    """Shows in a dock what is known of a tilt series, and keeps with it what a user sets.

    Angles and the pixel size are kept in the layer, the rest in the workbench.

    Parameters
    ----------
    dock : Forms
        Has the fields ``angles``, ``pixel_nm``, ``axis``, ``axis_shift_px`` and ``slices``; the
        first of its forms is that of the series.
    workbench : Workbench
        Of the viewer.
    summarise : callable
        Told the series and its number of tilts in a few words.

    Attributes
    ----------
    layer : Image or None
        The series that is shown.
    array_button : PushButton
        Its `clicked` signal is for whoever cuts a series out of an array.
    line : Label
        Says below the angles what they are, or what is wrong with them.
    """

    def __init__(self, dock: Forms, workbench: Workbench, summarise: Callable[[str], None]) -> None:
        self._dock, self._workbench, self._summarise = dock, workbench, summarise
        self.layer: Image | None = None
        self._angle_source = ""
        self.line = Label(name="angle_line", label=" ", gui_only=True)
        self.array_button = PushButton(
            text="From an array\N{HORIZONTAL ELLIPSIS}", name="from_array", gui_only=True
        )
        self.array_button.tooltip = (
            "Cut a tilt series out of an array whose tilts lie along another dimension, or that "
            "holds several channels."
        )
        self._lay_out()
        dock.angles.changed.connect(self._angles_edited)
        dock.angles.load_button.clicked.connect(self._ask_for_angles)
        dock.pixel_nm.changed.connect(self._pixel_edited)
        dock.axis.changed.connect(self._axis_edited)

    def _lay_out(self) -> None:
        dock, line = self._dock, self.line.native
        dock.forms[0].insert(2, self.line)
        dock.forms[0].insert(1, self.array_button)
        self.offer_arrays()
        line.setWordWrap(True)
        line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        dock.pixel_nm.native.setSuffix(" nm")
        dock.pixel_nm.native.setDecimals(4)
        dock.pixel_nm.native.setSpecialValueText("not known")
        dock.slices[1].tooltip = "The slices end before this one: it is not filled itself."
        dock.axis_shift_px.native.setSuffix(" px")
        dock.axis_shift_px.native.setDecimals(2)

    def offer_arrays(self) -> None:
        """Offer to cut a series out of an array where there is one, and say why none is found."""
        viewer = self._workbench.viewer
        arrays = list_arrays(viewer)
        self.array_button.native.setVisible(bool(arrays))
        if self.layer is None:
            said = [NO_SERIES, tell_why_not(viewer), FROM_ARRAY if arrays else ""]
            self.line.value = " ".join(filter(None, said))

    # What is shown and remembered

    def show(self, layer: Image | None) -> None:
        """Show what is known of another series, and what was set for it before."""
        self.remember()
        self.layer = layer
        with self._dock.setting():
            if layer is None:
                self._empty()
            else:
                self._fill_in(layer)
        self.describe()

    def _empty(self) -> None:
        """Leave nothing of a series that is gone."""
        dock = self._dock
        dock.angles.value, dock.pixel_nm.value, dock.axis_shift_px.value = "", 0.0, 0.0
        dock.slices.value = (0, 0)

    def _fill_in(self, layer: Image) -> None:
        dock, seen = self._dock, LayerMap.of(layer)
        known = self._workbench.remembered.get(layer, {})
        self._angle_source = seen.angle_source
        angles = seen.angles_deg
        dock.angles.value = "" if angles is None else format_angles(angles)
        dock.pixel_nm.value = seen.pixel_nm or 0.0
        dock.axis.value = known.get("axis", "y")
        found = float(seen.fields.get("axis_shift_px", 0.0))
        dock.axis_shift_px.value = known.get("axis_shift_px", found)
        self._offer_slices(layer, known.get("slices"))

    def remember(self) -> None:
        """Keep what was set for the series that is shown."""
        if self.layer is not None:
            values = self._dock.asdict()
            self._workbench.remembered[self.layer] = {name: values[name] for name in PER_SERIES}

    def hand_on(self, layer: Image) -> None:
        """Let another step of a series keep the slices that are chosen, if it has as many."""
        chosen, source = self._dock.slices.value, self.layer
        is_upright = self._dock.axis.value == "y"
        if source is not None and is_upright and source.data.shape[1] == layer.data.shape[1]:
            known = self._workbench.remembered.setdefault(layer, {})
            known["slices"] = chosen

    def describe(self) -> None:
        """Say below the angles what they are, or what is wrong with them, and tell the dock."""
        layer, angles = self.layer, self.say_angles()
        if layer is not None and angles is not None:
            self._summarise(f"{layer.name}, {len(angles)} tilts")

    def say_angles(self) -> NDArray[np.float64] | None:
        """Say below the angles what they are, or what is wrong with them; return them."""
        layer, line = self.layer, self.line
        if layer is None:
            line.tooltip = ""
            self.offer_arrays()
            return None
        seen = LayerMap.of(layer)
        line.tooltip = seen.provenance
        try:
            angles = parse_angles(self._dock.angles.value, len(layer.data))
        except WedgefillError as error:
            line.value = say_in_window(str(error))
            return None
        line.value = describe_angles(angles, self._angle_source)
        if len(angles) != len(layer.data):
            line.value += f"; but there are {len(layer.data)} images"
        if seen.begins_at_top:
            line.value += "; rows turned over"
        if n_notes := len(seen.fields.get("warnings", ())):
            line.value += f"; {n_notes} note{'s' * (n_notes > 1)}"
        if n_notes or seen.begins_at_top:
            line.value += ", see the tool tip"
        return angles

    # Angles

    def _angles_edited(self) -> None:
        if not self._dock.is_setting and self.layer is not None:
            self._angle_source = TYPED
            self._keep_angles()

    def _keep_angles(self) -> None:
        layer = self.layer
        try:
            n_images = None if layer is None else len(layer.data)
            angles = parse_angles(self._dock.angles.value, n_images)
            if layer is not None and len(angles) == len(layer.data):
                remember_angles(layer, angles.tolist(), self._angle_source)
        except WedgefillError:
            pass  # said below the field
        self.describe()

    def _ask_for_angles(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self._dock.native,
            "Load tilt angles",
            str(find_folder([self.layer])),
            "Tilt angles (*.tlt *.rawtlt *.mdoc *.csv *.aln *.txt);;All files (*)",
        )
        if path:
            self.load_angles(Path(path))

    def load_angles(self, path: Path) -> None:
        """Read angles, in the order of the images in their file, and show them."""
        if self.layer is None:
            return
        try:
            angles = LayerMap.of(self.layer).angles_from_file(read_angles(path))
        except WedgefillError as error:
            self._workbench.fail(error)
            return
        with self._dock.setting():
            self._dock.angles.value = format_angles(angles)
        self._angle_source = path.name
        self._keep_angles()

    # Pixel size, axis, slices

    def _pixel_edited(self) -> None:
        layer, pixel_nm = self.layer, self._dock.pixel_nm.value or None
        if layer is None or self._dock.is_setting:
            return
        if pixel_nm != LayerMap.of(layer).pixel_nm:
            remember_pixel(layer, pixel_nm)

    def _axis_edited(self) -> None:
        if self.layer is not None and not self._dock.is_setting:
            self._offer_slices(self.layer)

    def _count_slices(self, layer: Image) -> int:
        return int(layer.data.shape[2 if self._dock.axis.value == "x" else 1])

    def _offer_slices(self, layer: Image, chosen: tuple[int, int] | None = None) -> None:
        """Offer the slices of a series; all of them, unless a choice is known."""
        n_slices = self._count_slices(layer)
        first, stop = self._dock.slices
        first.max, stop.max = n_slices - 1, n_slices
        self._dock.slices.value = (0, n_slices) if chosen is None else chosen

    def chosen_slices(self, layer: Image) -> tuple[int, int] | None:
        """Return the slices of a series to fill, None for all.

        Raises
        ------
        WedgefillError
            If the series has no such slices.
        """
        first, stop = self._dock.slices.value
        n_slices = self._count_slices(layer)
        if not 0 <= first < stop <= n_slices:
            raise WedgefillError(
                f"Slices {first} to {stop} are no part of the {n_slices} slices of {layer.name}; "
                f"the first is 0, and the second number is at most {n_slices}."
            )
        return None if (first, stop) == (0, n_slices) else (first, stop)
