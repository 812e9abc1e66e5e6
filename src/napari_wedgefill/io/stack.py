"""What one image file says, before anything is decided: the result of every format reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """A value and, in words for the user, where it was found."""

    value: T
    source: str


@dataclass(frozen=True, eq=False)
class Stack:
    """Pixels and metadata of one image file.

    Attributes
    ----------
    path : Path
        The file.
    pixels : ndarray, (n, h, w)
        In the file's own type and byte order, mapped from disk where the layout allows it.
    name : str
        Name for layers and output files: the file's, without folder, compression or suffix.
    angles_deg : Found of ndarray, (n,), or None
        Tilt angles held by the file itself, in the order of `pixels`.
    pixel_nm : Found of float, or None
        Pixel size in nanometres, where the file states one that can be believed.
    pixel_doubt : str
        Why the file's own pixel size was not believed; empty if it was, or there was none.
    voxel_nm : tuple of float, or None
        Edges (z, y, x) in nanometres if the pixels are a volume.
    axis_deg : Found of float, or None
        Tilt axis in the image, degrees counter-clockwise from vertical as 3dmod shows the file.
    axis_shift_px : float
        Position of the tilt axis along x, in pixels from the image centre.
    volume_because : str
        Why this looks like a volume ("its space group is 1"); empty if it does not.
    is_montage : bool
        The images are overlapping pieces of larger ones.
    rows_point_up : bool
        Row 0 is the bottom row of the picture (MRC) rather than its top row (TIFF).
    dataset : str
        Its name inside the file, where that holds several; else empty.
    labels : tuple of str
        The file's own notes on its history.
    warnings : tuple of str
        What a careful user should know.
    """

    path: Path
    pixels: NDArray[Any]
    name: str
    angles_deg: Found[NDArray[np.float64]] | None = None
    pixel_nm: Found[float] | None = None
    pixel_doubt: str = ""
    voxel_nm: tuple[float, float, float] | None = None
    axis_deg: Found[float] | None = None
    axis_shift_px: float = 0.0
    volume_because: str = ""
    is_montage: bool = False
    rows_point_up: bool = True
    dataset: str = ""
    labels: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of images or sections."""
        return int(self.pixels.shape[0])
