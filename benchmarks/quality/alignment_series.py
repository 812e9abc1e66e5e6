"""Simulated tilt series whose displacements, tilt axis and tilt offset are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from napari_wedgefill.prepare.pose import Pose
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FIELD_PX = 128
#: What lies around the field on each side, so that displacements bring in real object.
MARGIN_PX = 48
GRID_PX = FIELD_PX + 2 * MARGIN_PX
#: A film must reach past the field at the highest tilt: 224 / cos 70.
FILM_PX, FILM_DEPTH_PX = 704, 48
ANGLES_DEG = np.linspace(-70.0, 70.0, 41)
ELECTRONS = 100.0
#: Electrons per pixel in vacuum: the detector's dark level.
DARK = 2.0
HOT_PIXELS, HOT_TIMES = 12, 15.0


@dataclass(frozen=True, eq=False)
class Truth:
    """How a simulated series was spoiled.

    Attributes
    ----------
    pose : Pose
        True displacements, position and rotation of the tilt axis.
    tilt_offset_deg : float
        True angles less those that the series states.
    blank, hot : ndarray of int
        Images without a specimen; images with hot pixels.
    """

    pose: Pose
    tilt_offset_deg: float
    blank: NDArray[np.intp]
    hot: NDArray[np.intp]

    @property
    def usable(self) -> NDArray[np.intp]:
        """Images that show the specimen."""
        return np.setdiff1d(np.arange(len(self.pose.offsets_px)), self.blank)


def _grid(depth: int, width: int, height: int) -> tuple[Floats, Floats, Floats]:
    axes = (
        np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2) for n in (depth, width, height)
    )
    z, x, y = axes
    return z[:, None, None], x[None, :, None], y[None, None, :]


def _add_ball(volume: Floats, at_px: Doubles, radius_px: float, density: float) -> None:
    """Put a ball into a volume (z, x, y); `at_px` counts from the centre."""
    middle = at_px + (np.array(volume.shape) - 1) / 2
    low = np.maximum(np.floor(middle - radius_px - 2).astype(int), 0)
    high = np.minimum(np.ceil(middle + radius_px + 3).astype(int), volume.shape)
    if np.any(high <= low):
        return
    axes = [np.arange(a, b) - m for a, b, m in zip(low, high, middle, strict=True)]
    distance = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2] ** 2)
    share = np.clip(radius_px - distance + 0.5, 0.0, 1.0)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    part = volume[box]
    volume[box] = part + (density - part) * share.astype(np.float32)


def needle(rng: np.random.Generator) -> Floats:
    """A leaning, layered needle that leaves the field along the tilt axis."""
    z, x, y = _grid(GRID_PX, GRID_PX, GRID_PX)
    radius = np.clip(11.0 + 0.18 * (45.0 - y), 0.0, 22.0) * (y < 45.0)
    body = (x - 0.05 * y - 2.0) ** 2 + ((z + 0.08 * y + 1.0) / 0.85) ** 2 < radius**2
    volume = np.where(body, 0.5 + 0.5 * (np.sin((y + 0.1 * x - 0.1 * z) / 3.5) > 0), 0.0)
    volume = volume.astype(np.float32)
    for _ in range(8):
        _add_ball(volume, rng.uniform([-10, -10, -60], [10, 10, 35]), rng.uniform(2, 5), 1.6)
    return volume


def cluster(rng: np.random.Generator) -> Floats:
    """A loose cluster of particles in vacuum."""
    volume = np.zeros((GRID_PX, GRID_PX, GRID_PX), np.float32)
    for _ in range(14):
        _add_ball(volume, rng.uniform(-24, 24, 3), rng.uniform(3, 10), rng.uniform(0.5, 1.0))
    return volume


def porous(rng: np.random.Generator) -> Floats:
    """A porous grain that carries a few heavy particles."""
    volume = np.zeros((GRID_PX, GRID_PX, GRID_PX), np.float32)
    for at in ([0, 0, 0], [8, 12, 10], [-6, -10, -14]):
        _add_ball(volume, np.array(at, float), 20.0, 0.4)
    for _ in range(30):
        _add_ball(volume, rng.uniform(-26, 26, 3), rng.uniform(3, 6), 0.0)
    for _ in range(6):
        _add_ball(volume, rng.uniform(-20, 20, 3), rng.uniform(1.5, 3.0), 1.5)
    return volume


def film(rng: np.random.Generator) -> Floats:
    """Particles on and in a thin film that leaves the field on every side."""
    volume = np.zeros((FILM_DEPTH_PX, FILM_PX, GRID_PX), np.float32)
    grain = gaussian_filter(rng.standard_normal((8, FILM_PX, GRID_PX)), 2.0, mode="wrap")
    volume[20:28] = 0.25 + 0.05 * grain / grain.std()
    for _ in range(420):
        half = np.array([9.0, FILM_PX / 2, GRID_PX / 2])
        _add_ball(volume, rng.uniform(-half, half), rng.uniform(1.5, 4.5), 1.0)
    return volume


OBJECTS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "needle": needle,
    "cluster": cluster,
    "porous grain": porous,
    "film": film,
}


@cache
def projections(name: str, seed: int, tilt_offset_deg: float) -> Floats:
    """Exact images (n_tilts, GRID_PX, GRID_PX) of an object, brightest in the untilted one at 1."""
    volume = OBJECTS[name](np.random.default_rng(seed))
    depth, width, _ = volume.shape
    sinogram = ParallelBeam(ANGLES_DEG + tilt_offset_deg, width, depth)(volume)
    first = (width - GRID_PX) // 2
    images = sinogram[:, first : first + GRID_PX].transpose(0, 2, 1)
    return np.ascontiguousarray(images / images[len(images) // 2].max(), np.float32)


def true_pose(rng: np.random.Generator, reach_px: float, axis_deg: float, axis_px: float) -> Pose:
    """Drift and jitter that reach `reach_px`, with a tilt axis off centre that leans."""
    n = len(ANGLES_DEG)
    time = np.linspace(0.0, 2.0 * np.pi, n)
    offsets = np.empty((n, 2))
    for k in range(2):
        waves = [rng.normal() / m * np.sin(m * time / 2 + rng.uniform(0, 6.3)) for m in (1, 2, 3)]
        path = np.sum(waves, axis=0) / np.abs(np.sum(waves, axis=0)).max()
        offsets[:, k] = reach_px * (0.8 * path + 0.2 * rng.uniform(-1.0, 1.0, n))
    return Pose(offsets, axis_px, axis_deg)


def spoiled(images: Floats, pose: Pose, field_px: int = FIELD_PX) -> Floats:
    """Displace, lean and crop exact images (n_tilts, h, w) as a microscope would see them."""
    middle_in = np.full(2, (field_px - 1) / 2)
    middle_out = (np.array(images.shape[1:]) - 1) / 2
    back = pose.rotation().T
    out = np.empty((len(images), field_px, field_px), np.float32)
    for tilt, image in enumerate(images):
        moved = pose.offsets_px[tilt] + [0.0, pose.axis_shift_px]
        start = middle_out - back @ (middle_in + moved)
        affine_transform(
            image, back, start, output_shape=(field_px, field_px), output=out[tilt], mode="nearest"
        )
    return out


def simulate(name: str, seed: int, electrons: float | None) -> tuple[TiltSeries, Truth]:
    """Make one series: shifts to 30 px, axis to 12 degrees, two blank and three hot images.

    Parameters
    ----------
    name : str
        One of `OBJECTS`.
    seed : int
        Of the object, the displacements and the noise.
    electrons : float or None
        In the brightest pixel of the untilted image; None for no noise.
    """
    rng = np.random.default_rng([seed, sorted(OBJECTS).index(name)])
    offset_deg = float(rng.uniform(-5.0, 5.0)) if name == "film" else 0.0
    pose = true_pose(rng, 30.0, float(rng.uniform(-12.0, 12.0)), float(rng.uniform(-6.0, 6.0)))
    images = spoiled(projections(name, seed, offset_deg), pose)
    n = len(images)
    bad = rng.permutation(np.arange(2, n - 2))[:5]
    blank, hot = np.sort(bad[:2]), np.sort(bad[2:])
    images[blank] = 0.0
    if electrons is not None:
        images = rng.poisson(images.clip(0) * electrons + DARK).astype(np.float32)
    top = float(np.quantile(images, 0.999))
    for tilt in hot:
        at = rng.integers(0, images[tilt].size, HOT_PIXELS)
        images[tilt].ravel()[at] = HOT_TIMES * top
    series = TiltSeries.from_arrays(images, ANGLES_DEG, name=name)
    return series, Truth(pose, offset_deg, blank, hot)


def without_bad_images(series: TiltSeries, truth: Truth) -> tuple[TiltSeries, Truth]:
    """Leave out the blank images and those with hot pixels."""
    good = np.setdiff1d(np.arange(series.n_tilts), np.concatenate([truth.blank, truth.hot]))
    none = np.zeros(0, np.intp)
    pose = replace(truth.pose, offsets_px=truth.pose.offsets_px[good])
    return series.tilts(good), Truth(pose, truth.tilt_offset_deg, none, none)


@dataclass(frozen=True)
class Errors:
    """How wrong an alignment is.

    Attributes
    ----------
    shift_px : float
        Displacements of the usable images, rms over both directions, apart from a translation of
        the object as a whole and from the axis' position.
    axis_px : float
        Position of the tilt axis.
    axis_deg : float
        Its rotation.
    """

    shift_px: float
    axis_px: float
    axis_deg: float


def errors_of(found: Pose, truth: Truth, angles_deg: Doubles = ANGLES_DEG) -> Errors:
    """Compare a pose with the true one, free of what no series can tell.

    Both poses map the object's own frame into the image: where a point on the axis and one off it
    fall, tilt by tilt, is compared in directions along and across the true axis.
    """

    def total(pose: Pose) -> Doubles:
        return pose.offsets_px + np.array([0.0, pose.axis_shift_px])

    wrong = (total(found) - total(truth.pose)) @ truth.pose.rotation()
    wrong = wrong[truth.usable]
    tilts = np.deg2rad(angles_deg[truth.usable] + truth.tilt_offset_deg)
    path = np.stack([np.ones_like(tilts), np.cos(tilts), np.sin(tilts)], axis=1)
    solved = np.linalg.lstsq(path, wrong[:, 1], rcond=None)[0]
    across = wrong[:, 1] - path @ solved
    along = wrong[:, 0] - wrong[:, 0].mean()
    return Errors(
        float(np.sqrt(np.mean(np.concatenate([across, along]) ** 2))),
        float(abs(solved[0])),
        float(abs(found.axis_deg - truth.pose.axis_deg)),
    )
