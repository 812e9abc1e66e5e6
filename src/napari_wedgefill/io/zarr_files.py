"""Zarr and OME-Zarr: read chunk by chunk, and written as a multiscale image of version 0.4."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tilt_series import TiltSeries
from ..volume import Volume
from .lazy_arrays import read_by_chunks, report_as_damage
from .named_arrays import stacks_of_arrays
from .notes import angles_note, series_notes, volume_notes, writing_note
from .rosetta import HYPERSPY, stacks_of_signals
from .signals import Axis, number_same_names, stack_of_signal
from .stack import Stack

OME_VERSION = "0.4"
#: Attribute of ours that holds the notes.
NOTES = "napari-wedgefill"
#: Levels of the pyramid are halved until the longest edge is at most this.
SMALLEST_LEVEL = 256
#: Edge of the chunks of a volume, and of an image.
CHUNK, IMAGE_CHUNK = 128, 1024
MAX_LIST = 100_000
#: Version, flags and three lengths, the last of which is that of the chunk.
BLOSC_HEADER_BYTES = 16
#: What is looked at among HyperSpy's metadata.
HYPERSPY_METADATA = ("General", "Signal", "Acquisition_instrument/TEM/Stage", "Tomography")
TILTS = "metadata/Tomography/tilts"


def read_zarr(path: Path) -> list[Stack]:
    """Open the stacks of a Zarr folder, with the axes that OME-Zarr states.

    Raises
    ------
    WedgefillError
        If it is no Zarr, is damaged, or holds no stack of images.
    """
    import zarr

    with report_as_damage(path):
        root = zarr.open(path, mode="r")
        if isinstance(root, zarr.Array):
            return stacks_of_arrays(path, {path.stem: _lazy(path, root)})
        stacks = [stack for group in _groups(root) for stack in _of_multiscales(path, group)]
        if stacks:
            return number_same_names(stacks)
        return stacks_of_arrays(path, dict(_arrays(path, root)))


def read_zspy(path: Path) -> list[Stack]:
    """Open the signals of a HyperSpy file in Zarr, a folder or one zip archive.

    rosettasciio's reader opens it for writing, takes version 2 of zarr to write and reads markers
    and models too, which may fail; all that is needed here are data, axes and a few metadata.

    Raises
    ------
    WedgefillError
        If it is damaged, or holds no images.
    """
    import zarr
    from zarr.storage import ZipStore

    with report_as_damage(path):
        store = ZipStore(path, mode="r") if path.is_file() else path
        experiments = zarr.open_group(store, mode="r")["Experiments"]
        if not isinstance(experiments, zarr.Group):
            raise ValueError("no experiments")
        signals = [_signal(path, experiments[name]) for name in sorted(experiments.group_keys())]
    return stacks_of_signals(path, signals, HYPERSPY)


def _signal(path: Path, group: Any) -> dict[str, Any]:
    """Describe a signal as rosettasciio does, as far as anybody asks."""
    data = _lazy(path, group["data"])
    axes = []
    for i in range(data.ndim):
        axis = group[f"axis-{i}"]
        listed = {"axis": np.asarray(axis["axis"][...])} if "axis" in axis else {}
        axes.append({**axis.attrs, **listed})
    metadata: dict[str, Any] = {}
    for name in HYPERSPY_METADATA:
        tree = metadata
        for part in name.split("/"):
            tree = tree.setdefault(part, {})
        if f"metadata/{name}" in group:
            tree.update(group[f"metadata/{name}"].attrs)
    if TILTS in group:
        metadata["Tomography"]["tilts"] = np.asarray(group[TILTS][...])
    return {"data": data, "axes": axes, "metadata": metadata}


def _groups(root: Any) -> Iterator[Any]:
    """Yield a group and all groups below it."""
    yield root
    for _, group in sorted(root.groups()):
        yield from _groups(group)


def _arrays(path: Path, root: Any) -> Iterator[tuple[str, Any]]:
    for group in _groups(root):
        for name, array in sorted(group.arrays()):
            full = f"{group.path}/{name}".lstrip("/")
            is_short = array.ndim < 2 and array.size <= MAX_LIST
            yield full, np.asarray(array[...]) if is_short else _lazy(path, array)


def _lazy(path: Path, array: Any) -> Any:
    is_blosc = any("blosc" in type(one).__name__.lower() for one in array.compressors)
    return read_by_chunks(path, BloscArray(array) if is_blosc else array, array.chunks)


class BloscArray:
    """An array whose chunks are looked at before Blosc unpacks them.

    Blosc believes the length that a chunk states of itself, and reads on behind its end if a byte
    of that is damaged, which can end the program.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        root = getattr(self._array.store, "root", None)
        if isinstance(root, Path) and root.is_dir() and self._array.shards is None:
            for place in self._chunks_of(key):
                name = self._array.metadata.encode_chunk_key(place)
                _check_chunk(root / self._array.path / name)
        return np.asarray(self._array[key])

    def _chunks_of(self, key: Any) -> Iterator[tuple[int, ...]]:
        keys = key if isinstance(key, tuple) else (key,)
        spans = []
        for i, (n, edge) in enumerate(zip(self.shape, self._array.chunks, strict=True)):
            one = keys[i] if i < len(keys) else slice(None)
            start, stop, _ = (one if isinstance(one, slice) else slice(one, one + 1)).indices(n)
            spans.append(range(start // edge, -(-stop // edge)))
        return itertools.product(*spans)


def _check_chunk(file: Path) -> None:
    """Raise `ValueError` unless a chunk of Blosc is as long as it says."""
    if not file.is_file():
        return  # a chunk of zeros is not stored
    with file.open("rb") as chunk:
        head = chunk.read(BLOSC_HEADER_BYTES)
    n_bytes = file.stat().st_size
    if len(head) < BLOSC_HEADER_BYTES or int.from_bytes(head[12:16], "little") != n_bytes:
        raise ValueError(f"the chunk {file.name} is not as long as it says")


def _of_multiscales(path: Path, group: Any) -> Iterator[Stack]:
    """Yield the finest level of every image that a group describes; channels each on their own."""
    attributes = dict(group.attrs)
    described = attributes.get("ome", attributes)
    notes = attributes.get(NOTES, {})
    lines = [str(line) for line in notes.get("notes", ())] if isinstance(notes, Mapping) else []
    for image in described.get("multiscales", ()):
        finest = image["datasets"][0]
        data = _lazy(path, group[finest["path"]])
        scales = _combine_transforms(image, finest, "scale", 1.0, data.ndim)
        starts = _combine_transforms(image, finest, "translation", 0.0, data.ndim)
        axes = [
            _axis(axis, n, scale, start)
            for axis, n, scale, start in zip(
                _axis_fields(image, data.ndim), data.shape, scales, starts, strict=True
            )
        ]
        name = str(image.get("name") or group.path or path.stem)
        for label, part, kept in _channels(name, data, axes):
            stack = stack_of_signal(
                path, part, kept, source="OME-Zarr metadata", dataset=label, notes=lines
            )
            if stack is not None:
                yield stack


def _axis_fields(image: Mapping[str, Any], n: int) -> list[Mapping[str, Any]]:
    fields = image.get("axes") or [{"name": name} for name in "tczyx"[-n:]]
    return [field if isinstance(field, Mapping) else {"name": field} for field in fields]


def _axis(fields: Mapping[str, Any], n: int, scale: float, start: float) -> Axis:
    return Axis(str(fields.get("name", "")), str(fields.get("unit") or ""), n, scale, start)


def _combine_transforms(
    image: Mapping[str, Any], finest: Mapping[str, Any], kind: str, neutral: float, n: int
) -> list[float]:
    """Put together what the level and the whole image state of each axis."""
    values = [neutral] * n
    for owner in (finest, image):
        for step in owner.get("coordinateTransformations") or ():
            if step.get("type") == kind and len(step[kind]) == n:
                given = [float(value) for value in step[kind]]
                if kind == "scale":
                    values = [a * b for a, b in zip(values, given, strict=True)]
                else:
                    values = [a + b for a, b in zip(values, given, strict=True)]
    return values


def _channels(name: str, data: Any, axes: Sequence[Axis]) -> Iterator[tuple[str, Any, list[Axis]]]:
    """Take an image apart into its channels; other images stay as they are."""
    at = [i for i, axis in enumerate(axes) if axis.name.lower() in ("c", "channel")]
    if len(at) != 1:
        yield name, data, list(axes)
        return
    kept = [axis for i, axis in enumerate(axes) if i != at[0]]
    for i in range(data.shape[at[0]]):
        label = name if data.shape[at[0]] == 1 else f"{name} channel {i}"
        yield label, data[(slice(None),) * at[0] + (i,)], kept


def write_zarr_volume(path: Path, volume: Volume, _mode: int = 2) -> None:
    """Write a volume (z, y, x), finest first, each level half as fine in all directions."""
    edges = volume.voxel_nm
    axes = [_space(name, edges is not None) for name in "zyx"]
    z_edge, y_edge, _ = edges or (1.0, 1.0, 1.0)
    start = (volume.first_plane * z_edge, volume.first_slice * y_edge, 0.0)
    pyramid = _Pyramid(volume.name, axes, edges or (1.0, 1.0, 1.0), start, (CHUNK,) * 3)
    _write(path, volume.data, pyramid, volume_notes(volume))


def write_zarr_series(path: Path, series: TiltSeries, _mode: int = 2) -> None:
    """Write a tilt series (tilt, y, x); its angles are in the notes."""
    edge = series.pixel_nm
    axes = [{"name": "tilt", "type": "angle"}, *(_space(name, edge is not None) for name in "yx")]
    scale = (1.0, edge or 1.0, edge or 1.0)
    pyramid = _Pyramid(series.name, axes, scale, (0.0, 0.0, 0.0), (1, IMAGE_CHUNK, IMAGE_CHUNK))
    _write(path, series.array(), pyramid, [*series_notes(series), angles_note(series.angles_deg)])


def _space(name: str, is_known: bool) -> dict[str, str]:
    axis = {"name": name, "type": "space"}
    return axis | {"unit": "nanometer"} if is_known else axis


@dataclass(frozen=True)
class _Pyramid:
    """What the metadata of a pyramid say; along axes with chunks of one nothing shrinks."""

    name: str
    axes: Sequence[Mapping[str, str]]
    scale: Sequence[float]
    start: Sequence[float]
    chunks: tuple[int, int, int]

    def dataset(self, number: int) -> dict[str, Any]:
        """Describe a level: its voxels are larger, so the centre of the first lies further in."""
        factors = [2.0**number if chunk > 1 else 1.0 for chunk in self.chunks]
        shifts = [(factor - 1.0) / 2.0 for factor in factors]
        edges = zip(self.scale, factors, strict=True)
        starts = zip(self.start, self.scale, shifts, strict=True)
        return {
            "path": str(number),
            "coordinateTransformations": [
                {"type": "scale", "scale": [edge * factor for edge, factor in edges]},
                {
                    "type": "translation",
                    "translation": [start + edge * shift for start, edge, shift in starts],
                },
            ],
        }


def _write(path: Path, data: NDArray[np.float32], pyramid: _Pyramid, notes: Sequence[str]) -> None:
    """Write a pyramid; rows are turned over, for pictures in Zarr have row 0 on top."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=2)
    level: NDArray[np.float32] = data[:, ::-1]
    datasets: list[dict[str, Any]] = []
    while True:
        chunks = tuple(min(chunk, n) for chunk, n in zip(pyramid.chunks, level.shape, strict=True))
        array = group.create_array(
            str(len(datasets)),
            shape=level.shape,
            chunks=chunks,
            dtype="float32",
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        for start in range(0, len(level), chunks[0]):
            array[start : start + chunks[0]] = np.ascontiguousarray(
                level[start : start + chunks[0]]
            )
        datasets.append(pyramid.dataset(len(datasets)))
        shrinking = [n for n, chunk in zip(level.shape, pyramid.chunks, strict=True) if chunk > 1]
        if max(shrinking) <= SMALLEST_LEVEL or min(shrinking) < 2:
            break
        level = _halve(level, [chunk > 1 for chunk in pyramid.chunks])
    group.attrs["multiscales"] = [
        {
            "version": OME_VERSION,
            "name": pyramid.name,
            "axes": [dict(axis) for axis in pyramid.axes],
            "datasets": datasets,
            "type": "mean",
        }
    ]
    group.attrs[NOTES] = {"notes": [writing_note("float32"), *notes]}


def _halve(level: NDArray[np.float32], halved: Sequence[bool]) -> NDArray[np.float32]:
    """Average neighbours in pairs; what is left over at an end goes."""
    for axis, half in enumerate(halved):
        if half:
            n = level.shape[axis] // 2
            pairs = level.take(range(2 * n), axis=axis)
            shape = (*pairs.shape[:axis], n, 2, *pairs.shape[axis + 1 :])
            level = pairs.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    return level
