"""`wedgefill convert`, and what the commands do about files that are there."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_wedgefill.io import read_tilt_series, read_volume, write_volume
from napari_wedgefill.volume import TiltRange, Volume

SUFFIXES = (".mrc", ".tif", ".emd", ".zarr")


@pytest.fixture(autouse=True)
def _extra_packages():
    pytest.importorskip("h5py")
    pytest.importorskip("zarr")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_series_keeps_everything(wedgefill, tiny_path, tiny_series, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    assert wedgefill("convert", tiny_path, out).code == 0
    back = read_tilt_series(out)
    np.testing.assert_array_equal(back.images, tiny_series.images)
    np.testing.assert_allclose(back.angles_deg, tiny_series.angles_deg, atol=1e-3)
    assert back.pixel_nm == pytest.approx(0.8)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_volume_keeps_its_place_and_its_tilts(wedgefill, tmp_path, suffix):
    data = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    volume = Volume(data, (1.0, 1.0, 1.0), first_slice=9, tilt_range=TiltRange(-60.0, 60.0, 41))
    path = write_volume(tmp_path / "v.mrc", volume)
    assert wedgefill("convert", path, tmp_path / f"out{suffix}").code == 0
    back = read_volume(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(back.data, data)
    assert (back.first_slice, back.tilt_range) == (9, (-60, 60, 41))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_planes_along_the_beam_stay_in_their_place(wedgefill, tmp_path, suffix):
    data = np.random.default_rng(0).random((7, 5, 6), dtype=np.float32)
    path = write_volume(tmp_path / "v.mrc", Volume(data, (1.0, 1.0, 1.0)))
    thin, thinner = tmp_path / f"thin{suffix}", tmp_path / f"thinner{suffix}"
    assert wedgefill("convert", path, thin, "--planes", "2:6").code == 0
    ran = wedgefill("convert", thin, thinner, "--planes", "3:5")  # as in the whole
    assert f"wrote {thinner}: planes 3:5 of 7 along the beam (z)" in ran.err
    back = read_volume(thinner)
    np.testing.assert_array_equal(back.data, data[3:5])
    assert (back.first_plane, back.whole_depth) == (3, 7)
    assert wedgefill("convert", path, thin, "--planes", "4:", "--overwrite").code == 0
    np.testing.assert_array_equal(read_volume(thin).data, data[4:])


def test_planes_are_counted_as_info_counts_them(wedgefill, tmp_path):
    data = np.random.default_rng(0).random((7, 5, 6), dtype=np.float32)
    part = write_volume(tmp_path / "part.mrc", Volume(data).crop_planes(2, 6))
    assert "planes 2:6 of 7" in wedgefill("info", part).out
    out = tmp_path / "out.mrc"
    for asked, (start, stop) in {":4": (2, 4), "4:": (4, 6), "2:6": (2, 6), ":": (2, 6)}.items():
        ran = wedgefill("convert", part, out, "--planes", asked, "--overwrite")
        assert f"planes {start}:{stop} of 7 along the beam (z)" in ran.err
        assert f"planes {start}:{stop} of 7 along" in wedgefill("info", out).out
        np.testing.assert_array_equal(read_volume(out).data, data[start:stop])
    for asked in ("0:2", "1:4", "4:7", "6:"):
        ran = wedgefill("convert", part, out, "--planes", asked, "--overwrite")
        if asked == "1:4":
            assert f"planes {asked} were asked for" in ran.complaint
        assert "it holds only planes 2:6 of 7 along the beam (z)" in ran.complaint


def test_all_planes_of_a_volume_are_no_part_of_it(wedgefill, tmp_path):
    path = write_volume(tmp_path / "v.mrc", Volume(np.ones((7, 5, 6), np.float32)))
    for asked in (":", "0:7"):
        out = tmp_path / "out.mrc"
        ran = wedgefill("convert", path, out, "--planes", asked, "--overwrite")
        assert ran.err == f"wrote {out}\n"
        assert "part:" not in wedgefill("info", out).out


def test_planes_that_are_not_there_and_planes_of_a_series_are_refused(
    wedgefill, tiny_path, tmp_path
):
    path = write_volume(tmp_path / "v.mrc", Volume(np.ones((7, 5, 6), np.float32)))
    out = tmp_path / "out.mrc"
    assert "it has 7" in wedgefill("convert", path, out, "--planes", "5:8").complaint
    assert "there are 7" in wedgefill("convert", path, out, "--planes", "7:").complaint
    ran = wedgefill("convert", tiny_path, out, "--planes", "5:8")
    assert "--planes cuts volumes along z" in ran.complaint
    assert not out.exists()


def test_values_are_stored_as_asked(wedgefill, tiny_path, tiny_series, tmp_path):
    import mrcfile

    assert wedgefill("convert", tiny_path, tmp_path / "o.mrc", "--values", "int16").code == 0
    with mrcfile.open(tmp_path / "o.mrc") as file:
        assert file.data.dtype == np.int16
    step = np.ptp(tiny_series.images) / 65534
    back = read_tilt_series(tmp_path / "o.mrc").images
    np.testing.assert_allclose(back, tiny_series.images, atol=1.01 * step)


@pytest.mark.parametrize("command", ["align", "convert", "project"])
def test_nothing_is_replaced_or_computed_unless_asked_for(
    wedgefill, tiny_path, tmp_path, command, monkeypatch
):
    there = tmp_path / "there.mrc"
    raw = there.write_bytes(b"somebody's") and there.read_bytes()
    arguments = {
        "align": [tiny_path, "-o", there],
        "convert": [tiny_path, there],
        "project": [tiny_path, "--angles", tiny_path.with_suffix(".tlt"), "-o", there],
    }[command]

    def too_late(*args, **kwargs):
        raise AssertionError("the file was read before its place was checked")

    with monkeypatch.context() as patched:
        for name in ("read_tilt_series", "read_volume"):
            patched.setattr(f"napari_wedgefill.io.{name}", too_late)
        ran = wedgefill(command, *arguments)
    assert "there already" in ran.complaint
    assert "--overwrite" in ran.complaint
    assert there.read_bytes() == raw
    if command == "convert":
        copy = tmp_path / "copy.mrc"
        shutil.copy(tiny_path, copy)
        assert wedgefill("convert", tiny_path, copy, "--overwrite").code == 0


def test_aligning_beside_a_raw_stack_leaves_its_angles_alone(wedgefill, tiny_path):
    """Beside x.st with angles in an mdoc or a .rawtlt, x.tlt would be read for the raw stack."""
    raw = tiny_path.with_suffix(".st")
    tiny_path.rename(raw)
    tlt = tiny_path.with_suffix(".tlt")
    before = tlt.read_bytes()
    assert wedgefill("align", raw, "-o", tiny_path.with_suffix(".ali")).code == 0
    assert tlt.read_bytes() == before
    aligned = read_tilt_series(tiny_path.with_suffix(".ali"))
    assert aligned.sources["angles_deg"] == f"{tiny_path.stem}.ali.tlt"


def test_names_of_no_format_are_refused_first(wedgefill, tiny_path, tmp_path):
    ran = wedgefill("convert", tiny_path, tmp_path / "out.jpg")
    assert "such as out.mrc" in ran.complaint
