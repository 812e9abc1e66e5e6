"""Every way in which MRC files differ from what their reader expects."""

from __future__ import annotations

import bz2
import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import kind_of, read_tilt_series, read_volume, volume_reader
from napari_wedgefill.mapped_files import find_map

ANGLES = [-60, -30, 0, 30, 60]


def test_big_endian_becomes_native(stack, write_mrc, make_fei_records):
    extended = make_fei_records(np.array(ANGLES), 2e-9, 0.0, ">")
    path = write_mrc(
        stack, byte_order=">", extended=extended, words_128=(0, 32), pixel_a=1.0,
        machst=(0, 0, 0, 0), map=b"",
    )  # fmt: skip
    series = read_tilt_series(path, axis="y")
    np.testing.assert_array_equal(series.images, stack)
    assert series.images.dtype.isnative
    assert series.angles_deg.tolist() == ANGLES
    assert series.pixel_nm == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("imod_flags", "limits", "signed"),
    [(1, (0, 200), True), (0, (-5, 5), False), (None, (-128, 127), True), (None, (0, 200), False),
     (None, (0, 0), False), (None, (-1, 255), False), (None, (-120, 140), True)],
)  # fmt: skip
def test_bytes_are_signed_or_not(write_mrc, imod_flags, limits, signed):
    data = np.arange(5 * 6 * 8, dtype=np.uint8).reshape(5, 6, 8)
    path = write_mrc(data, angles=ANGLES, imod_flags=imod_flags, dmin=limits[0], dmax=limits[1])
    images = read_tilt_series(path).images
    np.testing.assert_array_equal(images, data.view(np.int8) if signed else data)


@pytest.mark.parametrize("dtype", ["i2", "u2", "f2", "f4"])
def test_other_modes(stack, write_mrc, dtype):
    path = write_mrc(stack.astype(dtype), angles=ANGLES)
    np.testing.assert_array_equal(read_tilt_series(path).images, stack)


@pytest.mark.parametrize(("mode", "word"), [(3, "complex"), (4, "complex"), (16, "RGB")])
def test_pixels_that_are_no_numbers_are_refused(stack, write_mrc, mode, word):
    with pytest.raises(WedgefillError, match=f"pixels are {word}"):
        read_volume(write_mrc(stack, mode=mode))


@pytest.mark.parametrize(
    "order", [(1, 2, 3), (2, 1, 3), (3, 1, 2), (3, 2, 1), (1, 3, 2), (2, 3, 1)]
)
def test_axis_order_of_volumes(write_mrc, order):
    """A volume that says which axis its columns, rows and sections are comes out as (z, y, x)."""
    truth = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    # numpy axis of x, y, z in `truth` is 2, 1, 0: store sections, rows, columns as `order` says.
    stored = truth.transpose([3 - letter for letter in reversed(order)])
    path = write_mrc(
        stored, mapc=order[0], mapr=order[1], maps=order[2], mx=4, my=3, mz=2,
        cella=(4 * 10.0, 3 * 20.0, 2 * 30.0),
    )  # fmt: skip
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, truth)
    assert volume.voxel_nm == pytest.approx((3.0, 2.0, 1.0))


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed(stack, write_mrc, suffix, compress):
    path = write_mrc(stack, angles=ANGLES)
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(compress(path.read_bytes()))
    series = read_tilt_series(packed)
    np.testing.assert_array_equal(series.images, stack)
    assert series.name == "x"
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(WedgefillError, match=r"cannot be read|cut short"):
        read_tilt_series(packed)


@pytest.mark.parametrize("keep", [0, 500, 1024, 1500])
def test_truncated_files_are_refused(stack, write_mrc, keep):
    path = write_mrc(stack, angles=ANGLES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WedgefillError, match=r"^x\.mrc: .*(not an MRC header|cut short)"):
        read_tilt_series(path)


def test_text_is_not_mrc(tmp_path):
    path = tmp_path / "x.mrc"
    path.write_text("not an image " * 200)
    with pytest.raises(WedgefillError, match="not an MRC header"):
        read_volume(path)


def test_one_angstrom_means_unknown(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, pixel_a=1.0)
    series = read_tilt_series(path)
    assert series.pixel_nm is None
    assert series.sources["pixel_nm"] == "not found"
    assert "pixel size is unknown" in series.warnings[0]
    assert read_tilt_series(path, pixel_nm=0.1).pixel_nm == 0.1


def test_cell_wins_over_a_stale_extended_header(stack, write_mrc, make_fei_records):
    """A program that bins doubles the cell and copies the records."""
    path = write_mrc(
        stack, extended=make_fei_records(np.array(ANGLES), 2e-9), words_128=(0, 32), pixel_a=40.0
    )
    series = read_tilt_series(path)
    assert series.pixel_nm == pytest.approx(4.0)
    assert "2 nm by extended header" in series.warnings[0]


