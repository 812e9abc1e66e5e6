"""What one image file says, before anything is decided: the result of every format reader."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")


class Origin(IntEnum):
    """The kind of source that a value came from, those that are believed first coming first."""

    GIVEN = 0
    #: A ``.tlt``: in IMOD it holds the angles refined by the alignment.
    REFINED = 1
    #: A ``.rawtlt``: the nominal angles, extracted and perhaps corrected by hand.
    NOMINAL = 2
    #: An ``.mdoc``: the microscope's own record.
    MDOC = 3
    #: Any other list beside the images: ``.aln``, ``.csv``, ``.txt``.
    LIST = 4
    #: The image file itself: extended header, labels, tags, a data set within it.
    FILE = 5
    #: The names of files that hold one tilt each.
    NAMES = 6
    #: FEI's acquisition log.
    LOG = 7


@dataclass(frozen=True)
class Found(Generic[T]):
    """A value and, in words for the user, where it was found.

    Attributes
    ----------
    value : T
    source : str
        Such as "x.tlt" or "FEI1 extended header".
    origin : Origin
        The kind of source.
    """

    value: T
    source: str
    origin: Origin = Origin.FILE


@dataclass(frozen=True)
class Given:
    """What the user says in place of the files.

    Attributes
    ----------
    angles : path, str, array_like or None
        A file of angles, a range such as "-60:60:2" or "-60:60" (the step follows from the number
        of images), or the angles themselves, one per image in the order of the file.
    pixel_nm : float or None
        Pixel size in nanometres.
    axis : str, float or None
        "x", "y", or degrees counter-clockwise from vertical in the picture.
    flip : bool
        The pictures are upside down: turn the rows over.
    signed_bytes : bool or None
        Whether 8-bit MRC pixels are signed; None leaves it to the header.
    dataset : str or None
        Which series of a file that holds several.
    """

    angles: str | Path | ArrayLike | None = None
    pixel_nm: float | None = None
    axis: str | float | None = None
    flip: bool = False
    signed_bytes: bool | None = None
    dataset: str | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """Pixels of one series of images, and every source inside its file of what is known of them.

    Readers do not choose between sources and do not look beside the file: `choices` does.

    Attributes
    ----------
    path : Path
        The file.
    pixels : ndarray, (n, h, w)
        In the file's own type and byte order, mapped from disk where the layout allows it.
    name : str
        Name for layers and output files: the file's, without folder, compression or suffix.
    angles_found : tuple of Found of ndarray, (n_found,)
        Tilt angles that the file itself holds, degrees, in the order of `pixels`. Another number
        than there are images is legal: it is told, and the angles are not used.
    pixels_found : tuple of Found of float
        Pixel sizes in nanometres that the file states and that can be believed, best first.
    pixel_doubt : str
        Why the file's own pixel size was not believed; empty if it was, or there was none.
    voxel_nm : tuple of float, or None
        Edges (z, y, x) in nanometres if the pixels are a volume.
    axes_found : tuple of Found of float
        Directions of the tilt axis, degrees counter-clockwise from vertical in the picture, best
        first.
    axis_shift_px : float
        Position of the tilt axis along x, in pixels from the image centre.
    volume_because : str
        Why this looks like a volume ("its space group is 1"); empty if it does not.
    is_montage : bool
        The images are overlapping pieces of larger ones.
    row_0_on_top : bool
        Row 0 of `pixels` is the top row of the picture (TIFF and most formats), not the bottom row
        (MRC). False once `formats.open_stack` has turned the rows over.
    dataset : str
        Which series of the file this is; empty where the file holds one.
    mdoc_path : Path or None
        An mdoc that is known to describe the images, though it does not lie beside `path` under its
        name: the one of a folder with one file per tilt.
    labels : tuple of str
        The file's own notes on its history.
    warnings : tuple of str
        What a careful user should know.
    """

    path: Path
    pixels: NDArray[Any]
    name: str
    angles_found: tuple[Found[NDArray[np.float64]], ...] = ()
    pixels_found: tuple[Found[float], ...] = ()
    pixel_doubt: str = ""
    voxel_nm: tuple[float, float, float] | None = None
    axes_found: tuple[Found[float], ...] = ()
    axis_shift_px: float = 0.0
    volume_because: str = ""
    is_montage: bool = False
    row_0_on_top: bool = False
    dataset: str = ""
    mdoc_path: Path | None = None
    labels: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of images or sections."""
        return int(self.pixels.shape[0])
