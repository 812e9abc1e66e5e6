"""What the command line says in place of a file: typed angles, flips, signs, files in order."""

from __future__ import annotations

import json

import mrcfile
import numpy as np
import pytest
import tifffile

from napari_wedgefill.cli import join_typed_ranges, main
from napari_wedgefill.commands.series_arguments import read_range
from napari_wedgefill.io import read_volume, write_volume
from napari_wedgefill.volume import Volume

ANGLES = [-60.0, -30, 0, 30, 60]


@pytest.fixture
def bare_stack(tmp_path):
    """Write a stack of bytes without angles or statistics."""
    path = tmp_path / "x.mrc"
    data = np.random.default_rng(0).integers(0, 256, (5, 12, 16)).astype(np.uint8)
    with mrcfile.new(path) as file:
        file.set_data(data.view(np.int8))
        file.set_image_stack()
        file.header.dmin = file.header.dmax = 0
    return path


def facts(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


@pytest.mark.parametrize("typed", ["-60:60", "-60:60:30", "-60 to 60", "-60,-30,0,30,60"])
def test_angles_are_typed_without_an_equals_sign(wedgefill, bare_stack, typed):
    found = facts(wedgefill("info", bare_stack, "--angles", typed, "--json"))
    assert found["angles_deg"] == ANGLES


def test_only_angles_are_joined():
    words = ["fill", "-1", "--angles", "-60:60", "--axis", "-90", "--angles", "x.tlt", "-o", "y"]
    assert join_typed_ranges(words) == [
        "fill", "-1", "--angles=-60:60", "--axis", "-90", "--angles", "x.tlt", "-o", "y",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "read"),
    [("3:7", (3, 7)), ("3:", (3, None)), (":7", (0, 7)), (":", (0, None)), ("0:1", (0, 1))],
)
def test_ends_of_ranges_may_be_left_out(typed, read):
    assert read_range(typed) == read


@pytest.mark.parametrize("typed", ["7:3", ":0", "5", "", "-5:-1", "1:2:3", "\u0663:"])
@pytest.mark.parametrize("option", ["--planes", "--slices"])
def test_ranges_that_make_no_sense_are_told_in_a_sentence(capsys, tmp_path, option, typed):
    with pytest.raises(SystemExit):
        main(["fill", "x.mrc", "-o", str(tmp_path / "out"), option, typed])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"'{typed}' is not A:B, A: or :B, counted from 0, with A below B" in line


def test_nonsense_in_place_of_angles_is_one_sentence(wedgefill, bare_stack):
    assert "cannot be opened" in wedgefill("info", bare_stack, "--angles", "gone.tlt").complaint
    assert "not from" in wedgefill("info", bare_stack, "--angles", "nonsense").complaint


@pytest.mark.parametrize(("option", "dtype"), [("--signed", "int8"), ("--unsigned", "uint8")])
def test_signs_of_bytes(wedgefill, bare_stack, option, dtype):
    found = facts(wedgefill("info", bare_stack, "--angles", "-60:60", option, "--json"))
    assert found["dtype"] == dtype
    assert "8-bit" not in " ".join(found["warnings"])


def test_flip_mirrors_the_volume(wedgefill, bare_stack, tmp_path):
    for folder, options in (("a", []), ("b", ["--flip"])):
        ran = wedgefill("fill", bare_stack, "--angles", "-60:60", "--unsigned", *options,
                        "-o", tmp_path / folder, "--methods", "wbp")  # fmt: skip
        assert ran.code == 0, ran.err
    upright, flipped = (read_volume(tmp_path / f / "x_wbp.mrc").data for f in "ab")
    np.testing.assert_allclose(flipped, upright[:, ::-1], rtol=1e-4, atol=1e-3)


def test_files_on_the_command_line_are_in_order_and_a_run_repeats(wedgefill, tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.tif" for name in "caebd"]
    for path in paths:
        tifffile.imwrite(path, rng.normal(size=(12, 16)).astype(np.float32))
    found = facts(wedgefill("info", *paths, "--angles", "-60:60", "--json"))
    assert found["file_order"] == [0, 1, 2, 3, 4]
    ran = wedgefill("fill", *paths, "--angles", "-60:60", "-o", tmp_path / "a", "--methods", "wbp")
    assert ran.code == 0, ran.err
    report = tmp_path / "a" / "report.json"
    assert json.loads(report.read_text())["settings"]["angles"] == "-60:60"
    again = wedgefill("fill", "--from-report", report, "-o", tmp_path / "b")
    assert again.code == 0, again.err
    assert "have the same bytes" in again.err


def test_info_says_what_is_missing(wedgefill, bare_stack, tmp_path):
    assert "tilt angles: not found (give --angles)" in wedgefill("info", bare_stack).out
    write_volume(tmp_path / "v.mrc", Volume(np.ones((4, 5, 6), np.float32), None))
    assert "voxel size:  unknown" in wedgefill("info", tmp_path / "v.mrc").out
