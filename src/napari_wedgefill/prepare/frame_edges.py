"""What lies beside a frame: another level at once, which goes on, with noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..normalise import robust_spread

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: First measured pixel of each row and one past the last, (h, 2); equal where none was.
Extents = NDArray[np.int64]

#: Pixels at a frame's edge in which interpolation mixed both.
MIXED = 2
#: Pixels beyond those whose level is compared with the frame's, near and deep.
RING = 4
#: A frame matters if it differs from what lies beside it by more than this share of the contrast.
#: A specimen that ends in exact vacuum thins out towards its edge; what an edge of a frame cuts
#: off does not. So the level beyond must change by less than this share of the step at the edge.
DIFFERS, FLAT = 0.02, 0.25
#: Noise of what was measured, over that step, without which there is no telling: what is around a
#: simulated specimen is one exact value, too.
NOISY = 2e-4
#: Pixels at the edge of padding that what came after it may have mixed, such as smoothing: the
#: first of these behind which it is level. What was measured is so many times as wide at least.
MIXED_BY, TIMES_MIXED = (2, 4, 8), 16
#: The level beside padding changes by less than this share of the step, in the middle over the
#: images, or by what chance brings about: a round specimen in exact vacuum, which has one width in
#: each image, thins out in each. Images that look at the edges of padding are no more than these.
PADDED_FLAT, CHANCE, LOOKS = 0.1, 4.0, 15
#: The same share, behind what was mixed.
UNMIXED = 0.02
#: Padding leaves the same width in each image, to a pixel, or, of images that were moved before,
#: the same level at both edges of all: a specimen in exact vacuum changes both as it is tilted.
SAME_WIDTH, SAME_LEVEL = 1, 0.1


def grow(flags: Flags, n: int) -> Flags:
    """Return flagged pixels and all within so many pixels of them."""
    from scipy.ndimage import binary_dilation

    grown: Flags = binary_dilation(flags, np.ones((3, 3), bool), iterations=n)
    return grown


def compare_with_ring(image: Floats, frame: Flags) -> list[bool]:
    """Tell for each value of a frame whether it matters: a step, then level and noise."""
    found = []
    for value in np.unique(image[frame]):
        patch = frame & (image == value)
        near = grow(patch, MIXED + RING) & ~grow(patch, MIXED) & ~frame
        if not near.any():
            continue
        step = abs(float(np.median(image[near])) - float(value))
        found.append(is_clear(image, frame, step) and _is_level(image, frame, near, step))
    return found


def is_clear(image: Floats, frame: Flags, step: float) -> bool:
    """Tell whether a step at a frame's edge is more than contrast, and what lies beside noisy."""
    measured = image[~frame]
    contrast = float(np.percentile(measured, 99.0) - np.percentile(measured, 1.0))
    return abs(step) > DIFFERS * contrast and _estimate_noise(image, frame) > NOISY * abs(step)


def _is_level(image: Floats, frame: Flags, near: Flags, step: float) -> bool:
    """Tell whether the level beside a frame, beyond which the image was moved, goes on."""
    deep = grow(near, RING) & ~near & ~grow(frame, MIXED)
    if not deep.any():
        return False
    change = float(np.median(image[deep])) - float(np.median(image[near]))
    return abs(change) <= FLAT * step


def measure_sides(image: Floats, extents: Extents) -> Doubles:
    """Measure what lies at the left and the right edge of a frame that has both, row by row.

    The rectangle that was measured may be turned: rows that begin at its upper or lower side do
    not count.

    Returns
    -------
    ndarray, float64, (depths, 2, 4)
        For each of `MIXED_BY` and both edges, the medians over the rows of the level beside the
        frame, of the step to it from the frame, and of the changes to the levels further in, of
        `RING` pixels each; not a number where what was measured is too narrow.
    """
    width = image.shape[1]
    return np.stack(
        [
            _measure_left(image, extents[:, 0], extents[:, 1]),
            _measure_left(image[:, ::-1], width - extents[:, 1], width - extents[:, 0]),
        ],
        axis=1,
    )


def _measure_left(image: Floats, first: NDArray[np.int64], stop: NDArray[np.int64]) -> Doubles:
    """Measure the left edge, (depths, 4), given where what was measured begins and ends."""
    found = np.full((len(MIXED_BY), 4), np.nan)
    rows = np.flatnonzero((first < stop) & (first > 0))
    if not rows.size:
        return found
    before, after = (np.clip(np.arange(rows.size) + n, 0, rows.size - 1) for n in (-2, 2))
    is_side = abs(first[rows[after]] - first[rows[before]]) <= rows[after] - rows[before]
    rows = rows[is_side]
    at = first[rows, None] + np.arange(max(MIXED_BY) + 3 * RING)
    inside = image[rows[:, None], np.minimum(at, image.shape[1] - 1)].astype(np.float64)
    inside[at >= stop[rows, None]] = np.nan
    outside = image[rows, first[rows] - 1].astype(np.float64)
    for depth, mixed in enumerate(MIXED_BY):
        near, *deep = (inside[:, n : n + RING].mean(axis=1) for n in mixed + RING * np.arange(3))
        whole = np.isfinite([near, *deep]).all(axis=0)
        if whole.any():
            steps = [near, near - outside, *(level - near for level in deep)]
            found[depth] = [np.median(step[whole]) for step in steps]
    return found


def choose_mixed(sides: Doubles, widths: NDArray[np.int64]) -> int | None:
    """Choose how many pixels at the edges of padding were mixed; None if it is no padding.

    Parameters
    ----------
    sides : ndarray, float64, (n_images, depths, 2, 4)
        What `measure_sides` found.
    widths : ndarray of int, (n_images,)
        Of what was measured, in pixels.
    """
    fits: list[int] = []
    for at, mixed in enumerate(MIXED_BY):
        seen = sides[:, at]
        if widths.min() < TIMES_MIXED * mixed or not np.isfinite(seen).all():
            break
        step = float(np.median(abs(seen[..., 1])))
        if step == 0.0:
            continue
        is_same = np.ptp(widths) <= SAME_WIDTH or _is_steady(seen / step)
        if not is_same or not _is_flat(seen[..., 2:] / step, PADDED_FLAT):
            continue
        fits.append(mixed)
        if _is_flat(seen[..., 2:] / step, UNMIXED):
            return mixed
    return fits[0] if fits else None


def _is_steady(seen: Doubles) -> bool:
    """Tell whether levels (n_images, 2, 4), over the step, are the same in nearly all images.

    The edge of a plate in exact vacuum may have one level for a few pixels, but not further in.
    """
    levels = np.stack([seen[..., 0], *(seen[..., 0] + seen[..., at] for at in (2, 3))])
    off = np.percentile(abs(levels - np.median(levels)), 90.0, axis=(1, 2))
    return bool((off <= SAME_LEVEL).all())


def _is_flat(changes: Doubles, most: float) -> bool:
    """Tell whether changes (n_images, ...), over the step, are none in the middle of the images."""
    middle = np.median(changes, axis=0)
    off = (changes - middle).reshape(len(changes), -1)
    chance = [CHANCE * robust_spread(column) / np.sqrt(len(changes)) for column in off.T]
    return bool((abs(middle).ravel() <= np.maximum(most, chance)).all())


def _estimate_noise(image: Floats, frame: Flags) -> float:
    """Estimate the noise of the measured pixels, as `reconstruct.tvm.noise_level` does."""
    second = np.diff(np.diff(image, n=2, axis=0), n=2, axis=1)
    second = second[~grow(frame, 1)[1:-1, 1:-1]]
    return robust_spread(second) / 6.0 if second.size else 0.0
