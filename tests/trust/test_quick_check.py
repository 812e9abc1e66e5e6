"""The quick check: what it says of good and bad cases, and that it sees what it must."""

from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust.quick_check import count_checked_slices, iter_quick_check
from napari_wedgefill.trust.verdicts import QuickCheck

ANGLES_DEG = np.arange(-60, 61, 5.0)
GOOD = QuickCheck(
    "gan",
    0.2,
    61,
    errors={"tvm": 0.080, "gan": 0.060},
    ratio_error=0.02,
    movement={"tvm": 0.04, "gan": 0.03},
)


def record(width=32, half_width=8.0, n_slices=6):
    """Series of a disc, or of a bar that leaves the field on two sides."""
    axis = np.arange(3 * width) - (3 * width - 1) / 2
    z, x = axis[:, None], axis[None, :]
    inside = np.hypot(z, x) < 8 if half_width < width / 2 else (abs(z) < 4) & (abs(x) < half_width)
    matter = inside.astype(np.float32)[:, :, None].repeat(n_slices, axis=2)
    rows = ParallelBeam(ANGLES_DEG, 3 * width)(matter)[:, width : 2 * width]
    noise = np.random.default_rng(0).normal(0, 0.05, rows.shape)
    return TiltSeries.from_arrays((rows + noise).transpose(0, 2, 1), ANGLES_DEG)


def check(series):
    return list(iter_quick_check(series, FillOptions(device="cpu")))[-1]


@pytest.fixture(scope="module")
def isolated():
    """What is found on the disc."""
    return check(record(n_slices=4))


def test_it_is_told_to_trust_what_predicts_better():
    assert GOOD.verdict == "better"
    assert GOOD.recommended == "gan"
    assert GOOD.sentence == (
        "Trust GAN here: at withheld tilts it is 25 % better than TVM (6.0 % against 8.0 %)."
    )


def test_it_is_told_not_to_use_what_predicts_worse():
    found = replace(GOOD, errors={"tvm": 0.05, "gan": 0.067})
    assert (found.verdict, found.recommended) == ("worse", "tvm")
    assert found.sentence.startswith("Do not use GAN here: at withheld tilts GAN is 34 % worse")
    assert found.to_dict()["recommended"] == "tvm"


def test_what_is_a_little_worse_is_only_not_preferred():
    found = replace(GOOD, errors={"tvm": 0.025, "gan": 0.026}, ratio_error=0.01)
    assert (found.verdict, found.recommended) == ("worse", "tvm")
    assert found.sentence == (
        "Prefer TVM to GAN here: at withheld tilts GAN is 4 % worse than TVM (2.6 % against 2.5 %)."
    )


def test_a_difference_within_its_uncertainty_is_none():
    found = replace(GOOD, errors={"tvm": 0.060, "gan": 0.056}, ratio_error=0.05)
    assert found.verdict == "equal"
    level = "GAN and TVM are level here: 5.6 % against 6.0 % at withheld tilts."
    assert found.sentence == level
    alike = replace(found, errors={"tvm": 0.0601, "gan": 0.0599})
    assert alike.headline == "GAN and TVM are level here: 6.0 % at withheld tilts."
    assert replace(found, ratio_error=0.01).verdict == "better"


def test_a_volume_that_depends_on_the_view_is_not_trusted():
    """Noise that was sharpened into detail predicts no worse, but it is another detail each time.

    Where matter lies outside the field, TVM is steady and wrong, and cannot be the measure.
    """
    moving = replace(GOOD, movement={"tvm": 0.07, "gan": 0.12})
    assert (moving.verdict, moving.recommended) == ("equal", "tvm")
    assert "believe only detail that TVM shows too" in moving.sentence
    worse = replace(moving, movement={"tvm": 0.06, "gan": 0.19})
    assert worse.verdict == "worse"
    assert worse.sentence.startswith("Do not use GAN here")
    assert worse.sentence.endswith("its detail is not in the data.")
    assert replace(moving, movement={"tvm": 0.01, "gan": 0.03}).verdict == "better"
    film = replace(moving, leaves_field=True)
    assert film.verdict == "better"
    assert film.sentence.startswith("The specimen goes on outside the field of view.")
    assert "no judge of GAN" in film.sentence
    counts = replace(film, is_background=True)
    assert counts.sentence.startswith("The background of the images differs from what is taken")
    assert "must explain it by matter and are no judge of GAN" in counts.sentence


def test_noise_that_was_held_back_is_told_and_cannot_have_been_sharpened():
    """The networks move their own answer then, not the noise."""
    shown = replace(GOOD, movement={"tvm": 0.07, "gan": 0.12})
    held = replace(shown, noise_share=0.1)
    assert shown.is_doubtful
    assert not held.is_doubtful
    assert held.sentence.endswith("of what TVM leaves unexplained in them, GAN was shown 10 %.")
    assert "was shown" not in shown.sentence
    unchecked = replace(held, errors={}, movement={})
    assert "was shown 10 %" in unchecked.sentence


def test_the_network_for_smooth_images_is_told():
    told = replace(GOOD, saw_smooth=True).sentence
    assert told.startswith(GOOD.sentence)
    assert told.endswith("GAN used the network that was trained on smooth images.")


def test_few_tilts_and_much_noise_are_told():
    found = replace(GOOD, n_tilts=15, noise_over_density=3.5)
    assert found.sentence.endswith(
        "There are only 15 tilts and the noise of a pixel is 3.5 times the density of a voxel."
    )


def test_it_sees_whether_the_specimen_leaves_the_field(isolated):
    leaving = check(record(half_width=48.0))
    assert not isolated.leaves_field
    assert leaving.leaves_field
    for found in (isolated, leaving):
        assert not found.is_background
        assert set(found.errors) == set(found.movement) == {"tvm", "gan"}
        assert found.withheld_deg == (-60.0, -55.0, 55.0, 60.0)
        assert all(0 < error < 2 for error in found.errors.values())


def test_what_is_the_same_all_around_the_specimen_is_called_a_background():
    """Dead pixels are darker than it, and taken for vacuum."""
    series = record(n_slices=4)
    dead = np.random.default_rng(0).random(series.images.shape) < 0.02
    images = np.where(dead, 0, series.images + 3)
    found = check(replace(series, images=images))
    assert found.leaves_field
    assert found.is_background


def test_an_axis_off_the_middle_changes_little(isolated):
    """The views are then filled one after the other, and turned back about that axis."""
    series = record(n_slices=4)
    moved = replace(series, images=np.roll(series.images, 2, axis=2), axis_shift_px=2.0)
    found = check(moved)
    assert found.movement["tvm"] == pytest.approx(isolated.movement["tvm"], abs=0.03)
    assert found.errors["tvm"] == pytest.approx(isolated.errors["tvm"], rel=0.3)


def test_too_few_tilts_to_withhold_any_are_said_and_no_error():
    few = record().tilts(np.arange(3))
    found = check(few)
    assert (found.verdict, found.recommended) == ("unknown", "gan")
    assert "not checked: 3 tilts are too few" in found.sentence


@pytest.mark.parametrize("n_slices", [1, 3, 5, 6, 8, 15, 16, 31, 500])
def test_a_check_fills_no_more_slices_than_the_fill_and_one_strip_at_most(n_slices):
    """Below three slices and their mirror images, nothing is left to be left out."""
    assert count_checked_slices(n_slices) <= min(max(n_slices, 6), 16)
    assert count_checked_slices(500) == 16
