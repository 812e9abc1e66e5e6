"""From napari's layers to the columns of the window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Layer

from ...methods import METHODS, label_of
from ..layers import BELIEVED, DOUBTED, TRUST, LayerMap
from ..runs import run_name_of
from .columns import VolumeColumn

#: Columns that are ticked when the window opens, at most; more are too narrow to judge.
MOST_TICKED = 5
#: The plainest method goes first, as what the others are held against.
FIRST = "wbp"
_SHORT_UNITS = {"nanometer": "nm", "angstrom": "\N{ANGSTROM SIGN}", "micrometer": "\N{MICRO SIGN}m"}


def list_comparable(viewer: napari.Viewer) -> list[Image]:
    """Return the layers that can be compared: volumes along the axes, WBP first.

    A volume that is to be believed rather than the networks' goes before it.
    """
    found = [layer for layer in viewer.layers if _is_volume(layer) and not _is_live(layer)]
    return sorted(found, key=lambda layer: (not _is_believed(layer), not _is_first(layer)))


def group_by_run(layers: Sequence[Image]) -> dict[str, list[Image]]:
    """Group layers by the run that made them, the newest run first.

    Layers of no run, such as volumes that were opened from files, are under an empty name.
    """
    groups: dict[str, list[Image]] = {}
    for layer in layers:
        groups.setdefault(run_name_of(layer), []).append(layer)
    runs = [name for name in reversed(groups) if name]
    return {name: groups[name] for name in [*runs, *([""] if "" in groups else [])]}


def methods_of_run(layers: Sequence[Image], run: str) -> list[Image]:
    """Return the volumes of a run, one for each method; a trust map is no volume."""
    group = group_by_run(layers).get(run, [])
    return [layer for layer in group if LayerMap.of(layer).kind != TRUST]


def choose_at_first(layers: Sequence[Image]) -> list[Image]:
    """Choose what is compared when the window opens: the newest run, a column for each method.

    Without a run, what lies on the newest volume's grid: this plugin's own volumes before those of
    other origin, whole ones before previews.
    """
    newest_run = next(iter(group_by_run(layers)), "")
    if newest_run:
        return methods_of_run(layers, newest_run)
    ours = [layer for layer in layers if LayerMap.of(layer).kind == "volume"]
    whole = [layer for layer in ours if not LayerMap.of(layer).fields.get("preview")]
    choice = next((group for group in (whole, ours, list(layers)) if len(group) > 1), list(layers))
    if not choice:
        return []
    newest = choice[-1]
    return [layer for layer in choice if same_grid(layer, newest)][:MOST_TICKED]


def columns_of(layers: Sequence[Image], viewer: napari.Viewer) -> list[VolumeColumn]:
    """Build the columns of some layers; the data are shared, not copied."""
    titles = short_titles([layer.name for layer in layers])
    columns = []
    for layer, title in zip(layers, titles, strict=True):
        origin = np.asarray(layer.data_to_world((0, 0, 0)), dtype=float)
        voxel = np.asarray(layer.data_to_world((1, 1, 1)), dtype=float) - origin
        columns.append(
            VolumeColumn(
                title,
                layer.data,
                tuple(origin.tolist()),
                tuple(voxel.tolist()),
                angles_of(layer, viewer),
                has_own_scale=LayerMap.of(layer).kind == TRUST,
                colour=_colour_of(layer),
            )
        )
    return columns


def _colour_of(layer: Image) -> str:
    """Colour of the method that made a volume; empty where it is not known."""
    known = LayerMap.of(layer).fields.get("method")
    words = [known] if known else layer.name.replace("_", " ").lower().split()
    return next((METHODS[word].colour for word in words if word in METHODS), "")


def unit_of(layers: Sequence[Image]) -> str:
    """Return the unit of the first layer's axes, short: "nm", or "voxels" where none is known."""
    if not layers:
        return "voxels"
    name = str(layers[0].units[-1])
    return "voxels" if name == "pixel" else _SHORT_UNITS.get(name, name)


def short_titles(names: Sequence[str]) -> list[str]:
    """Leave out words that all names begin or end with: ``needle WBP``, ``needle GAN``: WBP, GAN.

    Names of files count their underscores as spaces. Where nothing would be left of one of them,
    all stay whole.
    """
    if len(names) < 2:
        return list(names)
    marks = [DOUBTED if name.endswith(DOUBTED) else "" for name in names]
    words = [name.removesuffix(DOUBTED).replace("_", " ").split() for name in names]
    n_first = _count_common(words)
    words = [own[n_first:] for own in words]
    n_last = _count_common([own[::-1] for own in words])
    words = [own[: len(own) - n_last] for own in words]
    if not all(words):
        return list(names)
    short = [" ".join(own) + mark for own, mark in zip(words, marks, strict=True)]
    short = [label_of(title) if title in METHODS else title for title in short]
    return short if all(short) and len(set(short)) == len(short) else list(names)


def _count_common(words: Sequence[Sequence[str]]) -> int:
    return len(list(takewhile(lambda group: len(set(group)) == 1, zip(*words, strict=False))))


def angles_of(layer: Image, viewer: napari.Viewer) -> tuple[float, ...]:
    """Tilt angles that a volume was made from.

    Its own metadata say so; failing that, the tilt series in the viewer whose name its name begins
    with, or the only one.
    """
    angles = LayerMap.of(layer).angles_deg
    if angles is None:
        series = [s for s in map(LayerMap.of, _images(viewer)) if s.kind == "tilt series"]
        known = [s for s in series if s.angles_deg is not None]
        named = sorted(
            (s for s in known if layer.name.startswith(s.name)), key=lambda s: len(s.name)
        )
        chosen = named[-1:] or (known if len(known) == 1 else [])
        angles = chosen[0].angles_deg if chosen else None
    return () if angles is None else tuple(float(angle) for angle in angles)


def _images(viewer: napari.Viewer) -> list[Image]:
    return [layer for layer in viewer.layers if isinstance(layer, Image)]


def _is_volume(layer: Layer) -> bool:
    if not isinstance(layer, Image) or layer.ndim != 3 or layer.rgb or layer.multiscale:
        return False
    if LayerMap.of(layer).kind == "tilt series" or layer.axis_labels[0] == "tilt":
        return False
    return _is_straight(layer)


def _is_live(layer: Image) -> bool:
    """Whether a layer repeats one slice along the tilt axis."""
    return bool(layer.data.strides[1] == 0) if isinstance(layer.data, np.ndarray) else False


def _is_straight(layer: Any) -> bool:
    """Whether the layer's axes lie along the world's."""
    origin = np.asarray(layer.data_to_world((0, 0, 0)))
    steps = [np.asarray(layer.data_to_world(unit)) - origin for unit in np.eye(3)]
    voxel = np.abs(steps)
    return bool(np.all(voxel[~np.eye(3, dtype=bool)] <= 1e-6 * voxel.max()))


def _is_first(layer: Image) -> bool:
    method = LayerMap.of(layer).fields.get("method")
    words = layer.name.replace("_", " ").lower().split()
    return method == FIRST or (method is None and FIRST in words)


def _is_believed(layer: Image) -> bool:
    return bool(LayerMap.of(layer).fields.get(BELIEVED))


def same_grid(a: Image, b: Image) -> bool:
    """Whether two volumes have the same voxels in the same places."""
    return a.data.shape == b.data.shape and np.allclose(a.extent.world, b.extent.world)
