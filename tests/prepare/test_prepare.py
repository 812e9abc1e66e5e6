"""Preparing a series: what is asked for is done, told, and repeated by the recipe."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.prepare import (
    CleanOptions,
    PrepareOptions,
    RegionOptions,
    TiltOptions,
    find_images_of_nothing,
    measure_disagreement,
    prepare_series,
    propose_bad_images,
)
from napari_wedgefill.prepare.cleaning import estimate_tilt_offset, subtract_plane
from napari_wedgefill.prepare.disagreement import hint
from napari_wedgefill.prepare.recipe import read_found, read_recipe, write_recipe
from napari_wedgefill.tilt_series import TiltSeries
from tests.prepare.simulated_needle import ANGLES_DEG, LEVEL, SCALE, SIZE, jitter, needle

UNALIGNED = PrepareOptions(align=False)


def thinned(series: TiltSeries) -> TiltSeries:
    """Every third tilt, for speed."""
    return series.tilts(np.arange(0, series.n_tilts, 3))


def test_nothing_asked_for_changes_nothing() -> None:
    series = needle(jitter())
    options = PrepareOptions(clean=CleanOptions(spikes=False), align=False)
    done = prepare_series(series, options)
    np.testing.assert_array_equal(done.series.images, series.images)
    assert done.report.history == ()
    assert all(row.use and not row.reason for row in done.report.tilts)


def test_bad_images_are_left_out_with_the_reason_in_the_table() -> None:
    series = needle(jitter())
    series.images[6] = LEVEL
    assert [bad.tilt for bad in propose_bad_images(series)] == [6]
    done = prepare_series(series, UNALIGNED)
    assert done.series.n_tilts == series.n_tilts - 1
    row = done.report.tilts[6]
    assert not row.use
    assert "blank" in row.reason
    assert done.series.angles_deg.tolist() == np.delete(ANGLES_DEG, 6).tolist()
    kept = prepare_series(series, replace(UNALIGNED, tilts=TiltOptions(leave_out_useless=False)))
    assert kept.series.n_tilts == series.n_tilts
    assert "consider leaving it out" in " ".join(kept.report.history)


def test_an_angle_is_corrected_and_the_offset_added() -> None:
    series = needle(jitter())
    tilts = TiltOptions(leave_out=(0,), corrected_deg=((5, 71.0),), offset_deg=2.0)
    done = prepare_series(series, replace(UNALIGNED, tilts=tilts))
    assert done.series.angles_deg[-1] == 73.0
    np.testing.assert_array_equal(done.series.images[-1], series.images[5])
    assert done.report.tilts[5].angle_deg == 73.0
    assert done.report.tilts[0].reason == "left out by hand"
    assert "+2.00 degrees were added" in " ".join(done.report.history)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (PrepareOptions(RegionOptions(rows=(10, 200))), "rows 10:200 were asked for"),
        (PrepareOptions(tilts=TiltOptions(leave_out=(99,))), "there is no image 99"),
        (PrepareOptions(tilts=TiltOptions(leave_out=tuple(range(27)))), "2 of 29 images are left"),
        (PrepareOptions(tilts=TiltOptions((3,), corrected_deg=((3, 0.0),))), "is not used"),
    ],
)
def test_what_cannot_be_done_is_refused(options: PrepareOptions, message: str) -> None:
    with pytest.raises(WedgefillError, match=message):
        prepare_series(needle(jitter()), options)


def test_cropping_keeps_the_axis_in_the_object() -> None:
    series = replace(needle(jitter()), axis_shift_px=1.5)
    region = RegionOptions(rows=(8, 40), columns=(10, 60))
    done = prepare_series(series, replace(UNALIGNED, region=region, clean=CleanOptions(False)))
    np.testing.assert_array_equal(done.series.images, series.images[:, 8:40, 10:60])
    before = (SIZE - 1) / 2 + 1.5
    assert (50 - 1) / 2 + done.series.axis_shift_px + 10 == pytest.approx(before)


def test_bright_field_becomes_additive_thickness() -> None:
    thickness = np.clip((needle(jitter()).images - LEVEL) / SCALE, 0.0, None)
    transmitted = 5000.0 * np.exp(-thickness)
    series = TiltSeries.from_arrays(transmitted, ANGLES_DEG)
    clean = CleanOptions(bright_field=True)
    done = prepare_series(series, replace(UNALIGNED, clean=clean))
    np.testing.assert_allclose(done.series.images, thickness, atol=0.03)


def test_a_plane_is_subtracted_from_empty_space() -> None:
    images = (needle(jitter(), noise=0.02).images - LEVEL).astype(np.float32)
    y, x = np.mgrid[-1.0 : 1.0 : SIZE * 1j, -1.0 : 1.0 : SIZE * 1j]
    flat = subtract_plane((images + 15.0 * x - 10.0 * y).astype(np.float32))
    assert np.sqrt(np.mean((flat - images) ** 2)) < 0.02 * SCALE


def test_a_beam_that_drifts_is_evened_out() -> None:
    series = needle(np.zeros((len(ANGLES_DEG), 2)))
    drift = np.linspace(0.8, 1.2, series.n_tilts)[:, None, None].astype(np.float32)
    series = replace(series, images=(series.images - np.float32(LEVEL)) * drift)
    clean = CleanOptions(even_intensity=True)
    done = prepare_series(series, replace(UNALIGNED, clean=clean))
    before, after = (each.images.sum(axis=(1, 2)) for each in (series, done.series))
    assert np.ptp(before) / before.mean() > 0.3
    assert np.ptp(after) / after.mean() < 0.02


@pytest.mark.parametrize("true_deg", [-6.0, 0.0, 11.0])
def test_the_pre_tilt_of_a_film_is_estimated(true_deg: float) -> None:
    rng = np.random.default_rng(0)
    angles = np.linspace(-60.0, 60.0, 31)
    path = 100.0 / np.cos(np.deg2rad(angles + true_deg))
    film = 20.0 + path[:, None, None] + rng.normal(0.0, 5.0, (31, 40, 40))
    found = estimate_tilt_offset(film.astype(np.float32), angles)
    assert found is not None
    assert found[0] == pytest.approx(true_deg, abs=0.5)


def test_the_pre_tilt_of_a_needle_is_not_guessed() -> None:
    tilts = TiltOptions(estimate_offset=True)
    done = prepare_series(needle(jitter()), replace(UNALIGNED, tilts=tilts))
    np.testing.assert_array_equal(done.series.angles_deg, ANGLES_DEG)
    assert "was not estimated" in " ".join(done.report.history)


def test_another_signal_takes_over_shifts_and_images(tmp_path: Path) -> None:
    series = thinned(needle(jitter(), axis_px=2.0))
    series.images[2] = LEVEL
    first = prepare_series(series)
    assert first.report.alignment is not None
    assert first.report.alignment.applied
    path = write_recipe(tmp_path / "r.json", first.report.to_dict())
    options, like = read_recipe(path).options, read_found(path)
    assert options == first.report.options
    second = prepare_series(replace(series, images=2.0 * (series.images - LEVEL)), options, like)
    np.testing.assert_allclose(second.series.images, 2.0 * first.series.images, atol=0.02 * SCALE)
    assert second.series.n_tilts == series.n_tilts - 1
    again = prepare_series(series, options)
    np.testing.assert_array_equal(again.series.images, first.series.images)
    with pytest.raises(WedgefillError, match="must be of the same tilts"):
        prepare_series(series.tilts(np.arange(6)), options, like)


FOUND = {
    "kept": [0, 2], "angles_deg": [-60, 60], "offsets_px": [[0, 0], [1, 2.5]], "axis_shift_px": 0,
    "axis_deg": 0.0, "all_angles_deg": [-60, 0, 60], "shape": [16, 16],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"recipe": {"clean": {"sparkle": true}}}', r"there is no recipe\.clean\.sparkle"),
        ('{"recipe": {"clean": {"spikes": "yes"}}}', r"recipe\.clean\.spikes is 'yes'"),
        ('{"recipe": {"tilts": {"offset_deg": NaN}}}', r"recipe\.tilts\.offset_deg is nan"),
        ('{"recipe": {"tilts": {"offset_deg": 1e999}}}', r"recipe\.tilts\.offset_deg is inf"),
        ('{"recipe": {"region": {"rows": [1]}}}', r"recipe\.region\.rows\.1 is missing"),
        ("[]", r"all of it is \[\]"),
        ("{}", "recipe is missing"),
        ("[" * 100_000, "this is not JSON"),
        ("\x00", "this is not JSON"),
        (json.dumps({"recipe": {}, "found": FOUND | {"kept": [0, 3]}}), "is not there, or twice"),
        (json.dumps({"recipe": {}, "found": FOUND | {"kept": [0]}}), "one angle and one shift"),
        (json.dumps({"recipe": {}, "found": FOUND | {"shape": [1, 1]}}), "out of the field"),
        (json.dumps({"recipe": {}, "found": FOUND | {"kept": [0, -1]}}), r"found\.kept\.1 is -1"),
    ],
)
def test_a_recipe_that_was_edited_wrongly_is_refused(tmp_path: Path, text: str, sentence) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(WedgefillError, match=r"r\.json: .*" + sentence):
        read_recipe(path)


def test_a_recipe_that_is_a_pipe_or_holds_no_shifts_is_refused(tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "r.json", {"recipe": {}, "found": None, "odd": float("nan")})
    with pytest.raises(WedgefillError, match="holds no shifts"):
        read_found(path)
    assert json.loads(path.read_text())["odd"] is None
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(WedgefillError, match=r"pipe\.json: this is no file"):
        read_recipe(tmp_path / "pipe.json")


def test_a_raw_series_disagrees_more_than_an_aligned_one() -> None:
    raw = measure_disagreement(needle(jitter()))
    good = measure_disagreement(needle(np.zeros((len(ANGLES_DEG), 2))))
    assert raw is not None
    assert good is not None
    assert raw > 2.0 * good
    assert "contradict each other" in hint(raw)
    assert hint(good) == ""
    assert measure_disagreement(needle(jitter()).tilts(np.arange(3))) is None


@pytest.mark.parametrize("height", [1, 3, 9])
def test_images_far_wider_than_high_are_looked_at_too(height):
    """Binned as their width asks for, so flat images would vanish."""
    images = np.random.default_rng(0).normal(10, 1, (9, height, 2048))
    images[:, :, 900:1200] += 40
    images[4] = 3
    series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
    assert [bad.tilt for bad in propose_bad_images(series)] == [4]
    assert find_images_of_nothing(series) == ()
