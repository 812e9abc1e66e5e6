"""Real files, and MRC files made byte by byte with whatever quirks a test needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from mrcfile.dtypes import HEADER_DTYPE


@pytest.fixture(autouse=True)
def read_in_this_thread():
    """What a test reads of Dask's arrays it reads here, whatever client an earlier test left."""
    with dask.config.set(scheduler="synchronous"):
        yield


MODES = {"i1": 0, "u1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}
IMOD_STAMP = 1146047817


def mrc_bytes(
    data: np.ndarray,
    *,
    byte_order: str = "<",
    extended: bytes = b"",
    labels: tuple[str, ...] = (),
    words_128: tuple[int, int] = (0, 0),
    imod_flags: int | None = None,
    pixel_a: float = 5.0,
    **fields: Any,
) -> bytes:
    """Return an MRC file of `data` (sections, rows, columns); `fields` overrule the header."""
    header = np.zeros(1, HEADER_DTYPE.newbyteorder(byte_order))[0]
    n_sections, n_rows, n_columns = data.shape
    header["nx"], header["ny"], header["nz"] = n_columns, n_rows, n_sections
    header["mx"], header["my"], header["mz"] = n_columns, n_rows, n_sections
    header["cella"] = tuple(n * pixel_a for n in (n_columns, n_rows, n_sections))
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["mode"] = MODES[data.dtype.str[1:]]
    header["map"], header["nsymbt"] = b"MAP ", len(extended)
    header["machst"] = (68, 68, 0, 0) if byte_order == "<" else (17, 17, 0, 0)
    header["dmin"], header["dmax"] = data.min(), data.max()
    extra = bytearray(84)
    extra[16:20] = np.array(words_128, f"{byte_order}i2").tobytes()
    if imod_flags is not None:
        extra[40:48] = np.array([IMOD_STAMP, imod_flags], f"{byte_order}i4").tobytes()
    header["extra2"] = bytes(extra)
    header["nlabl"] = len(labels)
    for i, label in enumerate(labels):
        header["label"][i] = label.encode().ljust(80)
    for name, value in fields.items():
        header[name] = value
    return header.tobytes() + extended + data.astype(data.dtype.newbyteorder(byte_order)).tobytes()


def fei_records(
    angles: np.ndarray, pixel_m: float = 2e-9, axis: float = 0.0, byte_order: str = "<"
) -> bytes:
    """Return an old FEI extended header: 1024 records of 32 floats."""
    records = np.zeros((1024, 32), f"{byte_order}f4")
    records[: len(angles), 0] = angles
    records[: len(angles), 10] = axis
    records[: len(angles), 11] = pixel_m
    return records.tobytes()


@pytest.fixture
def data_dir() -> Path:
    return Path(__file__).parents[1] / "data"


@pytest.fixture
def stack() -> np.ndarray:
    """Five images of 6 x 8 pixels, each pixel with a value of its own."""
    return np.arange(5 * 6 * 8, dtype=np.float32).reshape(5, 6, 8)


@pytest.fixture
def write_mrc(tmp_path: Path) -> Callable[..., Path]:
    """Write ``write_mrc(data, "x.mrc", angles=..., **quirks)``; angles go into ``x.tlt``."""

    def write(data: np.ndarray, name: str = "x.mrc", angles: object = None, **quirks: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(mrc_bytes(data, **quirks))
        if angles is not None:
            np.savetxt(path.with_suffix(".tlt"), np.asarray(angles), fmt="%.3f")
        return path

    return write


@pytest.fixture(scope="session")
def make_fei_records() -> Callable[..., bytes]:
    return fei_records


@pytest.fixture(scope="session")
def make_mrc_bytes() -> Callable[..., bytes]:
    return mrc_bytes
