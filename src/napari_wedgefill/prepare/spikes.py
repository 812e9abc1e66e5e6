"""Single pixels far from all around them: hot and dead pixels, X-rays that hit the detector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

Floats = NDArray[np.float32]

#: The eight neighbours, without the pixel itself.
NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
#: A pixel is a spike where it leaves its neighbours' median by more than so many noises ...
SIGMAS = 6.0
#: ... beyond so many times what 99 % of the pixels do, so that sharp edges and sparse counts stay.
TIMES_USUAL = 3.0
PASSES = 3  # a spike of touching pixels needs more than one
MAX_COMPANIONS = 2  # neighbours of a spike that may be spikes themselves
MIN_SIDE_PX = 5  # smaller images have too few neighbours to tell
#: More than this share is no handful of broken pixels; then nothing is replaced.
MAX_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class Spikes:
    """Images without spikes, and what was replaced.

    Attributes
    ----------
    images : ndarray, float32, (n_tilts, h, w)
        Every spike replaced by the median of its neighbours.
    per_tilt : ndarray, int64, (n_tilts,)
        Replaced pixels of each image.
    everywhere : ndarray, int64, (n, 2)
        Places (y, x) that stood out in most of the images: hot or dead pixels of the detector.
    """

    images: Floats
    per_tilt: NDArray[np.int64]
    everywhere: NDArray[np.int64]

    @property
    def sentence(self) -> str:
        """What was replaced, in plain words; empty where nothing was."""
        n, n_tilts = int(self.per_tilt.sum()), int(np.count_nonzero(self.per_tilt))
        if not n:
            return ""
        fixed = len(self.everywhere)
        told = f"; {_count(fixed, 'place')} stood out in most images" if fixed else ""
        return (
            f"{_count(n, 'hot, dead or X-ray pixel')} in {_count(n_tilts, 'image')} "
            f"{'was' if n == 1 else 'were'} replaced by the median of the neighbours{told}."
        )


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + "s" * (n != 1)


def replace_spikes(images: Floats) -> Spikes:
    """Replace single pixels that no neighbour supports, in every image (n_tilts, h, w)."""
    steps = list(iter_replace_spikes(images))
    assert isinstance(steps[-1], Spikes)
    return steps[-1]


def iter_replace_spikes(images: Floats) -> Iterator[float | Spikes]:
    """Yield the share that is done, and `Spikes` last."""
    result = np.array(images, np.float32)
    n_tilts, h, w = result.shape
    per_tilt = np.zeros(n_tilts, np.int64)
    often = np.zeros((h, w), np.int64)
    if min(h, w) >= MIN_SIDE_PX:
        for tilt in range(n_tilts):
            mask = _replace_in(result[tilt])
            per_tilt[tilt] = np.count_nonzero(mask)
            often += mask
            yield (tilt + 1) / n_tilts
    everywhere = np.argwhere(often > n_tilts / 2).astype(np.int64)
    yield Spikes(result, per_tilt, everywhere)


def _replace_in(image: Floats) -> NDArray[np.bool_]:
    """Replace the spikes of one image in place; returns where they were."""
    found = np.zeros(image.shape, bool)
    for _ in range(PASSES):
        smooth = median_filter(image, footprint=NEIGHBOURS, mode="mirror")
        off = np.abs(image.astype(np.float64) - smooth)
        usual = float(np.quantile(off, 0.99))
        noise = 1.4826 * float(np.median(off))
        limit = TIMES_USUAL * usual + SIGMAS * noise
        spikes = off > max(limit, _least_height(image))
        _spare_supported(image, smooth, spikes)
        if not spikes.any() or np.count_nonzero(spikes | found) > MAX_SHARE * image.size:
            break
        image[spikes] = smooth[spikes]
        found |= spikes
    return found


def _spare_supported(image: Floats, smooth: Floats, spikes: NDArray[np.bool_]) -> None:
    """Take back those that three neighbours follow halfway: corners and thin parts of an object."""
    h, w = image.shape
    for y, x in np.argwhere(spikes):
        around = image[max(y - 1, 0) : min(y + 2, h), max(x - 1, 0) : min(x + 2, w)]
        height = float(image[y, x]) - float(smooth[y, x])
        # The pixel itself is one of those that reach halfway.
        if np.count_nonzero((around - smooth[y, x]) / height > 0.5) > MAX_COMPANIONS + 1:
            spikes[y, x] = False


def _least_height(image: Floats) -> float:
    """A third of the image's own range: less does little harm, and may be the object."""
    low, high = np.quantile(image, [0.01, 0.99])
    return float(high - low) / 3.0
