"""What napari asks for: open files or a sample as layers, save layers to files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import notification_manager, show_info, show_warning

from ..disk_images import DiskImages
from ..errors import WedgefillError
from ..io import check_target, open_stacks, read_tilt_series, write_tilt_series, write_volume
from ..io.describe import find_refusal
from ..io.formats import choose_stacks, has_angles, is_image_file
from ..io.sidecars import ANGLE_SIDECARS, angle_sidecars
from ..io.stack import Stack
from ..io.tilt_reader import decide, make_series, stays_on_disk
from ..io.volume_reader import make_volume, stack_kind
from ..mapped_files import read_mapped
from ..samples import needle_path, simulated_particle
from ..tilt_series import TiltSeries
from .layers import LayerData, LayerMap, bare_stack_layer, series_layer, trust_layer, volume_layer
from .wording import say_in_window

Paths = str | list[str]
LayerTuple = tuple[Any, dict[str, Any], str]
#: What napari takes for "read, and nothing to show".
NOTHING: list[Any] = [(None,)]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the function that reads `path`, or None to leave it to other readers.

    Whatever the manifest claims is read, or refused in a sentence: napari offers a reader by the
    name of the file alone. Left to others are folders without images, and compressed files that
    are none.
    """
    first = Path(path if isinstance(path, str) else path[0])
    if is_image_file(first) or first.suffix.lower() in ANGLE_SIDECARS:
        return read_or_tell
    holds_images = first.is_dir() and any(map(is_image_file, first.iterdir()))
    return read_or_tell if holds_images else None


def read_or_tell(path: Paths) -> list[LayerData]:
    """Read layers; in napari's window, say in our words what is refused.

    napari hides the sentence of a reader behind its own, and prints the trace of the call. Only
    while its window catches what nobody else does is an error told here; scripts get it raised.
    """
    try:
        return read_layers(path)
    except WedgefillError as error:
        if sys.excepthook != notification_manager.receive_error:
            raise
        from .fill.workbench import tell_error  # loads what a fill needs: only on errors

        tell_error(napari.current_viewer(), error)
        return NOTHING


def read_layers(path: Paths) -> list[LayerData]:
    """Read tilt series with their angles, volumes with their voxel size, and other images.

    Several files at once are a series if each holds one tilt; otherwise each is opened on its own.
    An angle file among them is used for the images beside it in the list. A stack whose angles are
    nowhere to be found becomes a layer too: they can be typed or loaded in the Fill wedge widget.

    Raises
    ------
    WedgefillError
        If a file cannot be read.
    """
    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    angle_files = [one for one in paths if one.suffix.lower() in ANGLE_SIDECARS]
    images = [one for one in paths if one not in angle_files]
    if not images:
        show_info(
            f"{angle_files[0].name}: angles are read together with the images beside them; to use "
            "a file of another name, press Load... in the Fill wedge widget."
        )
        return NOTHING
    if len(images) > 1 and not _are_single_tilts(images):
        _tell_of_unused(angle_files, images)
        return [layer for image in images for layer in _read_one(image)]
    source = images if len(images) > 1 else images[0]
    if len(angle_files) == 1:
        return [_series(source, angles=angle_files[0])]
    return [_series(source)] if isinstance(source, list) else _read_one(source)


def _are_single_tilts(paths: Sequence[Path]) -> bool:
    """Tell a series of one file a tilt from several series or volumes opened at once."""
    if any(path.is_dir() and not is_image_file(path) for path in paths):
        return False
    stacks = [stack for path in paths for stack in open_stacks(path, headers_only=True)]
    return all(stack.n == 1 or _has_one_angle(stack) for stack in stacks)


def _has_one_angle(stack: Stack) -> bool:
    return any(np.ptp(found.value) < 0.1 for found in stack.angles_found if found.value.size)


def _tell_of_unused(angle_files: Sequence[Path], images: Sequence[Path]) -> None:
    """Say which of the angle files dropped with several images lie beside none of them."""
    used = {file for image in images for file, _ in angle_sidecars(image)}
    for file in angle_files:
        if file not in used:
            show_warning(
                f"{file.name}: it is not named like any of the images, so it was not used; load it "
                "in the Fill wedge widget."
            )


def _read_one(path: Path) -> list[LayerData]:
    if path.is_dir() and not is_image_file(path):
        return [_series(path)]
    stacks = choose_stacks(open_stacks(path))
    return [_layer_of(stack) for stack in stacks]


