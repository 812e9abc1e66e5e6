"""MATLAB files of versions 5 to 7, element by element."""

from __future__ import annotations

import contextlib
import io
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.io.matlab_elements import read_elements


@pytest.mark.parametrize("compressed", [False, True])
def test_elements_are_those_that_scipy_reads(tmp_path, compressed):
    rng = np.random.default_rng(0)
    tomo = {"images": rng.random((3, 4, 5)), "inner": {"x": np.arange(3)}, "note": "text"}
    cell = np.array([np.arange(4.0), "text"], dtype=object)
    numbers = {
        name: rng.integers(0, 100, (3, 4, 2)).astype(name)
        for name in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
    }
    left_out = {"complex": np.ones((2, 2)) * 1j, "text": "text", "empty": np.zeros((0, 3))}
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"s": tomo, "c": cell, **numbers, **left_out}, do_compression=compressed)
    found = read_elements(path)
    assert set(found) == {"s.images", "s.inner.x", "c", *numbers}
    for name, values in numbers.items():
        np.testing.assert_array_equal(found[name].T, values)
        assert isinstance(found[name], np.memmap) != compressed
    np.testing.assert_array_equal(found["s.images"].T, tomo["images"])
    np.testing.assert_array_equal(found["c"].ravel(), np.arange(4.0))


def test_files_of_big_endian_machines(tmp_path):
    """A double array (2, 3) as a big-endian MATLAB writes it, its values stored as bytes."""
    values = bytes([1, 2, 3, 4, 5, 6])
    parts = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 2, 3)
    parts += struct.pack(">HH4s", 1, 1, b"a") + struct.pack(">II8s", 2, 6, values)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    path = tmp_path / "a.mat"
    path.write_bytes(head + struct.pack(">II", 14, len(parts)) + parts)
    np.testing.assert_array_equal(read_elements(path)["a"], [[1, 2], [3, 4], [5, 6]])


@settings(max_examples=100)
@given(st.data(), st.booleans())
def test_damaged_files_are_read_or_refused(data, compressed):
    """Type numbers out of range ended the program when scipy read them."""
    file = io.BytesIO()
    tomo = {"images": np.arange(60.0).reshape(3, 4, 5), "angles": np.arange(5)}
    scipy.io.savemat(file, {"tomo": tomo, "n": np.int16(3)}, do_compression=compressed)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(124, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mat"
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with contextlib.suppress(WedgefillError):
            read_elements(path)


def test_a_type_out_of_range_is_told(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"images": np.ones((4, 5, 6))})
    content = bytearray(path.read_bytes())
    content[content.index(b"images") + 8] = 200  # the type of the numbers that follow the name
    path.write_bytes(content)
    with pytest.raises(WedgefillError, match=r"a\.mat: .* damaged \(an element of"):
        read_tilt_series(path)


def test_version_4_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"image": np.ones((4, 5))}, format="4")
    with pytest.raises(WedgefillError, match="not a MATLAB file of version 5 or later"):
        read_tilt_series(path)


def test_a_variable_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    tag = zlib.compress(struct.pack("<II", 14, 1 << 30) + bytes(64))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(head + struct.pack("<II", 15, len(tag)) + tag)
    with pytest.raises(WedgefillError, match="unpacks to 1,073,741,832 bytes"):
        read_elements(path)
