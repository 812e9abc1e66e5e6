"""There and back, and nothing half-written."""

from __future__ import annotations

import errno
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import (
    kind_of,
    mrc_writer,
    read_tilt_series,
    read_volume,
    write_tilt_series,
    write_volume,
)
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume

edges_nm = st.floats(0.01, 500.0)
float32_volumes = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=3, max_dims=3, max_side=6),
    elements=st.floats(-(2.0**60), 2.0**60, width=32),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@given(data=float32_volumes, voxel_nm=st.none() | st.tuples(edges_nm, edges_nm, edges_nm))
def test_volumes_there_and_back(folder, data, voxel_nm):
    path = write_volume(folder / "v.mrc", Volume(data, voxel_nm=voxel_nm), overwrite=True)
    back = read_volume(path)
    np.testing.assert_array_equal(back.data, data)
    assert back.voxel_nm == (None if voxel_nm is None else pytest.approx(voxel_nm, rel=1e-5))


@given(
    angles=st.lists(
        st.floats(-89, 89).map(lambda a: round(a, 3)), min_size=3, max_size=9, unique=True
    ),
    pixel_nm=st.none() | edges_nm | st.just(0.1),
    shift=st.floats(-2.5, 2.5).map(lambda s: round(s, 3)),
)
def test_tilt_series_there_and_back(folder, angles, pixel_nm, shift):
    images = np.random.default_rng(1).normal(size=(len(angles), 4, 6)).astype(np.float32)
    series = TiltSeries.from_arrays(images, angles, pixel_nm=pixel_nm, axis_shift_px=shift)
    back = read_tilt_series(write_tilt_series(folder / "s.mrc", series, overwrite=True))
    np.testing.assert_array_equal(back.images, series.images)
    np.testing.assert_allclose(back.angles_deg, series.angles_deg, atol=1e-4)
    assert back.axis_shift_px == pytest.approx(shift, abs=1e-4)
    assert back.axis_deg == 0.0
    assert back.pixel_nm == (None if pixel_nm is None else pytest.approx(pixel_nm, rel=1e-5))


def test_what_other_programs_see(tmp_path):
    """The voxel size is right along z too: mrcfile halves it when data are set after the size."""
    history = (*(f"step {i} \N{MICRO SIGN}" for i in range(14)), "x" * 200)
    volume = Volume(np.ones((4, 5, 6), np.float32), (0.3, 0.4, 0.5), history=history)
    path = write_volume(tmp_path / "v.rec", volume)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as file:
        assert file.voxel_size.tolist() == pytest.approx((5.0, 4.0, 3.0))
        assert (int(file.header.mode), int(file.header.ispg), int(file.header.mz)) == (2, 1, 4)
        assert file.header.origin.tolist() == (0.0, 0.0, 0.0)
        labels = [str(label).rstrip() for label in file.get_labels()]
    assert len(labels) == 10
    assert labels[0].startswith("napari-wedgefill")
    assert labels[1] == "(7 steps are left out here)"
    assert labels[-2] == "step 13 ?"
    assert labels[-1] == "x" * 80


def test_kinds_of_what_was_written(tmp_path, stack):
    series = TiltSeries.from_arrays(stack, [-60, -30, 0, 30, 60])
    assert kind_of(write_tilt_series(tmp_path / "s.mrc", series)) == "tilt series"
    assert kind_of(write_volume(tmp_path / "v.mrc", Volume(stack))) == "volume"
    with mrcfile.open(tmp_path / "s.mrc") as file:
        assert file.is_image_stack()
    written = (tmp_path / "s.tlt").read_text().split()
    assert written == ["-60.0000", "-30.0000", "0.0000", "30.0000", "60.0000"]


def full_disk(data_written):
    def new(path, *args, **kwargs):
        Path(path).write_bytes(data_written)
        raise OSError(errno.ENOSPC, "No space left on device")

    return new


@pytest.mark.parametrize("older", [None, b"older"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, stack, monkeypatch, older):
    path = tmp_path / "v.mrc"
    if older is not None:
        path.write_bytes(older)
    monkeypatch.setattr(mrc_writer.mrcfile, "new", full_disk(b"half a file"))
    with pytest.raises(WedgefillError, match="no room left on the disk"):
        write_volume(path, Volume(stack), overwrite=True)
    with pytest.raises(WedgefillError, match="no room left on the disk"):
        write_tilt_series(path, TiltSeries.from_arrays(stack, [1, 2, 3, 4, 5]), overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ([] if older is None else ["v.mrc"])
    assert older is None or path.read_bytes() == older


def test_interruption_leaves_nothing(tmp_path, stack, monkeypatch):
    def interrupted(path, *args, **kwargs):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(mrc_writer.mrcfile, "new", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_volume(tmp_path / "v.mrc", Volume(stack))
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path, stack):
    volume = Volume(stack)
    with pytest.raises(WedgefillError, match="does not exist; make it first"):
        write_volume(tmp_path / "absent" / "v.mrc", volume)
    with pytest.raises(WedgefillError, match=r"such as v\.mrc"):
        write_volume(tmp_path / "v.png", volume)
    (tmp_path / "folder.mrc").mkdir()
    with pytest.raises(WedgefillError, match="is a folder"):
        write_volume(tmp_path / "folder.mrc", volume)


def test_forbidden_places(tmp_path, stack, monkeypatch):
    def denied(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(mrc_writer.mrcfile, "new", denied)
    with pytest.raises(WedgefillError, match="must not be written to; choose another folder"):
        write_volume(tmp_path / "v.mrc", Volume(stack))


def test_a_mapped_volume_can_be_written_over_itself(tmp_path, stack):
    path = write_volume(tmp_path / "v.mrc", Volume(stack))
    mapped = read_volume(path)
    write_volume(path, mapped, overwrite=True)
    np.testing.assert_array_equal(read_volume(path).data, stack)
    np.testing.assert_array_equal(mapped.data, stack)
