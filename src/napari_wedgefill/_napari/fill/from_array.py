"""A tilt series from an array that a user brought: which dimension is the tilt, which channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Dialog, SpinBox
from napari.layers import Image
from qtpy.QtWidgets import QWidget

from ...errors import WedgefillError
from ..layer_kinds import why_no_series
from ..layers import SERIES_AXES, LayerData, LayerMap

if TYPE_CHECKING:
    import napari

NONE = "none"


def list_arrays(viewer: napari.Viewer) -> list[Image]:
    """Return layers of others that a tilt series can be cut from."""
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Image)
        and not layer.rgb
        and layer.ndim in (3, 4)
        and not LayerMap.of(layer).kind
    ]


def tell_why_not(viewer: napari.Viewer) -> str:
    """Say of each layer why it is no tilt series, a sentence each."""
    return " ".join(why for layer in viewer.layers if (why := why_no_series(layer)))


def cut_series(layer: Image, tilt: int, channel: tuple[int, int] | None = None) -> LayerData:
    """Describe the layer of a tilt series within an array.

    Parameters
    ----------
    layer : Image
        Of three or four dimensions.
    tilt : int
        The dimension along which the images follow one another.
    channel : tuple of int, optional
        Dimension of the channels, and the one to take; needed with four dimensions.

    Raises
    ------
    WedgefillError
        If that leaves no stack of images.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    axes = list(range(data.ndim))
    where: list[Any] = [slice(None)] * data.ndim
    name = f"{layer.name} tilts"
    if channel is not None:
        dimension, index = channel
        if dimension == tilt or dimension not in axes:
            raise WedgefillError(
                f"{layer.name}: dimension {dimension + 1} cannot hold both the tilts and the "
                "channels; choose another."
            )
        if not 0 <= index < data.shape[dimension]:
            raise WedgefillError(
                f"{layer.name}: there is no channel {index}; they count from 0 to "
                f"{data.shape[dimension] - 1}."
            )
        where[dimension] = index
        axes.remove(dimension)
        name += f" channel {index}"
    if len(axes) != 3:
        raise WedgefillError(
            f"{layer.name} has {data.ndim} dimensions; a tilt series has three, so choose which "
            "one holds the channels."
        )
    rest = [axis for axis in axes if axis != tilt]
    images = np.moveaxis(data[tuple(where)], axes.index(tilt), 0)
    scale = np.asarray(layer.scale)
    attributes = {
        "name": name,
        "scale": (1.0, *(float(scale[axis]) for axis in rest)),
        "units": tuple(str(layer.units[axis]) for axis in (rest[0], *rest)),
        "axis_labels": SERIES_AXES,
        "colormap": "gray",
    }
    return images, attributes, "image"


class ArrayDialog:
    """Asks how a tilt series lies in an array.

    Parameters
    ----------
    layers : sequence of Image
        From `list_arrays`.
    """

    def __init__(self, layers: Sequence[Image]) -> None:
        self.layer = ComboBox(name="layer", choices=list(layers), label="Array")
        self.tilt = ComboBox(
            name="tilt",
            choices=self._offer_dimensions,
            label="Tilt dimension",
            tooltip="The dimension along which the images of the series follow one another.",
        )
        self.channel = ComboBox(
            name="channel",
            choices=self._offer_channels,
            label="Channel dimension",
            tooltip="Only with four dimensions: the one that holds the channels or detectors.",
        )
        self.index = SpinBox(
            name="index", value=0, min=0, max=10**6, label="Channel", tooltip="Counted from 0."
        )
        self.layer.changed.connect(self._guess)
        self._guess()

    def _offer_dimensions(self, widget: Any = None) -> list[tuple[str, int]]:
        layer = self.layer.value
        if layer is None:
            return []
        shape = (layer.data[0] if layer.multiscale else layer.data).shape
        return [(f"{k + 1} ({n} long)", k) for k, n in enumerate(shape)]

    def _offer_channels(self, widget: Any = None) -> list[tuple[str, int]]:
        dimensions = self._offer_dimensions()
        return dimensions if len(dimensions) == 4 else [(NONE, -1)]

    def _guess(self) -> None:
        """Take the shortest dimension for the channels, and the next for the tilts."""
        for box in (self.tilt, self.channel):
            box.reset_choices()
        layer = self.layer.value
        if layer is None:
            return
        shape = (layer.data[0] if layer.multiscale else layer.data).shape
        dimensions = list(range(len(shape)))
        if len(shape) == 4:
            self.channel.value = min(dimensions, key=lambda k: shape[k])
            dimensions.remove(self.channel.value)
        self.index.enabled = len(shape) == 4
        self.tilt.value = min(dimensions, key=lambda k: shape[k])

    def cut(self) -> LayerData:
        """Return what is chosen."""
        is_4d = self.channel.value >= 0
        channel = (self.channel.value, self.index.value) if is_4d else None
        return cut_series(self.layer.value, self.tilt.value, channel)

    def ask(self, parent: QWidget | None) -> LayerData | None:
        """Show the dialog; None means cancelled."""
        fields = [self.layer, self.tilt, self.channel, self.index]
        dialog = Dialog(widgets=fields, labels=True, parent=parent)
        dialog.native.setWindowTitle("Tilt series from an array")
        is_wanted = dialog.exec()
        found = self.cut() if is_wanted else None
        dialog.native.deleteLater()
        return found
