"""Reading slices, differences and profiles: numbers, without a display."""

import subprocess
import sys

import numpy as np
import pytest

from napari_wedgefill._napari.compare.columns import DifferenceColumn, VolumeColumn
from napari_wedgefill._napari.compare.planes import PLANES, XY, XZ, YZ
from napari_wedgefill._napari.compare.profile import Line, line_through, points_along, profile
from napari_wedgefill._napari.compare.shading import DIFFERENCE, shade, table

SHAPE = (8, 5, 7)
VOXEL = (2.0, 3.0, 0.5)
ORIGIN = (10.0, -3.0, 0.0)


@pytest.fixture
def data():
    return np.random.default_rng(0).random(SHAPE, dtype=np.float32)


@pytest.fixture
def column(data):
    return VolumeColumn("a", data, ORIGIN, VOXEL)


def world(z, y, x):
    return tuple(o + i * v for o, i, v in zip(ORIGIN, (z, y, x), VOXEL, strict=True))


def test_the_model_needs_no_window():
    script = (
        "import sys, napari_wedgefill._napari.compare.model\n"
        "print(*{'qtpy', 'napari', 'vispy'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert not ran.stdout.split()


@pytest.mark.parametrize("plane", PLANES, ids=lambda plane: plane.name)
def test_first_letter_of_a_plane_runs_to_the_right_and_the_second_down(plane):
    assert "zyx"[plane.across] == plane.name[0].lower()
    assert "zyx"[plane.down] == plane.name[1].lower()


@pytest.mark.parametrize(
    ("plane", "expected"),
    [(XY, lambda v: v[3]), (XZ, lambda v: v[:, 2]), (YZ, lambda v: v[:, :, 4])],
)
def test_a_section_is_a_view_of_the_slice_at_a_world_position(column, data, plane, expected):
    section = column.section(plane, world(3, 2, 4)[plane.cut])
    np.testing.assert_array_equal(section, expected(data))
    assert np.shares_memory(section, data)


def test_nothing_is_read_outside_the_volume(column):
    assert column.section(XZ, world(0, 5, 0)[1]) is None
    down, across = column.positions(0), np.array([-1.0, world(0, 0, 6)[2], 100.0])
    sampled = column.sample(XZ, world(0, 1, 0)[1], down, across)
    assert np.isnan(sampled[:, [0, 2]]).all()
    np.testing.assert_array_equal(sampled[:, 1], column.data[:, 1, 6])


@pytest.mark.parametrize("dtype", ["float64", "int16", "uint8", ">f4"])
def test_other_types_and_files_are_read_slice_by_slice(tmp_path, dtype, data):
    path = tmp_path / "volume.raw"
    values = (100 * data).astype(dtype)
    values.tofile(path)
    column = VolumeColumn("a", np.memmap(path, dtype, "r", shape=SHAPE))
    section = column.sample(YZ, 4.0, column.positions(0), column.positions(1))
    assert section.dtype == np.float32
    np.testing.assert_array_equal(section, values[:, :, 4].astype(np.float32))


def test_difference_of_different_grids_compares_the_same_places(data):
    fine = VolumeColumn("fine", data.repeat(2, axis=2), (0.0, 0.0, -0.25), (1.0, 1.0, 0.5))
    coarse = VolumeColumn("coarse", data, voxel=(1.0, 1.0, 1.0))
    difference = DifferenceColumn(fine, coarse)
    assert not np.any(difference.section(XZ, 2.0))
    assert not np.any(difference.coarse())


def test_difference_subtracts_the_reference(data):
    first, second = VolumeColumn("a", data), VolumeColumn("b", data / 4)
    np.testing.assert_allclose(
        DifferenceColumn(first, second).section(XY, 3.0), 0.75 * data[3], rtol=1e-6
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_profile_along_an_axis_is_the_row_of_voxels(column, data, axis):
    line = line_through(world(3, 2, 4), axis, column)
    found = profile(column, line, points_along(line, column))
    index = [3, 2, 4]
    index[axis] = slice(None)
    np.testing.assert_allclose(found.values, data[tuple(index)], rtol=1e-5)
    assert found.distances[-1] == pytest.approx((SHAPE[axis] - 1) * VOXEL[axis])


def test_profile_across_is_interpolated_and_ends_with_the_volume():
    z, x = np.mgrid[:9, :9].astype(np.float32)
    ramp = VolumeColumn("ramp", (2 * z + x)[:, None, :])
    line = Line(XZ, (1.0, 0.0, 0.0), (5.0, 0.0, 16.0))
    found = profile(ramp, line, 33)
    np.testing.assert_allclose(found.values[:17], np.linspace(2, 6 + 8, 17), rtol=1e-5)
    assert np.isnan(found.values[17:]).all()
    flat = profile(DifferenceColumn(ramp, ramp), line, 33)
    assert not np.any(flat.values[:17])


def test_shades_run_from_the_first_colour_to_the_last():
    values = np.float32([[-1, 0, 0.5, 1, 9, np.nan]])
    found = shade(values, 0.0, 1.0, table("gray"), 0x12345678)[0]
    assert [hex(c) for c in found] == [
        "0xff000000", "0xff000000", "0xff808080", "0xffffffff", "0xffffffff", "0x12345678",
    ]  # fmt: skip


def test_zero_difference_is_white_and_its_ends_are_blue_and_red():
    blue, middle, red = (int(table(DIFFERENCE)[i]) for i in (0, 128, 255))
    assert min(middle >> shift & 255 for shift in (0, 8, 16)) > 240
    assert blue & 255 > 2 * (blue >> 16 & 255)
    assert red >> 16 & 255 > 4 * (red & 255)
