"""`wedgefill project` and `wedgefill align`."""

from __future__ import annotations

import json

import mrcfile
import numpy as np
import pytest

from napari_wedgefill.io import read_tilt_series, write_volume
from napari_wedgefill.volume import Volume


@pytest.fixture
def ball_path(tmp_path):
    z, _, x = np.mgrid[:20, :8, :24].astype(np.float32)
    data = ((z - 9.5) ** 2 + (x - 11.5) ** 2 < 25).astype(np.float32)
    return write_volume(tmp_path / "ball.mrc", Volume(data, voxel_nm=(0.4, 0.4, 0.4)))


def test_project_keeps_mass_size_and_angles(wedgefill, ball_path, tmp_path):
    angles = tmp_path / "wanted.tlt"
    angles.write_text("30\n-30\n0\n")
    ran = wedgefill("project", ball_path, "--angles", angles, "-o", tmp_path / "out.mrc")
    assert ran.code == 0
    series = read_tilt_series(tmp_path / "out.mrc")
    np.testing.assert_allclose(series.angles_deg, [-30, 0, 30])
    assert series.images.shape == (3, 8, 24)
    assert series.pixel_nm == pytest.approx(0.4)
    with mrcfile.open(ball_path) as file:
        mass = file.data.sum()
    np.testing.assert_allclose(series.images.sum(axis=(1, 2)), mass, rtol=0.01)


def test_project_takes_a_typed_range(wedgefill, ball_path, tmp_path):
    out = tmp_path / "out.mrc"
    assert wedgefill("project", ball_path, "--angles", "-60:60:30", "-o", out).code == 0
    assert read_tilt_series(out).angles_deg == pytest.approx([-60, -30, 0, 30, 60])
    ran = wedgefill("project", ball_path, "--angles", "-60:60", "-o", tmp_path / "other.mrc")
    assert "no step" in ran.complaint


def test_planes_that_were_cut_out_are_projected_from_where_they_lay(wedgefill, ball_path, tmp_path):
    """The ball lies below the middle of what is left, and on the tilt axis all the same."""
    (tmp_path / "a.tlt").write_text("-60\n0\n60\n")
    thin = tmp_path / "thin.mrc"
    assert wedgefill("convert", ball_path, thin, "--planes", "4:20").code == 0
    images = []
    for path in (ball_path, thin):
        out = tmp_path / f"{path.stem}_out.mrc"
        assert wedgefill("project", path, "--angles", tmp_path / "a.tlt", "-o", out).code == 0
        images.append(read_tilt_series(out).images)
    np.testing.assert_allclose(images[1], images[0], atol=1e-5)


def test_project_refuses_voxels_that_are_not_cubes(wedgefill, tmp_path):
    flat = Volume(np.eye(8, dtype=np.float32)[None].repeat(8, 0), voxel_nm=(1.0, 0.5, 0.5))
    path = write_volume(tmp_path / "flat.mrc", flat)
    (tmp_path / "a.tlt").write_text("0\n10\n20\n")
    ran = wedgefill("project", path, "--angles", tmp_path / "a.tlt", "-o", tmp_path / "o.mrc")
    assert "not cubes" in ran.complaint
    assert not (tmp_path / "o.mrc").exists()


def test_align_writes_a_series_that_reads_back(wedgefill, tiny_path, tmp_path):
    ran = wedgefill("align", tiny_path, "-o", tmp_path / "aligned.mrc", "--json")
    assert ran.code == 0
    report = json.loads(ran.out)
    assert len(report["shifts_px"]) == 25
    series = read_tilt_series(tmp_path / "aligned.mrc")
    assert series.images.shape == (25, 6, 32)
    assert series.pixel_nm == pytest.approx(0.8)


@pytest.mark.parametrize("command", ["align", "convert", "prepare"])
def test_no_command_writes_over_what_it_reads(wedgefill, tiny_path, command):
    before = tiny_path.read_bytes()
    target = [tiny_path] if command == "convert" else ["-o", tiny_path]
    ran = wedgefill(command, tiny_path, *target, "--overwrite")
    assert f"{tiny_path}: this is an input" in ran.complaint
    assert tiny_path.read_bytes() == before


def test_projecting_does_not_write_over_the_volume(wedgefill, tmp_path):
    volume = write_volume(tmp_path / "v.mrc", Volume(np.ones((8, 8, 8), np.float32), (1.0,) * 3))
    angles = tmp_path / "a.tlt"
    angles.write_text("-30\n0\n30\n")
    before = volume.read_bytes()
    ran = wedgefill("project", volume, "--angles", angles, "-o", volume, "--overwrite")
    assert f"{volume}: this is an input" in ran.complaint
    assert volume.read_bytes() == before


@pytest.mark.parametrize("command", ["align", "prepare", "self-check"])
def test_what_is_doubtful_is_said_by_every_command(wedgefill, tiny_path, tmp_path, command):
    angles = tmp_path / "radians.tlt"
    angles.write_text("".join(f"{a:.5f}\n" for a in np.deg2rad(np.arange(-60, 61, 5))))
    rest = ["--methods", "wbp"] if command == "self-check" else ["-o", tmp_path / "out.mrc"]
    ran = wedgefill(command, tiny_path, "--angles", angles, *rest)
    assert "as if they were radians" in ran.err


def test_negating_the_angles_mirrors_the_series(wedgefill, tiny_path, tiny_series):
    from napari_wedgefill.cli import build_parser
    from napari_wedgefill.commands.series_arguments import read_series

    args = build_parser().parse_args(["fill", str(tiny_path), "-o", "x", "--negate-angles"])
    series = read_series(args)
    np.testing.assert_allclose(series.angles_deg, -tiny_series.angles_deg[::-1])
    np.testing.assert_allclose(series.images, tiny_series.images[::-1])
    np.testing.assert_array_equal(series.file_order, np.arange(25)[::-1])
