"""A tilt series in memory: images, angles, pixel size, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .disk_images import DiskImages
from .errors import WedgefillError

MIN_TILTS = 3
#: A tilt axis is one direction of the image plane; stage tilts beyond this are typing errors.
MAX_TILT_DEG = 180.0
#: Values beyond these, and contrasts below, leave no room for sums and ratios in float32.
LARGEST_VALUE, LEAST_CONTRAST = 1e34, 1e-34
#: Angles that look like radians: so many at least, within a quarter turn and a little, over half a
#: radian, and closer to each other than any goniometer is set.
RADIANS_TILTS, RADIANS_MOST, RADIANS_RANGE, RADIANS_STEP = 10, 1.6, 0.5, 0.12


def check_geometry(
    name: str,
    angles_deg: NDArray[np.float64],
    width: int,
    *,
    pixel_nm: float | None = None,
    axis_shift_px: float = 0.0,
    axis_deg: float = 0.0,
) -> None:
    """Raise `WedgefillError` for numbers that no tilt series has, wherever they were found.

    Parameters
    ----------
    name : str
        Of the series, for the sentence.
    angles_deg : ndarray, float64, (n_tilts,)
        Tilt angles, degrees.
    width : int
        Columns of the images.
    pixel_nm : float, optional
        Pixel size in nanometres.
    axis_shift_px : float
        Position of the tilt axis along x, in pixels from the centre of the images.
    axis_deg : float
        Rotation of the tilt axis in the images as they were read, degrees.
    """
    if len(angles_deg) < MIN_TILTS:
        raise WedgefillError(
            f"{name}: only {len(angles_deg)} tilts; at least {MIN_TILTS} are needed."
        )
    if not np.all(np.isfinite(angles_deg)):
        raise WedgefillError(f"{name}: some tilt angles are not numbers; correct them.")
    steepest = float(np.abs(angles_deg).max())
    if steepest > MAX_TILT_DEG:
        raise WedgefillError(
            f"{name}: a tilt angle of {steepest:.4g} degrees was found; angles are degrees "
            f"between -{MAX_TILT_DEG:.0f} and {MAX_TILT_DEG:.0f}."
        )
    if pixel_nm is not None and not 0 < pixel_nm < np.inf:
        raise WedgefillError(
            f"{name}: a pixel size of {pixel_nm} nm is none; give it with --pixel-nm."
        )
    if not abs(axis_shift_px) <= (width - 1) / 2:
        raise WedgefillError(
            f"{name}: the tilt axis lies {axis_shift_px:g} pixels from the centre, which is "
            f"outside the images of {width} columns; give it with --axis-shift."
        )
    if not np.isfinite(axis_deg):
        raise WedgefillError(
            f"{name}: a tilt axis at {axis_deg} degrees is none; give it with --axis."
        )


def find_doubts(angles_deg: NDArray[np.float64]) -> list[str]:
    """Say what is odd about angles that are legal, one sentence each."""
    if len(angles_deg) < RADIANS_TILTS:
        return []
    ascending = np.sort(angles_deg)
    low, high = float(ascending[0]), float(ascending[-1])
    is_narrow = max(-low, high) <= RADIANS_MOST and high - low >= RADIANS_RANGE
    if not is_narrow or float(np.median(np.diff(ascending))) > RADIANS_STEP:
        return []
    return [
        f"The {len(angles_deg)} tilt angles lie between {low:.3g} and {high:.3g}, as if they were "
        "radians, but they are taken as degrees; correct them if they are not."
    ]


@dataclass(frozen=True, eq=False)
class TiltSeries:
    """Projection images of one object, tilted about an axis along image y.

    Build one with `from_arrays`, which sorts and checks; the constructor itself only checks.

    Attributes
    ----------
    images : ndarray or DiskImages, float32, (n_tilts, h, w)
        Axes (tilt, y, x); the tilt axis lies along y. Large ones stay in their file.
    angles_deg : ndarray, float64, (n_tilts,)
        Tilt angles in degrees, ascending; duplicates are legal.
    pixel_nm : float or None
        Pixel size in nanometres; None where the file does not say.
    name : str
        Name for layers and output files, without folder or suffix.
    axis_shift_px : float
        Position of the tilt axis along x, in pixels from ``(w - 1) / 2``.
    axis_deg : float
        By how many degrees the images were rotated at load to bring the axis along y.
    file_order : ndarray, int64, (n_tilts,)
        Index in the file of each image (angles are sorted at load).
    sources : mapping of str to str
        For "angles_deg", "pixel_nm" and "tilt_axis": where the value was found.
    warnings : tuple of str
        What a careful user should know, one sentence each.
    path : Path or None
        The file it was read from.
    """

    images: NDArray[np.float32] | DiskImages
    angles_deg: NDArray[np.float64]
    pixel_nm: float | None = None
    name: str = "tilt series"
    axis_shift_px: float = 0.0
    axis_deg: float = 0.0
    file_order: NDArray[np.int64] | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    path: Path | None = None

    def __post_init__(self) -> None:
        """Check shapes and angles; see `check_intensities` for the pixels."""
        if self.images.ndim != 3:
            raise WedgefillError(
                f"{self.name}: a tilt series has three axes (tilt, y, x), but this array has "
                f"{self.images.ndim}; give a stack of projection images."
            )
        if self.images.dtype != np.float32:
            raise WedgefillError(f"{self.name}: images must be float32, not {self.images.dtype}.")
        n_tilts, n_angles = self.images.shape[0], len(self.angles_deg)
        if n_tilts != n_angles:
            raise WedgefillError(
                f"{self.name}: {n_tilts} images but {n_angles} angles; give one angle per image."
            )
        check_geometry(
            self.name,
            self.angles_deg,
            self.images.shape[2],
            pixel_nm=self.pixel_nm,
            axis_shift_px=self.axis_shift_px,
            axis_deg=self.axis_deg,
        )
        if np.any(np.diff(self.angles_deg) < 0):
            raise WedgefillError(f"{self.name}: angles must ascend; use TiltSeries.from_arrays.")
        new = [doubt for doubt in find_doubts(self.angles_deg) if doubt not in self.warnings]
        if new:
            object.__setattr__(self, "warnings", (*self.warnings, *new))

    @classmethod
    def from_arrays(
        cls, images: ArrayLike | DiskImages, angles_deg: ArrayLike, **fields: Any
    ) -> TiltSeries:
        """Sort by angle, convert to native float32, and check.

        Parameters
        ----------
        images : array_like or DiskImages, (n_tilts, h, w)
            Any numeric type or byte order, in the order of `angles_deg`. `DiskImages` stay on disk.
        angles_deg : array_like, (n_tilts,)
            Degrees, in any order.
        **fields
            Any other attribute of the class.

        Raises
        ------
        WedgefillError
            If the counts differ, there are too few tilts, or the images hold nothing.
        """
        stack = images if isinstance(images, DiskImages) else np.asarray(images)
        angles = np.asarray(angles_deg, dtype=np.float64).ravel()
        order = np.arange(len(angles))
        if stack.ndim == 3 and stack.shape[0] == len(angles):
            order = np.argsort(angles, kind="stable")
            if not np.array_equal(order, np.arange(len(order))):
                angles = angles[order]
                stack = stack.tilts(order) if isinstance(stack, DiskImages) else stack[order]
        fields.setdefault("file_order", order)
        if not isinstance(stack, DiskImages):
            stack = np.ascontiguousarray(stack, dtype=np.float32)
        series = cls(stack, angles, **fields)
        series.check_intensities()
        return series

    def check_intensities(self) -> None:
        """Raise `WedgefillError` where the images hold no usable number or no contrast."""
        low, high, n_bad = self._extremes()
        if n_bad == self.images.size:
            raise WedgefillError(f"{self.name}: every pixel is NaN or infinite; export it again.")
        if n_bad:
            raise WedgefillError(
                f"{self.name}: {n_bad} pixels are NaN or infinite{self._place_bad_pixels()}; "
                "replace them, or leave such tilts out."
            )
        if low == high:
            raise WedgefillError(
                f"{self.name}: every pixel has the same value; the images hold no signal."
            )
        if max(-low, high) > LARGEST_VALUE or high - low < LEAST_CONTRAST:
            raise WedgefillError(
                f"{self.name}: its values lie between {low:.3g} and {high:.3g}, which is beyond "
                "what can be computed with in single precision; multiply the images by a constant."
            )

    def _place_bad_pixels(self) -> str:
        """Say which images hold pixels that are no numbers."""
        if isinstance(self.images, DiskImages):
            return ""
        bad = [k for k, image in enumerate(self.images) if not np.isfinite(image).all()]
        more = f" and {len(bad) - 1} others" if len(bad) > 1 else ""
        return f", in image {bad[0]} ({self.angles_deg[bad[0]]:.1f} degrees){more}"

    def _extremes(self) -> tuple[float, float, int]:
        """Return the lowest and highest finite pixel, and how many are not finite."""
        if isinstance(self.images, DiskImages):
            survey = self.images.survey
            return survey.low, survey.high, survey.n_unmendable
        low, high, n_bad = np.inf, -np.inf, 0
        for image in self.images:
            finite = np.isfinite(image)
            n_bad += int(finite.size - np.count_nonzero(finite))
            low = min(low, float(image.min(where=finite, initial=np.inf)))
            high = max(high, float(image.max(where=finite, initial=-np.inf)))
        return low, high, n_bad

    @property
    def n_tilts(self) -> int:
        """Number of images."""
        return int(self.images.shape[0])

    @property
    def height(self) -> int:
        """Image rows: the number of slices of the volume along the tilt axis."""
        return int(self.images.shape[1])

    @property
    def width(self) -> int:
        """Image columns: the detector pixels perpendicular to the tilt axis."""
        return int(self.images.shape[2])

    def sinograms(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows ``start:stop`` in the solvers' layout, float32 ``(n_tilts, w, n_slices)``."""
        if isinstance(self.images, DiskImages):
            return self.images.sinograms(start, self.height if stop is None else stop)
        return np.ascontiguousarray(self.images[:, start:stop].transpose(0, 2, 1), np.float32)

    def rows(self, start: int, stop: int) -> TiltSeries:
        """Return the part of the series that holds the slices ``start:stop`` along the axis."""
        if not 0 <= start < stop <= self.height:
            raise WedgefillError(
                f"{self.name}: slices {start}:{stop} were asked for, but it has {self.height}; "
                f"choose 0 <= start < stop <= {self.height}."
            )
        if isinstance(self.images, DiskImages):
            return replace(self, images=self.images.rows(start, stop))
        return replace(self, images=self.images[:, start:stop])

    def tilts(self, keep: ArrayLike) -> TiltSeries:
        """Return the series with only the tilts at the indices (or boolean mask) `keep`."""
        keep = np.asarray(keep)
        order = None if self.file_order is None else self.file_order[keep]
        return replace(
            self, images=self._images_at(keep), angles_deg=self.angles_deg[keep], file_order=order
        )

    def negated(self) -> TiltSeries:
        """Return the series with the sign of every angle changed: the volume's mirror along z."""
        order = None if self.file_order is None else self.file_order[::-1]
        return replace(
            self,
            images=self._images_at(slice(None, None, -1)),
            angles_deg=-self.angles_deg[::-1],
            file_order=order,
        )

    def mirrored(self) -> TiltSeries:
        """Return the series with its images mirrored along x: the volume turned by 180 degrees."""
        images = self.images
        images = images.mirrored() if isinstance(images, DiskImages) else images[:, :, ::-1]
        return replace(self, images=images, axis_shift_px=-self.axis_shift_px)

    def array(self) -> NDArray[np.float32]:
        """All images in memory, float32 (n_tilts, h, w)."""
        return np.asarray(self.images)

    def _images_at(self, keep: Any) -> NDArray[np.float32] | DiskImages:
        if isinstance(self.images, DiskImages):
            return self.images.tilts(keep)
        return self.images[keep]

    def binned(self, n: int) -> TiltSeries:
        """Average ``n x n`` pixels; rows and columns that do not fill a bin are cropped evenly."""
        if n == 1:
            return self
        if n < 1 or min(self.height, self.width) < n:
            raise WedgefillError(f"{self.name}: cannot bin {self.height} x {self.width} by {n}.")
        h, w = self.height // n, self.width // n
        top, left = (self.height - h * n) // 2, (self.width - w * n) // 2
        binned = np.empty((self.n_tilts, h, w), np.float32)
        for image, result in zip(self.images, binned, strict=True):
            crop = image[top : top + h * n, left : left + w * n].reshape(h, n, w, n)
            crop.mean(axis=(1, 3), dtype=np.float32, out=result)
        # Cropping an odd number of columns moves the centre by half a pixel: keep the axis put.
        moved = (self.width - 1) / 2 - (left + (w * n - 1) / 2)
        return replace(
            self,
            images=binned,
            pixel_nm=None if self.pixel_nm is None else self.pixel_nm * n,
            axis_shift_px=(self.axis_shift_px + moved) / n,
        )
