"""The tilt axis of objects that leave the field: from pairs of images, stretched by the cosines.

Seen at a higher tilt, everything moves across the tilt axis and nothing along it, wherever it lies
and however thick the object is. Where the axis really leans, a part of that foreshortening shows
along the assumed axis, in proportion to the distance from it. So the higher tilted of two images is
stretched by the ratio of the cosines, and the rest of their difference is fitted by an affine map:
its shear says how far the axis leans, and its displacement, pair by pair, where the images and the
axis lie. What lies higher moves further across the axis, but no further along it; so while the
shear is measured, every patch of the image may move across as it likes, and the displacements
across are explained by the heights of the film's parts, too. No reconstruction is needed, which
for a film would have to explain what only some tilts see, and would fit it with the axis nearly
anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, spline_filter

from ..projector.threads import run_on_cores
from .correlation import band_pass, taper
from .film_heights import CellGrid, CellShifts, explain_pairs
from .pose import Binned, Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Pairs further apart see different overlaps of what lies above each other, ...
MAX_GAP_DEG = 9.0
#: ... and pairs that are foreshortened by less say nothing of the axis.
MIN_FORESHORTENING = 0.01
MIN_RATIO = 0.5  # of the cosines: wider stretched images only resemble each other
MIN_ALONG_PX = 0.01  # no pair is surer than this
MAX_ANGLE_DEG = 80.0  # to which a film's own tilt may bring a series
COARSE_SHARE = 1 / 12  # of the width: wider structure is left out
MIN_CORRELATION = 0.5  # of a fitted pair: less is noise
MIN_PAIRS = 6
ROUNDS = 5
FIT_STEPS = 6
#: A step of the fit: pixels, and shares for the affine part.
MAX_STEP = np.array([1.0, 1.0, 0.03, 0.03, 0.03, 0.03])
AT_REST = 1e-3
#: Deviations above this many times the usual one have less weight.
OUTLIER = 1.5
#: A rotation that is less sure is not taken: at first, while pairs still fit badly, and at last.
MAX_FIRST_ERROR_DEG, MAX_ERROR_DEG = 3.0, 0.5
REST_DEG, REST_PX, REST_FILM_DEG = 0.05, 0.1, 0.2
PATCHES = 8  # each way, that may move across by themselves
STIFFNESS = (
    1e-2  # of the patches, as a share of what the images say: empty ones stay where they are
)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What pairs of tilts say of each other, (n_pairs,) each.

    Attributes
    ----------
    inner, outer : ndarray of int
        The less and the more tilted image.
    ratios : ndarray
        Of their cosines, at most 1.
    shears, shear_variances : ndarray
        Displacement along the axis per pixel across it.
    along_px, along_variances : ndarray
        How far the outer image lies along the axis from where the inner one does, px.
    seen : list of CellShifts
        Displacements across the axis.
    """

    inner: NDArray[np.int64]
    outer: NDArray[np.int64]
    ratios: Doubles
    shears: Doubles
    shear_variances: Doubles
    along_px: Doubles
    along_variances: Doubles
    seen: list[CellShifts]

    def measure_lean(self) -> tuple[float, float]:
        """Degrees by which the axis leans, and their standard error (infinite: too few pairs)."""
        gains = 1.0 - self.ratios
        used = gains > MIN_FORESHORTENING
        if used.sum() < MIN_PAIRS:
            return 0.0, np.inf
        leans, variances = (
            self.shears[used] / gains[used],
            self.shear_variances[used] / gains[used] ** 2,
        )
        return _average_robustly(leans, variances)

    def measure_along(self, n_tilts: int) -> Doubles:
        """Displacements (n_tilts,) along the axis, px, with zero mean."""
        design = np.zeros((len(self.inner), n_tilts))
        rows = np.arange(len(self.inner))
        design[rows, self.outer], design[rows, self.inner] = 1.0, -1.0
        weights = 1.0 / np.sqrt(self.along_variances + MIN_ALONG_PX**2)
        found = np.linalg.lstsq(design * weights[:, None], self.along_px * weights, rcond=1e-6)[0]
        return np.asarray(found - found.mean(), np.float64)


