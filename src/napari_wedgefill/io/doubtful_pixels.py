"""What is odd about the pixels of a series that can be filled all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk_images import DiskImages, is_blank
from ..mapped_files import find_map, read_mapped
from ..tilt_series import TiltSeries

DARK_SPECIMEN = (
    "The specimen is darker than its surroundings, but a fill takes bright for dense: for bright "
    "field use wedgefill prepare --bright-field, otherwise --invert (in napari, Prepare has both)."
)
#: A note on single pixels begins with this.
HOT_PIXELS = "Pixels over 100 times further from the usual intensity than all others lie in image"
#: A note on images without content begins with this.
BLANK_IMAGES = "Blank images, whose pixels all have the same value:"
#: So many pixels of an image may be hot, each so many times further from its median than the rest.
_HOT_COUNT, _HOT_TIMES = 9, 100.0
#: Images that are looked at, and about how many pixels along an edge, after averaging.
_N_IMAGES, _N_PIXELS = 9, 64
_LEAST_WIDTH = 16
#: Pixels of arrays in memory of which every image is looked at, and of so many images of others, at
#: least of a few; and pixels of an image that are asked first.
_MOST_PIXELS, _SAMPLED_PIXELS, _FEWEST_IMAGES, _ASKED_PIXELS = 1 << 28, 40_000_000, 3, 1 << 16
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


def find_hot_pixels(
    images: Any,
    angles_deg: NDArray[np.float64] | None,
    order: NDArray[np.int64] | None = None,
) -> list[str]:
    """Name images in which a few pixels are beyond all others: a sentence, or none.

    Parameters
    ----------
    images : array_like or DiskImages, (n_tilts, h, w)
        Any real type. All of them are looked at in arrays of moderate size that lie in memory,
        otherwise a few.
    angles_deg : ndarray, (n_tilts,), or None
        Degrees, ascending where `order` is given; None where they are not known.
    order : ndarray of int, (n_tilts,), optional
        Which of the images comes first, second, and so on; as they lie by default.
    """
    where = _find_images(_has_hot_pixels, images, angles_deg, order)
    return [f"{HOT_PIXELS} {where}; wedgefill prepare replaces them."] if where else []


def find_no_numbers(
    images: Any,
    angles_deg: NDArray[np.float64] | None,
    order: NDArray[np.int64] | None = None,
) -> list[str]:
    """Name images with pixels that are NaN or infinite: a sentence, or none.

    The parameters are those of `find_hot_pixels`.
    """
    if images.dtype.kind != "f":
        return []
    where = _find_images(lambda image: not np.isfinite(image).all(), images, angles_deg, order)
    told = (
        f"Pixels that are NaN or infinite lie in image {where}; they take the median of their "
        "image, but an image of nothing else is refused: leave it out."
    )
    return [told] if where else []


def _find_images(
    is_odd: Callable[[NDArray[Any]], bool],
    images: Any,
    angles_deg: NDArray[np.float64] | None,
    order: NDArray[np.int64] | None,
) -> str:
    """Name the images that are odd, and how many were looked at; empty if none is."""
    n = int(images.shape[0])
    order = np.arange(n) if order is None else order
    places = _choose_places(images)
    found = [int(k) for k in places if is_odd(read_mapped(images[int(order[k])]))]
    if not found:
        return ""
    named = _name_images(found[:4] if len(found) > 5 else found, angles_deg)
    named += f" and {len(found) - 4} others" if len(found) > 5 else ""
    return named + (
        "" if len(places) == n else f", of the {len(places)} images that were looked at"
    )


def _choose_places(images: Any) -> NDArray[np.int64]:
    """Choose all images of an array that lies in memory, few of what is large or in a file."""
    n, height, width = (int(length) for length in images.shape)
    is_held = isinstance(images, np.ndarray) and find_map(images) is None
    if is_held and images.size <= _MOST_PIXELS:
        return np.arange(n)
    n_asked = min(max(_SAMPLED_PIXELS // (height * width), _FEWEST_IMAGES), _N_IMAGES)
    return np.unique(np.linspace(0, n - 1, n_asked).astype(int))


def _name_images(numbers: Sequence[int], angles_deg: NDArray[np.float64] | None) -> str:
    if angles_deg is None:
        return ", ".join(str(k) for k in numbers)
    return ", ".join(f"{k} ({angles_deg[k]:.1f} degrees)" for k in numbers)


def _has_hot_pixels(image: NDArray[Any]) -> bool:
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        image = image[np.isfinite(image)]
    if image.size <= _HOT_COUNT:
        return False
    step = max(1, image.size // _ASKED_PIXELS)
    asked = image.ravel()[::step].astype(np.float64)
    middle = float(np.median(asked))
    highest = max(float(image.max()) - middle, middle - float(image.min()))
    # What stands out among a few pixels does so less among all: mostly this is answer enough.
    if not highest > _HOT_TIMES * _find_next(np.abs(asked - middle), asked.size):
        return False
    others = _find_next(np.abs(image.ravel() - middle), image.size)
    return highest > _HOT_TIMES * others > 0.0


def _find_next(away: NDArray[Any], n: int) -> float:
    """Return the highest value below the few that may be hot; 0 where there are no more."""
    if n <= _HOT_COUNT:
        return 0.0
    away.partition(n - _HOT_COUNT - 1)
    return float(away[n - _HOT_COUNT - 1])


def find_blank_images(images: Any) -> tuple[int, ...]:
    """Return the numbers of the images whose pixels all have one value.

    Parameters
    ----------
    images : array_like or DiskImages, (n_tilts, h, w)
        Of those in a file that are read in chunks, what was found when it was opened; of other
        arrays that are read where they are looked at, none.
    """
    if isinstance(images, DiskImages):
        return tuple(int(k) for k in np.flatnonzero(np.isin(images.order, images.survey.blank)))
    if not isinstance(images, np.ndarray):
        return ()
    return tuple(k for k in range(len(images)) if is_blank(images, k))


def note_blank_images(
    blank: Sequence[int], angles_deg: NDArray[np.float64] | None = None
) -> list[str]:
    """Say which images hold one value, as a fill takes them for measurements of nothing."""
    if not blank:
        return []
    return [
        f"{BLANK_IMAGES} {_name_images(blank, angles_deg)}. A fill takes them for measurements; "
        "wedgefill fill --align leaves them out, and wedgefill prepare --no-shifts does so without "
        "moving any image (in napari, the button below the angles)."
    ]


def renew_blank_note(series: TiltSeries) -> TiltSeries:
    """Return a series of which images were left out with the note on those that are still blank."""
    others = tuple(note for note in series.warnings if not note.startswith(BLANK_IMAGES))
    if len(others) == len(series.warnings):
        return series
    left = note_blank_images(find_blank_images(series.images), series.angles_deg)
    return replace(series, warnings=(*others, *left))
