"""What is wrong with the images of a series as it was read, found without changing any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..tilt_series import TiltSeries
from .bad_images import BadImage, choose_binning, find_bad_images, find_saturated_tilts
from .pose import Binned
from .spikes import Spikes, iter_replace_spikes

#: Where hot pixels are not looked for one by one, the brightest and the darkest pixels of a binned
#: image, as a share, count no more than the next.
CLIPPED = 1e-3


@dataclass(frozen=True)
class Flaws:
    """What is wrong with a series as it was read.

    Attributes
    ----------
    bad : tuple of BadImage
        Images that had better be left out, for a user to decide on.
    sentence : str
        Hot pixels and saturation, in words; empty where there are none.
    """

    bad: tuple[BadImage, ...]
    sentence: str


def look_for_flaws(series: TiltSeries) -> Flaws:
    """Look for bad images and count hot pixels, changing nothing."""
    *_, spikes = iter_replace_spikes(series.array())
    assert isinstance(spikes, Spikes)
    told: list[str] = []
    bad = judge_images(spikes.images, series, told)
    n_spikes, n_images = int(spikes.per_tilt.sum()), int(np.count_nonzero(spikes.per_tilt))
    if n_spikes:
        told.insert(0, f"{n_spikes:,} hot, dead or X-ray pixels in {n_images} images.")
    return Flaws(bad, " ".join(told))


def propose_bad_images(series: TiltSeries) -> tuple[BadImage, ...]:
    """Find images that had better be left out, for a user to decide on."""
    return look_for_flaws(series).bad


def judge_images(
    images: NDArray[np.float32], series: TiltSeries, told: list[str]
) -> tuple[BadImage, ...]:
    """Find bad images of a series, given without spikes; says in `told` what was saturated."""
    factor = choose_binning(*images.shape[1:])
    saturated = find_saturated_tilts(images)
    if saturated:
        told.append(
            f"In {len(saturated)} images the detector was saturated; what was lost there cannot "
            f"be restored."
        )
    return find_bad_images(Binned.of(images, factor).images, series.angles_deg)


def find_images_of_nothing(series: TiltSeries) -> tuple[BadImage, ...]:
    """Find the images that show nothing of the specimen, though their pixels differ.

    Images are read one by one: those of a large file take little memory.
    """
    factor = choose_binning(series.height, series.width)
    small = [_look_at(series, tilt, factor) for tilt in range(series.n_tilts)]
    found = find_bad_images(np.stack(small), series.angles_deg)
    return tuple(bad for bad in found if bad.is_useless and np.ptp(small[bad.tilt]) > 0)


def _look_at(series: TiltSeries, tilt: int, factor: int) -> NDArray[np.float32]:
    """Return an image at low resolution, without what single pixels do to it."""
    image = np.asarray(series.images[tilt : tilt + 1], np.float32)
    binned = Binned.of(image, factor).images[0]
    low, high = np.quantile(binned, [CLIPPED, 1.0 - CLIPPED])
    clipped: NDArray[np.float32] = np.clip(binned, low, high)
    return clipped
