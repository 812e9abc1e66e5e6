"""The tilt axis of a film that leaves the field is found from pairs of stretched images."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from napari_wedgefill.prepare.correlation import taper
from napari_wedgefill.prepare.film_axis import choose_pairs, fit_affine, place_axis
from napari_wedgefill.prepare.film_heights import CellGrid, CellShifts, explain_pairs
from napari_wedgefill.prepare.pose import Binned, Pose
from napari_wedgefill.projector import ParallelBeam

FIELD, WIDE, DEPTH = 64, 208, 8
ANGLES_DEG = np.arange(-60.0, 61.0, 6.0)
OFFSET_DEG = 3.0  # the film is mounted askew
STILL = np.zeros((len(ANGLES_DEG), 2))


@cache
def exact_images() -> np.ndarray:
    """Images (n_tilts, h, w) of grains in a film that reaches past the field at every tilt."""
    rng = np.random.default_rng(2)
    grains = np.zeros((DEPTH, WIDE, 2 * FIELD), np.float32)
    grains[tuple(rng.integers(0, n, 900) for n in grains.shape)] = 1.0
    film = gaussian_filter(grains, 1.2)
    images = ParallelBeam(ANGLES_DEG + OFFSET_DEG, WIDE, DEPTH)(film).transpose(0, 2, 1)
    return np.asarray(images / images.max(), np.float32)


def see(pose: Pose) -> Binned:
    """What a microscope sees with displaced images and a leaning tilt axis."""
    back, wide = pose.rotation().T, np.array([FIELD - 0.5, (WIDE - 1) / 2])
    images = np.empty((len(ANGLES_DEG), FIELD, FIELD), np.float32)
    for tilt, image in enumerate(exact_images()):
        moved = pose.offsets_px[tilt] + [0.0, pose.axis_shift_px]
        start = wide - back @ (np.full(2, (FIELD - 1) / 2) + moved)
        affine_transform(image, back, start, output=images[tilt], output_shape=(FIELD, FIELD))
    return Binned.of(images, 1)


@pytest.mark.parametrize("axis_deg", [-7.0, 2.5])
def test_the_lean_and_the_position_of_the_axis_are_found_together(axis_deg: float) -> None:
    found, error_deg = place_axis(see(Pose(STILL, 3.0, axis_deg)), Pose(STILL), ANGLES_DEG)
    assert error_deg < 0.5
    assert found.axis_deg == pytest.approx(axis_deg, abs=0.5)
    across = (found.offsets_px @ found.rotation())[:, 1]
    tilts = np.deg2rad(ANGLES_DEG)
    design = np.stack([np.ones_like(tilts), np.cos(tilts), np.sin(tilts)], axis=1)
    solved = np.linalg.lstsq(design, across, rcond=None)[0]
    assert solved[0] == pytest.approx(3.0, abs=0.3)
    assert np.std(across - design @ solved) < 0.1


def test_what_lies_at_other_heights_is_no_shear() -> None:
    """Height moves it across the axis only, by as much as half a pixel here."""
    y, x = np.mgrid[:96, :96].astype(float)
    shears = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        fixed = gaussian_filter(rng.standard_normal(y.shape), 2.0).astype(np.float32)
        heights = gaussian_filter(rng.standard_normal(y.shape), 8.0)
        seen = [y, x + 0.5 * heights / heights.std()]
        moving = map_coordinates(fixed, seen, output=np.float32)
        shears.append(fit_affine(moving, fixed, taper(y.shape)).shear)
    assert np.sqrt(np.mean(np.square(shears))) < 4e-4


def test_images_of_noise_move_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal((len(ANGLES_DEG), FIELD, FIELD))
    pose = Pose(STILL, 1.0, 4.0)
    found, error_deg = place_axis(Binned.of(noise.astype(np.float32), 1), pose, ANGLES_DEG)
    assert found is pose
    assert error_deg == np.inf


def test_the_more_tilted_image_of_a_pair_is_the_one_to_stretch() -> None:
    inner, outer, ratios = choose_pairs(ANGLES_DEG)
    assert np.all(np.abs(ANGLES_DEG[inner]) <= np.abs(ANGLES_DEG[outer]))
    assert np.all((ratios > 0.5) & (ratios <= 1.0))
    assert set(inner) | set(outer) == set(range(len(ANGLES_DEG)))


def _see_cells(
    grid: CellGrid, angles_deg: np.ndarray, across: np.ndarray, heights: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], list[CellShifts]]:
    """What pairs measure of a film whose cells lie at these heights, those in view of each."""
    inner, outer, ratios = choose_pairs(angles_deg)
    sines, cosines = np.sin(np.deg2rad(angles_deg)), np.cos(np.deg2rad(angles_deg))
    seen = []
    for a, b, ratio in zip(inner, outer, ratios, strict=True):
        cells = np.flatnonzero(np.abs(grid.places_across_px()) * cosines[a] < FIELD / 2)
        rise = sines[b] - ratio * sines[a]
        moved = (across[b] - ratio * across[a] + heights[cells] * rise) / ratio
        seen.append(CellShifts(cells, moved, np.full(len(cells), 1e-4)))
    return (inner, outer), seen


def test_heights_of_a_films_parts_do_not_move_its_axis() -> None:
    """Neither particles above and below it, nor the film's own tilt."""
    rng = np.random.default_rng(4)
    grid = CellGrid.of((FIELD, FIELD))
    tilts = np.deg2rad(ANGLES_DEG)
    design = np.stack([np.ones_like(tilts), np.cos(tilts), np.sin(tilts)], axis=1)
    jitter = rng.uniform(-1, 1, len(tilts))
    across = 0.5 + jitter - design @ np.linalg.lstsq(design, jitter, rcond=None)[0]
    heights = rng.normal(0.0, 2.0, grid.rows * grid.columns) + 0.04 * grid.places_across_px()
    found = explain_pairs(*_see_cells(grid, ANGLES_DEG, across, heights), ANGLES_DEG, grid)
    assert found is not None
    wrong = found.across_px - across
    solved = np.linalg.lstsq(design, wrong, rcond=None)[0]
    assert abs(solved[0]) < 0.02
    assert np.std(wrong - design @ solved) < 0.01
    # Cells that only some tilts see stay near the middle, so that rounds find the tilt by and by.
    assert 0.02 < found.slope < 0.042


def test_images_on_both_sides_of_a_gap_are_compared() -> None:
    angles_deg = np.delete(np.arange(-60.0, 61.0, 3.0), [24, 25, 26])  # 12 degrees without images
    grid = CellGrid.of((FIELD, FIELD))
    cells = np.zeros(grid.rows * grid.columns)
    pairs, seen = _see_cells(grid, angles_deg, np.zeros(len(angles_deg)), cells)
    assert explain_pairs(pairs, seen, angles_deg, grid) is not None
    crossing = (pairs[0] < 24) & (pairs[1] >= 24)
    assert crossing.sum() == 1
    kept = np.flatnonzero(~crossing)
    apart = (pairs[0][kept], pairs[1][kept])
    assert explain_pairs(apart, [seen[k] for k in kept], angles_deg, grid) is None
