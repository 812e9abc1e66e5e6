"""What is kept with a layer after it was made: edited values, its file's name, what to believe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from .layers import BELIEVED, DOUBTED, KEY, NAMED, SERIES, list_units

if TYPE_CHECKING:
    from ..trust.verdicts import QuickCheck


def remember_angles(layer: Any, angles_deg: Sequence[float], source: str) -> None:
    """Keep edited angles with the layer, so that they survive a change of selection."""
    fields = {**layer.metadata.get(KEY, {}), "kind": SERIES}
    fields["angles_deg"] = tuple(float(angle) for angle in angles_deg)
    fields["sources"] = {**fields.get("sources", {}), "angles_deg": source}
    layer.metadata = {**layer.metadata, KEY: fields}


def remember_warnings(layer: Any, warnings: Sequence[str]) -> None:
    """Keep with a layer what to beware of in its pixels, one sentence each."""
    fields = {**layer.metadata.get(KEY, {}), "warnings": tuple(warnings)}
    layer.metadata = {**layer.metadata, KEY: fields}


def remember_pixel(layer: Any, pixel_nm: float | None) -> None:
    """Write an edited pixel size to the scale and units of a tilt series layer."""
    pixel = pixel_nm or 1.0
    layer.scale = (1.0, pixel, pixel)
    layer.units = list_units(pixel_nm)


def name_entry(name: str, file_name: str) -> dict[str, tuple[str, str]]:
    """Keep with a layer what its file is called as long as the layer has this name."""
    return {NAMED: (name, file_name)}


def mark_recommended(volumes: Mapping[str, Image], found: QuickCheck) -> None:
    """Mark the layers of a fill, by method, where another volume is to be believed first.

    The networks' layer says so in its name, and both in their metadata; otherwise nothing changes.
    """
    if found.recommended == found.learned:
        return
    for method, layer in volumes.items():
        known = layer.metadata.get(KEY, {})
        entry = {"recommended": found.recommended, BELIEVED: method == found.recommended}
        layer.metadata = {**layer.metadata, KEY: {**known, **entry}}
    if (doubted := volumes.get(found.learned)) is not None:  # the user may have removed it
        doubted.name += DOUBTED
