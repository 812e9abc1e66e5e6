"""The command line as a whole: help, errors, exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import mrcfile
import numpy as np
import pytest

from napari_wedgefill.cli import build_parser, main
from napari_wedgefill.commands import COMMANDS
from napari_wedgefill.errors import WedgefillError, write_in_one_line
from napari_wedgefill.io import read_volume, write_volume
from napari_wedgefill.volume import Volume

SLOW = ("numpy", "numba", "scipy", "pydantic", "tifffile", "dask", "torch", "napari", "qtpy")


def test_help_answers_at_once():
    """It imports nothing that takes long; `benchmarks.speed.startup` measures how long it takes."""
    script = (
        "import sys\nfrom napari_wedgefill.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print(*(name for name in {SLOW} if name in sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "usage: wedgefill" in ran.stdout
    assert ran.stderr.split() == []


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert COMMANDS[command].__doc__.splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["fill", "x.mrc"], ["info", "x.mrc", "--axis", "sideways"]]
)
def test_a_wrong_command_line_takes_one_line_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("wedgefill ")


@pytest.mark.parametrize("where", ["before", "after"])
def test_debug_shows_the_traceback(wedgefill, where):
    arguments = ["info", "nowhere.mrc"]
    arguments.insert(0 if where == "before" else 2, "--debug")
    ran = wedgefill(*arguments)
    assert ran.code == 1
    assert "Traceback" in ran.err


def test_without_debug_there_is_no_traceback(wedgefill):
    assert "nowhere.mrc" in wedgefill("info", "nowhere.mrc").complaint


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WedgefillError("a.mrc: too\n few tilts."), "a.mrc: too few tilts."),
        (PermissionError(13, "Permission denied", "b.mrc"), "b.mrc: Permission denied."),
        (MemoryError(), "out of memory"),
        (KeyError("x"), "unexpected KeyError"),
    ],
)
def test_errors_are_one_line(error, words):
    text = write_in_one_line(error)
    assert words in text
    assert "\n" not in text


def test_ctrl_c_has_its_own_status(monkeypatch, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["doctor"], "run", interrupted)
    assert main(["doctor"]) == 130
    assert "stopped" in capsys.readouterr().err


def test_info_tells_people_and_machines(wedgefill, tiny_path):
    text = wedgefill("info", tiny_path).out
    assert "25, from -60 to 60 degrees, median step 5, 60 degrees missing" in text
    assert "0.8 nm" in text
    facts = json.loads(wedgefill("info", tiny_path, "--json").out)
    assert facts["shape"] == [25, 6, 32]
    assert facts["pixel_nm"] == pytest.approx(0.8)
    assert facts["angles_deg"][0] == -60.0


def test_info_of_a_folder_of_series_ends_with_how_many_can_be_filled(
    wedgefill, write_stack, tiny_path, tmp_path
):
    images = np.random.default_rng(0).random((9, 6, 8), dtype=np.float32)
    write_stack(tmp_path / "day2" / "late.mrc", images, np.linspace(-40, 40, 9))
    assert wedgefill("info", tmp_path).out.endswith("2 series, all of which can be filled.\n")
    (tmp_path / "junk.mrc").write_text("junk")
    write_stack(tmp_path / "bare.mrc", images, None)
    ran = wedgefill("info", tmp_path)
    lines = ran.out.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        "folder", "bare", "day2/late", "junk", "tiny",
    ]  # fmt: skip
    assert "9 x 6 x 8, from -40 to 40 degrees, 0.8 nm" in lines[2]
    assert lines[-1].startswith("4 series, 2 can be filled; 2 cannot: bare (no tilt angles were")
    assert "; junk (its first 1024 bytes are not an MRC header; check" in lines[-1]
    found = json.loads(wedgefill("info", tmp_path, "--json").out)
    assert [bool(one.get("refusal")) for one in found["series"]] == [True, False, True, False]
    with_angles = wedgefill("info", tmp_path, "--angles", "-40:40").out
    assert "4 series, 3 can be filled; 1 cannot: junk" in with_angles


def test_info_of_a_folder_of_results_lists_them(wedgefill, tiny_path, tmp_path):
    out = tmp_path / "filled" / "day1"
    wedgefill("fill", tiny_path, "-o", out / "tiny", "--methods", "wbp,sart")
    lines = wedgefill("info", out / "tiny").out.splitlines()
    assert lines[1] == "./:          results: tiny_sart.mrc, tiny_wbp.mrc (32 x 6 x 32)"
    assert lines[2] == "No tilt series. 2 volumes were written by napari-wedgefill."
    said = wedgefill("info", tmp_path / "filled").out  # as a batch leaves them
    assert "day1/tiny/:  results: tiny_sart.mrc, tiny_wbp.mrc (32 x 6 x 32)" in said
    wedgefill("fill", tiny_path, "-o", out / "tiny", "--methods", "tvm", "--slices", ":2")
    found = json.loads(wedgefill("info", out, "--json").out)
    assert [one["shape"][1] for one in found["not_taken"]] == [6, 6]
    assert {one["kind"] for one in found["not_taken"]} == {"result"}


def test_info_of_a_folder_names_every_file_that_it_does_not_take(
    wedgefill, write_stack, tiny_path, tmp_path
):
    images = np.random.default_rng(0).random((9, 6, 8), dtype=np.float32)
    with mrcfile.new(tmp_path / "forgotten.mrc") as file:  # space group 1, as mrcfile writes it
        file.set_data(images)
    write_stack(tmp_path / "overview.mrc", images[:1], None)
    wedgefill("fill", tiny_path, "-o", tmp_path, "--methods", "wbp")
    said = wedgefill("info", tmp_path).out
    assert "forgotten.mrc: 9 x 6 x 8; it is taken for a volume (its header says space" in said
    assert "put its angles beside it as forgotten.tlt" in said
    assert "./:            images of no series: overview.mrc (1 x 6 x 8)" in said
    assert "./:            results: tiny_wbp.mrc" in said
    assert said.endswith(
        "1 series, which can be filled. 1 file is taken for a volume, and not for a tilt series, "
        "for the reason above. 1 image belongs to no series. 1 volume was written by "
        "napari-wedgefill.\n"
    )
    (tmp_path / "forgotten.tlt").write_text("\n".join(map(str, range(-40, 50, 10))))
    assert "2 series, all of which can be filled." in wedgefill("info", tmp_path).out


def test_a_damaged_file_does_not_hide_the_other_tilts_of_its_folder(
    wedgefill, write_stack, tiny_path, tmp_path
):
    images = np.random.default_rng(0).random((5, 6, 8), dtype=np.float32)
    for k, image in enumerate(images):
        write_stack(tmp_path / "tilts" / f"t_{10 * k - 20}.mrc", image[None], None)
    (tmp_path / "tilts" / "t_30.mrc").write_text("junk")
    said = wedgefill("info", tmp_path).out
    assert "tilts:       cannot be filled: t_30.mrc: its first 1024 bytes are not" in said
    (tmp_path / "tilts" / "t_30.mrc").unlink()
    assert "tilts:       5 x 6 x 8, from -20 to 20 degrees" in wedgefill("info", tmp_path).out


def test_info_says_which_part_of_the_whole_a_volume_is(wedgefill, tmp_path):
    whole = Volume(np.ones((9, 5, 6), np.float32))
    path = write_volume(tmp_path / "v.mrc", whole)
    assert "part:" not in wedgefill("info", path).out
    thin = replace(whole, first_slice=3).crop_planes(2, 6)
    for name in ("thin.mrc", "thin.zarr", "thin.tif"):
        said = wedgefill("info", write_volume(tmp_path / name, thin)).out
        assert "planes 2:6 of 9 along the beam (z), slices 3:8 along the tilt axis (y)" in said
    facts = json.loads(wedgefill("info", tmp_path / "thin.mrc", "--json").out)
    assert (facts["first_plane"], facts["whole_depth"], facts["first_slice"]) == (2, 9, 3)


def test_info_says_of_how_many_slices_a_fill_kept_some(wedgefill, tiny_path, tmp_path):
    for k, (asked, held) in enumerate({":4": "0:4", "4:": "4:6", ":": ""}.items()):
        out = tmp_path / str(k)
        wedgefill("fill", tiny_path, "-o", out, "--methods", "wbp", "--slices", asked)
        said = wedgefill("info", out / "tiny_wbp.mrc").out
        if held:
            assert f"part:        slices {held} of 6 along the tilt axis (y), counted" in said
        else:
            assert "part:" not in said
        assert read_volume(out / "tiny_wbp.mrc").whole_height == (6 if held else None)


def test_info_obeys_what_the_user_says(wedgefill, tiny_path):
    said = ("--pixel-nm", 2.5, "--axis", "x", "--json")
    facts = json.loads(wedgefill("info", tiny_path, *said).out)
    assert facts["pixel_nm"] == 2.5
    assert facts["shape"] == [25, 32, 6]


def test_the_parser_knows_the_options_that_scripts_rely_on():
    line = (
        "fill f.mrc -o d --angles a.tlt --methods wbp,GAN --model m --device cpu --pixel-nm 0.5 "
        "--axis 88.5 --axis-shift -2.5 --align --bin 2 --slices 3:9 --png"
    )
    args = build_parser().parse_args(line.split())
    assert args.methods == ("wbp", "gan")
    assert args.slices == (3, 9)
    assert (args.axis, args.axis_shift, args.bin) == (88.5, -2.5, 2)
    assert args.align
    assert args.png
