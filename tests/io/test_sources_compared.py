"""Every source of angles, axis and pixel size is compared; who won is told, and why."""

from __future__ import annotations

import numpy as np
import pytest
from mrcfile.dtypes import get_ext_header_dtype

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, kind_of, read_tilt_series
from napari_wedgefill.io.agreement import disagreement_of_angles, same_set
from napari_wedgefill.io.mdoc import read_mdoc

ANGLES = np.array([-60.0, -30, 0, 30, 60])
ACQUIRED = np.array([0.0, 30, -30, 60, -60])
IMOD = 0  # flags


def mdoc_text(angles, titles=("SerialEM: somewhere",), rotation=None, pixel_a=5.0):
    lines = [f"PixelSpacing = {pixel_a}", *(f"[T = {title}]" for title in titles)]
    for z, angle in enumerate(angles):
        lines += [f"[ZValue = {z}]", f"TiltAngle = {angle}"]
        lines += [] if rotation is None else [f"RotationAngle = {rotation}"]
    return "\n".join(lines) + "\n"


def fei1_records(
    angles, *, axis=0.0, code=b"FEI1", version=b"5.0.0.1", n_empty=0, mask=1 << 7 | 1 << 12
):
    """FEI1 or FEI2 extended header; `n_empty` records of no image follow."""
    dtype = get_ext_header_dtype(code, "<")
    records = np.zeros(len(angles) + n_empty, dtype)
    records["Metadata size"] = dtype.itemsize
    filled = records[: len(angles)]
    filled["Bitmask 1"], filled["Alpha tilt"] = mask, angles
    filled["Tilt axis angle"], filled["Application version"] = axis, version
    filled["Pixel size X"] = filled["Pixel size Y"] = 0.5e-9
    return {"extended": records.tobytes(), "exttyp": code, "nversion": 20140, "imod_flags": IMOD}


