"""A tilt axis across the images, or askew, is proposed and never taken for one along them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from napari_wedgefill.io.axis import rotate
from napari_wedgefill.prepare import align, other_axis
from napari_wedgefill.prepare.other_axis import OtherAxis, propose_axis, tell_doubt
from napari_wedgefill.prepare.pose import Pose
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

SIZE, MARGIN = 32, 8
ANGLES_DEG = np.arange(-70.0, 71.0, 10.0)


@cache
def exact_images() -> np.ndarray:
    """Images (n_tilts, h, w) of a few grains in vacuum, larger than the field; brightest at 1."""
    n = SIZE + 2 * MARGIN
    z, x, y = np.meshgrid(*[np.arange(n) - (n - 1) / 2] * 3, indexing="ij")
    rng = np.random.default_rng(4)
    volume = np.zeros((n, n, n), np.float32)
    for _ in range(9):
        at, radius = rng.uniform(-8.0, 8.0, 3), rng.uniform(1.5, 3.5)
        volume[(z - at[0]) ** 2 + (x - at[1]) ** 2 + (y - at[2]) ** 2 < radius**2] = 1.0
    images = ParallelBeam(ANGLES_DEG, n)(gaussian_filter(volume, 0.7)).transpose(0, 2, 1)
    return np.asarray(images / images.max(), np.float32)


def true_offsets_px() -> np.ndarray:
    return np.random.default_rng(0).uniform(-2.0, 2.0, (len(ANGLES_DEG), 2))


def grains(axis_deg: float, *, across: bool) -> TiltSeries:
    """Displaced images whose axis leans by some degrees, from y or, `across`, from x."""
    pose = Pose(true_offsets_px(), 0.0, axis_deg)
    back = pose.rotation().T
    images = np.empty((len(ANGLES_DEG), SIZE, SIZE), np.float32)
    middle, wide = (np.full(2, (n - 1) / 2) for n in (SIZE, SIZE + 2 * MARGIN))
    for tilt, image in enumerate(exact_images()):
        start = wide - back @ (middle + pose.offsets_px[tilt])
        affine_transform(image, back, start, output=images[tilt], output_shape=(SIZE, SIZE))
    images += 0.02 * np.random.default_rng(1).standard_normal(images.shape)
    images = np.ascontiguousarray(rotate(images, -90.0)) if across else images
    return TiltSeries.from_arrays(images, ANGLES_DEG, name="grains")


@pytest.mark.parametrize("lean_deg", [-15.0, 15.0])
def test_an_axis_across_the_images_is_proposed_and_nothing_is_moved(lean_deg: float) -> None:
    report = align(grains(lean_deg, across=True)).report
    assert not report.applied
    assert not report.shifts_px.any()
    assert report.axis_rotation_deg == 0.0
    assert "the tilt axis seems to lie across them; give it with --axis x" in report.sentence


@pytest.mark.parametrize(("lean_deg", "is_seen"), [(-42.0, True), (45.0, False)])
def test_an_axis_between_upright_and_across_is_told(
    lean_deg: float, is_seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_seen:  # as the common lines of a needle, which are alike in all directions
        monkeypatch.setattr(other_axis, "find_askew", lambda *_: [])
    report = align(grains(lean_deg, across=False)).report
    assert not report.applied
    assert "degrees askew; give it with --axis" in report.sentence
    proposed = float(report.sentence.split("--axis ")[1].split(",")[0])
    assert proposed == pytest.approx(-lean_deg, abs=4.5)


def test_read_as_proposed_its_lean_and_its_shifts_are_found() -> None:
    lean_deg = -15.0
    across = grains(lean_deg, across=True)
    turned = replace(across, images=np.ascontiguousarray(rotate(across.images, 90.0)))
    report = align(replace(turned, axis_deg=90.0)).report
    assert report.applied
    assert "90 degrees" not in report.sentence
    assert report.axis_rotation_deg == pytest.approx(lean_deg, abs=1.0)
    rotation = Pose(true_offsets_px(), 0.0, lean_deg).rotation()
    along, true = -report.shifts_px @ rotation, true_offsets_px() @ rotation
    assert np.std(along[:, 0] - true[:, 0]) < 0.25


@pytest.mark.parametrize(
    ("axis_deg", "option"), [(0.0, "x"), (90.0, "y"), (-90.0, "y"), (-85.3, "4.7"), (10.0, "100")]
)
def test_the_option_counts_from_the_axis_that_the_images_were_turned_by(
    axis_deg: float, option: str
) -> None:
    series = replace(grains(0.0, across=False), axis_deg=axis_deg)
    assert propose_axis(series) == option


@pytest.mark.parametrize(
    ("upright", "turned", "clear", "doubtful"),
    [
        (0.40, 0.16, True, False),
        (0.16, 0.40, False, False),
        (0.58, 0.55, False, True),  # few counts
        (0.04, 0.02, False, True),  # a ball fits either way
    ],
)
def test_what_does_not_differ_clearly_is_called_doubtful(
    upright: float, turned: float, clear: bool, doubtful: bool
) -> None:
    found = OtherAxis(upright, turned)
    assert (found.is_clear, found.is_doubtful) == (clear, doubtful)
    told = tell_doubt(found, grains(0.0, across=False))
    assert ("make sure that it is not --axis x" in told) == doubtful