def place_axis(
    stack: Binned, pose: Pose, angles_deg: Doubles, n_rounds: int = ROUNDS
) -> tuple[Pose, float]:
    """Turn the tilt axis, and move the images across it, until pairs of images agree.

    Parameters
    ----------
    stack : Binned
        Images (n_tilts, h, w), background removed.
    pose : Pose
        Displacements to a few pixels, and the assumed axis.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees; an offset common to all matters little.
    n_rounds : int
        Rounds at most; ends early once the axis rests.

    Returns
    -------
    Pose
        As given where the pairs say too little.
    float
        Standard error of the rotation, degrees; infinite where they say too little.

    References
    ----------
    D. N. Mastronarde, J. Struct. Biol. 120, 343-352 (1997), for pairs stretched by the cosines.
    """
    placed, error_deg, film_deg = pose, np.inf, 0.0
    grid = CellGrid.of(stack.images.shape[1:])
    for _ in range(n_rounds):
        from_film_deg = angles_deg + film_deg
        pairs = measure_pairs(stack, placed, from_film_deg, grid)
        turn_deg, error_deg = pairs.measure_lean()
        film = explain_pairs((pairs.inner, pairs.outer), pairs.seen, from_film_deg, grid)
        if error_deg > MAX_FIRST_ERROR_DEG or film is None:
            return pose, np.inf
        moved_px = np.stack([pairs.measure_along(len(angles_deg)), film.across_px], axis=1)
        placed = placed.add_offsets(stack.factor * moved_px)
        placed = replace(placed, axis_deg=placed.axis_deg + turn_deg)
        # Seen against the film's own plane, each of its parts stays in its cell.
        room = max(MAX_ANGLE_DEG - float(np.abs(angles_deg).max()), 0.0)
        level_deg = film_deg - float(np.rad2deg(np.arctan(film.slope)))
        film_deg, was_deg = float(np.clip(level_deg, -room, room)), film_deg
        rests = abs(turn_deg) < REST_DEG and abs(film_deg - was_deg) < REST_FILM_DEG
        if rests and np.abs(moved_px).max() < REST_PX:
            break
    return (placed, error_deg) if error_deg < MAX_ERROR_DEG else (pose, np.inf)


def measure_pairs(stack: Binned, pose: Pose, angles_deg: Doubles, grid: CellGrid) -> Pairs:
    """Compare pairs of images (n_tilts, h, w) that a pose has aligned."""
    images, measured = stack.align(pose), stack.mark_measured(pose).astype(np.float32)
    height, width = images.shape[1:]
    passed = [band_pass(image, COARSE_SHARE * width) for image in images]
    weights = taper((height, width)) * measured
    inner, outer, ratios = choose_pairs(angles_deg)
    found: list[PairFit | None] = [None] * len(inner)
    seen: list[CellShifts | None] = [None] * len(inner)

    def fit(place: int) -> None:
        a, b, ratio = inner[place], outer[place], ratios[place]
        wide, covered = _stretch(passed[b], ratio, 3), _stretch(measured[b], ratio, 1)
        fitted = fit_affine(wide, passed[a], weights[a] * (covered > 0.99))
        if fitted.alike > MIN_CORRELATION and fitted.shear_variance > 0:
            y, x = count_from_centre((height, width))
            cells = grid.assign(y, x, float(angles_deg[a]))
            found[place], seen[place] = fitted, fitted.sum_up_cells(cells)

    run_on_cores(partial(fit, place) for place in range(len(inner)))
    good = np.array([each is not None for each in found], bool)
    fits = [each for each in found if each is not None]
    shears, shear_variances, along, along_variances = (
        np.array([getattr(each, name) for each in fits])
        for name in ("shear", "shear_variance", "along_px", "along_variance")
    )
    return Pairs(
        inner[good],
        outer[good],
        ratios[good],
        shears,
        shear_variances,
        along,
        along_variances,
        [each for each in seen if each is not None],
    )


