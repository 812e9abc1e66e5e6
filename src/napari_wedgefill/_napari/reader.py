"""File > Open and drag and drop: tilt series and volumes as image layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_warning

from ..io import kind_of, read_tilt_series, read_volume
from .layers import LayerData, series_layer, volume_layer

#: napari reads plain TIFF images itself, and better than as a tilt series without angles.
LEFT_TO_NAPARI = (".tif", ".tiff")


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the function that reads `path`, or None to leave it to other readers."""
    if not isinstance(path, str) or not Path(path).is_file():
        return None
    if Path(path).suffix.lower() in LEFT_TO_NAPARI and kind_of(path) != "tilt series":
        return None
    return read_layers


def read_layers(path: str) -> list[LayerData]:
    """Read a tilt series with its angles, or a volume with its voxel size.

    Raises
    ------
    WedgefillError
        If the file cannot be read.
    """
    if kind_of(path) == "tilt series":
        series = read_tilt_series(path)
        for warning in series.warnings:
            show_warning(warning)
        return [series_layer(series)]
    return [volume_layer(read_volume(path))]
