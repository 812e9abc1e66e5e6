"""Lists of angles in files of many kinds, and ranges that people type."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import angles_from_text, describe, read_angles, read_tilt_series
from napari_wedgefill.io.angles import read_angle_list
from napari_wedgefill.io.mdoc import read_mdoc
from napari_wedgefill.io.text import leading_number, number_after, whole_number_text

ANGLES = [-60.0, -30, 0, 30, 60]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-60:60:30", ANGLES), ("60:-60:30", ANGLES[::-1]), ("-60 to 60 step 30", ANGLES),
     ("\N{MINUS SIGN}60/60/30", ANGLES), ("-60:60", ANGLES), ("-60 to 60", ANGLES),
     ("-60, -30, 0 30;60", ANGLES), ("-60°\n-30°\n0", [-60, -30, 0]), ("5", [5])],
)  # fmt: skip
def test_typed_angles(text, expected):
    np.testing.assert_allclose(angles_from_text(text, 5), expected)


@pytest.mark.parametrize("text", ["", "north", "1:2:0", "-60:60:0.0001", "1 nan", "..:1:2", ":::"])
def test_typed_angles_that_make_no_sense(text):
    with pytest.raises(WedgefillError):
        angles_from_text(text, 5)


def test_a_range_without_step_needs_images():
    with pytest.raises(WedgefillError, match="no images to count"):
        angles_from_text("-60:60")


@given(st.text(alphabet="0123456789.:/-+ tostep,;", max_size=60))
def test_any_typed_text_gives_numbers_or_one_sentence(text):
    try:
        angles = angles_from_text(text, 7)
    except WedgefillError:
        return
    assert np.isfinite(angles).all()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "heading",
    ["index,Tilt angle (deg),beta", "n,alpha,y", "View,TiltAngle,RotationAngle",
     "#,angle,tilt axis angle", "Z,tilt,dose"],
)  # fmt: skip
def test_tables_with_a_heading(tmp_path, heading, separator):
    path = tmp_path / "x.csv"
    rows = [heading, *(f"{i},{a},{7 + i}" for i, a in enumerate(ANGLES))]
    path.write_text("\n".join(rows).replace(",", separator).replace("#", "No"))
    assert read_angles(path).tolist() == ANGLES


def test_a_table_with_two_columns_of_angles_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("angle nominal,angle refined\n1,2\n3,4\n")
    with pytest.raises(WedgefillError, match="columns 1, 2 all look like tilt angles"):
        read_angles(path)


def test_a_table_beside_the_images_is_found(stack, write_mrc):
    path = write_mrc(stack)
    path.with_suffix(".csv").write_text("n,angle\n" + "".join(f"0,{a}\n" for a in ANGLES))
    series = read_tilt_series(path)
    assert (series.sources["angles_deg"], series.angles_deg.tolist()) == ("x.csv", ANGLES)
    path.with_suffix(".csv").write_text("particle,diameter\n1,2\n")
    with pytest.raises(WedgefillError, match="no tilt angles were found"):
        read_tilt_series(path)


@pytest.mark.parametrize("suffix", [".tlt", ".rawtlt", ".txt", ".csv"])
def test_decimal_commas_in_a_column(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_text("-60,50\n-30,00\n0,25\n30,00\n60,10\n")
    assert read_angles(path).tolist() == [-60.5, -30, 0.25, 30, 60.1]


@pytest.mark.parametrize("text", ["1,-60\n2,-58\n3,-56\n", "0,10\n1,20\n2,30\n", "1,10\n2,20\n"])
def test_an_index_and_an_angle_are_no_decimal_comma(tmp_path, text):
    path = tmp_path / "x.txt"
    path.write_text(text)
    with pytest.raises(WedgefillError, match="one tilt angle in degrees per line"):
        read_angles(path)


ALN = """# AreTomo Alignment / Priims bprmMn
# RawSize = 8 6 5
# NumPatches = 0
# DarkFrame =     4    1   -50.00
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
    3    -4.1000    1.00000     -0.100      2.000     1.00     1.00     1.00     0.00    -30.00
    0    -4.1000    1.00000     -0.100      2.000     1.00     1.00     1.00     0.00      0.00
    2    -4.1000    1.00000     -0.100      2.000     1.00     1.00     1.00     0.00     30.00
    4    -4.1000    1.00000     -0.100      2.000     1.00     1.00     1.00     0.00     60.00
