"""Where each image lies: shifts and the tilt axis, and the one interpolation that undoes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, map_coordinates

from ..geometry import centre
from ..projector.threads import run_on_cores

Floats = NDArray[np.float32]

EDGE_ROWS = 4  # border pixels averaged to fill what was not measured: one row would smear its noise


@dataclass(frozen=True, eq=False)
class Pose:
    """Displacement of each image and the line of the tilt axis, in pixels of the input images.

    Attributes
    ----------
    offsets_px : ndarray, float64, (n_tilts, 2)
        How far (y, x) each image's content lies from where it belongs.
    axis_shift_px : float
        Position of the tilt axis along x at mid-height, from ``(w - 1) / 2``.
    axis_deg : float
        Rotation of the tilt axis in the image plane; positive leans towards +x as y grows.
    """

    offsets_px: NDArray[np.float64]
    axis_shift_px: float = 0.0
    axis_deg: float = 0.0

    def add_offsets(self, residual_px: NDArray[np.float64]) -> Pose:
        """Add displacements (n_tilts, 2) measured on images that this pose has already aligned."""
        return replace(self, offsets_px=self.offsets_px + residual_px @ self.rotation().T)

    def turn_axis(self, turn_deg: float, move_px: float) -> Pose:
        """Turn and move the tilt axis as it lies in images that this pose has already aligned."""
        c, s = np.cos(np.deg2rad(self.axis_deg)), np.sin(np.deg2rad(self.axis_deg))
        return Pose(
            self.offsets_px + np.array([-s * move_px, 0.0]),
            self.axis_shift_px + c * move_px,
            self.axis_deg + turn_deg,
        )

    def rotation(self) -> NDArray[np.float64]:
        """Matrix from aligned (y along the axis, x across) to input (y, x) directions."""
        c, s = np.cos(np.deg2rad(self.axis_deg)), np.sin(np.deg2rad(self.axis_deg))
        return np.array([[c, -s], [s, c]])

    def find_measured_rows(self, height: int, width: int) -> tuple[int, int]:
        """First and past-the-last row, of `height`, that were measured at every tilt."""
        lean = abs(np.sin(np.deg2rad(self.axis_deg))) * width / 2
        along = self.offsets_px[:, 0]
        first = int(np.ceil(max(0.0, lean - along.min())))
        stop = height - int(np.ceil(max(0.0, lean + along.max())))
        return (first, stop) if stop > first else (0, height)

    def is_identity(self) -> bool:
        """Whether applying this pose would leave every image exactly as it is."""
        return not (self.offsets_px.any() or self.axis_shift_px or self.axis_deg)


@dataclass(frozen=True, eq=False)
class Binned:
    """Images averaged over ``factor x factor`` pixels, which remember the full image's centre.

    Attributes
    ----------
    images : ndarray, float32, (n_tilts, h // factor, w // factor)
        The averaged images.
    factor : int
        Edge of a bin in pixels.
    middle : ndarray, float64, (2,)
        Index (y, x) in these images of the full images' centre.
    """

    images: Floats
    factor: int
    middle: NDArray[np.float64]

    @classmethod
    def of(cls, images: Floats, factor: int) -> Binned:
        """Average; rows and columns that do not fill a bin are left out at the far edges."""
        n, (full_h, full_w) = factor, images.shape[1:]
        h, w = full_h // n, full_w // n
        middle = np.array([(centre(full) - (n - 1) / 2) / n for full in (full_h, full_w)])
        if n == 1:
            return cls(images, 1, middle)
        blocks = images[:, : h * n, : w * n].reshape(len(images), h, n, w, n)
        return cls(blocks.mean(axis=(2, 4), dtype=np.float32), n, middle)

    def align(self, pose: Pose, tilts: NDArray[np.int64] | None = None) -> Floats:
        """Images of the given tilts (all by default) with `pose` undone, at this binning."""
        which = np.arange(len(self.images)) if tilts is None else tilts
        out = np.empty((len(which), *self.images.shape[1:]), np.float32)

        def fill(place: int, tilt: int) -> None:
            out[place] = resample(self, pose, tilt)

        run_on_cores(partial(fill, place, int(tilt)) for place, tilt in enumerate(which))
        return out

    def align_row(self, pose: Pose, row: float) -> Floats:
        """One row (n_tilts, w) of the aligned images, quick: linear between pixels."""
        n_tilts, _, w = self.images.shape
        rotation = pose.rotation()
        places = np.empty((3, n_tilts, w))
        for tilt in range(n_tilts):
            start = self._start(pose, tilt)[:, None]
            places[0, tilt] = tilt
            places[1:, tilt] = rotation @ np.stack([np.full(w, row), np.arange(w)]) + start
        found: Floats = map_coordinates(
            self.images, places, output=np.float32, order=1, mode="nearest"
        )
        return found

    def mark_measured(
        self, pose: Pose, tilts: NDArray[np.int64] | None = None
    ) -> NDArray[np.bool_]:
        """Where `align` shows what was measured, and not what was put in for it."""
        which = np.arange(len(self.images)) if tilts is None else tilts
        h, w = self.images.shape[1:]
        rotation = pose.rotation()
        y, x = np.arange(h)[:, None], np.arange(w)[None, :]
        out = np.empty((len(which), h, w), bool)
        for place, tilt in enumerate(which):
            start = self._start(pose, int(tilt))
            row = rotation[0, 0] * y + rotation[0, 1] * x + start[0]
            column = rotation[1, 0] * y + rotation[1, 1] * x + start[1]
            out[place] = (row > -0.5) & (row < h - 0.5) & (column > -0.5) & (column < w - 0.5)
        return out

    def _start(self, pose: Pose, tilt: int) -> NDArray[np.float64]:
        """Where the first pixel of an aligned image lies in these images (y, x)."""
        moved = np.array([0.0, pose.axis_shift_px]) + pose.offsets_px[tilt]
        middle_out = np.array([centre(n) for n in self.images.shape[1:]])
        return np.asarray(self.middle + moved / self.factor - pose.rotation() @ middle_out)


def resample(stack: Binned, pose: Pose, tilt: int, order: int = 3) -> Floats:
    """One image, (h, w), moved so that its tilt axis is the centre column; a single interpolation.

    What lies outside the measured image is filled with the mean of the nearest border pixels,
    so that nothing wraps around.
    """
    image: Floats = stack.images[tilt]
    if pose.is_identity():
        return image
    rotation = pose.rotation()
    start = stack._start(pose, tilt)
    pad = _padding(image.shape, rotation, start)
    stat = min(EDGE_ROWS, *image.shape)
    padded = np.pad(image, pad, mode="mean", stat_length=stat)
    result: Floats = affine_transform(
        padded,
        rotation,
        start + pad,
        output_shape=image.shape,
        output=np.float32,
        order=order,
        mode="nearest",
    )
    return result


def _padding(
    shape: tuple[int, ...], rotation: NDArray[np.float64], start: NDArray[np.float64]
) -> int:
    """Pixels by which the image must grow to hold every sample, at most its own size."""
    h, w = shape
    corners = np.array([[0, 0], [0, w - 1], [h - 1, 0], [h - 1, w - 1]]) @ rotation.T + start
    beyond = max(-corners.min(), (corners - [h - 1, w - 1]).max(), 0.0)
    return int(min(np.ceil(beyond) + 4, max(h, w)))
