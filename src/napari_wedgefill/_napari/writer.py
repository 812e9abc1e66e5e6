"""File > Save Selected Layers: MRC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import WedgefillError
from ..io import write_tilt_series, write_volume
from .layers import LayerMap


def write_mrc(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer; a tilt series gets its angles in a .tlt beside it.

    Parameters
    ----------
    path : str
        Where to write.
    data : array_like, (z, y, x) or (tilt, y, x)
        The layer's array.
    attributes : dict
        The layer's attributes.

    Returns
    -------
    list of str
        The files written.
    """
    return [str(written) for written in write_layer(Path(path), LayerMap(data, attributes))]


def write_layer(path: Path, layer: LayerMap) -> list[Path]:
    """Write a tilt series or a volume as MRC, according to what the layer is."""
    if layer.kind != "tilt series":
        return [write_volume(path, layer.to_volume())]
    if layer.angles_deg is None:
        raise WedgefillError(
            f"{layer.name}: no tilt angles are known for this series; enter them in the "
            "Fill wedge widget and save again."
        )
    return [write_tilt_series(path, layer.to_series(layer.angles_deg, layer.pixel_nm))]
