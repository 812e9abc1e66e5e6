"""EMD: Berkeley's layout (tomviz, py4DSTEM, ncempy), which is written too, and Velox's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from ..volume import Volume
from .hdf5_access import attribute, emd_groups, lazy, list_members, open_hdf5, read
from .lazy_arrays import report_as_damage
from .notes import series_notes, volume_notes, writing_note
from .signals import Axis, number_same_names, stack_of_signal
from .stack import Found, Stack
from .units import nm_per

if TYPE_CHECKING:
    import h5py

#: Attribute of a group of ours that holds the notes.
NOTES = "napari-wedgefill"
#: Attribute of a dimension of ours: its values do not tell where there is only one.
SPACING = "spacing"
#: What tomviz writes.
EMD_VERSION = (0, 2)
TOMVIZ_GROUP = "data/tomography"
VELOX_IMAGES = "Data/Image"
#: Where Velox keeps spectra: a stream of single counts, the cube made of it, sums.
VELOX_SPECTRA = ("Data/SpectrumStream", "Data/SpectrumImage", "Data/Spectrum")
#: Where Velox says under which label it shows an image, since version 11 and before.
VELOX_DISPLAYS = ("Displays/ImageDisplay", "Presentation/Displays/ImageDisplay")


def read_emd(path: Path) -> list[Stack]:
    """Open every array of an EMD file: detectors and maps each under its name.

    Raises
    ------
    WedgefillError
        If the file is damaged or holds no images.
    """
    with report_as_damage(path):
        return stacks_of_emd(path, open_hdf5(path))


def stacks_of_emd(path: Path, file: h5py.File) -> list[Stack]:
    """Return the arrays of an open EMD file; see `read_emd`."""
    spectra = [place for place in VELOX_SPECTRA if _members_at(file, place)]
    if VELOX_IMAGES in file:
        labels = _map_labels(path, file) if spectra else {}
        members = _members_at(file, VELOX_IMAGES)
        found = [
            _of_velox(path, name, group, labels.get(name, "")) for name, group in members.items()
        ]
    else:
        found = [_of_group(path, *named) for named in emd_groups(file).items()]
    stacks = [stack for stack in found if stack is not None]
    if not stacks and spectra:
        raise WedgefillError(
            f"{path.name}: this EMD file holds spectra and no images; export maps of the elements "
            "from Velox or HyperSpy, and open those."
        )
    if not stacks:
        raise WedgefillError(
            f"{path.name}: no images were found in this EMD file; it holds "
            f"{', '.join(sorted(list_members(file))) or 'nothing'}."
        )
    if spectra:
        told = "Its spectra are not read; maps of elements are, where Velox stored them as images."
        stacks = [replace(stack, warnings=(*stack.warnings, told)) for stack in stacks]
    return number_same_names(stacks)


def _of_group(path: Path, name: str, group: h5py.Group) -> Stack | None:
    """Open the array of a group in Berkeley's layout: ``data`` and ``dim1``, ``dim2``, ..."""
    import h5py

    sets = {
        key: item for key, item in list_members(group).items() if isinstance(item, h5py.Dataset)
    }
    arrays = [item for key, item in sets.items() if not key.startswith("dim")]
    if len(arrays) != 1 or arrays[0].ndim not in (2, 3):
        return None
    data = lazy(path, arrays[0])
    axes = [_axis(path, sets.get(f"dim{i + 1}"), n) for i, n in enumerate(data.shape)]
    # What tomviz (and this package) writes is VTK's: y points up. Others follow pictures.
    is_tomviz = name == TOMVIZ_GROUP or axes[0].name == "angles"
    notes = str(attribute(group, NOTES)).splitlines()
    return stack_of_signal(
        path,
        data,
        axes,
        source="EMD dimensions",
        dataset=name,
        notes=notes,
        row_0_on_top=not is_tomviz,
    )


def _axis(path: Path, dimension: h5py.Dataset | None, n: int) -> Axis:
    if dimension is None:
        return Axis("", "", n)
    name, unit = str(attribute(dimension, "name")), str(attribute(dimension, "units"))
    values = np.asarray(read(path, dimension)).ravel()
    if values.dtype.kind not in "iuf":
        return Axis(name, "", n)
    values = values.astype(np.float64)
    if len(values) != n or not np.all(np.isfinite(values)):
        # The first two of a regular axis are py4DSTEM's short form; tomviz's pipelines, run outside
        # of its window, write a length for rows into columns.
        steps = np.diff(values)
        is_short_form = len(values) == 2 or nm_per(unit) is not None
        if is_short_form and len(steps) and np.allclose(steps, steps[0], rtol=1e-3):
            return Axis(name, unit, n, float(steps[0]), float(values[0]))
        return Axis(name, "", n)
    if n == 1:
        spacing = _number({"spacing": attribute(dimension, SPACING)}, "spacing")
        return Axis(name, unit if spacing else "", n, spacing or 1.0, float(values[0]))
    return Axis(name, unit, n, values=values)


