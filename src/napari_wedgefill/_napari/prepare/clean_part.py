"""The part Clean of the Prepare page: what is done to the intensities, with a preview."""

from __future__ import annotations

import numpy as np
from magicgui.widgets import CheckBox
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from ..layers import KEY, ROWS_KNOWN, VOLUME
from ..shared_contrast import share_contrast
from .chosen import Chosen
from .controls import make_words, say
from .settings import Form
from .tilt_overlay import TiltOverlay

#: How long slider and ticks rest before the image is cleaned, in milliseconds.
REST_MS = 120
#: Images on either side that the level of empty space is taken from.
NEIGHBOURS = 2
PREVIEW = "cleaned, preview"


class CleanPart:
    """The options of cleaning, and one image before and after it.

    Parameters
    ----------
    chosen : Chosen
        The series.
    form : FunctionGui
        Of `CleanOptions`.
    overlay : TiltOverlay
        Knows which image the canvas shows.
    """

    def __init__(self, chosen: Chosen, form: Form, overlay: TiltOverlay) -> None:
        self._chosen, self.form, self._overlay = chosen, form, overlay
        self.flaws, self.told = make_words(), make_words()
        self.preview = CheckBox(
            name="preview",
            text="Preview on the image that is seen",
            tooltip="Lay the cleaned image over the one that is seen; switch it to compare.",
            gui_only=True,
        )
        self.layer: Image | None = None
        form.native.layout().insertWidget(0, self.flaws)
        form.native.layout().addWidget(self.preview.native)
        form.native.layout().addWidget(self.told)
        self._timer = QTimer(form.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._clean)
        self.preview.changed.connect(self._switch)

    def show(self) -> None:
        """Show the plan of the series that is chosen."""
        self.preview.value = False
        plan = self._chosen.plan
        with self.form.changed.blocked():
            for name, value in vars(plan.clean).items():
                getattr(self.form, name).value = value
        self.show_flaws()

    def take(self) -> None:
        """Put what the form says into the plan."""
        self._chosen.plan.clean = self.form()
        self.renew()

    def show_flaws(self) -> None:
        """Say what a first look found."""
        glance = self._chosen.plan.glance
        say(self.flaws, glance.flaws if glance is not None else "")

    def summarise(self) -> str:
        """Name what is ticked."""
        ticked = [w.label for w in self.form if w.name and w.value is True]
        return ", ".join(f"{label[0].lower()}{label[1:]}" for label in ticked) or "nothing"

    def renew(self) -> None:
        """Clean the image anew: another is seen, or something else is ticked."""
        if self.preview.value:
            self._timer.start()

    def _switch(self, on: bool) -> None:
        if on:
            self._clean()
        else:
            self._timer.stop()
            self.remove()

    def remove(self) -> None:
        """Take the preview away."""
        say(self.told, "")
        layer, self.layer = self.layer, None
        layers = self._chosen.desk.workbench.viewer.layers
        if layer is not None and layer in layers:
            layers.remove(layer)

    def _clean(self) -> None:
        """Lay the cleaned image over the one that is seen."""
        from ...prepare.preparing import clean_one_image

        bench = self._chosen.desk.workbench
        chosen = self._chosen.layer
        if chosen is None or not self.preview.value:
            return
        base = self._chosen.desk.steps.base_of(chosen)
        place, is_seen = self._overlay.tilt, self._overlay.layer is base
        if place is None or not is_seen:
            bench.stage.show_series(base)  # once it is seen, `renew` is called
            return
        first = max(place - NEIGHBOURS, 0)
        around = np.asarray(base.data[first : place + NEIGHBOURS + 1], np.float32)
        image, told = clean_one_image(around, place - first, self.form())
        say(self.told, told)
        self._lay_over(base, image)

    def _lay_over(self, base: Image, image: NDArray[np.float32]) -> None:
        """Show the cleaned image at every tilt, for the slider to move under it."""
        everywhere = np.broadcast_to(image, base.data.shape)
        limits = share_contrast([image[None]])
        viewer = self._chosen.desk.workbench.viewer
        if self.layer is not None and self.layer in viewer.layers:
            self.layer.data = everywhere
            self.layer.contrast_limits = limits
            return
        self.layer = viewer.add_image(
            everywhere,
            name=PREVIEW,
            scale=base.scale,
            units=base.units,
            axis_labels=base.axis_labels,
            contrast_limits=limits,
            metadata={KEY: {**ROWS_KNOWN, "kind": VOLUME, "preview": True}},
        )
        viewer.layers.selection = {base}
