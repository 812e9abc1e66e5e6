"""From an array whose axes have names and units to a stack of images: what all such formats share.

DigitalMicrograph, EMD, HyperSpy, OME-Zarr and others describe each axis by a name, a unit and
either its values or a scale and an offset. Here it is decided which axis counts the tilts, which
are the rows and the columns of the images, and what that says of angles and pixel size.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mrc_labels import axis_from_labels, axis_shift_from_labels
from .notes import angles_from
from .sidecars import without_compression
from .stack import Found, Stack
from .units import degrees_per, is_energy, nm_per

#: Names that programs give to the axis that counts the tilts.
TILT_NAME = re.compile(
    r"tilts?|tilt[ _]?angles?|projections?|angles?|alpha|theta|stage[ _]?(tilt|alpha)",
    re.IGNORECASE,
)
#: Further from flat than this no stage of a microscope goes; X-ray stages turn on.
LARGEST_DEG = 360.0
#: An uncalibrated axis may still hold angles, if they look like those of a tilt series.
LIKELY_DEG, LIKELY_STEP_DEG = 90.5, (0.1, 15.0)


@dataclass(frozen=True)
class Axis:
    """One axis of an array, in the order of the array.

    Attributes
    ----------
    name, unit : str
        As the file has them; may be empty.
    n : int
        Length.
    scale, offset : float
        Value of index i: ``offset + i * scale``.
    values : ndarray, (n,), or None
        In place of scale and offset, where the file lists them.
    """

    name: str
    unit: str
    n: int
    scale: float = 1.0
    offset: float = 0.0
    values: NDArray[np.float64] | None = None

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Value of each index, (n,)."""
        if self.values is not None:
            return self.values
        return self.offset + self.scale * np.arange(self.n, dtype=np.float64)

    @property
    def step(self) -> float:
        """Distance of neighbours."""
        if self.values is None or len(self.values) < 2:
            return abs(self.scale)
        return float(abs(self.values[-1] - self.values[0]) / (len(self.values) - 1))

    @property
    def is_tilt(self) -> bool:
        """Whether name or unit says that it counts tilts."""
        if is_energy(self.unit) or nm_per(self.unit) is not None:
            return False
        return degrees_per(self.unit) is not None or bool(TILT_NAME.fullmatch(self.name.strip()))

    @property
    def is_energy(self) -> bool:
        """Whether it is that of a spectrum."""
        return is_energy(self.unit) or self.name.strip().lower() in ("energy", "energy loss")

    @property
    def letter(self) -> str:
        """``"x"``, ``"y"`` or ``"z"`` if the axis has such a name; else empty."""
        name = self.name.strip().lower().removeprefix("r_")
        return name if name in ("x", "y", "z") else ""


