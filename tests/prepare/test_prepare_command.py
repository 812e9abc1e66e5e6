"""`wedgefill prepare` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from napari_wedgefill.cli import main
from napari_wedgefill.io import read_tilt_series, write_tilt_series
from napari_wedgefill.prepare.options import ShiftMethod
from tests.prepare.simulated_needle import LEVEL, jitter, needle


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw series with a blank image and a hot pixel."""
    series = needle(jitter(), axis_px=2.0).tilts(np.arange(0, 29, 3))
    series.images[2] = LEVEL
    series.images[5, 10, 50] += 1e5
    return write_tilt_series(tmp_path / "raw.mrc", series)


def test_a_raw_series_is_prepared_and_the_recipe_repeats_it(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the method for the shifts that was asked for, and images that stay the same."""
    out = tmp_path / "out.mrc"
    call = ["prepare", str(raw), "-o", str(out), "--transforms", str(tmp_path / "a.xf")]
    assert main([*call, "--shifts-by", "phase-correlation"]) == 0
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["recipe"]["shifts_by"] == "phase-correlation"
    assert "blank" in " ".join(report["history"])
    assert "1 hot, dead or X-ray pixel in 1 image was replaced" in " ".join(report["history"])
    assert [row["use"] for row in report["tilts"]].count(False) == 1
    first = read_tilt_series(out)
    assert first.n_tilts == 9
    assert (tmp_path / "a.xtilt").is_file()

    assert main(["prepare", str(raw), "-o", str(out)]) != 0
    assert "this is there already" in capsys.readouterr().err

    again = tmp_path / "again.mrc"
    recipe = str(out.with_suffix(".json"))
    assert main(["prepare", str(raw), "-o", str(again), "--recipe", recipe]) == 0
    repeated = json.loads(again.with_suffix(".json").read_text())
    assert repeated["recipe"] == report["recipe"]
    assert repeated["found"] == report["found"]
    np.testing.assert_array_equal(read_tilt_series(again).images, first.images)

    for option, source in (("--like", recipe), ("--apply", str(tmp_path / "a.xf"))):
        other = tmp_path / f"other{option}.mrc"
        call = ["prepare", str(raw), "-o", str(other), option, source, "--leave-out", "2"]
        if option == "--apply":
            # The .xf lists only the images that were kept.
            kept = read_tilt_series(raw).tilts(np.delete(np.arange(10), 2))
            call[1] = str(write_tilt_series(tmp_path / "kept.mrc", kept))
            call = call[:-2]
        assert main(call) == 0
        shown = read_tilt_series(other).images
        wrong = (shown - np.median(shown)) - (first.images - np.median(first.images))
        assert np.sqrt(np.mean(wrong**2)) < 0.03 * np.ptp(first.images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rows", "5"], "'5' is not A:B, A: or :B"),
        (["--rows", "99:"], "rows 99: were asked for, but there are"),
        (["--correct", "3"], "IMAGE=DEGREES"),
        (["--leave-out", "a"], "image numbers"),
        (["--tilt-offset", "some"], "neither degrees nor 'estimate'"),
        (["--recipe", "nowhere.json"], "nowhere.json"),
        (["--like", "nowhere.json"], "nowhere.json"),
        (["--apply", "nowhere.xf"], "nowhere.xf"),
        (["--shifts-by", "guess"], "phase-correlation"),
    ],
)
def test_a_wrong_option_is_told_in_a_sentence(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    try:
        status = main(["prepare", str(raw), "-o", str(tmp_path / "o.mrc"), *options])
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o.mrc").exists()


def test_every_method_for_the_shifts_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    told = "".join(capsys.readouterr().out.split())  # lines may break at a hyphen
    assert all(name in told for name in get_args(ShiftMethod))
