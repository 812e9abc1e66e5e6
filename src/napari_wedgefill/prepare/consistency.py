"""How far displaced images are from being projections of one object.

Two measures. The *misfit* is what a quick reconstruction from all images cannot reproduce: it is
smooth in the position of the tilt axis, so that its minimum can be found to a fraction of a pixel.
The *withheld error* is what the other tilts fail to predict of each image: it falls only if the
images really agree, and so decides between methods, and whether anything is moved at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..projector import ParallelBeam
from .correlation import SMOOTH_PX
from .masked_sart import Slices, reconstruct_masked, width_for
from .pose import Binned, Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MISFIT_SWEEPS = 8  # of SART; fewer favour an axis through the object's middle
WITHHELD_SWEEPS = 4  # enough for edges to a fraction of a pixel, too few to fit the noise
MAX_SLICES = 32
#: Structure wider than this share of the width is left out where the object leaves the field, ...
COARSE_SHARE = 1 / 8
#: ... and the borders of its images fade over this share.
EDGE_SHARE = 1 / 24
#: A fold withholds every n-th tilt so that about this many are left to predict it.
TILTS_TO_PREDICT = 20
MAX_FOLDS = 8
#: Depths tried for a film, as shares of the field: a thin volume says more about its images.
FILM_DEPTHS = (1.0, 0.5, 0.3)


@dataclass(frozen=True, eq=False)
class Consistency:
    """Judges poses of one stack.

    Attributes
    ----------
    stack : Binned
        Images with the background removed.
    angles_deg : ndarray, float64, (n_tilts,)
        Tilt angles in degrees.
    isolated : bool
        Whether the object is wholly in the field across the axis: then it is positive, and all of
        its structure counts; if not, only its finer structure.
    depth_share : float
        Voxels along the beam, as a share of the images' width.
    max_slices : int
        Slices that the two measures look at, at most.
    misfit_sweeps : int
        Sweeps of the reconstruction that the misfit is taken from.
    """

    stack: Binned
    angles_deg: Doubles
    isolated: bool
    depth_share: float = 1.0
    max_slices: int = MAX_SLICES
    misfit_sweeps: int = MISFIT_SWEEPS

    @property
    def depth(self) -> int:
        """Voxels along the beam."""
        return max(4, round(self.depth_share * self.stack.images.shape[2]))

    @property
    def n_tilts(self) -> int:
        """Number of images."""
        return len(self.angles_deg)

    def take_tilts(self, tilts: NDArray[np.int64]) -> Consistency:
        """The same for some tilts."""
        stack = replace(self.stack, images=self.stack.images[tilts])
        return replace(self, stack=stack, angles_deg=self.angles_deg[tilts])

    def slices(self, pose: Pose, rows: NDArray[np.int64] | None = None) -> Slices:
        """Sinograms of some rows (some evenly spaced ones by default), as wide as the volume.

        Smoothed, or a pose that blurs the noise by interpolating would seem to fit better.
        """
        aligned = self.stack.align(pose)
        measured = self.stack.mark_measured(pose).astype(np.float32)
        values = gaussian_filter(aligned, (0.0, SMOOTH_PX, SMOOTH_PX))
        width = aligned.shape[2]
        if not self.isolated:
            # Filtering across the axis filters the object in the same way, whatever the tilt.
            values -= _filter_within(aligned, measured, (0.0, SMOOTH_PX, COARSE_SHARE * width))
            measured = _fade_to_border(measured, EDGE_SHARE * width)
        rows = self.some_rows() if rows is None else rows
        values, measured = (
            np.ascontiguousarray(part[:, rows].transpose(0, 2, 1), np.float32)
            for part in (values * (measured > 0), measured)
        )
        return Slices(values, measured).widen(width_for(width, self.angles_deg, self.isolated))

    def some_rows(self) -> NDArray[np.int64]:
        """Evenly spaced rows, at most `max_slices`."""
        h = self.stack.images.shape[1]
        return np.unique(np.linspace(0, h - 1, self.max_slices).round().astype(np.int64))

    def all_rows(self) -> NDArray[np.int64]:
        """Every row."""
        return np.arange(self.stack.images.shape[1])

    def misfit(self, pose: Pose) -> float:
        """Share of the images that a quick reconstruction from all of them cannot reproduce."""
        return _share(self._misfit_squares(pose))

    def misfit_by_tilt(self, pose: Pose) -> Doubles:
        """The same share for each image, (n_tilts,)."""
        return _share_by_tilt(self._misfit_squares(pose))

    def _misfit_squares(self, pose: Pose) -> tuple[Doubles, Doubles]:
        slices = self.slices(pose)
        tilts = np.arange(self.n_tilts)
        return _squares(slices, self._guess_rows(slices, tilts, tilts, self.misfit_sweeps))

    def withheld_error(self, pose: Pose) -> float:
        """Share of the images that the other tilts fail to predict: 0 is perfect, 1 is nothing."""
        return _share(self._withheld_squares(pose))

    def withheld_by_tilt(self, pose: Pose) -> Doubles:
        """The same share for each image, (n_tilts,)."""
        return _share_by_tilt(self._withheld_squares(pose))

    def _withheld_squares(self, pose: Pose) -> tuple[Doubles, Doubles]:
        slices = self.slices(pose)
        guesses = np.empty_like(slices.values)
        for asked in folds_of(self.n_tilts):
            known = np.setdiff1d(np.arange(self.n_tilts), asked)
            guesses[asked] = self._guess_rows(slices, known, asked, WITHHELD_SWEEPS)
        return _squares(slices, guesses)

    def predict(self, slices: Slices, volume: Floats, asked: NDArray[np.int64]) -> Floats:
        """Images (n_asked, h, w) at some tilts, from what `reconstruct` made of others.

        `slices` are those of all rows; the images are as wide as the stack's own.
        """
        there = self._project(slices, volume, asked)
        width = self.stack.images.shape[2]
        first = (there.shape[1] - width) // 2
        return np.asarray(there[:, first : first + width].transpose(0, 2, 1), np.float32)

    def reconstruct(
        self,
        slices: Slices,
        known: NDArray[np.int64],
        sweeps: int,
        start: Floats | None = None,
    ) -> Floats:
        """Volume (depth, width, n_slices) from some tilts, `start` being an earlier one of them."""
        return reconstruct_masked(
            slices.at(known),
            self.angles_deg[known],
            sweeps,
            depth=self.depth,
            nonnegative=self.isolated,
            start=start,
        )

    def _project(self, slices: Slices, volume: Floats, asked: NDArray[np.int64]) -> Floats:
        beam = ParallelBeam(self.angles_deg[asked], slices.values.shape[1], self.depth)
        return np.asarray(beam(volume), np.float32)

    def _guess_rows(
        self, slices: Slices, known: NDArray[np.int64], asked: NDArray[np.int64], sweeps: int
    ) -> Floats:
        return self._project(slices, self.reconstruct(slices, known, sweeps), asked)

    def choose_depth(self, pose: Pose) -> Consistency:
        """Choose the depth that lets withheld tilts of a film be predicted best."""
        return self if self.isolated else self._try_depths(pose)[1]

    def least_error(self, pose: Pose) -> float:
        """Return the withheld error at the depth that predicts best."""
        return self.withheld_error(pose) if self.isolated else self._try_depths(pose)[0]

    def _try_depths(self, pose: Pose) -> tuple[float, Consistency]:
        tried = [replace(self, depth_share=share) for share in FILM_DEPTHS]
        errors = [each.withheld_error(pose) for each in tried]
        least = int(np.argmin(errors))
        return errors[least], tried[least]


def folds_of(n_tilts: int) -> list[NDArray[np.int64]]:
    """Tilts to withhold together: every second of many, fewer at once where tilts are few."""
    n_folds = int(np.clip(round(2 * TILTS_TO_PREDICT / n_tilts) + 1, 2, min(MAX_FOLDS, n_tilts)))
    return [np.arange(first, n_tilts, n_folds) for first in range(n_folds)]


def halves_of(n_tilts: int) -> list[NDArray[np.int64]]:
    """Return the indices of the even and the odd tilts."""
    return [np.arange(0, n_tilts, 2), np.arange(1, n_tilts, 2)]


def _squares(slices: Slices, guesses: Floats) -> tuple[Doubles, Doubles]:
    """Weighted sums of squares of each tilt (n_tilts,): of what is wrong, and of the images."""
    wrong = np.einsum(
        "tus,tus,tus->t",
        guesses - slices.values,
        guesses - slices.values,
        slices.measured,
        dtype=np.float64,
    )
    total = np.einsum(
        "tus,tus,tus->t", slices.values, slices.values, slices.measured, dtype=np.float64
    )
    return wrong, total


def _share(squares: tuple[Doubles, Doubles]) -> float:
    wrong, total = (float(part.sum()) for part in squares)
    return float(np.sqrt(wrong / total)) if total > 0 else 1.0


def _share_by_tilt(squares: tuple[Doubles, Doubles]) -> Doubles:
    wrong, total = squares
    return np.sqrt(wrong / np.maximum(total, max(1e-3 * float(total.mean()), 1e-30)))


def _filter_within(images: Floats, measured: Floats, sigmas: tuple[float, ...]) -> Floats:
    """Gaussian filter that sees only what was measured."""
    weights = gaussian_filter(measured, sigmas)
    return np.asarray(gaussian_filter(images * measured, sigmas) / np.maximum(weights, 1e-3))


def _fade_to_border(measured: Floats, edge_px: float) -> Floats:
    """Weights that fall to zero towards the border of what was measured, across the axis."""
    near = gaussian_filter(measured, (0.0, 0.0, edge_px), mode="constant")
    return np.asarray(np.clip(2.0 * near - 1.0, 0.0, 1.0) * measured)
