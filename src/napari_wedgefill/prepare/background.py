"""The level of empty space in each image, and what the images look like without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_SAMPLES = 40_000  # pixels an image that the mode is searched in: enough for 1 % of the noise
#: A mode is empty space where at least this share of the pixels lies within its own noise ...
MIN_EMPTY_SHARE = 0.05
#: ... and its noise is at most this share of the image's range: a film's texture is wider.
MAX_EMPTY_WIDTH = 0.1
#: ... and it stays put, within this share of the range: a film's level grows as it tilts.
MAX_EMPTY_DRIFT = 0.05
MIN_SPREAD = 1e-12
SPARSE_BIN = 4
SPARSE_NOISE = 0.2  # of a pixel, as a share of the averaged images' range
RECENTRINGS = 4  # the mode alone is off by a third of the noise


@dataclass(frozen=True, eq=False)
class Background:
    """Empty-space level of every image.

    Attributes
    ----------
    levels : ndarray, float64, (n_tilts,)
        Intensity of empty space in each image.
    is_empty_space : bool
        Whether the levels are those of vacuum seen beside the object; otherwise they are only
        the commonest intensities, good for estimates but not to be subtracted from the data.
    contrast : int
        +1 where the object is brighter than the background (HAADF), -1 where darker.
    """

    levels: NDArray[np.float64]
    is_empty_space: bool
    contrast: int

    def subtract_from(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the images with empty space at zero and the object positive, noise unclipped."""
        levels = self.levels.astype(np.float32)[:, None, None]
        return np.asarray((images - levels) * np.float32(self.contrast), dtype=np.float32)


def estimate_background(images: NDArray[np.float32]) -> Background:
    """Find the level of empty space in each image (n_tilts, h, w).

    The level is the image's densest intensity (half-sample mode) on the outer side of its range,
    refined by the mean of what lies within its own noise; it needs no threshold, and
    any offset (raw HAADF data may sit near -32768) is welcome.

    Where single pixels tell little (a few counts), averages of 4 x 4 are looked at: the commonest
    count of a sparse image is 0, whatever its mean.

    References
    ----------
    T. Robertson and J. D. Cryer, J. Am. Stat. Assoc. 69, 1012-1016 (1974).
    """
    images = _average_where_sparse(images)
    levels, shares, noises, lows, highs = np.array([_level_of(image) for image in images]).T
    means = images.mean(axis=(1, 2), dtype=np.float64)
    contrast = 1 if np.median(means - levels) >= 0 else -1
    full_range = max(float(np.median(highs - lows)), MIN_SPREAD)
    drift = float(np.ptp(np.quantile(levels, [0.05, 0.95])))
    is_empty = (
        np.median(shares) > MIN_EMPTY_SHARE
        and np.median(noises) < MAX_EMPTY_WIDTH * full_range
        and drift < MAX_EMPTY_DRIFT * full_range
    )
    return Background(levels, bool(is_empty), contrast)


def _average_where_sparse(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images, averaged over 4 x 4 pixels if their noise is not far below their contrast."""
    h, w = (n // SPARSE_BIN for n in images.shape[1:])
    if min(h, w) < SPARSE_BIN:
        return images
    blocks = images[:, : h * SPARSE_BIN, : w * SPARSE_BIN]
    blocks = blocks.reshape(-1, h, SPARSE_BIN, w, SPARSE_BIN)
    averaged: NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float32)
    within = np.median(blocks.var(axis=(2, 4), dtype=np.float64).mean(axis=(1, 2)))
    ends = np.quantile(averaged, [0.01, 0.99], axis=(1, 2))
    is_sparse = float(np.sqrt(within)) > SPARSE_NOISE * float(np.median(ends[1] - ends[0]))
    return averaged if is_sparse else images


def _level_of(image: NDArray[np.float32]) -> tuple[float, float, float, float, float]:
    """Level, share of the pixels at it, its noise, and the image's lowest and highest intensity."""
    pixels = np.sort(image.ravel()[:: max(1, image.size // MAX_SAMPLES)].astype(np.float64))
    mode = _half_sample_mode(pixels)
    dark = np.mean(pixels) >= mode
    outer = mode - pixels[pixels <= mode] if dark else pixels[pixels >= mode] - mode
    noise = max(1.4826 * float(np.median(outer)), MIN_SPREAD) if outer.size else MIN_SPREAD
    level, near = mode, pixels
    for _ in range(RECENTRINGS):
        near = pixels[np.abs(pixels - level) <= 2.0 * noise]
        level = float(near.mean()) if near.size else level
    low, high = np.quantile(pixels, [0.005, 0.995])
    return level, near.size / pixels.size, noise, float(low), float(high)


def _half_sample_mode(ordered: NDArray[np.float64]) -> float:
    """Mode of sorted values: the narrowest half, then the narrowest half of that, and so on."""
    while ordered.size > 3:
        half = (ordered.size + 1) // 2
        widths = ordered[half - 1 :] - ordered[: ordered.size - half + 1]
        start = int(np.argmin(widths))
        ordered = ordered[start : start + half]
    return float(ordered.mean())
