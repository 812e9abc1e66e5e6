"""What lies beside a frame: another level at once, which goes on, with noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..normalise import robust_spread

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

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
#: The level beside padding changes by less than this share of the step, or by what chance brings
#: about: a round specimen in exact vacuum, which may have one width in each image, thins out.
PADDED_FLAT, CHANCE = 0.1, 4.0


def grow(flags: Flags, n: int) -> Flags:
    """Return flagged pixels and all within so many pixels of them."""
    from scipy.ndimage import binary_dilation

    grown: Flags = binary_dilation(flags, np.ones((3, 3), bool), iterations=n)
    return grown


def compare_with_ring(
    image: Floats, frame: Flags, is_level: Callable[[Floats, Flags, Flags, float], bool]
) -> list[bool]:
    """Tell for each value of a frame whether it matters: a step, then level and noise."""
    measured = image[~frame]
    contrast = float(np.percentile(measured, 99.0) - np.percentile(measured, 1.0))
    noise = _estimate_noise(image, frame)
    found = []
    for value in np.unique(image[frame]):
        patch = frame & (image == value)
        near = grow(patch, MIXED + RING) & ~grow(patch, MIXED) & ~frame
        if not near.any():
            continue
        step = abs(float(np.median(image[near])) - float(value))
        matters = step > DIFFERS * contrast and noise > NOISY * step
        found.append(matters and is_level(image, frame, near, step))
    return found


def is_level(image: Floats, frame: Flags, near: Flags, step: float) -> bool:
    """Tell whether the level beside a frame, beyond which the image was moved, goes on."""
    deep = grow(near, RING) & ~near & ~grow(frame, MIXED)
    if not deep.any():
        return False
    change = float(np.median(image[deep])) - float(np.median(image[near]))
    return abs(change) <= FLAT * step


def is_level_on_each_side(image: Floats, frame: Flags, near: Flags, step: float) -> bool:
    """Tell the same of padding, line by line: the specimen may cross its edge.

    A line goes inwards from a pixel of the frame, through the pixels that are nearest to it.
    """
    from scipy.ndimage import distance_transform_edt, mean

    distances, nearest = distance_transform_edt(~frame, return_indices=True)
    starts = np.ravel_multi_index(tuple(nearest), image.shape)
    bands = [(distances > n) & (distances <= n + RING) for n in (MIXED, MIXED + RING)]
    lines = np.intersect1d(*(starts[band] for band in bands))
    if not lines.size:
        return False
    first, second = (mean(image, np.where(band, starts, -1), lines) for band in bands)
    changes = np.asarray(second) - np.asarray(first)
    sides = _tell_sides(bands[1], nearest, starts, lines)
    for change in (changes[sides == side] for side in np.unique(sides)):
        chance = CHANCE * robust_spread(change - np.median(change)) / np.sqrt(change.size)
        if abs(np.median(change)) > max(PADDED_FLAT * step, chance):
            return False
    return True


def _tell_sides(
    band: Flags, nearest: NDArray[np.int32], starts: NDArray[np.intp], lines: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Number the side of a turned rectangle, 0 to 3, that each line begins at."""
    from scipy.ndimage import mean

    y, x = (at - begin for at, begin in zip(np.indices(band.shape), nearest, strict=True))
    labels = np.where(band, starts, -1)
    inwards = np.asarray(mean(x, labels, lines)) + 1j * np.asarray(mean(y, labels, lines))
    turn = np.exp(0.25j * np.angle(np.sum((inwards / np.abs(inwards)) ** 4)))
    return np.round(np.angle(inwards / turn) / (np.pi / 2)).astype(np.intp) % 4


def _estimate_noise(image: Floats, frame: Flags) -> float:
    """Estimate the noise of the measured pixels, as `reconstruct.tvm.noise_level` does."""
    second = np.diff(np.diff(image, n=2, axis=0), n=2, axis=1)
    second = second[~grow(frame, 1)[1:-1, 1:-1]]
    return robust_spread(second) / 6.0 if second.size else 0.0