def test_fei_records_may_hold_the_axis(stack, write_mrc, make_fei_records):
    extended = make_fei_records(np.array(ANGLES), 2e-9, axis=-90.0)
    path = write_mrc(stack, extended=extended, words_128=(0, 32), map=b"")
    series = read_tilt_series(path)
    assert series.axis_deg == -90.0
    np.testing.assert_array_equal(series.images, np.rot90(stack, -1, axes=(1, 2)))
    log = path.with_suffix(".txt")
    log.write_bytes(b"11/18/11 10:36:43   Tilt Axis Angle [\xb0]:-90,00\r\n")
    with_log = read_tilt_series(path)
    assert with_log.axis_deg == 90.0  # FEI counts clockwise
    assert with_log.sources["tilt_axis"] == "x.txt"
    assert "at 90 degrees by x.txt and at -90 degrees by extended" in " ".join(with_log.warnings)


@pytest.mark.parametrize(
    ("label", "axis_deg"),
    [("Fei Company (C) Copyright 2003", 4.2), ("    Fei Company", -4.2), ("SomethingElse", -4.2)],
)
def test_feis_own_files_count_the_axis_clockwise(
    stack, write_mrc, make_fei_records, label, axis_deg
):
    extended = make_fei_records(np.array(ANGLES), axis=-4.2)
    path = write_mrc(stack, extended=extended, words_128=(0, 32), labels=(label,))
    # As IMOD has it: the first label must begin with "Fei ".
    assert read_tilt_series(path).axis_deg == pytest.approx(axis_deg)


def test_empty_fei_records_are_no_angles(stack, write_mrc, make_fei_records):
    path = write_mrc(stack, extended=make_fei_records(np.zeros(5)), words_128=(0, 32))
    with pytest.raises(WedgefillError, match=r"no tilt angles were found.*x\.tlt"):
        read_tilt_series(path)


def test_serialem_montage_is_refused(stack, write_mrc):
    records = np.zeros((5, 4), "<i2")
    records[:, 0] = np.array(ANGLES) * 100
    path = write_mrc(stack, extended=records.tobytes(), words_128=(8, 3), exttyp=b"SERI")
    with pytest.raises(WedgefillError, match="montage"):
        read_tilt_series(path)


def test_words_that_do_not_add_up_are_not_serialems(stack, write_mrc):
    """Then they count integers and floats per section: here 1 integer, then the tilt."""
    records = np.zeros((5, 3), "<f4")
    records[:, 1] = ANGLES
    path = write_mrc(stack, extended=records.tobytes(), words_128=(1, 2), exttyp=b"AGAR")
    assert read_tilt_series(path).angles_deg.tolist() == ANGLES


@pytest.mark.parametrize(
    ("name", "group", "kind"),
    [("x.mrc", 1, "volume"), ("x.mrc", 0, "image"), ("x.rec", 0, "volume"), ("x.map", 0, "volume"),
     ("x_rec.mrc", 0, "volume"), ("x.st", 0, "tilt series"), ("x.mrc", 401, "volume")],
)  # fmt: skip
def test_kinds_without_angles(stack, write_mrc, name, group, kind):
    path = write_mrc(stack, name, ispg=group)
    assert kind_of(path) == kind
    with pytest.raises(WedgefillError, match=r"a volume|no tilt angles"):
        read_tilt_series(path)


@pytest.mark.parametrize("group", [0, 1])
def test_angles_make_a_tilt_series_whatever_the_space_group(stack, write_mrc, group):
    path = write_mrc(stack, angles=ANGLES, ispg=group)
    assert kind_of(path) == "tilt series"
    assert read_tilt_series(path).n_tilts == 5


def test_float_volumes_stay_on_disk_where_memory_is_short(stack, write_mrc, monkeypatch):
    path = write_mrc(stack)
    assert find_map(read_volume(path).data) is None
    monkeypatch.setattr(volume_reader, "measure_free_bytes", lambda: 4 * stack.size)
    mapped = find_map(read_volume(path).data)
    assert mapped is not None
    assert mapped.filename is not None


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed") / "x.mrc"


damage = st.lists(
    st.tuples(
        st.sampled_from([*range(0, 256, 4), 1024, 1028, 1068]),
        st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 5),
    ),
    max_size=4,
)


