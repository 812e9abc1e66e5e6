"""The objects in a volume: where they lie, which they are, and how large."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from ..progress import Progress
from .metrics import otsu_threshold

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

#: Voxels looked at to find the threshold and the box.
LOOKED_AT = 500_000
#: Part of the dense voxels that may lie outside the box on either side: specks of noise.
OUTSIDE = 0.002
#: Left around the box, as a part of its edges.
MARGIN = 0.2
#: Dense voxels that touch only at an edge or a corner are one object.
NEIGHBOURS = np.ones((3, 3, 3), bool)
#: Columns of the table, and what they hold.
COLUMNS = (
    "label", "voxels", "volume_nm3", "surface_nm2",
    "z_nm", "y_nm", "x_nm", "equivalent_diameter_nm",
)  # fmt: skip


def find_threshold(volume: Floats) -> float:
    """Otsu's threshold of a volume (z, y, x), from some voxels spread over it."""
    return otsu_threshold(_thin(volume)[0])


def find_object_box(volume: Floats) -> Box:
    """Find the box that holds what is denser than Otsu's threshold, with a margin.

    Parameters
    ----------
    volume : ndarray, float32, (z, y, x)
        Densities. Some voxels spread over it are looked at.

    Returns
    -------
    tuple of tuple of int
        First and last + 1 index along z, y and x; all of the volume where nothing stands out.
    """
    thinned, steps = _thin(volume)
    dense = thinned > otsu_threshold(thinned)
    box = []
    for axis, (step, n) in enumerate(zip(steps, volume.shape, strict=True)):
        others = tuple(other for other in range(3) if other != axis)
        counts = np.cumsum(dense.sum(axis=others))
        if counts[-1] == 0:
            return (0, volume.shape[0]), (0, volume.shape[1]), (0, volume.shape[2])
        first = int(np.searchsorted(counts, OUTSIDE * counts[-1], side="right"))
        last = int(np.searchsorted(counts, (1 - OUTSIDE) * counts[-1]))
        low, high = first * step, (last + 1) * step
        margin = max(2, round(MARGIN * (high - low)))
        box.append((max(low - margin, 0), min(high + margin, n)))
    return box[0], box[1], box[2]


def choose_box(boxes: Sequence[Box]) -> Box:
    """Return the middle one, by size, of the boxes found in volumes of one object.

    Noise makes boxes larger, and smoothing smaller; of two, it is the smaller one.
    """
    by_size = sorted(boxes, key=lambda box: math.prod(stop - start for start, stop in box))
    return by_size[(len(by_size) - 1) // 2]


def _thin(volume: Floats) -> tuple[Floats, tuple[int, int, int]]:
    step = max(1, round((volume.size / LOOKED_AT) ** (1 / 3)))
    steps = (step, min(step, volume.shape[1]), step)
    return np.asarray(volume[:: steps[0], :: steps[1], :: steps[2]]), steps


def label_objects(volume: Floats, threshold: float, smallest_voxels: int = 1) -> Labels:
    """Number the connected parts of a volume that are denser than a threshold.

    Parameters
    ----------
    volume : ndarray, float32, (z, y, x)
        Densities.
    threshold : float
        In the units of the volume.
    smallest_voxels : int
        Parts of fewer voxels are left out.

    Returns
    -------
    ndarray, int32, (z, y, x)
        0 outside; 1 is the largest object. Voxels that touch at a corner belong together.
    """
    found, n_found = scipy.ndimage.label(np.asarray(volume) > threshold, NEIGHBOURS)
    sizes = np.bincount(found.ravel(), minlength=n_found + 1)
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")
    kept = order[sizes[order] >= max(smallest_voxels, 1)]
    numbers = np.zeros(n_found + 1, np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[found]


@dataclass(frozen=True)
class ObjectTable:
    """One row for each object.

    Attributes
    ----------
    rows : tuple of tuple
        Values in the order of `COLUMNS`.
    unit : str
        "nm", or "px" where the voxel size is not known.
    """

    rows: tuple[tuple[float, ...], ...]
    unit: str = "nm"

    @property
    def sentence(self) -> str:
        """Say how many objects there are, and how much they hold together."""
        n = len(self.rows)
        total = sum(row[2] for row in self.rows)
        return f"{n} object{'' if n == 1 else 's'}, {total:.4g} {self.unit}\N{SUPERSCRIPT THREE}."

    def to_csv(self) -> str:
        """Return the table as comma-separated values, the heading first."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(name.replace("nm", self.unit) for name in COLUMNS)
        for row in self.rows:
            writer.writerow([int(row[0]), int(row[1]), *(f"{value:.6g}" for value in row[2:])])
        return out.getvalue()


def iter_measure(
    labels: Labels,
    volume: Floats,
    threshold: float,
    voxel_nm: Sequence[float] | None,
    origin_nm: Sequence[float] = (0.0, 0.0, 0.0),
) -> Generator[Progress | ObjectTable, None, None]:
    """Measure every object; the last item is the `ObjectTable`.

    The surface is that of the isosurface at the threshold, by marching cubes, which follows the
    densities between voxels; faces of voxels would make every oblique surface too large by up to
    half.

    Parameters
    ----------
    labels : ndarray, int32, (z, y, x)
        From `label_objects`.
    volume : ndarray, float32, (z, y, x)
        What was labelled.
    threshold : float
        What it was labelled at.
    voxel_nm : sequence of float or None
        Edges (z, y, x); voxels are counted where None.
    origin_nm : sequence of float
        Where the middle of the first voxel lies.

    References
    ----------
    T. Lewiner et al., Journal of Graphics Tools 8, 1-15 (2003).
    """
    from skimage.measure import regionprops_table

    spacing = (1.0, 1.0, 1.0) if voxel_nm is None else tuple(float(edge) for edge in voxel_nm)
    yield Progress("measuring objects", 0.0, None)
    seen = regionprops_table(
        labels,
        properties=("label", "num_pixels", "area", "centroid", "equivalent_diameter_area"),
        spacing=spacing,
    )
    boxes = scipy.ndimage.find_objects(labels)
    rows = []
    for k, label in enumerate(seen["label"]):
        yield Progress("measuring objects", k / len(seen["label"]), None)
        surface = _measure_surface(labels, volume, threshold, int(label), boxes, spacing)
        centre = [seen[f"centroid-{axis}"][k] + origin_nm[axis] for axis in range(3)]
        diameter = seen["equivalent_diameter_area"][k]
        values = (label, seen["num_pixels"][k], seen["area"][k], surface, *centre, diameter)
        rows.append(tuple(float(value) for value in values))
    yield ObjectTable(tuple(rows), "px" if voxel_nm is None else "nm")


def _measure_surface(
    labels: Labels,
    volume: Floats,
    threshold: float,
    label: int,
    boxes: Sequence[tuple[slice, slice, slice]],
    spacing: Sequence[float],
) -> float:
    """Area of the isosurface around one object; the border of the volume closes it."""
    from skimage.measure import marching_cubes, mesh_surface_area

    box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in boxes[label - 1])
    inside = labels[box]
    # Other objects are as dense; within one voxel around this one, the densities count.
    near = scipy.ndimage.binary_dilation(inside == label, NEIGHBOURS)
    other = (inside > 0) & (inside != label)
    below = threshold - max(abs(threshold), 1e-6)
    density = np.where(near & ~other, volume[box], below).astype(np.float32)
    padded = np.pad(density, 1, constant_values=below)
    vertices, faces, _, _ = marching_cubes(padded, threshold, spacing=tuple(spacing))
    return float(mesh_surface_area(vertices, faces))
