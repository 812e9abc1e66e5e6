"""The comparison picture: what is shown where, and on which grey scale."""

from __future__ import annotations

import numpy as np
import pytest

from napari_wedgefill.comparison import (
    GreyScale,
    compare,
    cut_plane,
    find_centre_of_object,
    round_length,
)
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.volume import Volume

SHAPE = (20, 30, 40)


def ball(z: float, y: float, x: float) -> np.ndarray:
    grid = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    distance = sum((axis - at) ** 2 for axis, at in zip(grid, (z, y, x), strict=True))
    return (distance < 16).astype(np.float32)


def test_the_centre_is_the_objects_and_not_the_volumes():
    assert find_centre_of_object(ball(6, 21, 30)) == (6, 21, 30)


def test_a_dark_object_is_found_as_well():
    assert find_centre_of_object(5 - ball(6, 21, 30)) == (6, 21, 30)


def test_an_empty_volume_is_cut_in_the_middle():
    assert find_centre_of_object(np.zeros(SHAPE, np.float32)) == (10, 15, 20)


def test_grey_is_common_and_one_streaky_method_does_not_set_it():
    calm = [np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 100) for _ in range(3)]
    scale = GreyScale.common([*calm, 100 * calm[0]])
    assert scale.white == pytest.approx(1.0, abs=0.01)
    assert np.asarray(scale.grey(np.float32([[-9, 9]]))).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("longest", "length"), [(0.7, 0.5), (9.9, 5), (10, 10), (143, 100), (2, 2)]
)
def test_scale_bars_are_round(longest, length):
    assert round_length(longest) == pytest.approx(length)


def test_every_method_gets_a_column_of_three_planes():
    volume = Volume(ball(6, 21, 30), voxel_nm=(2.0, 2.0, 2.0))
    one = compare({"wbp": volume})
    two = compare({"wbp": volume, "gan": volume})
    assert two.height == one.height
    assert two.width > one.width + 300
    bright = np.asarray(two.convert("L")) > 250
    columns = np.flatnonzero(bright[60:-60].any(axis=0))
    assert columns.min() < one.width < columns.max()


def test_the_shape_of_voxels_is_respected():
    square = compare({"wbp": Volume(ball(6, 21, 30), voxel_nm=(1.0, 1.0, 1.0))})
    tall = compare({"wbp": Volume(ball(6, 21, 30), voxel_nm=(2.0, 1.0, 1.0))})
    assert tall.height > square.height


def test_volumes_of_different_shapes_are_refused():
    small = Volume(np.zeros((4, 4, 4), np.float32))
    with pytest.raises(WedgefillError, match="shapes"):
        compare({"wbp": Volume(ball(6, 21, 30)), "gan": small})


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plane_of_a_mapped_volume_is_the_plane(tmp_path, axis):
    data = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    (tmp_path / "volume.raw").write_bytes(data.tobytes())
    mapped = np.memmap(tmp_path / "volume.raw", np.float32, "r", shape=data.shape)
    np.testing.assert_array_equal(cut_plane(mapped, axis, 3), data.take(3, axis=axis))
