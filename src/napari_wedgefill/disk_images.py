"""Images that stay in their file: read, converted and mended where they are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
    """

    source: Any
    order: NDArray[np.int64]
    first_row: int
    n_rows: int
    survey: Survey
    fills: dict[int, float] = field(default_factory=dict)
    scales: NDArray[np.float64] | None = None

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
        blank = tuple(int(i) for i in asked if _is_blank(source, int(i)))
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

    def mirrored(self) -> DiskImages:
        """Mirror every image along its rows, without reading."""
        return replace(self, source=self.source[:, :, ::-1])

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
        rows = self.source[at, self.first_row : self.first_row + self.n_rows]
        part = np.array(_read_view(rows, rest), dtype=np.float32)
        if self.source.dtype.kind == "f" and not np.isfinite(part).all():
            part = np.where(np.isfinite(part), part, np.float32(self._fill(at)))
        if self.scales is not None:
            slope, start = self.scales[at].astype(np.float32)
            part = part * slope + start
        return part

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


def _is_blank(source: Any, i: int) -> bool:
    """Tell whether all pixels of an image have one value; a few rows mostly answer that."""
    few = read_mapped(source[i, :: max(1, source.shape[1] // FEW_ROWS)])
    if few.min() != few.max():  # what is no number is told elsewhere
        return False
    image = read_mapped(source[i])
    return bool(image.min() == image.max())


def _read_view(rows: Any, rest: tuple[Any, ...]) -> NDArray[Any]:
    """Read a part of an image; of a lazy array of chunks, the whole and then the part."""
    return read_mapped(rows[rest]) if isinstance(rows, np.ndarray) else np.asarray(rows)[rest]
