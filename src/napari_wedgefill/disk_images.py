"""Images that stay in their file: read, converted and mended where they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import WedgefillError
from .mapped_files import read_mapped
from .memory import release_pages

Floats = NDArray[np.float32]


#: So many images, spread over the series, are looked at when a file is opened, and of large ones
#: evenly spaced rows with so many pixels.
N_SURVEYED, SURVEYED_PIXELS = 5, 2_000_000
#: Rows that are looked at first where all images are asked whether they are blank.
FEW_ROWS = 3


@dataclass(frozen=True)
class Survey:
    """What a look at a few images found: the finite extremes and what is not finite.

    Attributes
    ----------
    low, high : float
        Extremes of the pixels that are numbers.
    n_unmendable : int
        Pixels of images that hold no number at all.
    n_mended : int
        Other pixels that are NaN or infinite.
    n_images : int
        How many images were looked at.
    blank : tuple of int
        Those of the file whose pixels all have one value: all of a mapped file, and of what is read
        in chunks those that were looked at.
    """

    low: float
    high: float
    n_unmendable: int
    n_mended: int
    n_images: int
    blank: tuple[int, ...] = ()


def flag_outside(extents: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """Return the pixels outside of extents (h, 2), first and past-the-last of each row, (h, w)."""
    at = np.arange(width)
    return (at < extents[:, :1]) | (at >= extents[:, 1:])


@dataclass(frozen=True, eq=False)
class Frame:
    """What takes the place of edges and corners of one image that were never measured.

    Attributes
    ----------
    extents : ndarray of int, (h, 2)
        First measured pixel of each row and one past the last; equal where none was.
    values : ndarray, float32, (n,)
        Of the other pixels, row by row.
    width : int
        Of the image.
    """

    extents: NDArray[np.int64]
    values: Floats
    width: int

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Where the values of each row begin, and where the last ends, (h + 1,)."""
        n_missing = self.width - (self.extents[:, 1] - self.extents[:, 0])
        return np.concatenate([[0], np.cumsum(n_missing)])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which pixels were not measured, (h, w)."""
        return flag_outside(self.extents, self.width)

    def fill(self, rows: Floats, numbers: NDArray[np.int64]) -> Floats:
        """Fill rows (n, w) with these numbers; they are not changed."""
        out = np.array(rows, np.float32)
        for row, k in zip(out, numbers, strict=True):
            first, stop = self.extents[k]
            values = self.values[self._starts[k] : self._starts[k + 1]]
            row[:first], row[stop:] = values[:first], values[first:]
        return out

    def among(self, before: int, after: int) -> Frame:
        """Return it with so many whole rows before and after."""
        whole = np.array([[0, self.width]])
        extents = np.concatenate([whole.repeat(before, 0), self.extents, whole.repeat(after, 0)])
        return replace(self, extents=extents)

    def binned(self, n: int) -> Frame:
        """Return which of ``n x n`` pixels hold some that were not measured, without values.

        Rows and columns that do not fill a bin are cropped evenly, as `TiltSeries.binned` does.
        """
        h, w = len(self.extents) // n, self.width // n
        top, left = (len(self.extents) - h * n) // 2, (self.width - w * n) // 2
        rows = self.extents[top : top + h * n].reshape(h, n, 2) - left
        first = -(-rows[:, :, 0].max(axis=1).clip(0) // n)
        stop = rows[:, :, 1].min(axis=1).clip(0, w * n) // n
        extents = np.stack([np.minimum(first, stop), stop], axis=1)
        return Frame(extents, np.empty(0, np.float32), w)

    def mirrored(self) -> Frame:
        """Return that of the image with its columns in reverse."""
        rows = np.split(self.values, self._starts[1:-1])
        values = np.concatenate([row[::-1] for row in rows])
        return replace(self, extents=self.width - self.extents[:, ::-1], values=values)


@dataclass(frozen=True, eq=False)
class DiskImages:
    """A stack of images in a file, seen as float32 (n, h, w).

    Indexing reads: ``images[3]``, ``images[:, 10:20]`` and ``images[order]`` give arrays. `tilts`
    and `rows` select without reading. Single pixels that are NaN or infinite take the median of
    their image as they are read.

    Attributes
    ----------
    source : array_like, any real type and byte order, (n_in_file, h_in_file, w)
        A memory map, a view of one, or a lazy array of chunks (dask).
    order : ndarray, int64, (n,)
        Which image of `source` each one is.
    first_row, n_rows : int
        Rows of `source` that are seen.
    survey : Survey
        Of a few images of the file.
    fills : dict of int to float
        Medians found so far, by image of `source`.
    scales : ndarray, float64, (n_in_file, 2), optional
        What each image of `source` is multiplied by, and what is added then.
    frames : dict of int to Frame
        By image of `source`, what takes the place of pixels that were never measured.
    slopes : ndarray, float64, (n_in_file, 3), optional
        Rise of the background of each image, per row and per column, which is taken away, and the
        row that stays as it is.
    """

    source: Any
    order: NDArray[np.int64]
    first_row: int
    n_rows: int
    survey: Survey
    fills: dict[int, float] = field(default_factory=dict)
    scales: NDArray[np.float64] | None = None
    frames: Mapping[int, Frame] = field(default_factory=dict)
    slopes: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, source: Any) -> DiskImages:
        """Look at a few images, so that a file without signal is refused before it is used."""
        low, high, n_unmendable, n_mended = np.inf, -np.inf, 0, 0
        chosen = np.unique(np.linspace(0, len(source) - 1, N_SURVEYED).astype(int))
        step = -(-int(source.shape[1] * source.shape[2]) // SURVEYED_PIXELS)
        for i in chosen:
            pixels = read_mapped(source[int(i), ::step])
            if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
                good = pixels[np.isfinite(pixels)]
                if good.size == 0:
                    n_unmendable += pixels.size
                    continue
                n_mended += pixels.size - good.size
                pixels = good
            low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
            release_pages(source)
        asked = range(len(source)) if isinstance(source, np.ndarray) else chosen
        blank = tuple(int(i) for i in asked if is_blank(source, int(i)))
        survey = Survey(low, high, n_unmendable, n_mended, len(chosen), blank)
        return cls(source, np.arange(len(source)), 0, int(source.shape[1]), survey)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Images, rows, columns."""
        return len(self.order), self.n_rows, int(self.source.shape[2])

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """What indexing gives: float32."""
        return np.dtype(np.float32)

    @property
    def size(self) -> int:
        """Number of pixels."""
        n, h, w = self.shape
        return n * h * w

    @property
    def nbytes(self) -> int:
        """Bytes that all pixels would take as float32."""
        return 4 * self.size

    def tilts(self, keep: Any) -> DiskImages:
        """Select images by slice, indices or mask, in the order given."""
        return replace(self, order=self.order[keep])

    def rows(self, start: int, stop: int) -> DiskImages:
        """Select the rows ``start:stop``."""
        return replace(self, first_row=self.first_row + start, n_rows=stop - start)

    def scaled(self, factors: NDArray[np.float64], added: NDArray[np.float64]) -> DiskImages:
        """Multiply each image by a factor and add a number, as it is read; both (n,)."""
        scales = np.tile((1.0, 0.0), (len(self.source), 1)) if self.scales is None else self.scales
        slopes, starts = scales[self.order].T
        scales = scales.copy()
        scales[self.order] = np.stack([slopes * factors, starts * factors + added], axis=1)
        return replace(self, scales=scales)

    def with_frames(self, frames: Mapping[int, Frame]) -> DiskImages:
        """Fill frames as they are read, by image."""
        before, height = self.first_row, int(self.source.shape[1])
        whole = {
            int(self.order[k]): frame.among(before, height - before - self.n_rows)
            for k, frame in frames.items()
        }
        return replace(self, frames=whole)

    def without_slopes(self, slopes: NDArray[np.float64]) -> DiskImages:
        """Take a rise per row and per column, (n, 2), away from each image as it is read."""
        whole = np.zeros((len(self.source), 3))
        whole[self.order, :2] = slopes
        whole[:, 2] = self.first_row + (self.n_rows - 1) / 2
        return replace(self, slopes=whole)

    def mirrored(self) -> DiskImages:
        """Mirror every image along its rows, without reading."""
        return replace(
            self,
            source=self.source[:, :, ::-1],
            frames={k: frame.mirrored() for k, frame in self.frames.items()},
            slopes=None if self.slopes is None else self.slopes * (1.0, -1.0, 1.0),
        )

    def sinograms(self, start: int, stop: int) -> Floats:
        """Rows ``start:stop`` in the solvers' layout, (n, w, n_slices)."""
        n, _, w = self.shape
        out = np.empty((n, w, stop - start), np.float32)
        for i in range(n):
            out[i] = self._read(i, (slice(start, stop),)).T
        release_pages(self.source)
        return out

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Floats]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Floats:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in [k for k in keys if k is Ellipsis]:
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            filler = (slice(None),) * (4 - len(keys))
            keys = (*keys[:at], *filler, *keys[at + 1 :])
        first, rest = (keys[0], keys[1:]) if keys else (slice(None), ())
        chosen = np.arange(len(self))[first]
        if chosen.ndim == 0:
            part = self._read(int(chosen), rest)
        elif chosen.size == 0:
            part = np.empty((0, *self.shape[1:]), np.float32)[(slice(None), *rest)]
        else:
            part = np.stack([self._read(int(i), rest) for i in chosen])
        release_pages(self.source)
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("images in a file become an array only by a copy")
        return np.asarray(self[:], dtype=dtype)

    def _read(self, i: int, rest: tuple[Any, ...]) -> Floats:
        at = int(self.order[i])
        if at in self.frames or self.slopes is not None:
            part = self._read_corrected(at, rest)
        else:
            rows = self.source[at, self.first_row : self.first_row + self.n_rows]
            part = self._convert(at, _read_view(rows, rest))
        if self.scales is not None:
            slope, start = self.scales[at].astype(np.float32)
            part = part * slope + start
        return part

    def _convert(self, at: int, pixels: NDArray[Any]) -> Floats:
        part = np.array(pixels, dtype=np.float32)
        if self.source.dtype.kind == "f" and not np.isfinite(part).all():
            part = np.where(np.isfinite(part), part, np.float32(self._fill(at)))
        return part

    def _read_corrected(self, at: int, rest: tuple[Any, ...]) -> Floats:
        """Read whole rows, fill their frames and take the slope away, and select the columns."""
        key, *columns = rest or (slice(None),)
        rows = np.arange(self.first_row, self.first_row + self.n_rows)[key]
        wanted = np.atleast_1d(rows)
        part = self._convert(at, _read_view(self.source[at], (wanted,)))
        if at in self.frames:
            part = self.frames[at].fill(part, wanted)
        if self.slopes is not None:
            slope = self.slopes[at]
            part = subtract_slope(part, slope[:2], wanted - slope[2])
        whole = part if rows.ndim else part[0]
        if columns:
            whole = whole[(slice(None),) * rows.ndim + tuple(columns)]
        return np.asarray(whole, np.float32)

    def _fill(self, at: int) -> float:
        """Return the median of an image, which stands in for what is no number in it."""
        if at not in self.fills:
            image = read_mapped(self.source[at])
            good = image[np.isfinite(image)]
            if good.size == 0:
                raise WedgefillError(
                    f"every pixel of image {at} (counted from 0) is NaN or infinite; leave that "
                    f"tilt out, or export the series again."
                )
            self.fills[at] = float(np.median(good))
        return self.fills[at]


def subtract_slope(rows: Floats, slope: NDArray[np.float64], y: NDArray[np.float64]) -> Floats:
    """Take a rise per row and per column away from rows (n, w) at `y` from the middle one."""
    x = np.arange(rows.shape[1]) - (rows.shape[1] - 1) / 2
    plane = slope[0] * y[:, None] + slope[1] * x
    return np.asarray(rows - plane, np.float32)


def is_blank(source: Any, i: int) -> bool:
    """Tell whether all pixels of an image have one value; a few rows mostly answer that."""
    few = read_mapped(source[i, :: max(1, source.shape[1] // FEW_ROWS)])
    if few.min() != few.max():  # what is no number is told elsewhere
        return False
    image = read_mapped(source[i])
    return bool(image.min() == image.max())


def _read_view(rows: Any, rest: tuple[Any, ...]) -> NDArray[Any]:
    """Read a part of an image; of a lazy array of chunks, the whole and then the part."""
    return read_mapped(rows[rest]) if isinstance(rows, np.ndarray) else read_mapped(rows)[rest]