def _layer_of(stack: Stack) -> LayerData:
    """Show an open stack as what it is: a series with angles, a volume, or just images."""
    if has_angles(stack):
        return _series_layer(make_series(stack, decide(stack)))
    if stack_kind(stack) != "volume":
        return _bare(stack)
    from ..trust.verdicts import TRUST_LABEL  # its room loads scipy: not for other files

    volume = make_volume(stack)
    first = volume.first_slice
    if any(line.startswith(TRUST_LABEL) for line in volume.history):
        return trust_layer(volume, first_slice=first)
    tilts = volume.tilt_range
    fields = {} if tilts is None else {"angles_deg": tilts.spread_evenly()}
    return volume_layer(volume, first_slice=first, fields=fields)


def _series(path: Path | Sequence[Path], **given: Any) -> LayerData:
    return _series_layer(read_tilt_series(path, **given))


def _series_layer(series: TiltSeries) -> LayerData:
    for warning in series.warnings:
        show_warning(f"{series.name}: {say_in_window(warning)}")
    return series_layer(series)


def _bare(stack: Stack) -> LayerData:
    """Show images without angles, large ones without reading them."""
    if stack.n > 1:
        show_warning(
            f"{find_refusal(stack)} If this is a tilt series, load or type its angles in the Fill "
            "wedge widget."
        )
    else:
        show_info(
            f"{stack.path.name}: this is one image; to open a series of one file per tilt, drop "
            "its folder."
        )
    data = (
        DiskImages.of(stack.pixels)
        if stays_on_disk(stack.pixels)
        else np.ascontiguousarray(read_mapped(stack.pixels), dtype=np.float32)
    )
    sizes = stack.pixels_found
    return bare_stack_layer(data, stack.name, sizes[0].value if sizes else None)


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one image layer, in the format that the name asks for.

    Parameters
    ----------
    path : str
        Where to write. A file that is there was offered by the dialog, which asks before it is
        replaced.
    data : array_like, (z, y, x), (tilt, y, x) or (y, x)
        The layer's array.
    attributes : dict
        The layer's attributes.

    Returns
    -------
    list of str
        The files written.
    """
    layer = LayerMap(data, attributes)
    return [str(written) for written in write_layer(Path(path), layer, overwrite=True)]


def write_images(path: str, layers: Sequence[LayerTuple]) -> list[str]:
    """Write several layers, each to a file of its own: ``out.mrc`` becomes ``out_needle_GAN.mrc``.

    Nothing is replaced, for the dialog asked about another name.
    """
    base = Path(path)
    maps = [LayerMap(data, attributes) for data, attributes, _ in layers]
    names = [f"{base.stem}_{file_stem(layer.name)}{base.suffix}" for layer in maps]
    if len(set(names)) < len(names):
        raise WedgefillError(
            "Two of these layers have the same name; rename one of them and save again."
        )
    for name in names:
        check_target(base.with_name(name))
    written = [
        write_layer(base.with_name(name), layer) for name, layer in zip(names, maps, strict=True)
    ]
    return [str(one) for files in written for one in files]


def file_stem(layer_name: str) -> str:
    """``needle TVM`` becomes ``needle_TVM``; characters that file systems refuse go."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in layer_name.strip()) or "layer"


def write_layer(path: Path, layer: LayerMap, *, overwrite: bool = False) -> list[Path]:
    """Write a tilt series or a volume, according to what the layer is."""
    if layer.kind != "tilt series":
        return [write_volume(path, layer.to_volume(), overwrite=overwrite)]
    if layer.angles_deg is None:
        raise WedgefillError(
            f"{layer.name}: no tilt angles are known for this series; enter them in the "
            "Fill wedge widget and save again."
        )
    series = layer.to_series(layer.angles_deg, layer.pixel_nm)
    return [write_tilt_series(path, series, overwrite=overwrite)]


def open_needle() -> list[LayerData]:
    """Open the measured tilt series of a needle: HAADF, 77 tilts, unaligned (NIST)."""
    return [series_layer(read_tilt_series(needle_path()), name="needle")]


def open_simulated_particle() -> list[LayerData]:
    """Open a simulated tilt series, and the particle it was computed from as a hidden volume."""
    series, truth = simulated_particle()
    return [volume_layer(truth, name=f"{series.name} truth", visible=False), series_layer(series)]
