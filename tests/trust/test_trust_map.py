"""The trust map: views are the same measurements, and where trust is high the error is low."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust import trust_map
from napari_wedgefill.trust.metrics import wedge_mask
from napari_wedgefill.trust.trust_map import (
    OTHER_VIEWS,
    ErrorScale,
    Movement,
    iter_trust_map,
    read_error_scale,
)
from napari_wedgefill.trust.verdicts import TrustMap
from napari_wedgefill.volume import Volume

ANGLES = np.arange(-56, 65, 4.0)
N, N_SLICES = 48, 6
GAN = FillOptions(methods=("gan",), device="cpu")


@pytest.fixture(scope="module")
def truth():
    """Grains of several densities, (z, y, x): nothing about them is symmetric."""
    rng = np.random.default_rng(3)
    z, y, x = np.mgrid[:N, :N_SLICES, :N] - (N - 1) / 2
    out = np.zeros((N, N_SLICES, N), np.float32)
    for _ in range(9):
        centre, radii = rng.uniform(-12, 12, 2), rng.uniform(2, 8, 2)
        inside = ((z - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1
        out[inside & (y < 3)] = rng.uniform(0.3, 1)
    return out


@pytest.fixture(scope="module")
def series(truth):
    beam = ParallelBeam(ANGLES, N, axis_shift_px=1.25)
    rows = beam(np.ascontiguousarray(truth.transpose(0, 2, 1)))
    noise = np.random.default_rng(0).normal(0, 0.2, rows.shape)
    images = (rows + noise).transpose(0, 2, 1)
    return TiltSeries.from_arrays(images, ANGLES, axis_shift_px=1.25, pixel_nm=0.5, name="grains")


@pytest.fixture(scope="module")
def events(series):
    return list(iter_trust_map(series, GAN))


@pytest.mark.parametrize("view", OTHER_VIEWS, ids=lambda view: view.name)
def test_every_view_is_the_same_measurement(series, view):
    """A method without a memory of what objects look like gives the same volume from each."""
    options = FillOptions(methods=("sart",))
    plain = fill(series, options).volumes["sart"].data
    turned = view.undo(fill(view.apply(series), options).volumes["sart"].data)
    assert np.abs(turned - plain).mean() < 0.01 * plain.std()


def test_high_trust_means_low_error(events, series, truth):
    trust = events[-1].volume.data
    assert trust.min() >= 0
    assert trust.max() <= 1
    filled = fill(series, GAN).volumes["gan"].data
    error = np.abs(filled - truth)
    assert spearmanr(1 - trust.ravel(), error.ravel())[0] > 0.5
    by_trust = np.argsort(trust.ravel())
    tenth = by_trust.size // 10
    least, most = error.ravel()[by_trust[:tenth]], error.ravel()[by_trust[-5 * tenth :]]
    assert least.mean() > 5 * most.mean()


def test_progress_voxels_and_summary(events):
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    found = events[-1]
    assert isinstance(found, TrustMap)
    assert found.volume.voxel_nm == (0.5, 0.5, 0.5)
    assert found.volume.name == "grains_trust"
    assert 0 <= found.doubtful < 1
    assert 0.5 < found.mean <= 1
    assert f"it is {found.mean:.2f}." in found.to_dict()["sentence"]


def test_the_gain_is_the_models_own(tmp_path):
    (tmp_path / "model.toml").write_text('name = "mine"\n')
    assert read_error_scale(tmp_path) is None
    (tmp_path / "model.toml").write_text("[trust]\ngain = 4.5\n")
    assert read_error_scale(tmp_path) == ErrorScale(4.5, np.inf)
    (tmp_path / "model.toml").write_text("[trust]\ngain = 4.5\nlimit = 0.4\n")
    assert read_error_scale(tmp_path) == ErrorScale(4.5, 0.4)
    for wrong in ("gain = 'much'", "gain = 4.5\nlimit = -1"):
        (tmp_path / "model.toml").write_text(f"[trust]\n{wrong}\n")
        with pytest.raises(WedgefillError, match="not a number above zero"):
            read_error_scale(tmp_path)
    volume = Volume(np.ones((2, 2, 2), np.float32))
    assert "no gain of its own" in TrustMap(volume, 0.1, 0.9, is_fitted=False).sentence


def test_the_expected_error_grows_with_the_movement_and_no_further_than_its_limit():
    movement = np.array([0.0, 1e-4, 0.1, 1e3], np.float32)
    expected = ErrorScale(5.0, 0.4).expect(movement)
    np.testing.assert_allclose(expected, [0.0, 5e-4, 0.5 / 2.25, 0.4], rtol=2e-3)
    np.testing.assert_allclose(ErrorScale(5.0).expect(movement), 5.0 * movement)


def test_slabs_and_a_known_volume_change_nothing(events, series, monkeypatch):
    monkeypatch.setattr(trust_map, "choose_slab_size", lambda method, series, reach: 4)
    filled = fill(series, GAN).volumes["gan"]
    out = np.full(events[-1].volume.data.shape, np.nan, np.float32)
    again = list(iter_trust_map(series, GAN, filled, out))[-1]
    assert again.volume.data is out
    np.testing.assert_allclose(out, events[-1].volume.data, atol=2e-3)


def test_some_slices_only(series):
    found = list(iter_trust_map(series, replace(GAN, slices=(2, 4))))[-1]
    assert found.volume.data.shape == (N, 2, N)


def test_surfaces_that_face_the_wedge_are_doubted_more():
    """The caps of a disc along z were never seen edge-on; its sides along x were."""
    axis = np.arange(64) - 31.5
    z, x = axis[:, None] - 2, axis[None, :] + 3
    disc = np.clip(16.5 - np.hypot(z, x), 0, 1).astype(np.float32)
    angles = np.arange(-60, 61, 3.0)
    rows = ParallelBeam(angles, 64)(disc[:, :, None].repeat(4, axis=2))
    rows += np.random.default_rng(0).normal(0, 0.3, rows.shape).astype(np.float32)
    series = TiltSeries.from_arrays(rows.transpose(0, 2, 1), angles)
    doubt = 1 - list(iter_trust_map(series, GAN))[-1].volume.data[:, 1:3].mean(axis=1)
    rim = np.abs(np.hypot(z, x) - 16) < 2
    steepness = np.rad2deg(np.arctan2(np.abs(z), np.abs(x)))
    assert doubt[rim & (steepness > 75)].mean() > 1.3 * doubt[rim & (steepness < 15)].mean()


def test_without_networks_there_is_nothing_to_distrust(series):
    with pytest.raises(WedgefillError, match="gan was not chosen"):
        next(iter_trust_map(series, FillOptions(methods=("sart",))))


def test_movement_in_the_wedge_weighs_more_than_the_same_elsewhere():
    n = 32
    mask = wedge_mask(n, np.arange(-60, 61, 4.0))
    wave = np.cos(2 * np.pi * np.arange(n) * 5 / n).astype(np.float32)
    along_z = np.broadcast_to(wave[:, None, None], (n, 2, n))
    errors = []
    for moved in (along_z, along_z.transpose(2, 1, 0), 0 * along_z):
        movement = Movement(np.zeros((n, 2, n), np.float32), mask)
        movement.add(moved)
        errors.append(movement.weigh()[8:24, :, 8:24].mean())
    assert errors[0] > 1.5 * errors[1] > 0
    assert errors[2] == 0