# Local Alignment
   0   0   1.0  2.0  3.0  4.0
"""


def test_aretomos_alignment_of_the_raw_stack_and_of_its_own(tmp_path):
    path = tmp_path / "x.aln"
    path.write_text(ALN)
    assert read_angles(path, 5).tolist() == [0, -50, 30, -30, 60]
    assert read_angles(path, 4).tolist() == [-30, 0, 30, 60]
    path.write_text(ALN.replace("    3    -4", "    9    -4"))
    with pytest.raises(WedgefillError, match="not numbered without gaps"):
        read_angles(path, 5)


def test_an_mdoc_tells_which_file_holds_which_tilt(tmp_path):
    path = tmp_path / "x.mdoc"
    path.write_text(
        "[ZValue = 1]\nTiltAngle = 3,5\nSubFramePath = X:\\a b\\two.tif\n"
        "[ZValue = 0]\nTiltAngle = 0.1\nSubFramePath = /data/one.eer\n"
    )
    found = read_angle_list(path)
    assert found.angles_deg.tolist() == [0.1, 3.5]
    assert found.file_names == ["one.eer", "two.tif"]


@given(
    number=st.floats(-1e6, 1e6).map(lambda x: round(x, 4)),
    comma=st.booleans(),
    tail=st.sampled_from(["", ", binning = 1", "  Binning = 1", " degrees", ",x"]),
)
def test_numbers_in_any_language(number, comma, tail):
    text = f"{number:.4f}"
    text = text.replace(".", ",") if comma else text
    assert whole_number_text(f" {text} ") == number
    assert leading_number(text + tail) == number
    assert number_after(f"    Tilt axis angle = {text}{tail}", "tiltaxisangle", "=") == number


@pytest.mark.parametrize(
    "line",
    ["[" + " " * 40_000 + "T = x", "[T = " + " " * 40_000, "T" + " " * 40_000 + "=",
     "1" * 40_000 + "x", "tilt axis angle" * 3000, "Tilt Axis Angle [" * 3000, "-" * 40_000,
     "tilt" + " " * 40_000 + "axis"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["x.mdoc", "x.txt", "x.tlt", "x.csv", "x.aln"])
def test_no_text_takes_long(stack, write_mrc, name, line):
    """Backtracking patterns took 40 s for a tenth of this; the bound is generous, not a timing."""
    path = write_mrc(stack, extended=b"", labels=(line[:80],) * 10)
    path.with_name(name).write_text("\n".join([line] * 5))
    start = time.process_time()
    for read in (lambda: read_tilt_series(path), lambda: read_angles(path.with_name(name), 5)):
        with pytest.raises(WedgefillError):
            read()
    assert time.process_time() - start < 5


@given(st.text(alphabet="[]TZValue = \n0123456789,.-RotationAngleSubFramePath", max_size=300))
def test_any_mdoc_is_parsed(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.mdoc"
    path.write_text("[ZValue = 0]\n" + text)
    mdoc = read_mdoc(path)
    found, sentence = mdoc.axis()
    assert found is None or -180 < found.value <= 180
    assert "\n" not in sentence
    assert mdoc.pixel_nm is None or mdoc.pixel_nm > 0
    assert mdoc.file_names() is None or len(mdoc.file_names()) == len(mdoc.images)


def test_signs_that_word_processors_put_in(tmp_path):
    path = tmp_path / "x.tlt"
    path.write_text("\N{MINUS SIGN}30.5\N{DEGREE SIGN}\n0 \N{DEGREE SIGN}\n30\n", encoding="utf-8")
    assert read_angles(path).tolist() == [-30.5, 0, 30]


def test_aretomo_says_where_the_tilt_axis_lies(stack, write_mrc):
    """In its second column, in SerialEM's sense; a stack named aligned stands upright already."""
    rows = "\n".join(f"{i} -94.7 1 0 0 1 1 1 0 {a}" for i, a in enumerate((-60, -30, 0, 30, 60)))
    for name in ("x.mrc", "x_ali.mrc"):
        path = write_mrc(stack, name)
        path.with_suffix(".aln").write_text("# AreTomo Alignment / Priims bprmMn\n" + rows)
    raw, aligned = (describe(path.with_name(name)) for name in ("x.mrc", "x_ali.mrc"))
    assert (raw["tilt_axis_deg"], raw["sources"]["tilt_axis"]) == (-94.7, "x.aln")
    assert aligned["tilt_axis_deg"] == 0
