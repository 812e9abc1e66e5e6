"""Which layers of a viewer are volumes, trust maps, or may be tilt series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image, Layer

from .layers import SERIES, SERIES_AXES, TRUST, VOLUME, LayerMap

if TYPE_CHECKING:
    import napari


def list_volumes(viewer: napari.Viewer) -> list[Image]:
    """Return this plugin's volumes in a viewer, previews left out."""
    return [
        layer
        for layer in viewer.layers
        if (seen := LayerMap.of(layer)).kind == VOLUME and not seen.fields.get("preview")
    ]


def list_trust_maps(viewer: napari.Viewer) -> list[Image]:
    """Return the trust maps in a viewer."""
    return [layer for layer in viewer.layers if LayerMap.of(layer).kind == TRUST]


def list_series(viewer: napari.Viewer) -> list[Image]:
    """Return the layers that may be tilt series: stacks of grey images that are no volumes."""
    return [layer for layer in viewer.layers if why_no_series(layer) == ""]


def was_opened(layer: Image) -> bool:
    """Whether a layer came as a tilt series or from a file, and not from a work on others."""
    is_series = LayerMap.of(layer).kind == SERIES or layer.axis_labels[0] == SERIES_AXES[0]
    return bool(is_series or layer.source.path)


def why_no_series(layer: Layer) -> str:
    """Say in a sentence why a layer cannot be a tilt series; nothing where it can."""
    if not isinstance(layer, Image):
        return f"{layer.name} holds no images."
    if layer.rgb:
        return f"{layer.name} is in colour; a tilt series is grey."
    if layer.multiscale:
        return f"{layer.name} is a pyramid; open the full resolution alone."
    if layer.ndim != 3:
        return f"{layer.name} has {layer.ndim} axes; a tilt series has three: tilt, y, x."
    if LayerMap.of(layer).kind in (VOLUME, TRUST):
        return f"{layer.name} is a volume."
    return ""
