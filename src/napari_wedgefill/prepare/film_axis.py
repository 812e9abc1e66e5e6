"""The rotation of the tilt axis, for objects that leave the field: from pairs of images.

Seen at a higher tilt, everything moves across the tilt axis and nothing along it, wherever it lies
and however thick the object is. Where the axis really leans, a part of that foreshortening shows
along the assumed axis, in proportion to the distance from it. So the higher tilted of two images is
stretched by the ratio of the cosines, the rest of their difference is fitted by an affine map, and
its shear says how far the axis leans. No reconstruction is needed, which for a film would have to
explain what only some tilts see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from ..projector.threads import run_on_cores
from .correlation import band_pass, taper
from .pose import Binned, Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Pairs further apart see different overlaps of what lies above each other, ...
MAX_GAP_DEG = 9.0
#: ... and pairs that are foreshortened by less say nothing of the axis.
MIN_FORESHORTENING = 0.01
COARSE_SHARE = 1 / 12  # of the width: wider structure is left out
MIN_CORRELATION = 0.5  # of a fitted pair: less is noise
MIN_PAIRS = 6
ROUNDS = 3
FIT_STEPS = 6
#: A step of the fit: pixels, and shares for the affine part.
MAX_STEP = np.array([1.0, 1.0, 0.03, 0.03, 0.03, 0.03])
AT_REST = 1e-3
#: Deviations above this many times the usual one have less weight.
OUTLIER = 1.5
MAX_ERROR_DEG = 0.5


@dataclass(frozen=True, eq=False)
class Lean:
    """By how much the axis leans against the assumed one.

    Attributes
    ----------
    turn_deg : float
        To be added to the axis' rotation.
    error_deg : float
        Standard error, from how far the pairs disagree; infinite where they say too little.
    """

    turn_deg: float
    error_deg: float


def turn_by_pairs(stack: Binned, pose: Pose, angles_deg: Doubles) -> tuple[Pose, Lean]:
    """Turn the tilt axis until pairs of images show no shear along it.

    Returns
    -------
    Pose
        The pose given, turned; unchanged where the pairs say too little.
    Lean
        The last turn, and how sure the rotation is.
    """
    turned, lean = pose, Lean(0.0, np.inf)
    for _ in range(ROUNDS):
        lean = measure_lean(stack, turned, angles_deg)
        if lean.error_deg > MAX_ERROR_DEG:
            return pose, replace(lean, error_deg=np.inf)
        turned = replace(turned, axis_deg=turned.axis_deg + lean.turn_deg)
        if abs(lean.turn_deg) < lean.error_deg:
            break
    return turned, lean


def measure_lean(stack: Binned, pose: Pose, angles_deg: Doubles) -> Lean:
    """Measure how far the tilt axis leans against a pose.

    Parameters
    ----------
    stack : Binned
        Images (n_tilts, h, w), background removed.
    pose : Pose
        Displacements to a few pixels, and the assumed axis.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees; an offset common to all matters little.

    References
    ----------
    D. N. Mastronarde, J. Struct. Biol. 120, 343-352 (1997), for pairs stretched by the cosines.
    """
    images, measured = stack.align(pose), stack.mark_measured(pose).astype(np.float32)
    height, width = images.shape[1:]
    passed = [band_pass(image, COARSE_SHARE * width) for image in images]
    weights = taper((height, width)) * measured
    pairs = choose_pairs(angles_deg)
    found = np.zeros((len(pairs), 3))

    def fit(place: int, inner: int, outer: int, ratio: float) -> None:
        wide, seen = (
            _stretch(part, ratio, order)
            for part, order in ((passed[outer], 3), (measured[outer], 1))
        )
        shear, variance, alike = fit_shear(wide, passed[inner], weights[inner] * (seen > 0.99))
        # The shear is the lean times the foreshortening.
        found[place] = shear / (1.0 - ratio), variance / (1.0 - ratio) ** 2, alike

    run_on_cores(partial(fit, place, *pair) for place, pair in enumerate(pairs))
    leans, variances, _ = found[(found[:, 2] > MIN_CORRELATION) & (found[:, 1] > 0)].T
    if len(leans) < MIN_PAIRS:
        return Lean(0.0, np.inf)
    return _average_robustly(leans, variances)


def choose_pairs(angles_deg: Doubles) -> list[tuple[int, int, float]]:
    """Pairs of tilts (inner, outer, ratio of their cosines) that show the foreshortening."""
    cosines = np.abs(np.cos(np.deg2rad(angles_deg)))
    gaps = np.abs(np.subtract.outer(angles_deg, angles_deg))
    nearest = np.sort(gaps, axis=1)[:, 1] if len(angles_deg) > 1 else np.zeros(1)
    reach = max(MAX_GAP_DEG, 1.5 * float(np.median(nearest)))
    ratios = cosines[None, :] / np.maximum(cosines[:, None], 1e-6)
    chosen = (gaps <= reach) & (ratios < 1.0 - MIN_FORESHORTENING) & (ratios > 0.5)
    return [(int(a), int(b), float(ratios[a, b])) for a, b in np.argwhere(chosen)]


def _stretch(image: Floats, ratio: float, order: int) -> Floats:
    """Stretch an image (h, w) across the axis, about its centre, by 1 / ratio."""
    scale = np.array([1.0, ratio])
    middle = (np.array(image.shape) - 1) / 2
    result: Floats = affine_transform(
        image, scale, middle - scale * middle, order=order, mode="constant"
    )
    return result


def fit_shear(moving: Floats, fixed: Floats, weights: Floats) -> tuple[float, float, float]:
    """Fit an affine map between two images (h, w), by Gauss-Newton steps.

    Returns
    -------
    tuple of float
        Displacement along the axis (y) per pixel across it (x), its variance, and the correlation
        of the two images after the fit.
    """
    height, width = fixed.shape
    middle = (np.array(fixed.shape) - 1) / 2
    y, x = (
        np.asarray(part, np.float32) for part in np.mgrid[:height, :width] - middle[:, None, None]
    )
    moved, affine = np.zeros(2), np.eye(2)
    normal, error, alike = np.eye(6), 0.0, 0.0
    for _ in range(FIT_STEPS):
        start = middle + moved - affine @ middle
        back = affine_transform(moving, affine, start, order=3, mode="constant")
        places = (np.abs(affine[k, 0] * y + affine[k, 1] * x + moved[k]) for k in (0, 1))
        inside = [place < m - 1.0 for place, m in zip(places, middle, strict=True)]
        trusted = weights * (inside[0] & inside[1])
        own, other, both = (
            float((trusted * a * b).sum(dtype=np.float64))
            for a, b in ((back, back), (fixed, fixed), (back, fixed))
        )
        if min(own, other) <= 0:
            return 0.0, 0.0, 0.0
        back *= np.float32(both / own)
        alike = both / np.sqrt(own * other)
        dy, dx = (0.5 * (a + b) for a, b in zip(np.gradient(back), np.gradient(fixed), strict=True))
        slopes = np.stack([dy, dx, dy * y, dy * x, dx * y, dx * x]).reshape(6, -1)
        weighted = slopes * trusted.ravel()
        normal = np.asarray(weighted @ slopes.T, np.float64)
        normal += 1e-6 * np.diag(np.diag(normal))
        rest = (fixed - back).ravel()
        step = np.clip(np.linalg.solve(normal, weighted @ rest), -MAX_STEP, MAX_STEP)
        moved, affine = moved + step[:2], affine + step[2:].reshape(2, 2)
        error = float(trusted.ravel() @ rest**2) / max(float(trusted.sum()), 1.0)
        if np.abs(step[:2]).max() < AT_REST:
            break
    return float(affine[0, 1]), float(np.linalg.inv(normal)[3, 3]) * error, alike


def _average_robustly(leans: Doubles, variances: Doubles) -> Lean:
    """Weighted mean in which outliers count less, and its standard error from the scatter."""
    weights, mean, scatter = 1.0 / variances, float(np.median(leans)), 1.0
    for _ in range(10):
        away = np.abs(leans - mean) / np.sqrt(variances)
        scatter = max(1.4826 * float(np.median(away)), 1e-12)
        held = weights / np.maximum(1.0, away / (OUTLIER * scatter))
        mean = float(held @ leans / held.sum())
    error = scatter / np.sqrt(weights.sum())
    return Lean(float(np.rad2deg(np.arctan(mean))), float(np.rad2deg(error)))
