"""Result volumes as layers: names, places, one contrast, and previews that make room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import napari
from napari.layers import Image, Layer

from ...pipeline.events import Finished
from ...volume import Volume
from ..layers import TRUST, LayerMap, trust_layer, volume_layer
from ..side_by_side import SideBySide, shared_contrast
from .inputs import METHOD_LABELS


class Results:
    """What one viewer shows of the jobs' volumes.

    Parameters
    ----------
    viewer : napari.Viewer
        Where layers are added; use it on the main thread only.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._previews: list[Image] = []
        self.side_by_side = SideBySide(viewer)

    def show(
        self, finished: Sequence[Finished], first_slice: int, angles_deg: Sequence[float]
    ) -> None:
        """Add the volumes of a whole job, made from these tilts, and lay them out; previews go."""
        self.remove_previews()
        layers = []
        for item in finished:
            series_name = item.volume.name.removesuffix(f"_{item.method}")
            name = f"{series_name} {METHOD_LABELS[item.method]}"
            angles = tuple(angles_deg)
            layers.append(self._add(item, name, first_slice, preview=False, angles_deg=angles))
        self.compare(layers)

    def show_preview(self, item: Finished, slice_index: int, *, is_first: bool) -> None:
        """Add one method's slice beside those of the same preview that are there already."""
        if is_first:
            self.remove_previews()
        name = f"{METHOD_LABELS[item.method]} slice {slice_index}"
        self._previews.append(self._add(item, name, slice_index, preview=True))
        self.side_by_side.orientation = "XZ"
        self.compare([layer for layer in self._previews if layer in self._viewer.layers])

    def compare(self, layers: Sequence[Image]) -> None:
        """Lay volumes out side by side with one contrast."""
        limits = shared_contrast([layer.data for layer in layers])
        for layer in layers:
            layer.contrast_limits = limits
        self.side_by_side.show(layers)

    def show_trust(self, trust: Volume, first_slice: int) -> None:
        """Add a trust map beside the volumes, with a contrast of its own."""
        layer = self._viewer.add_layer(Layer.create(*trust_layer(trust, first_slice=first_slice)))
        self.side_by_side.add(layer)

    def remove_previews(self) -> None:
        """Take the preview layers out of the viewer."""
        for layer in self._previews:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._previews = []

    def _add(self, item: Finished, name: str, first_slice: int, **fields: Any) -> Image:
        fields["method"] = item.method
        data = volume_layer(item.volume, name=name, first_slice=first_slice, fields=fields)
        return self._viewer.add_layer(Layer.create(*data))


def trust_maps_in(viewer: napari.Viewer) -> list[Image]:
    """Return the trust maps in a viewer."""
    return [layer for layer in viewer.layers if LayerMap.of(layer).kind == TRUST]


def volumes_in(viewer: napari.Viewer) -> list[Image]:
    """Return this plugin's volumes in a viewer, previews left out."""
    found = []
    for layer in viewer.layers:
        if isinstance(layer, Image):
            seen = LayerMap.of(layer)
            if seen.kind == "volume" and not seen.fields.get("preview"):
                found.append(layer)
    return found
