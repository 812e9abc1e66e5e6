"""Images that stay in their file: read, converted and mended where they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mapped_files import read_mapped
from .memory import release_pages

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Survey:
    """What one pass over all pixels found: the finite extremes and what is not finite."""

    low: float
    high: float
    n_unmendable: int
    n_mended: int


@dataclass(frozen=True, eq=False)
class DiskImages:
    """A stack of images mapped from a file, seen as float32 (n, h, w).

    Indexing reads: ``images[3]``, ``images[:, 10:20]`` and ``images[order]`` give arrays. `tilts`
    and `rows` select without reading.

    Attributes
    ----------
    source : ndarray, any real type and byte order, (n_in_file, h_in_file, w)
        A memory map, or a view of one.
    order : ndarray, int64, (n,)
        Which image of `source` each one is.
    first_row, n_rows : int
        Rows of `source` that are seen.
    fills : mapping of int to float
        By image of `source`: the value that stands in for pixels that are NaN or infinite.
    survey : Survey
        Of the whole file.
    """

    source: NDArray[Any]
    order: NDArray[np.int64]
    first_row: int
    n_rows: int
    fills: Mapping[int, float]
    survey: Survey

    @classmethod
    def of(cls, source: NDArray[Any]) -> DiskImages:
        """Look once at every pixel; isolated ones that are no numbers take their image's median."""
        low, high, n_unmendable = np.inf, -np.inf, 0
        fills: dict[int, float] = {}
        n_mended = 0
        for i, image in enumerate(source):
            pixels = read_mapped(image)
            if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
                good = pixels[np.isfinite(pixels)]
                if good.size == 0:
                    n_unmendable += pixels.size
                    continue
                fills[i] = float(np.median(good))
                n_mended += pixels.size - good.size
                pixels = good
            low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
            release_pages(source)
        survey = Survey(low, high, n_unmendable, n_mended)
        return cls(source, np.arange(len(source)), 0, source.shape[1], fills, survey)

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
        part = np.array(read_mapped(rows[rest]), dtype=np.float32)
        if at in self.fills:
            part = np.where(np.isfinite(part), part, np.float32(self.fills[at]))
        return part