def stack_of_signal(
    path: Path,
    data: Any,
    axes: Sequence[Axis],
    *,
    source: str,
    dataset: str = "",
    angles: Sequence[Found[NDArray[np.float64]]] = (),
    notes: Sequence[str] = (),
    row_0_on_top: bool = True,
) -> Stack | None:
    """Return the images of an array with described axes, or None if it holds none.

    Spectra are summed over the energy; axes of length one go.

    Parameters
    ----------
    path : Path
        The file.
    data : array_like
        Anything with ``shape``, ``dtype``, ``transpose`` and basic slicing.
    axes : sequence of Axis
        One per axis of `data`.
    source : str
        Where its values were found, for the user, such as "DM3 calibration".
    dataset : str
        Name of the array in the file.
    angles : sequence of Found
        Angles that the file holds elsewhere, best first; the tilt axis comes after them.
    notes : sequence of str
        Lines of text that the file holds on its history.
    row_0_on_top : bool
        As in `Stack`.
    """
    axes = list(axes)
    if getattr(data.dtype, "names", None) or data.dtype.kind not in "biuf":
        return None
    if min(data.shape, default=0) < 1:  # below zero where a file is damaged
        return None
    warnings: list[str] = []
    for i in reversed([i for i, axis in enumerate(axes) if axis.is_energy]):
        if data.shape[i] > 1:
            warnings.append(f"{dataset or 'The map'} is the sum over {data.shape[i]} energies.")
        data, axes = data.sum(axis=i, dtype=np.float32), axes[:i] + axes[i + 1 :]
    while len(axes) > 3 and min(data.shape) == 1:
        i = data.shape.index(1)
        data, axes = data[(slice(None),) * i + (0,)], axes[:i] + axes[i + 1 :]
    if len(axes) == 2:
        data, axes = data[None], [Axis("", "", 1), *axes]
    if len(axes) != 3:
        return None
    order = _order(axes)
    if order != (0, 1, 2):
        data, axes = data.transpose(order), [axes[i] for i in order]
    first, rows, columns = axes
    found = [*angles]
    own = angles_from(notes)
    if own is not None:
        found.insert(0, Found(own, f"{source} (note of napari-wedgefill)"))
    if first.n > 1 and (of_axis := _angles_of(first)) is not None:
        found.append(Found(of_axis, f"{source}, axis '{first.name or 'third'}'"))
    edges = [_edge_nm(axis) for axis in (first, rows, columns)]
    is_volume = first.n > 1 and not found and (first.letter == "z" or edges[0] is not None)
    axis = axis_from_labels(notes)
    return Stack(
        path,
        data,
        without_compression(path).stem.removesuffix(".ome"),
        dataset=dataset,
        angles_found=tuple(found),
        pixels_found=() if edges[2] is None else (Found(edges[2], source),),
        voxel_nm=_voxel_nm(edges),
        axes_found=() if axis is None else (axis,),
        axis_shift_px=axis_shift_from_labels(notes),
        volume_because=f"its first axis is {first.name or 'a length'}" if is_volume else "",
        row_0_on_top=row_0_on_top,
        labels=tuple(notes),
        warnings=tuple(warnings),
    )


def number_same_names(stacks: Sequence[Stack]) -> list[Stack]:
    """Number the data sets that share a name."""
    names = [stack.dataset for stack in stacks]
    result = []
    for i, stack in enumerate(stacks):
        if names.count(stack.dataset) > 1:
            stack = replace(stack, dataset=f"{stack.dataset} {names[: i + 1].count(stack.dataset)}")
        result.append(stack)
    return result


def _order(axes: Sequence[Axis]) -> tuple[int, int, int]:
    """Order in which three axes must be taken to be (tilt or z, y, x)."""
    tilts = [i for i, axis in enumerate(axes) if axis.is_tilt]
    letters = [axis.letter for axis in axes]
    if len(tilts) == 1:
        first = tilts[0]
    elif sorted(letters) == ["x", "y", "z"]:
        first = letters.index("z")
    else:
        first = 0
    rest = [i for i in range(3) if i != first]
    if [letters[i] for i in rest] == ["x", "y"]:
        rest.reverse()
    return (first, rest[0], rest[1])


def _angles_of(axis: Axis) -> NDArray[np.float64] | None:
    """Return the coordinates of an axis in degrees, if angles are what they are."""
    coordinates = axis.coordinates
    if not np.all(np.isfinite(coordinates)):
        return None
    factor = degrees_per(axis.unit)
    is_calibrated = axis.values is not None or (axis.scale, axis.offset) != (1.0, 0.0)
    if factor is None and axis.is_tilt:
        factor = 1.0
    if factor is not None:
        degrees = coordinates * factor
        return degrees if is_calibrated and np.abs(degrees).max() <= LARGEST_DEG else None
    if axis.unit.strip() or not is_calibrated or (axis.letter == "z" and axis.offset == 0):
        return None
    low, high = LIKELY_STEP_DEG
    is_likely = np.abs(coordinates).max() <= LIKELY_DEG and low <= axis.step <= high
    return coordinates if is_likely and coordinates.min() < 0 < coordinates.max() else None


def _edge_nm(axis: Axis) -> float | None:
    """Distance of neighbours in nanometres, or None where that is not known."""
    factor = nm_per(axis.unit)
    if factor is None or not 1e-4 < axis.step * factor < 1e7:
        return None
    return float(f"{axis.step * factor:.7g}")


def _voxel_nm(edges: Sequence[float | None]) -> tuple[float, float, float] | None:
    z, y, x = edges
    if x is None:
        return None
    return (z or x, y or x, x)