def serialem_records(angles, n_bytes=2, padding=0):
    raw = np.zeros((len(angles), n_bytes // 2), "<i2")
    raw[:, 0] = np.round(np.asarray(angles) * 100)
    flags = {2: 1, 4: 1 | 8}[n_bytes]
    extended = raw.tobytes() + bytes(padding)
    return {"extended": extended, "exttyp": b"SERI", "words_128": (n_bytes, flags)}


def told(series):
    return " ".join(series.warnings)


# The tilt axis


@pytest.mark.parametrize(
    ("title", "rotation", "axis_deg"),
    [("-176.20", "86.20", 86.2), ("-85.30", "175.30", 85.3), ("85.30", "175.30", 85.3),
     ("-173.94", "83.94", 83.94), ("-176,20", "86,20", 86.2), ("-94.1", "4.1", 4.1),
     ("0.00", "90.00", 0.0), ("-85.3", None, -85.3), (None, "86.2", 86.2)],
)  # fmt: skip
def test_axis_of_tomography_5_follows_imods_rule(tmp_path, title, rotation, axis_deg):
    titles = ["Tomography: TITAN00000000    13-Jan-2025  17:15:32"]
    titles += [] if title is None else [f"  TiltAxisAngle = {title}  Binning = 1  SpotSize = 6"]
    path = tmp_path / "x.mdoc"
    path.write_text(mdoc_text(ANGLES, titles, rotation))
    found, sentence = read_mdoc(path).axis()
    assert found.value == pytest.approx(axis_deg)
    assert sentence == ""  # an ordinary pair; a note on every file would teach to ignore notes
    has_two = title is not None and rotation is not None
    misleads = has_two and abs(float(title.replace(",", ".")) - axis_deg) > 0.1
    assert ("by IMOD's rule" in found.source) == misleads


def test_axis_that_no_rule_explains_is_told(tmp_path):
    path = tmp_path / "x.mdoc"
    path.write_text(mdoc_text(ANGLES, ["Tomography: T", "TiltAxisAngle = 20.0 Binning = 1"], 50))
    found, sentence = read_mdoc(path).axis()
    assert found.value == 50.0
    assert "fit no known rule" in sentence


def test_serialem_states_the_axis_in_its_title(tmp_path):
    """RotationAngle is 90 more; -90 beside 0 is no Tomography 5."""
    path = tmp_path / "x.mdoc"
    titles = ("SerialEM: NIST Titan", "    Tilt axis angle = -90.0, binning = 2")
    path.write_text(mdoc_text(ANGLES, titles, rotation=0))
    assert read_mdoc(path).axis() == (read_mdoc(path).axis()[0], "")
    assert read_mdoc(path).axis()[0].value == -90.0
    path.write_text(mdoc_text(ANGLES, titles, rotation=40))
    assert "the title is used" in read_mdoc(path).axis()[1]


@pytest.mark.parametrize("code", [b"FEI1", b"FEI2"])
def test_axis_of_fei_extended_headers_has_the_other_sign(stack, write_mrc, code):
    path = write_mrc(stack, **fei1_records(ANGLES, axis=-90.0, code=code))
    series = read_tilt_series(path)
    assert series.axis_deg == 90.0
    np.testing.assert_array_equal(series.images, np.rot90(stack, axes=(1, 2)))


def test_axis_that_fei_did_not_fill_in_is_unknown(stack, write_mrc):
    path = write_mrc(stack, **fei1_records(ANGLES, axis=0.0, mask=1 << 7))
    assert "Nothing says where the tilt axis lies" in told(read_tilt_series(path))


def test_sources_of_the_axis_that_differ_are_told(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, labels=("SerialEM", "Tilt axis angle = 90.0, bin"))
    path.with_suffix(".mdoc").write_text(
        mdoc_text(ANGLES, ("SerialEM: x", "Tilt axis angle = -90.0, binning = 1"))
    )
    series = read_tilt_series(path)
    assert series.axis_deg == 90.0
    assert "at -90 degrees by x.mdoc, title; header label" in told(series)


@pytest.mark.parametrize("name", ["x.ali", "x_ali.mrc"])
def test_a_hopeful_name_does_not_beat_feis_log(stack, write_mrc, name):
    path = write_mrc(stack, name)
    log, tlt = path.with_name("x.txt"), path.with_name("x.tlt")
    tlt.write_text("\n".join(map(str, ANGLES)))
    log.write_bytes(b"11/18/11 10:36:43   Tilt Axis Angle [\xb0]:90.00\r\n")
    series = read_tilt_series(path)
    assert series.axis_deg == -90.0
    assert "its name says that it is aligned, but nothing in it says" in told(series)


def test_a_stack_that_imod_aligned_is_upright_whatever_its_log_says(stack, write_mrc):
    labels = ("Fei Company", "NEWSTACK: Images copied, transformed      01-Jan-20  10:00:00")
    path = write_mrc(stack, "x.ali", labels=labels)
    path.with_name("x.tlt").write_text("\n".join(map(str, ANGLES)))
    path.with_name("x.txt").write_bytes(b"Tilt Axis Angle [\xb0]:90.00\r\n")
    assert read_tilt_series(path).axis_deg == 0.0


def test_axis_of_imods_transforms(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES)
    a = np.deg2rad(90.0)
    row = f"{np.cos(a):.7f} {np.sin(a):.7f} {-np.sin(a):.7f} {np.cos(a):.7f} 3.1 -2.2\n"
    path.with_suffix(".xf").write_text(row * 5)
    series = read_tilt_series(path)
    assert (series.axis_deg, series.sources["tilt_axis"]) == (90.0, "x.xf")


# The angles


def test_header_written_with_the_images_beats_an_mdoc_in_acquisition_order(stack, write_mrc):
    path = write_mrc(stack, **fei1_records(ANGLES))
    path.with_suffix(".mdoc").write_text(mdoc_text(ACQUIRED, ("Tomography: T",)))
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, stack)
    assert series.sources["angles_deg"] == "FEI1 extended header"
    assert "same angles in another order. Those by FEI1 extended header are used" in told(series)


def test_a_sorted_list_beside_images_in_acquisition_order_is_told(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, **serialem_records(ACQUIRED))
    series = read_tilt_series(path)
    assert series.file_order.tolist() == np.argsort(ACQUIRED).tolist()
    assert "x.tlt contradict each other: they hold the same angles in another order" in told(series)


def test_a_refined_list_beats_the_header_and_says_nothing(stack, write_mrc):
    refined = ANGLES + np.array([0.2, -0.3, 0.1, 0.4, -0.1])
    path = write_mrc(stack, angles=refined, **serialem_records(ANGLES))
    series = read_tilt_series(path)
    assert series.sources["angles_deg"] == "x.tlt"
    assert "contradict" not in told(series)


@pytest.mark.parametrize(
    ("other", "words"),
    [(ANGLES + 8, "they differ by -8.0 degrees throughout"),
     (ANGLES * [1, 1, 1, 1, 0.5], "they differ by up to 30.0 degrees")],
)  # fmt: skip
def test_lists_that_differ_are_told(stack, write_mrc, other, words):
    path = write_mrc(stack, angles=ANGLES, **serialem_records(other))
    series = read_tilt_series(path)
    assert series.sources["angles_deg"] == "x.tlt"
    assert f"contradict each other: {words}" in told(series)
    assert "for a .tlt holds the angles that an alignment refined" in told(series)


def test_given_angles_that_the_header_contradicts_are_used_and_told(stack, write_mrc, tmp_path):
    path = write_mrc(stack, **serialem_records(ACQUIRED))
    series = read_tilt_series(path, angles=ANGLES)
    np.testing.assert_array_equal(series.images, stack)
    assert "The tilt angles given and those by SerialEM extended header contradict" in told(series)


@pytest.mark.parametrize(
    "quirks",
    [fei1_records(np.linspace(-75, 75, 7)), serialem_records(np.linspace(-75, 75, 7), padding=20)],
    ids=["FEI1", "SERI"],
)
def test_stale_headers_of_more_images_are_told_and_not_used(stack, write_mrc, quirks):
    path = write_mrc(stack, **quirks)
    with pytest.raises(WedgefillError, match=r"extended header holds 7 angles, but x\.mrc 5 image"):
        read_tilt_series(path)
    assert "holds 7 angles" in " ".join(describe(path)["warnings"])
    path.with_suffix(".tlt").write_text("\n".join(map(str, ANGLES)))
    assert "holds 7 angles" in told(read_tilt_series(path))


def test_stale_records_of_old_fei_files(stack, write_mrc, make_fei_records):
    path = write_mrc(stack, extended=make_fei_records(np.linspace(-75, 75, 7)), words_128=(0, 32))
    with pytest.raises(WedgefillError, match="holds 7 angles"):
        read_tilt_series(path)


@pytest.mark.parametrize(
    "quirks",
    [fei1_records(ANGLES, n_empty=30), serialem_records(ANGLES, 4, padding=4000)],
    ids=["FEI1", "SERI"],
)
def test_records_without_images_are_no_stale_ones(stack, write_mrc, quirks):
    series = read_tilt_series(write_mrc(stack, **quirks))
    assert series.angles_deg.tolist() == ANGLES.tolist()


def test_bytes_per_record_in_place_of_their_number(stack, write_mrc, make_fei_records):
    path = write_mrc(stack, extended=make_fei_records(ANGLES), words_128=(128, 32))
    assert read_tilt_series(path).angles_deg.tolist() == ANGLES.tolist()


def test_fei_version_that_converted_its_angles_twice(stack, write_mrc):
    records = fei1_records(np.rad2deg(ANGLES), axis=np.rad2deg(-90.0), version=b"4.4.0.4981")
    series = read_tilt_series(write_mrc(stack, **records))
    np.testing.assert_allclose(series.angles_deg, ANGLES)
    assert series.axis_deg == pytest.approx(90.0)


def test_info_says_why_a_sidecar_does_not_fit(stack, write_mrc):
    path = write_mrc(stack)
    path.with_suffix(".tlt").write_text("5\n" + "\n".join(map(str, ANGLES)))
    assert "x.tlt holds 6 angles, but x.mrc 5 images" in " ".join(describe(path)["warnings"])


@pytest.mark.parametrize("suffix", [".TLT", ".RAWTLT", ".MDOC", ".Tlt"])
def test_suffixes_in_capitals(stack, write_mrc, suffix):
    path = write_mrc(stack, "X.MRC")
    text = mdoc_text(ANGLES) if suffix == ".MDOC" else "\n".join(map(str, ANGLES))
    path.with_name("X" + suffix).write_text(text)
    assert read_tilt_series(path).angles_deg.tolist() == ANGLES.tolist()


def test_a_broken_sidecar_does_not_hide_a_good_source(stack, write_mrc):
    path = write_mrc(stack, **serialem_records(ANGLES))
    path.with_suffix(".tlt").write_text("not\nangles\n")
    series = read_tilt_series(path)
    assert series.sources["angles_deg"] == "SerialEM extended header"
    assert "x.tlt: line 2 reads 'angles'" in told(series)


@pytest.mark.parametrize("step", [10, 35, 70])
def test_a_full_turn_is_read_by_info_and_fill(write_mrc, step):
    angles = np.arange(0, 360, step, dtype=float)
    data = np.arange(len(angles) * 48, dtype=np.float32).reshape(-1, 6, 8)
    path = write_mrc(data, angles=angles)
    series = read_tilt_series(path)
    assert describe(path)["angles_deg"] == series.angles_deg.tolist()
    np.testing.assert_allclose(np.sort(series.angles_deg % 360), angles)
    np.testing.assert_array_equal(series.images[series.angles_deg == 0][0], data[0])
    assert "counted downwards" in told(series)
    path.with_suffix(".tlt").write_text("\n".join(map(str, angles * 4)))
    for read in (describe, read_tilt_series):
        with pytest.raises(WedgefillError, match="within one turn"):
            read(path)


@pytest.mark.parametrize(
    ("angles", "advice"),
    [([-350, -175, 0, 175, 350], "hundredths of a degree; divide them by 100"),
     ([-7000, -3500, 0, 3500, 7000], "hundredths of a degree; divide them by 100"),
     ([-60, -30, 0, 30, 7000], "correct the list")],
)  # fmt: skip
def test_angles_beyond_one_turn_are_refused_with_advice(stack, write_mrc, angles, advice):
    with pytest.raises(WedgefillError, match=f"within one turn.*{advice}"):
        read_tilt_series(write_mrc(stack, angles=angles))


def test_scheme_in_feis_log_gives_the_angles(stack, write_mrc):
    path = write_mrc(stack)
    path.with_suffix(".txt").write_bytes(
        b"10:36:43   Max negative tilt [\xb0]: -60,00\r\n"
        b"10:36:43   Max positive tilt [\xb0]: 60.00\r\n"
        b"10:36:43   Tiltscheme starts at high angle (continuous).\r\n"
        b"10:36:43   Start tilt (skipping angles) [\xb0]: -60.00\r\n"
        b"10:36:43    Low tilt step [\xb0]: 30.00\r\n10:36:43    High tilt switch [\xb0]: 80.00\r\n"
        b"10:36:43    High tilt step [\xb0]: 2.00\r\n10:36:43    Image pixel size [nm]: 3.36\r\n"
    )
    series = read_tilt_series(path, pixel_nm=None)
    assert series.angles_deg.tolist() == ANGLES.tolist()
    assert series.sources["angles_deg"] == "x.txt"


@pytest.mark.parametrize("note", ["sample 3, 20 µm aperture".encode("utf-16"), b"PK\3\4\0\0no",
                                  b"60 000 x\n2 s\n", b""])  # fmt: skip
def test_any_note_beside_the_images_is_harmless(stack, write_mrc, note):
    path = write_mrc(stack, angles=ANGLES)
    expected = read_tilt_series(path)
    path.with_suffix(".txt").write_bytes(note)
    again = read_tilt_series(path)
    assert (again.axis_deg, again.warnings) == (expected.axis_deg, expected.warnings)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_mdocs_in_any_encoding(stack, write_mrc, encoding, newline):
    path = write_mrc(stack)
    titles = ("SerialEM: x 30 °", "    Tilt axis angle = 90,0, binning = 1")
    text = mdoc_text(ANGLES, titles).replace("\n", newline)
    path.with_suffix(".mdoc").write_bytes(text.encode(encoding))
    assert read_tilt_series(path).axis_deg == 90.0


# The pixel size


def test_pixel_sizes_that_differ_are_told(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, pixel_a=10.0)
    path.with_suffix(".mdoc").write_text(mdoc_text(ANGLES, pixel_a=5.0))
    series = read_tilt_series(path)
    assert series.pixel_nm == pytest.approx(1.0)
    assert "1 nm by header cell and 0.5 nm by x.mdoc" in told(series)


def test_binning_of_an_aligned_stack_is_no_contradiction(stack, write_mrc):
    path = write_mrc(stack, "x_ali.mrc", pixel_a=10.0)
    path.with_name("x.mrc.mdoc").write_text(mdoc_text(ANGLES, pixel_a=5.0))
    path.with_name("x.mdoc").write_text(mdoc_text(ANGLES, pixel_a=5.0))
    assert "pixel size" not in told(read_tilt_series(path))


def test_pixels_that_are_not_square_are_told(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, cella=(8 * 5.0, 6 * 7.0, 5.0))
    series = read_tilt_series(path)
    assert series.pixel_nm == pytest.approx(0.5)
    assert "0.5 nm wide and 0.7 nm high" in told(series)


# How lists are compared


def test_disagreement_in_words():
    assert disagreement_of_angles(ANGLES, ANGLES + 0.4) == ""
    one_sided = np.array([0.0, 10, 20, 30])
    assert "opposite" in disagreement_of_angles(one_sided, -one_sided)
    assert same_set(ANGLES, ACQUIRED + 0.3)
    assert not same_set(ANGLES, ANGLES[:4])


def test_kind_stays_a_series_when_sources_disagree(stack, write_mrc):
    assert kind_of(write_mrc(stack, angles=ANGLES, **serialem_records(ACQUIRED))) == "tilt series"


@pytest.mark.parametrize("n_records", [1, 2])
@pytest.mark.parametrize("layout", ["FEI1", "SERI", "old FEI"])
def test_headers_of_fewer_images_are_told_too(
    stack, write_mrc, make_fei_records, layout, n_records
):
    """Images were added to the stack, and its header stayed as it was."""
    angles = ANGLES[:n_records]
    header = {
        "FEI1": fei1_records(angles, n_empty=8),
        "SERI": {
            "extended": np.r_[angles * 100, np.zeros(20)].astype("<i2").tobytes(),
            "exttyp": b"SERI",
            "words_128": (2, 1),
        },
        "old FEI": {"extended": make_fei_records(angles), "words_128": (0, 32)},
    }[layout]
    words = rf"header.* holds {n_records} angles, but x\.mrc 5 images"
    with pytest.raises(WedgefillError, match=words):
        read_tilt_series(write_mrc(stack, **header))
    told = " ".join(read_tilt_series(write_mrc(stack, angles=ANGLES, **header)).warnings)
    assert f"holds {n_records} angles" in told


def test_a_short_fei_header_is_told(stack, write_mrc):
    with pytest.raises(WedgefillError, match=r"FEI1 extended header holds 3 angles"):
        read_tilt_series(write_mrc(stack, **fei1_records(ANGLES[:3])))


def test_the_last_image_may_lie_at_zero(stack, write_mrc, make_fei_records):
    angles = [-40.0, -30, -20, -10, 0]
    path = write_mrc(stack, extended=make_fei_records(np.array(angles)), words_128=(0, 32))
    assert read_tilt_series(path).angles_deg.tolist() == angles


def test_a_volume_is_called_one_though_the_angles_of_its_stack_lie_beside_it(stack, write_mrc):
    path = write_mrc(stack, "x.rec")
    path.with_suffix(".tlt").write_text("-60\n0\n60\n")
    with pytest.raises(WedgefillError, match=r"looks like a volume .* \(.*x\.tlt.* 3 angles"):
        read_tilt_series(path)