def _map_labels(path: Path, file: h5py.File) -> dict[str, str]:
    """Return the label of each image of a Velox file with spectra, such as "Fe", by its name.

    Maps of elements all name the same detector; only the display tells them apart.
    """
    import h5py

    labels: dict[str, str] = {}
    for place in VELOX_DISPLAYS:
        for display in _members_at(file, place).values():
            shown = _parse_first(path, display)
            label = shown.get("id") or _text(shown, "display", "label")
            reference = shown.get("data")
            if isinstance(reference, str):
                target = file.get(reference)
                shown = _parse_first(path, target) if isinstance(target, h5py.Dataset) else {}
            image = shown.get("dataPath")
            if isinstance(label, str) and label and isinstance(image, str):
                labels[image.rpartition("/")[2]] = label
    return labels


def _of_velox(path: Path, name: str, group: h5py.Group, label: str) -> Stack | None:
    """Open the image of a detector as Velox stores it: (y, x, frame), a JSON text a frame."""
    import h5py

    data = group.get("Data")
    if not isinstance(data, h5py.Dataset) or data.ndim != 3:
        return None
    described = [_parse_description(text) for text in _texts(path, group.get("Metadata"))]
    first = described[0] if described else {}
    pixel = (
        _number(first, "BinaryResult", "PixelSize", "height"),
        _number(first, "BinaryResult", "PixelSize", "width"),
    )
    unit = str(first.get("BinaryResult", {}).get("PixelUnitX", "m")) if described else ""
    height, width, n = data.shape
    axes = [
        Axis("y", unit if pixel[0] else "", height, pixel[0] or 1.0),
        Axis("x", unit if pixel[1] else "", width, pixel[1] or 1.0),
        Axis("frame", "", n),
    ]
    tilts = [_number(frame, "Stage", "AlphaTilt") for frame in described]
    angles = np.rad2deg(np.array([tilt for tilt in tilts if tilt is not None], dtype=np.float64))
    found: list[Found[NDArray[np.float64]]] = []
    if len(angles) == n:
        found.append(Found(angles, "Velox metadata, Stage AlphaTilt"))
    frames = lazy(path, data).transpose(2, 0, 1)
    return stack_of_signal(
        path,
        frames,
        [axes[2], axes[0], axes[1]],
        source="Velox metadata",
        dataset=label or _text(first, "BinaryResult", "Detector") or name,
        angles=found,
    )


def _texts(path: Path, metadata: h5py.Dataset | None) -> list[bytes]:
    """Return the JSON text of each frame: columns of bytes, padded with zeros."""
    if metadata is None or metadata.ndim != 2 or metadata.dtype != np.uint8:
        return []
    columns = np.asarray(read(path, metadata)).T
    return [np.ascontiguousarray(column).tobytes().partition(b"\0")[0] for column in columns]


def _members_at(file: h5py.File, place: str) -> dict[str, Any]:
    import h5py

    group = file.get(place)
    return list_members(group) if isinstance(group, h5py.Group) else {}


def _parse_first(path: Path, dataset: Any) -> dict[str, Any]:
    """Return what the first JSON text of a data set of texts says; nothing if it is none."""
    if getattr(dataset, "ndim", 0) != 1 or not dataset.size:
        return {}
    with report_as_damage(path):
        text = dataset[0]
    return _parse_description(text) if isinstance(text, bytes | str) else {}


def _parse_description(text: bytes | str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _look_up(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _text(tree: Any, *keys: str) -> str:
    found = _look_up(tree, *keys)
    return found if isinstance(found, str) else ""


def _number(tree: Any, *keys: str) -> float | None:
    try:
        value = float(_look_up(tree, *keys))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def write_emd_volume(path: Path, volume: Volume, _mode: int = 2) -> None:
    """Write a volume as tomviz does: axes (x, y, z) in nanometres."""
    edges = volume.voxel_nm or (1.0, 1.0, 1.0)
    unit = "[]" if volume.voxel_nm is None else "[n_m]"
    shape = volume.data.shape
    starts = (volume.first_plane, volume.first_slice, 0)
    dimensions = [
        (name, unit, edges[i] * (starts[i] + np.arange(shape[i])), edges[i])
        for name, i in (("x", 2), ("y", 1), ("z", 0))
    ]
    _write(path, volume.data.transpose(2, 1, 0), dimensions, volume_notes(volume))


def write_emd_series(path: Path, series: TiltSeries, _mode: int = 2) -> None:
    """Write a tilt series as tomviz does: axes (angles, y, x)."""
    edge, unit = (1.0, "[]") if series.pixel_nm is None else (series.pixel_nm, "[n_m]")
    dimensions = [
        ("angles", "[deg]", series.angles_deg, 1.0),
        ("y", unit, edge * np.arange(series.height), edge),
        ("x", unit, edge * np.arange(series.width), edge),
    ]
    _write(path, series.array(), dimensions, series_notes(series))


def _write(
    path: Path,
    data: NDArray[np.float32],
    dimensions: Sequence[tuple[str, str, NDArray[Any], float]],
    notes: Sequence[str],
) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = map(np.uint32, EMD_VERSION)
        group = file.create_group(TOMVIZ_GROUP)
        group.attrs["emd_group_type"] = np.uint32(1)
        group.attrs[NOTES] = "\n".join([writing_note("float32"), *notes])
        group.create_dataset("data", data=data).attrs["name"] = np.bytes_("images")
        for i, (name, unit, values, spacing) in enumerate(dimensions, start=1):
            dimension = group.create_dataset(f"dim{i}", data=values.astype(np.float32))
            dimension.attrs["name"], dimension.attrs["units"] = np.bytes_(name), np.bytes_(unit)
            dimension.attrs[SPACING] = spacing
