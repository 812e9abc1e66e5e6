"""Compressed files: unpacked no further than needed, and refused by their size before that."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import compressed, describe, read_tilt_series
from napari_wedgefill.io.formats import open_stack

ANGLES = np.arange(-60.0, 61.0, 30.0)


@pytest.fixture
def packed_mrc(tmp_path, stack, make_mrc_bytes):
    """Write ``x.mrc.gz`` or ``x.mrc.bz2`` with angles in ``x.tlt``."""

    def write(pack=gzip.compress, suffix=".gz", tail=b"", **fields):
        path = tmp_path / f"x.mrc{suffix}"
        path.write_bytes(pack(make_mrc_bytes(stack, **fields) + tail))
        np.savetxt(tmp_path / "x.tlt", ANGLES)
        return path

    return write


@pytest.fixture
def unpacked_bytes(monkeypatch):
    """Return how many bytes were unpacked by each call."""
    lengths = []
    copy = compressed._copy

    def count(path, packed, plain, *limits):
        copy(path, packed, plain, *limits)
        lengths.append(plain.tell())

    monkeypatch.setattr(compressed, "_copy", count)
    return lengths


def test_describing_unpacks_nothing_where_the_length_is_stated(packed_mrc, unpacked_bytes):
    found = describe(packed_mrc())
    assert (found["kind"], found["shape"], found["dtype"]) == ("tilt series", [5, 6, 8], "float32")
    assert unpacked_bytes == []


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_what_lies_behind_the_pixels_is_not_unpacked(
    packed_mrc, unpacked_bytes, stack, pack, suffix
):
    path = packed_mrc(pack, suffix, tail=bytes(10_000_000))
    np.testing.assert_array_equal(read_tilt_series(path).images, stack)
    assert unpacked_bytes == [1024 + stack.nbytes]


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_a_header_that_promises_too_much_is_refused_before(
    packed_mrc, unpacked_bytes, pack, suffix
):
    path = packed_mrc(pack, suffix, nx=30_000, ny=30_000, nz=30_000)
    with pytest.raises(WedgefillError, match="too much for its size"):
        describe(path)
    assert unpacked_bytes == []


def test_a_file_that_states_too_much_is_refused_before(tmp_path, unpacked_bytes):
    raw = bytearray(gzip.compress(bytes(1000)))
    raw[-4:] = (3 << 30).to_bytes(4, "little")
    (tmp_path / "x.tif.gz").write_bytes(raw)
    with pytest.raises(WedgefillError, match="too much for its size"):
        describe(tmp_path / "x.tif.gz")
    assert unpacked_bytes == []


def test_a_bomb_without_a_stated_size_is_stopped_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(compressed, "ALWAYS_LEGAL_BYTES", 1 << 20)
    (tmp_path / "x.npy.bz2").write_bytes(bz2.compress(bytes(20 << 20)))
    with pytest.raises(WedgefillError, match="too much for its size"):
        describe(tmp_path / "x.npy.bz2")


@pytest.mark.parametrize("cut", [20, 40])
def test_files_that_are_cut_short_are_refused_by_describing_too(packed_mrc, cut):
    """Of bytes that are missing behind the pixels nobody needs to hear."""
    path = packed_mrc()
    path.write_bytes(path.read_bytes()[:-cut])
    for read in (describe, read_tilt_series):
        with pytest.raises(WedgefillError, match="cut short"):
            read(path)


def test_files_whose_pixels_are_cut_short_inside_are_refused_by_describing_too(
    packed_mrc, stack, make_mrc_bytes
):
    path = packed_mrc()
    path.write_bytes(gzip.compress(make_mrc_bytes(stack)[:-100]))
    for read in (describe, read_tilt_series):
        with pytest.raises(WedgefillError, match="cut short"):
            read(path)


def test_bytes_of_unknown_sign_are_told_by_describing_too(packed_mrc, tmp_path, make_mrc_bytes):
    stack = np.arange(5 * 6 * 8, dtype=np.uint8).reshape(5, 6, 8)
    path = packed_mrc()
    path.write_bytes(gzip.compress(make_mrc_bytes(stack, dmin=0, dmax=0)))
    assert any("signed" in note for note in describe(path)["warnings"])


def _mat(path, images):
    savemat(path, {"stack": images.T, "angles": ANGLES}, do_compression=True)


def _mat_struct(path, images):
    savemat(path, {"s": {"stack": images.T, "angles": ANGLES}}, do_compression=True)


def _npz(path, images):
    np.savez_compressed(path, images=images, angles=ANGLES)


def _tif(path, images):
    tifffile.imwrite(path, images, compression="zlib", photometric="minisblack")
    np.savetxt(path.with_suffix(".tlt"), ANGLES)


@pytest.mark.parametrize(
    ("name", "write", "is_spared"),
    [
        ("a.mat", _mat, True),
        ("s.mat", _mat_struct, False),
        ("a.npz", _npz, True),
        ("a.tif", _tif, True),
    ],
)
def test_large_compressed_arrays_are_described_without_being_unpacked(
    tmp_path, name, write, is_spared
):
    images = np.random.default_rng(0).integers(0, 99, (5, 300, 400)).astype(np.float32)
    write(tmp_path / name, images)
    described = open_stack(tmp_path / name, headers_only=True)
    assert (described.pixels.shape, described.pixels.dtype) == (images.shape, np.float32)
    assert bool(np.any(described.pixels[-1])) != is_spared
    assert describe(tmp_path / name)["angles_deg"] == ANGLES.tolist()
    np.testing.assert_array_equal(read_tilt_series(tmp_path / name).images, images[:, ::-1])


def test_large_variables_of_matlab_are_mapped_from_the_disk(tmp_path):
    images = np.random.default_rng(0).integers(0, 99, (5, 300, 400)).astype(np.float32)
    _mat(tmp_path / "a.mat", images)
    pixels = open_stack(tmp_path / "a.mat").pixels
    while not isinstance(pixels, np.memmap):
        pixels = pixels.base
    np.testing.assert_array_equal(open_stack(tmp_path / "a.mat").pixels, images[:, ::-1])
