"""Objects of known size, place and number."""

import numpy as np
import pytest

from napari_wedgefill.trust.objects import (
    ObjectTable,
    find_object_box,
    find_threshold,
    iter_measure,
    label_objects,
)

N = 40


def soft_balls(*balls):
    """Balls (z, y, x, radius) of density 1 with an edge two voxels wide, in noise."""
    grid = np.mgrid[:N, :N, :N]
    noise = np.random.default_rng(0).normal(0, 0.02, (N, N, N))
    for z, y, x, radius in balls:
        distance = np.sqrt((grid[0] - z) ** 2 + (grid[1] - y) ** 2 + (grid[2] - x) ** 2)
        noise += np.clip((radius + 1 - distance) / 2, 0, 1)
    return noise.astype(np.float32)


def measure(volume, threshold, smallest=5, **where):
    labels = label_objects(volume, threshold, smallest)
    return list(iter_measure(labels, volume, threshold, **where))[-1]


def test_volume_surface_and_place_of_two_balls():
    volume = soft_balls((12, 12, 12, 8.0), (30, 28, 29, 5.0))
    table = measure(volume, 0.5, voxel_nm=(2.0, 2.0, 2.0), origin_nm=(0.0, 10.0, 0.0))
    assert len(table.rows) == 2
    for row, radius, centre in zip(
        table.rows, (16.0, 10.0), ((24, 34, 24), (60, 66, 58)), strict=True
    ):
        assert row[2] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.06)
        assert row[3] == pytest.approx(4 * np.pi * radius**2, rel=0.04)
        np.testing.assert_allclose(row[4:7], centre, atol=0.2)
        assert row[7] == pytest.approx(2 * radius, rel=0.02)
    assert table.to_csv().startswith("label,voxels,volume_nm3,surface_nm2,z_nm")


def test_a_cut_object_is_closed_at_the_border():
    volume = np.zeros((N, N, N), np.float32)
    volume[10:30, :, 10:20] = 1.0
    (row,) = measure(volume, 0.5, voxel_nm=None).rows
    assert row[3] == pytest.approx(2 * (20 * N + 20 * 10 + N * 10), rel=0.1)
    assert measure(volume, 0.5, voxel_nm=None).unit == "px"


def test_the_largest_comes_first_and_specks_are_left_out():
    volume = np.zeros((N, N, N), np.float32)
    volume[2:4, 2:4, 2:4] = 1.0
    volume[10:20, 10:20, 10:20] = 1.0
    volume[30, 30, 30] = volume[31, 31, 31] = 1.0
    labels = label_objects(volume, 0.5, 2)
    assert list(np.bincount(labels.ravel())[1:]) == [1000, 8, 2]
    assert label_objects(volume, 0.5, 3).max() == 2
    assert label_objects(volume, 2.0).max() == 0
    assert list(iter_measure(label_objects(volume, 2.0), volume, 2.0, None))[-1] == ObjectTable(
        (), "px"
    )


def test_the_box_holds_the_object_and_not_the_field():
    volume = soft_balls((12, 20, 28, 6.0))
    assert find_threshold(volume) == pytest.approx(0.5, abs=0.15)
    for (low, high), centre in zip(find_object_box(volume), (12, 20, 28), strict=True):
        assert centre - 11 <= low <= centre - 6
        assert centre + 7 <= high <= centre + 12


def test_the_box_of_an_even_volume_is_all_of_it():
    assert find_object_box(np.ones((4, 5, 6), np.float32)) == ((0, 4), (0, 5), (0, 6))