def choose_pairs(angles_deg: Doubles) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles]:
    """Pairs of neighbouring tilts: the inner ones, the outer ones, the ratios of their cosines."""
    cosines = np.abs(np.cos(np.deg2rad(angles_deg)))
    gaps = np.abs(np.subtract.outer(angles_deg, angles_deg))
    nearest = np.sort(gaps, axis=1)[:, 1]
    reach = max(MAX_GAP_DEG, 1.5 * float(np.median(nearest)))
    # Where images are missing, the two beside the gap are all that holds the series together.
    ranks = np.argsort(np.argsort(angles_deg, kind="stable"))
    is_next = np.abs(np.subtract.outer(ranks, ranks)) == 1
    ratios = cosines[None, :] / np.maximum(cosines[:, None], 1e-6)
    places = np.arange(len(cosines))
    # Of two that are foreshortened alike, the first is the inner one.
    is_outer = (ratios < 1.0) | ((ratios == 1.0) & (places[None, :] > places[:, None]))
    inner, outer = np.nonzero(((gaps <= reach) | is_next) & is_outer & (ratios > MIN_RATIO))
    return inner, outer, ratios[inner, outer]


def _stretch(image: Floats, ratio: float, order: int) -> Floats:
    """Stretch an image (h, w) across the axis, about its centre, by 1 / ratio."""
    scale = np.array([1.0, ratio])
    middle = (np.array(image.shape) - 1) / 2
    result: Floats = affine_transform(
        image, scale, middle - scale * middle, order=order, mode="constant"
    )
    return result


