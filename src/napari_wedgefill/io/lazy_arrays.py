"""Arrays that are read chunk by chunk, whose damages are told in a sentence when they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import WedgefillError
from ..mapped_files import read_mapped


@contextmanager
def report_as_damage(path: Path) -> Iterator[None]:
    """Turn whatever a library raises over damaged bytes into a `WedgefillError` of one sentence."""
    try:
        yield
    except WedgefillError:
        raise
    except ImportError as error:
        raise WedgefillError(
            f"{path.name}: reading it takes a package that is not installed ({error.name}); run: "
            f"pip install 'napari-wedgefill[formats]'"
        ) from None
    except TimeoutError:
        raise WedgefillError(
            f"{path.name}: the disk or the network did not answer in time; try again."
        ) from None
    except MemoryError:
        raise WedgefillError(
            f"{path.name}: a damaged file, or one that asks for more memory than there is; copy or "
            f"export it again."
        ) from None
    except Exception as error:  # h5py, zarr, scipy and rosettasciio raise what they please
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:120]
        raise WedgefillError(
            f"{path.name}: this file is damaged, or not what its name says ({reason}); copy or "
            f"export it again."
        ) from None


def make_stand_in(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros that take no memory, in place of pixels that nobody will look at."""
    return np.broadcast_to(np.zeros((), dtype), tuple(shape))


class Guarded:
    """An array in a file that dask may read; what goes wrong is told with the file's name.

    Parameters
    ----------
    path : Path
        The file.
    source : array_like
        Anything with shape, dtype and basic slicing.
    """

    def __init__(self, path: Path, source: Any) -> None:
        self._path, self._source = path, source
        self.shape, self.dtype, self.ndim = source.shape, source.dtype, source.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        with report_as_damage(self._path):
            return read_mapped(self._source[key])


def read_by_chunks(path: Path, source: Any, chunks: Any) -> Any:
    """Return a dask array that reads `source` when it is looked at."""
    import dask.array

    from_array: Callable[..., Any] = dask.array.from_array
    return from_array(Guarded(path, source), chunks=chunks, name=False, lock=True, asarray=True)
