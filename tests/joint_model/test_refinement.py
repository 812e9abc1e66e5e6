"""The refinement's passes: each begins where the measurements are, and from another side."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_wedgefill.joint_model import stages as joint_steps
from napari_wedgefill.joint_model.contract import InputContract, Scales, sinogram_scale
from napari_wedgefill.joint_model.stages import iter_refine
from napari_wedgefill.progress import drain, relay
from napari_wedgefill.projector import ParallelBeam

WIDTH, N_SLICES = 32, 3
CONTRACT = InputContract(n_rows=48, neighbours=1)


class OneSided:
    """A network that adds the same error on the upper left, whatever it sees."""

    def __init__(self):
        self.model = SimpleNamespace(contract=CONTRACT, choose_refinement=self.choose)
        self.error = np.zeros((WIDTH, WIDTH), np.float32)
        self.error[:8, :4] = 1.0
        self.given, self.asked = [], set()

    def choose(self, *, is_smooth):
        return "refinement_smooth" if is_smooth else "refinement"

    def run(self, stage, batch):
        self.asked.add(stage)
        estimates = batch[:, 7]  # between its neighbours
        self.given.append(estimates.transpose(1, 2, 0))
        for one in estimates:
            yield (one + self.error)[None, None]


def refined(model, beam, rows, volume, is_smooth=False):
    """The answer, and the fractions that were reported."""
    scales = Scales(sinogram_scale(rows), 0.0, is_smooth)
    steps = iter_refine(model, beam, rows, volume, volume, scales)
    fractions = []
    return drain(relay(steps, lambda step: fractions.append(step[1]))), fractions


@pytest.fixture
def beam():
    return ParallelBeam(np.arange(-60, 61, 5.0), WIDTH)


@pytest.fixture
def volume():
    return np.random.default_rng(0).random((WIDTH, WIDTH, N_SLICES), dtype=np.float32)


def test_no_pass_repeats_the_errors_of_another(beam, volume, monkeypatch):
    def as_it_is(beam, rows, volume, scales, dual, beside):
        yield 1.0
        return volume

    monkeypatch.setattr(joint_steps, "iter_consistency", as_it_is)
    model = OneSided()
    found, fractions = refined(model, beam, beam(volume), volume)
    error = model.error
    mirrored = (error[:, ::-1] + error[::-1]) / 2  # the last pass is the mean of two views
    errors = error + error[::-1, ::-1] + mirrored
    np.testing.assert_allclose(found, volume + errors[:, :, None], atol=1e-6)
    assert errors.max() == 1.0
    assert fractions == sorted(fractions)
    np.testing.assert_allclose(fractions[-1], 1.0)


@pytest.mark.parametrize("is_smooth", [False, True])
def test_smooth_images_are_refined_by_their_own_network(beam, volume, is_smooth):
    model = OneSided()
    refined(model, beam, beam(volume), volume, is_smooth)
    assert model.asked == {"refinement_smooth" if is_smooth else "refinement"}


def test_every_pass_begins_from_a_volume_that_agrees_with_the_measurements(beam):
    disc = np.zeros((WIDTH, WIDTH, N_SLICES), np.float32)
    disc[8:20, 10:25] = 1.0
    rows, shifted = beam(disc), np.roll(disc, 2, axis=1)
    model = OneSided()
    refined(model, beam, rows, shifted)
    first, second = model.given[0], model.given[1][::-1, ::-1]

    def residual(volume):
        return np.linalg.norm(beam(np.ascontiguousarray(volume)) - rows)

    assert residual(first) < 0.1 * residual(shifted)
    assert residual(second) < 0.2 * residual(first + model.error[:, :, None])