def count_from_centre(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Places y and x, (h, w) each, of an image's pixels from its centre."""
    middle = (np.array(shape) - 1) / 2
    y, x = np.mgrid[: shape[0], : shape[1]] - middle[:, None, None]
    return y.astype(np.float32), x.astype(np.float32)


@dataclass(frozen=True, eq=False)
class PairFit:
    """How an image differs from another that should look alike.

    Attributes
    ----------
    shear, shear_variance : float
        Displacement along the axis (y) per pixel across it (x).
    along_px, along_variance : float
        Displacement along the axis at the centre.
    alike : float
        Correlation of the two images after the fit.
    error : float
        Mean square of what they still differ by.
    across_px : ndarray, (h, w)
        Displacement across the axis that was fitted.
    slopes, rest : ndarray, (h, w)
        Of the images, across the axis, weighted by the root of the trust in each pixel; and what
        they still differ by, weighted so too.
    """

    shear: float
    shear_variance: float
    along_px: float
    along_variance: float
    alike: float
    error: float
    across_px: Floats
    slopes: Floats
    rest: Floats

    def sum_up_cells(self, cells: NDArray[np.int64]) -> CellShifts:
        """Displacements across the axis of the cells (h, w) that the pixels belong to."""
        information = self.slopes**2
        weighted_px = self.slopes * self.rest + information * self.across_px
        return CellShifts.sum_up(cells, information, weighted_px, self.error)


def fit_affine(moving: Floats, fixed: Floats, weights: Floats) -> PairFit:
    """Fit an affine map between two images (h, w), by Gauss-Newton steps.

    Where there is nothing in them that is alike, the result says so and nothing else.
    """
    middle = (np.array(fixed.shape) - 1) / 2
    y, x = count_from_centre(fixed.shape)
    splines = spline_filter(moving, order=3, output=np.float32)
    moved, affine, step = np.zeros(2), np.eye(2), np.zeros(6)
    for _ in range(FIT_STEPS):
        moved, affine = moved + step[:2], affine + step[2:].reshape(2, 2)
        start = middle + moved - affine @ middle
        back = affine_transform(splines, affine, start, order=3, mode="constant", prefilter=False)
        places = (np.abs(affine[k, 0] * y + affine[k, 1] * x + moved[k]) for k in (0, 1))
        inside = [place < m - 1.0 for place, m in zip(places, middle, strict=True)]
        trusted = weights * (inside[0] & inside[1])
        own, other, both = (
            float((trusted * a * b).sum(dtype=np.float64))
            for a, b in ((back, back), (fixed, fixed), (back, fixed))
        )
        if min(own, other) <= 0:
            none = np.zeros_like(fixed)
            return PairFit(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, none, none, none)
        back *= np.float32(both / own)
        alike = both / np.sqrt(own * other)
        dy, dx = (0.5 * (a + b) for a, b in zip(np.gradient(back), np.gradient(fixed), strict=True))
        slopes = np.stack([dy, dx, dy * y, dy * x, dx * y, dx * x]).reshape(6, -1)
        weighted = slopes * trusted.ravel()
        normal = np.asarray(weighted @ slopes.T, np.float64)
        normal += 1e-6 * np.diag(np.diag(normal))
        rest = (fixed - back).ravel()
        error = float(trusted.ravel() @ rest**2) / max(float(trusted.sum()), 1.0)
        step = np.clip(np.linalg.solve(normal, weighted @ rest), -MAX_STEP, MAX_STEP)
        if np.abs(step[:2]).max() < AT_REST:
            break
    further, variances = _fit_along(slopes[[0, 2, 3]], dx, trusted, rest)
    root = np.sqrt(trusted)
    return PairFit(
        shear=float(affine[0, 1] + further[2]),
        shear_variance=float(variances[2]),
        along_px=float(moved[0] + further[0]),
        along_variance=float(variances[0]),
        alike=alike,
        error=error,
        across_px=np.asarray(moved[1] + affine[1, 0] * y + (affine[1, 1] - 1) * x, np.float32),
        slopes=root * dx,
        rest=root * rest.reshape(dx.shape),
    )


def _fit_along(along: Floats, dx: Floats, trusted: Floats, rest: Floats) -> tuple[Doubles, Doubles]:
    """Fit what two images (h, w) still differ by, patches being free to move across the axis.

    Parameters
    ----------
    along : ndarray, (3, h w)
        Slopes of a displacement along the axis, and of that times y and times x.
    dx : ndarray, (h, w)
        Slope of a displacement across the axis.
    trusted : ndarray, (h, w)
        Weights.
    rest : ndarray, (h w,)
        The difference.

    Returns
    -------
    tuple of ndarray, (3,) each
        Further displacement along the axis, and that per pixel along and across it; and their
        variances.
    """
    edges = [np.linspace(0, n, PATCHES, endpoint=False).astype(int) for n in dx.shape]

    def sum_patches(values: Floats) -> Doubles:
        by_row = np.add.reduceat(values.reshape(-1, *dx.shape), edges[0], axis=1, dtype=np.float64)
        return np.add.reduceat(by_row, edges[1], axis=2).reshape(len(by_row), -1)

    weighted = along * trusted.ravel()
    # A patch sees no other, so that its own displacement is eliminated by a division.
    free = sum_patches(trusted * dx**2)[0]
    free += STIFFNESS * free.mean()
    shared, across = (
        sum_patches(weighted * dx.ravel()),
        sum_patches(trusted.ravel() * rest * dx.ravel())[0],
    )
    normal = np.asarray(weighted @ along.T, np.float64) - (shared / free) @ shared.T
    normal += 1e-6 * np.diag(np.diag(normal))
    right = np.asarray(weighted @ rest, np.float64) - (shared / free) @ across
    found = np.linalg.solve(normal, right)
    moved = ((across - found @ shared) / free).reshape(PATCHES, PATCHES)
    spread = [np.diff(np.append(edge, n)) for edge, n in zip(edges, dx.shape, strict=True)]
    patches = np.repeat(np.repeat(moved, spread[0], axis=0), spread[1], axis=1)
    left = rest - found @ along - (patches * dx).ravel()
    error = float(trusted.ravel() @ left**2) / max(float(trusted.sum()), 1.0)
    return found, np.diag(np.linalg.inv(normal)) * error


def _average_robustly(leans: Doubles, variances: Doubles) -> tuple[float, float]:
    """Weighted mean in which outliers count less, and its standard error, degrees."""
    weights, mean, scatter = 1.0 / variances, float(np.median(leans)), 1.0
    for _ in range(10):
        away = np.abs(leans - mean) / np.sqrt(variances)
        scatter = max(1.4826 * float(np.median(away)), 1e-12)
        held = weights / np.maximum(1.0, away / (OUTLIER * scatter))
        mean = float(held @ leans / held.sum())
    error = scatter / np.sqrt(weights.sum())
    return float(np.rad2deg(np.arctan(mean))), float(np.rad2deg(error))
