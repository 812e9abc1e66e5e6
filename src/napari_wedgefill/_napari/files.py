"""What napari asks for: open a file or a sample as layers, save a layer as MRC."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning

from ..errors import WedgefillError
from ..io import (
    find_angles,
    kind_of,
    read_tilt_series,
    read_volume,
    write_tilt_series,
    write_volume,
)
from ..samples import needle_path, simulated_particle
from .layers import (
    LayerData,
    LayerMap,
    bare_stack_layer,
    read_first_slice,
    series_layer,
    trust_layer,
    volume_layer,
)

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
    if isinstance(path, str) and kind_of(path) == "volume":
        from ..trust.verdicts import TRUST_LABEL  # its room loads scipy: not for other files

        volume = read_volume(path)
        is_trust = any(line.startswith(TRUST_LABEL) for line in volume.history)
        make_layer = trust_layer if is_trust else volume_layer
        return [make_layer(volume, first_slice=read_first_slice(volume.history))]
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


def open_needle() -> list[LayerData]:
    """Open the measured tilt series of a needle: HAADF, 77 tilts, unaligned (NIST)."""
    return [series_layer(read_tilt_series(needle_path()), name="needle")]


def open_simulated_particle() -> list[LayerData]:
    """Open a simulated tilt series, and the particle it was computed from as a hidden volume."""
    series, truth = simulated_particle()
    return [volume_layer(truth, name=f"{series.name} truth", visible=False), series_layer(series)]
