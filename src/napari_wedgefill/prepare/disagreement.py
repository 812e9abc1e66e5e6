"""Whether a series needs preparing: one figure, cheap enough to be had on opening."""

from __future__ import annotations

import numpy as np

from ..tilt_series import TiltSeries
from .background import estimate_background
from .coarse import MIN_SIDE_PX, find_useless_images
from .common_line import is_isolated
from .consistency import Consistency
from .pose import Binned, Pose
from .spikes import replace_spikes

SIZE_PX = 64
MAX_TILTS = 61
#: Above this share the images contradict each other more than noise and sparse angles explain.
NEEDS_PREPARING = 0.25


def measure_disagreement(series: TiltSeries) -> float | None:
    """Share of the images that the other tilts fail to predict, 0 to about 1.

    Images are binned to about 64 px first, and no more than 61 are looked at. Noise and few tilts
    raise it too, so that a high value is a hint and no verdict: `align` decides what helps.

    Returns
    -------
    float or None
        None where there is too little to compare: tiny images, or fewer than five tilts.
    """
    if min(series.height, series.width) < MIN_SIDE_PX or series.n_tilts < 5:
        return None
    step = -(-series.n_tilts // MAX_TILTS)
    series = series.tilts(np.arange(0, series.n_tilts, step))
    # Halfway down first: hot pixels are still single ones, and there are fewer to look at.
    factor = max(1, round(max(series.height, series.width) / SIZE_PX / 2))
    images = replace_spikes(Binned.of(series.array(), factor).images).images
    rest = max(1, round(max(images.shape[1:]) / SIZE_PX))
    left_out = [bad.tilt for bad in find_useless_images(images, series)]
    kept = np.setdiff1d(np.arange(series.n_tilts), left_out)
    estimates = estimate_background(images[kept]).subtract_from(images[kept])
    pose = Pose(np.zeros((len(kept), 2)), series.axis_shift_px / factor)
    judge = Consistency(Binned.of(estimates, rest), series.angles_deg[kept], is_isolated(estimates))
    return judge.least_error(pose)


def hint(share: float | None) -> str:
    """What to tell a user who has just opened the series; empty where nothing need be said."""
    if share is None or share < NEEDS_PREPARING:
        return ""
    return f"The images contradict each other by {100 * share:.0f} %: prepare them first."
