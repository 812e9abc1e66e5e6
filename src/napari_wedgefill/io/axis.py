"""The tilt axis: where it lies in the file's images, and turning the images until it is upright.

Sign convention. An axis of ``a`` degrees lies ``a`` degrees counter-clockwise from vertical in the
picture as 3dmod shows it: IMOD's and SerialEM's convention; FEI counts the other way. Bringing the
axis upright is a proper rotation, never a mirror, so the hand of the object is kept; +90 and -90
differ by half a turn of the images, which reverses which way positive tilts go and so the hand of
the volume.

In memory row 0 is the bottom of the picture, whatever the format (`formats.open_stack` sees to it).
As arrays are drawn in napari (row 0 on top) a stack therefore turns counter-clockwise by ``a``,
which is ``np.rot90(image, a / 90)``. The centre of rotation is the image centre ``(n - 1) / 2`` in
both directions, between two pixels for even sizes, where the tilt axis is too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..mapped_files import read_mapped

#: Below this no pixel of a 2000-pixel image moves by more than one pixel: not worth resampling.
NEGLIGIBLE_DEG = 0.05


def parse_axis(axis: str | float) -> float:
    """Degrees counter-clockwise from vertical: "y" is 0, "x" is 90, a number is itself.

    Raises
    ------
    WedgefillError
        If it is none of these.
    """
    if isinstance(axis, str) and axis.strip().lower() in ("x", "y"):
        return 90.0 if axis.strip().lower() == "x" else 0.0
    try:
        degrees = float(axis)
    except (TypeError, ValueError):
        degrees = np.nan
    if not -360.0 <= degrees <= 360.0:
        raise WedgefillError(
            f"axis {axis!r}: the tilt axis is 'x', 'y', or an angle in degrees from vertical."
        )
    return wrap_degrees(degrees)


def wrap_degrees(degrees: float) -> float:
    """Return the same direction in (-180, 180]."""
    return round(180.0 - (180.0 - degrees) % 360.0, 9)  # not -94.69999999999999


def quarter_turns(rotation_deg: float) -> tuple[int, float]:
    """Split a rotation into quarter turns and the rest, in degrees; a negligible rest is 0."""
    turns = round(rotation_deg / 90.0)
    rest = rotation_deg - 90.0 * turns
    return turns % 4, rest if abs(rest) > NEGLIGIBLE_DEG else 0.0


def rotate_shape(shape: tuple[int, ...], rotation_deg: float) -> tuple[int, ...]:
    """Shape (n, h, w) of the stack after `rotate`."""
    turns, _ = quarter_turns(rotation_deg)
    n, h, w = shape
    return (n, w, h) if turns % 2 else (n, h, w)


def rotate(images: NDArray[Any], rotation_deg: float) -> NDArray[Any]:
    """Turn images (n, h, w) about their centre, counter-clockwise as drawn with row 0 on top.

    Quarter turns move pixels without touching their values (the result is a view). What remains is
    interpolated with cubic splines into float32; corners that no pixel reaches take the
    image's median.

    Returns
    -------
    ndarray, (n, h, w) or (n, w, h) after an odd number of quarter turns
    """
    turns, rest = quarter_turns(rotation_deg)
    turned = np.rot90(images, turns, axes=(1, 2)) if turns else images
    if rest == 0.0:
        return turned
    from scipy import ndimage  # takes a third of a second, and few files need it

    out = np.empty(turned.shape, dtype=np.float32)
    for image, result in zip(turned, out, strict=True):
        native = np.ascontiguousarray(read_mapped(image), dtype=np.float32)
        # With the median taken off, the corners' fill value of 0 is the median, at any offset.
        level = np.float32(np.median(native))
        ndimage.rotate(native - level, rest, reshape=False, order=3, cval=0.0, output=result)
        result += level
    return out
