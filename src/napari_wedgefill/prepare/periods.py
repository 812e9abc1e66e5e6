"""Whether images fit each other as well elsewhere: lattices, multilayers, gratings, long edges.

The best displacement of such images by a whole period is as good as that by none, and where they do
not change along a direction, every displacement along it is as good: no comparison of images can
say which is right, and neither can withheld tilts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import label

from .correlation import band_pass, stretch_to_inner, taper
from .pose import Binned, Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

COARSE_SHARE = 1 / 12  # of the width: wider structure is left out, as where neighbours are compared
#: Displacements at which less than this share of what the images show overlaps are not looked at.
MIN_OVERLAP = 0.4
#: A second displacement that fits so well, against the best, is as good as that; it lies behind
#: others that do not.
ALIKE = 0.85
NEAREST_PX = 3.0  # to the best displacement that a second one may lie
#: Of a ridge of displacements that fit, those that count as its crest, against its highest.
CREST = 0.98
#: Displacements that fit as well reach so far from the best, as a share of the field: a direction
#: along which the images do not change.
ALONG_SHARE = 0.2
MIN_CORRELATION = 0.3  # of the best; in noise all displacements are alike
PAIRS = 16  # of neighbours that are looked at, evenly spread


class Repeats(NamedTuple):
    """Where else than at their best displacement neighbouring images fit each other as well.

    Attributes
    ----------
    period_px : float or None
        Distance of the next such place, pixels of the full images; None where there is none.
    along_deg : float or None
        Direction in which every displacement is as good, from the images' y to x; None where there
        is none.
    """

    period_px: float | None
    along_deg: float | None

    @property
    def sentence(self) -> str:
        """What a user should know of the shifts; empty where nothing repeats itself."""
        said = ""
        if self.along_deg is not None:
            said = (
                f"Neighbouring images hardly change {_name_direction(self.along_deg)}, so that "
                f"shifts in this direction may be anything"
            )
        if self.period_px is not None:
            further = f"{self.period_px:.0f} px further"
            if said:
                return (
                    f"{said}, and at right angles to it they fit each other nearly as well "
                    f"{further}; check the shifts on something that stands alone."
                )
            return (
                f"The specimen seems to repeat itself: neighbouring images fit each other nearly "
                f"as well {further}, as those of a lattice or of layers do, so that shifts may be "
                f"wrong by whole periods; check them on something that does not repeat itself."
            )
        return f"{said}; check them on something that stands alone." if said else ""


def measure_repeats(stack: Binned, pose: Pose, angles_deg: Doubles) -> Repeats:
    """Find where else most neighbouring images fit each other as well.

    Parameters
    ----------
    stack : Binned
        Images (n_tilts, h, w), background removed.
    pose : Pose
        That aligns them.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees, ascending.
    """
    n_tilts = len(angles_deg)
    firsts = np.unique(np.linspace(0, n_tilts - 2, PAIRS).round().astype(np.int64))
    images = stack.align(pose)
    coarse_px = COARSE_SHARE * images.shape[2]
    seen = np.unique([firsts, firsts + 1])
    passed = {tilt: band_pass(images[tilt], coarse_px) for tilt in seen}
    fits = []
    for first in firsts:
        inner, outer = sorted((first, first + 1), key=lambda tilt: abs(angles_deg[tilt]))
        wide = stretch_to_inner(passed[outer], angles_deg[inner], angles_deg[outer])
        fits.append(find_second_fit(wide, passed[inner]))
    periods = [fit.period_px for fit in fits if fit.period_px is not None]
    alongs = [fit.along_deg for fit in fits if fit.along_deg is not None]
    many = len(firsts) / 2
    return Repeats(
        stack.factor * float(np.median(periods)) if len(periods) > many else None,
        _average_directions(alongs) if len(alongs) > many else None,
    )


def _average_directions(along_deg: list[float]) -> float:
    """Average directions, of which opposite ones are the same, in degrees from -90 to 90."""
    doubled = np.exp(2j * np.deg2rad(along_deg)).mean()
    return float(np.rad2deg(np.angle(doubled)) / 2)


def _name_direction(along_deg: float) -> str:
    if abs(along_deg) < 15.0:
        return "along the tilt axis"
    if abs(along_deg) > 75.0:
        return "across the tilt axis"
    return f"{abs(along_deg):.0f} degrees askew to the tilt axis"


def find_second_fit(moving: Floats, fixed: Floats) -> Repeats:
    """Find where else than at their best displacement two images (h, w) fit as well."""
    alike = correlate_overlaps(moving, fixed)
    best = np.array(np.unravel_index(int(np.argmax(alike)), alike.shape))
    top = float(alike[tuple(best)])
    if top < MIN_CORRELATION:
        return Repeats(None, None)
    # A place is a second one only if what lies between fits worse: else it is of the same ridge.
    parts, n_parts = label(alike > ALIKE * top, np.ones((3, 3)))
    own = parts[tuple(best)]
    along = _find_direction(np.argwhere(parts == own) - best, min(moving.shape))
    away = []
    for part in range(1, n_parts + 1):
        if part != own:
            inside = parts == part
            crest = np.argwhere(inside & (alike >= CREST * alike[inside].max()))
            away.append(float(np.hypot(*(crest - best).T).min()))
    away = [distance for distance in away if distance > NEAREST_PX]
    return Repeats(min(away) if away else None, along)


def _find_direction(steps: NDArray[np.int64], side: int) -> float | None:
    """Direction (degrees, from y to x) in which steps (n, 2) reach far; None if in none."""
    if np.hypot(*steps.T).max() < ALONG_SHARE * side:
        return None
    values, vectors = np.linalg.eigh(steps.T @ steps)
    y, x = vectors[:, 1]
    # As far in all directions: nothing is seen in such images that could be displaced.
    return float(np.rad2deg(np.arctan2(x, y))) if values[0] < 0.25 * values[1] else None


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
