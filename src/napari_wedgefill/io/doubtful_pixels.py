"""What is odd about the pixels of a series that can be filled all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mapped_files import read_mapped

DARK_SPECIMEN = (
    "The specimen is darker than its surroundings, but a fill takes bright for dense: for bright "
    "field use wedgefill prepare --bright-field, otherwise --invert (in napari, Prepare has both)."
)
#: A note on single pixels begins with this.
HOT_PIXELS = "Pixels over 100 times further from the usual intensity than all others lie in image"
#: So many pixels of an image may be hot, each so many times further from its median than the rest.
_HOT_COUNT, _HOT_TIMES = 9, 100.0
#: Images that are looked at, and about how many pixels along an edge, after averaging.
_N_IMAGES, _N_PIXELS = 9, 64
_LEAST_WIDTH = 16
#: What rises above the level of the left and right borders, as a share of what falls below it: in
#: the usual image, and in any. HAADF has 20 and more, noise 1, dark specimens below 0.1.
_ABOVE, _MOST_ABOVE = 0.3, 0.5
#: The borders are empty where they agree with each other and between tilts, to these shares of
#: that fall. A film that fills the field grows with the tilt; its holes are no specimen.
_SIDES_DIFFER, _TILTS_DIFFER = 0.15, 0.15


def find_dark_specimen(images: Any, turns: int = 0) -> list[str]:
    """Say whether an isolated specimen is darker than what surrounds it: a sentence, or none.

    Parameters
    ----------
    images : array_like or DiskImages, (n_tilts, h, w)
        Any real type; a few images are read.
    turns : int
        Quarter turns, as in `numpy.rot90`, that bring the tilt axis upright.
    """
    places = np.unique(np.linspace(0, images.shape[0] - 1, _N_IMAGES).astype(int))
    found = [_compare_with_borders(np.rot90(read_mapped(images[int(k)]), turns)) for k in places]
    if any(np.isnan(one).any() for one in found):
        return []
    level, sides, fall, rise = np.array(found).T
    depth = float(np.median(fall))
    if depth <= 0.0 or (fall <= 0.0).any():
        return []
    above = rise / fall
    is_dark = np.median(above) < _ABOVE and above.max() < _MOST_ABOVE
    is_empty = (
        np.median(sides) < _SIDES_DIFFER * depth and float(np.ptp(level)) < _TILTS_DIFFER * depth
    )
    return [DARK_SPECIMEN] if is_dark and is_empty else []


def _compare_with_borders(image: NDArray[Any]) -> tuple[float, float, float, float]:
    """Level of the borders, how far left and right differ, and the fall and rise from there.

    NaN where the image is too narrow or holds pixels that are no numbers.
    """
    height, width = image.shape
    if width < _LEAST_WIDTH:
        return np.nan, np.nan, np.nan, np.nan
    n = max(1, min(height, width) // _N_PIXELS)
    h, w = height // n, width // n
    pieces = image[: h * n, : w * n].reshape(h, n, w, n)
    small = pieces.mean(axis=(1, 3), dtype=np.float64)
    edge = max(1, w // 16)
    left, right = float(np.median(small[:, :edge])), float(np.median(small[:, -edge:]))
    low, high = np.percentile(small, [1.0, 99.0])
    level = (left + right) / 2
    return level, abs(left - right), level - float(low), float(high) - level


def find_hot_pixels(images: NDArray[Any], angles_deg: NDArray[np.float64]) -> list[str]:
    """Name images in which a few pixels are beyond all others: a sentence, or none.

    Parameters
    ----------
    images : ndarray, (n_tilts, h, w)
        In memory: all of them are looked at.
    angles_deg : ndarray, (n_tilts,)
        Degrees.
    """
    found = [
        f"{k} ({angle:.1f} degrees)"
        for k, (image, angle) in enumerate(zip(images, angles_deg, strict=True))
        if _has_hot_pixels(image)
    ]
    if not found:
        return []
    more = f" and {len(found) - 4} others" if len(found) > 5 else ""
    named = ", ".join(found[:4] if more else found)
    return [f"{HOT_PIXELS} {named}{more}; wedgefill prepare replaces them."]


def _has_hot_pixels(image: NDArray[Any]) -> bool:
    if image.size <= _HOT_COUNT:
        return False
    away = np.abs(image - np.median(image[::2, ::2])).ravel()
    away.partition(away.size - _HOT_COUNT - 1)
    others, highest = float(away[-_HOT_COUNT - 1]), float(away[-_HOT_COUNT:].max())
    return highest > _HOT_TIMES * others > 0.0