@given(damage=damage, records=st.sampled_from(["fei", "serialem"]))
def test_damaged_headers_give_a_series_or_one_sentence(
    fuzzed, make_mrc_bytes, make_fei_records, damage, records
):
    data = np.arange(5 * 6 * 8, dtype=np.float32).reshape(5, 6, 8)
    settings = {
        "fei": {"extended": make_fei_records(np.array(ANGLES)), "words_128": (0, 32)},
        "serialem": {"extended": bytes(64), "words_128": (4, 4), "exttyp": b"SERI"},
    }[records]
    raw = bytearray(make_mrc_bytes(data, **settings))
    for offset, value in damage:
        struct.pack_into("<i", raw, offset, value)
    fuzzed.write_bytes(raw)
    for read in (read_tilt_series, read_volume):
        try:
            read(fuzzed)
        except WedgefillError as error:
            sentence = str(error)
        else:
            sentence = ""
        assert "\n" not in sentence


# Bytes


@pytest.mark.parametrize("limits", [(0, 0), (0, -1), (0, 1), (-1, 255), (0, 300)])
def test_bytes_of_unknown_sign_are_told_and_can_be_set(write_mrc, limits):
    data = np.arange(5 * 6 * 8, dtype=np.uint8).reshape(5, 6, 8)
    path = write_mrc(data, angles=ANGLES, dmin=limits[0], dmax=limits[1])
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, data)
    assert "read as unsigned, so give --signed" in " ".join(series.warnings)
    signed = read_tilt_series(path, signed_bytes=True)
    np.testing.assert_array_equal(signed.images, data.view(np.int8))
    assert "8-bit" not in " ".join(signed.warnings)


def test_bytes_that_mean_the_same_signed_or_not_are_not_worth_a_word(write_mrc):
    data = np.arange(5 * 6 * 8, dtype=np.uint8).reshape(5, 6, 8) // 4
    series = read_tilt_series(write_mrc(data, angles=ANGLES, dmin=0, dmax=0))
    assert "8-bit" not in " ".join(series.warnings)


@pytest.mark.parametrize("edge", [1, 64, 256, 512])
def test_the_stamp_tells_the_byte_order_of_edges_that_read_both_ways(write_mrc, edge):
    """256 in the other order is 65536: as plausible an edge as any."""
    data = np.zeros((3, 2, edge), np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None]
    kwargs = {"dmin": 0, "dmax": 255, "nx": edge}
    for order in "<>":
        path = write_mrc(data, f"v{order == '>'}.map", byte_order=order, **kwargs)
        np.testing.assert_array_equal(read_volume(path).data, data)


def test_without_a_stamp_the_length_of_the_file_tells(write_mrc):
    data = np.zeros((256, 256, 256), np.uint8)
    data[:, 3] = 9
    path = write_mrc(data, "v.map", byte_order=">", dmin=0, dmax=255, machst=(0, 0, 0, 0))
    assert read_volume(path).data.shape == data.shape


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_extended_header_that_is_promised_but_not_there(stack, write_mrc, suffix):
    path = write_mrc(stack, angles=ANGLES, nsymbt=131072)
    if suffix:
        packed = path.with_name("x.mrc.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path = packed
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, stack)
    assert "promises an extended header of 131,072 bytes that is not there" in " ".join(
        series.warnings
    )


def packed(pixels):
    """Two pixels of 4 bits a byte, the first one in the low half."""
    if pixels.shape[-1] % 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    return (pixels[..., ::2] | pixels[..., 1::2] << 4).astype(np.uint8)


def test_4_bit_pixels_in_mode_0(write_mrc):
    """IMOD's flag 16: the header counts bytes, each of which holds two pixels."""
    pixels = np.random.default_rng(0).integers(0, 16, (5, 6, 8)).astype(np.uint8)
    path = write_mrc(packed(pixels), angles=ANGLES, imod_flags=16, cella=(4 * 10, 6 * 5, 5 * 5))
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, pixels)
    assert series.pixel_nm == pytest.approx(0.5)


@pytest.mark.parametrize("width", [7, 8])
def test_4_bit_pixels_in_mode_101(write_mrc, width):
    pixels = np.random.default_rng(0).integers(0, 16, (5, 6, width)).astype(np.uint8)
    path = write_mrc(packed(pixels), angles=ANGLES, mode=101, nx=width)
    np.testing.assert_array_equal(read_tilt_series(path).images, pixels)


def test_sections_keep_the_order_of_their_angles(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, maps=-3)
    np.testing.assert_array_equal(read_tilt_series(path).images, stack)


@pytest.mark.parametrize(("mapc", "mapr", "maps"), [(1, -2, 3), (-1, 2, 3)])
def test_axes_that_run_backwards(stack, write_mrc, mapc, mapr, maps):
    path = write_mrc(stack, angles=ANGLES, mapc=mapc, mapr=mapr, maps=maps)
    reversed_axis = 2 - int(np.flatnonzero(np.array([mapc, mapr, maps]) < 0)[0])
    np.testing.assert_array_equal(read_tilt_series(path).images, np.flip(stack, reversed_axis))
