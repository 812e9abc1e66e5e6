"""A coarse look at the whole field of view, for what lies around the box of the specimen.

A small or faint particle far from the specimen may stand out of the noise in no image, but it does
in a volume, which adds up all tilts. So the whole field is reconstructed once, coarsely, and there
is no box where that shows anything around it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from ..reconstruct import TvmOptions, iter_sart, iter_tvm, last
from .box import FADE, Box

if TYPE_CHECKING:
    from ..normalise import Normalisation
    from ..tilt_series import TiltSeries

#: Voxels across that the coarse look at the whole field has at least, and its effort.
WIDTH, SWEEPS, STEPS = 96, 5, 150
#: Density around the box that is matter, over the highest: so many times that of all but a
#: twentieth of the voxels there (noise and streaks of the specimen reach half of it), but no less
#: than the first figure, and always from the second on.
TIMES, LEAST, CERTAIN = 20.0, 0.0015, 0.02


def shows_matter_around(series: TiltSeries, normalisation: Normalisation, box: Box) -> bool:
    """Tell whether a coarse reconstruction of the whole field shows matter outside a box.

    What lies where the box fades out counts as outside.
    """
    from scipy.ndimage import uniform_filter

    small, n = _make_coarse(series)
    beam = ParallelBeam(small.angles_deg, small.width, axis_shift_px=small.axis_shift_px)
    rows = normalisation.apply(small.sinograms(0, small.height))
    start = last(iter_sart(beam, rows, SWEEPS))
    options = TvmOptions(n_steps=STEPS)
    seen = uniform_filter(last(iter_tvm(beam, rows, options=options, x0=start)), 3, mode="nearest")
    seen /= max(float(seen.max()), 1e-30)
    depth, height, width = box.field
    axes = (box.z, depth, FADE), (box.x, width, FADE), (box.y, height, 0)
    beyond = [_find_beyond(n, size, *axis) for size, axis in zip(seen.shape, axes, strict=True)]
    z, x, y = beyond
    around = seen[(z[:, None, None] | x[:, None] | y) & _find_seen(beam)[:, :, None]]
    if not around.size:
        return False
    usual = TIMES * float(np.percentile(around, 95.0))
    return float(around.max()) > min(max(usual, LEAST), CERTAIN)


def _make_coarse(series: TiltSeries) -> tuple[TiltSeries, float]:
    """Average pixels, so that about `WIDTH` are left across; also return how many make one.

    A whole number of them, unless that is one and leaves many more, as in a preview.
    """
    n = max(1, round(series.width / WIDTH))
    if n > 1 or series.width <= WIDTH:
        return series.binned(n), n
    pitch = series.width / WIDTH
    across = _weigh_pixels(series.width, WIDTH, pitch)
    down = _weigh_pixels(series.height, max(1, int(series.height / pitch)), pitch)
    images = np.stack([down @ np.asarray(image, np.float32) @ across.T for image in series.images])
    pixel_nm = None if series.pixel_nm is None else series.pixel_nm * pitch
    shift = series.axis_shift_px / pitch
    return replace(series, images=images, pixel_nm=pixel_nm, axis_shift_px=shift), pitch


def _weigh_pixels(n_pixels: int, n_coarse: int, pitch: float) -> NDArray[np.float32]:
    """How much of each coarse pixel, `pitch` wide, each fine one is: (n_coarse, n_pixels)."""
    start = (np.arange(n_coarse) * pitch + (n_pixels - n_coarse * pitch) / 2)[:, None]
    fine = np.arange(n_pixels)
    shared = np.minimum(start + pitch, fine + 1) - np.maximum(start, fine)
    return np.asarray(shared.clip(0.0) / pitch, np.float32)


def _find_seen(beam: ParallelBeam) -> NDArray[np.bool_]:
    """Which voxels (depth, width) lie in the images of all tilts; in corners, noise piles up."""
    z = (np.arange(beam.depth) - centre(beam.depth))[:, None, None]
    x = (np.arange(beam.width) - centre(beam.width))[:, None]
    u = beam.rays.axis_u + x * beam.rays.cosines + z * beam.rays.sines
    return np.asarray(((u >= 0) & (u <= beam.width - 1)).all(axis=2))


def _find_beyond(
    n: float, size: int, part: tuple[int, int], whole: int, fade: int
) -> NDArray[np.bool_]:
    """Which voxels of `n` pixels along an axis lie outside a part of it, or where that fades."""
    rest = whole - size * n
    start = rest // 2 if isinstance(n, int) else rest / 2  # bins begin at whole pixels
    at = (np.arange(size) + 0.5) * n + start - 0.5
    first = part[0] + fade if part[0] > 0 else -np.inf
    final = part[1] - 1 - fade if part[1] < whole else np.inf
    return (at < first) | (at > final)
