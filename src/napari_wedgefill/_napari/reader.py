"""File > Open and drag and drop: tilt series and volumes as image layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_warning

from ..errors import WedgefillError
from ..io import find_angles, kind_of, read_tilt_series, read_volume
from .layers import LayerData, bare_stack_layer, series_layer, trust_layer, volume_layer

#: napari reads plain TIFF images itself, and better than as a tilt series without angles.
LEFT_TO_NAPARI = (".tif", ".tiff")
Paths = str | list[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the function that reads `path`, or None to leave it to other readers.

    A list of paths (File > Open Files as Stack) is taken for a series of one file per tilt.
    """
    if isinstance(path, list):
        return read_layers if len(path) > 1 else get_reader(path[0])
    if Path(path).suffix.lower() in LEFT_TO_NAPARI and not _is_tilt_series(path):
        return None
    return read_layers


def _is_tilt_series(path: str) -> bool:
    try:
        return kind_of(path) == "tilt series"
    except WedgefillError:
        return False


def read_layers(path: Paths) -> list[LayerData]:
    """Read a tilt series with its angles, or a volume with its voxel size.

    A stack whose angles are nowhere to be found becomes a layer too: they can be typed or loaded
    in the Fill wedge widget.

    Raises
    ------
    WedgefillError
        If the file cannot be read.
    """
    kind = kind_of(path)
    if kind == "volume":
        from ..trust.verdicts import TRUST_LABEL  # its room loads scipy: not for other files

        volume = read_volume(path)
        is_trust = any(line.startswith(TRUST_LABEL) for line in volume.history)
        return [trust_layer(volume) if is_trust else volume_layer(volume)]
    if isinstance(path, str) and find_angles(path) is None:
        show_warning(
            f"{Path(path).name}: no tilt angles were found; if this is a tilt series, load or type "
            "them in the Fill wedge widget."
        )
        return [bare_stack_layer(read_volume(path))]
    series = read_tilt_series(path)
    for warning in series.warnings:
        show_warning(f"{series.name}: {warning}")
    return [series_layer(series)]
