"""A simulated needle whose displacements, axis and rotation are known."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

SIZE, MARGIN = 64, 16
ANGLES_DEG = np.arange(-70.0, 71.0, 5.0)
LEVEL, SCALE = -32000.0, 100.0  # like raw HAADF data: a large negative offset


@cache
def clean_projections() -> NDArray[np.float32]:
    """Images (n_tilts, SIZE + 2 MARGIN, SIZE) of a layered, leaning needle, brightest at 1."""
    z, x, y = np.meshgrid(
        np.arange(SIZE) - (SIZE - 1) / 2,
        np.arange(SIZE) - (SIZE - 1) / 2,
        np.arange(SIZE + 2 * MARGIN) - (SIZE + 2 * MARGIN - 1) / 2,
        indexing="ij",
    )
    radius = np.clip(0.2 * SIZE * np.minimum(1.0, (0.35 * SIZE - y) / (0.5 * SIZE)), 0, None)
    body = (x - 0.06 * y - 2) ** 2 + ((z + 0.1 * y + 1) / 0.8) ** 2 < radius**2
    layers = 0.5 + 0.5 * (np.sin((y + 0.1 * x - 0.1 * z) * 6 / SIZE * np.pi) > 0)
    volume = gaussian_filter(np.where(body, layers, 0.0).astype(np.float32), 0.7)
    images = ParallelBeam(ANGLES_DEG, SIZE)(volume).transpose(0, 2, 1)
    return np.asarray(images / images.max(), np.float32)


def needle(
    offsets_px: NDArray[np.float64], axis_px: float = 0.0, axis_deg: float = 0.0, noise: float = 0.0
) -> TiltSeries:
    """Tilt series whose content is displaced by (y, x) and whose axis is off centre and leans."""
    rng = np.random.default_rng(1)
    c, s = np.cos(np.deg2rad(axis_deg)), np.sin(np.deg2rad(axis_deg))
    to_aligned = np.array([[c, s], [-s, c]])
    middle_in, middle_out = (
        np.full(2, (SIZE - 1) / 2),
        np.array([SIZE / 2 + MARGIN, SIZE / 2]) - 0.5,
    )
    images = np.empty((len(ANGLES_DEG), SIZE, SIZE))
    for tilt, image in enumerate(clean_projections()):
        moved = offsets_px[tilt] + [0.0, axis_px]
        start = middle_out - to_aligned @ (middle_in + moved)
        images[tilt] = affine_transform(
            image, to_aligned, start, output_shape=(SIZE, SIZE), mode="nearest"
        )
    images = LEVEL + SCALE * (images + noise * rng.standard_normal(images.shape))
    return TiltSeries.from_arrays(images, ANGLES_DEG, name="needle")


def jitter(seed: int = 0) -> NDArray[np.float64]:
    """Displacements (n_tilts, 2): +-3 px along the axis, +-7 px across."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, (len(ANGLES_DEG), 2)) * [3.0, 7.0]
