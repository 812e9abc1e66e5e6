"""Whether images fit each other as well a period further: lattices, multilayers, gratings.

The best displacement of such images by a whole period is as good as that by none, so that no
comparison of images can say which is right, and neither can withheld tilts.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from .correlation import band_pass, stretch_to_inner, taper
from .pose import Binned, Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

COARSE_SHARE = 1 / 12  # of the width: wider structure is left out, as where neighbours are compared
#: Displacements at which less than this share of what the images show overlaps are not looked at.
MIN_OVERLAP = 0.4
#: A second displacement that fits so well, against the best, is as good as that.
ALIKE = 0.85
NEAREST_PX = 3.0  # to the best displacement that a second one may lie
MIN_CORRELATION = 0.3  # of the best; in noise all displacements are alike
PAIRS = 16  # of neighbours that are looked at, evenly spread


def measure_period(stack: Binned, pose: Pose, angles_deg: Doubles) -> float | None:
    """Distance at which most neighbouring images fit each other again as well, px.

    Parameters
    ----------
    stack : Binned
        Images (n_tilts, h, w), background removed.
    pose : Pose
        That aligns them.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees, ascending.

    Returns
    -------
    float or None
        Pixels of the full images; None where there is no such distance.
    """
    n_tilts = len(angles_deg)
    firsts = np.unique(np.linspace(0, n_tilts - 2, PAIRS).round().astype(np.int64))
    images = stack.align(pose)
    coarse_px = COARSE_SHARE * images.shape[2]
    seen = np.unique([firsts, firsts + 1])
    passed = {tilt: band_pass(images[tilt], coarse_px) for tilt in seen}
    distances = []
    for first in firsts:
        inner, outer = sorted((first, first + 1), key=lambda tilt: abs(angles_deg[tilt]))
        wide = stretch_to_inner(passed[outer], angles_deg[inner], angles_deg[outer])
        distances.append(find_second_fit(wide, passed[inner]))
    found = [distance for distance in distances if distance is not None]
    return stack.factor * float(np.median(found)) if len(found) > len(firsts) / 2 else None


def tell_period(stack: Binned, pose: Pose, angles_deg: Doubles) -> str:
    """Say that shifts may be wrong by whole periods; empty where the specimen has none."""
    period_px = measure_period(stack, pose, angles_deg)
    if period_px is None:
        return ""
    return (
        f"The specimen seems to repeat itself: neighbouring images fit each other nearly as well "
        f"{period_px:.0f} px further, as those of a lattice or of layers do, so that shifts may be "
        f"wrong by whole periods; check them on something that does not repeat itself."
    )


def find_second_fit(moving: Floats, fixed: Floats) -> float | None:
    """How far from the best displacement two images (h, w) fit as well, px; None if nowhere."""
    alike = correlate_overlaps(moving, fixed)
    best = np.array(np.unravel_index(int(np.argmax(alike)), alike.shape))
    top = float(alike[tuple(best)])
    if top < MIN_CORRELATION:
        return None
    peaks = np.argwhere((alike == maximum_filter(alike, size=3)) & (alike > ALIKE * top))
    away = np.hypot(*(peaks - best).T)
    away = away[away > NEAREST_PX]
    return float(away.min()) if away.size else None


def correlate_overlaps(moving: Floats, fixed: Floats) -> Doubles:
    """Correlation of what overlaps of two images, for all displacements to a third of the width.

    Displacements at which too little overlaps count as zero.
    """
    weights = taper((moving.shape[0], moving.shape[1]))
    shape = [scipy.fft.next_fast_len(2 * n, real=True) for n in moving.shape]

    def correlate(a: Floats, b: Floats) -> Doubles:
        spectrum = scipy.fft.rfft2(a, shape) * np.conj(scipy.fft.rfft2(b, shape))
        surface = scipy.fft.irfft2(spectrum, shape)
        lags = [np.arange(-(n // 3), n // 3 + 1) for n in moving.shape]
        return np.asarray(surface[np.ix_(*lags)], np.float64)

    both = correlate(weights * moving, weights * fixed)
    own = correlate(weights * moving**2, weights)
    other = correlate(weights, weights * fixed**2)
    enough = np.minimum(own / max(own.max(), 1e-30), other / max(other.max(), 1e-30)) > MIN_OVERLAP
    return np.where(enough, both / np.sqrt(np.maximum(own * other, 1e-30)), 0.0)
