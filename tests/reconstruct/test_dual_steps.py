"""The dual steps of total-variation minimisation go far, and never too far."""

import numpy as np
import pytest

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import TvmOptions, iter_tvm, last
from napari_wedgefill.reconstruct.sart import spread_steps
from napari_wedgefill.reconstruct.tvm import (
    FASTER,
    MOST_COMMON,
    precondition_dual,
    scale_gradient,
)

BALANCE = 0.4
RANGES = {
    "usual": np.arange(-60, 61, 2.0),
    "coarse": np.arange(-60, 61, 5.0),
    "wide": np.arange(-70, 71, 1.5),
    "all round": np.arange(0, 180, 3.0),
    "narrow": np.arange(-20, 21, 1.0),
    "narrower than that": np.arange(-5, 6, 0.25),
    "one-sided": np.arange(-20, 71, 3.0),
    "few": np.array([-60.0, -20.0, 20.0, 60.0]),
    "one": np.array([10.0]),
    "irregular": np.sort(np.random.default_rng(0).uniform(-65, 65, 40)),
}


def norm_of_a_step(beam, tilts, tau):
    """Largest eigenvalue of ``tau A.T S A``, S being the preconditioner, by power iteration."""
    step = beam.subset(tilts)
    rates, common = precondition_dual(step, BALANCE)
    x = np.random.default_rng(0).random((beam.depth, beam.width, 1), dtype=np.float32)
    for _ in range(25):
        rows = step(x)
        rows = rates[:, :, None] * rows - common.swapaxes(1, 2) @ (common @ rows)
        ahead = tau * step.T(np.ascontiguousarray(rows))
        value = float(np.linalg.norm(ahead) / np.linalg.norm(x))
        x = ahead / np.linalg.norm(ahead)
    return value


@pytest.mark.parametrize("depth", [24, 48])
@pytest.mark.parametrize("angles_deg", RANGES.values(), ids=RANGES.keys())
def test_every_step_is_one_that_converges(angles_deg, depth):
    beam = ParallelBeam(angles_deg, 48, depth, axis_shift_px=1.5)
    steps = spread_steps(beam.n_tilts)
    coverage = beam.voxel_coverage + 4 * scale_gradient(beam)
    found = [norm_of_a_step(beam, tilts, BALANCE / coverage) for tilts in steps[:3]]
    assert len(steps) * max(found) < 1.0


def test_only_what_tilts_share_is_held_back():
    """A uniform slice goes as slowly as with diagonal preconditioning, a fine pattern does not."""
    beam = ParallelBeam(np.array([-60.0, -30.0, 0.0, 30.0]), 64)
    rates, common = precondition_dual(beam, BALANCE)
    lengths = beam.ray_lengths[:, :, 0]
    for pattern, faster in ((1.0, 1.0), (np.cos(np.pi * np.arange(64)), FASTER)):
        rows = lengths * pattern
        held = np.einsum("tku,tk->tu", common, np.einsum("tku,tu->tk", common, rows))
        ratio = (rows * (rates * rows - held)).sum() / (rows * rates * rows).sum()
        assert ratio == pytest.approx(faster / FASTER, rel=0.05)


def test_tilts_side_by_side_go_no_faster():
    side_by_side = ParallelBeam(np.array([0.0, 1.0, 2.0, 3.0]), 64)
    apart = ParallelBeam(np.array([0.0, 30.0, 60.0, 90.0]), 64)
    assert precondition_dual(side_by_side, BALANCE)[1].shape[1] == 0
    assert 0 < precondition_dual(apart, BALANCE)[1].shape[1] <= MOST_COMMON
    lowest = [precondition_dual(beam, BALANCE)[0].min() for beam in (side_by_side, apart)]
    assert lowest[1] > 3 * lowest[0]


def test_steps_shorter_than_diagonal_ones_are_refused():
    with pytest.raises(ValueError, match=r"faster = 0\.5"):
        precondition_dual(ParallelBeam(RANGES["few"], 16), BALANCE, faster=0.5)


@pytest.mark.parametrize("name", ["usual", "narrow", "few"])
def test_a_slice_that_is_full_does_not_run_away(name):
    """All tilts of a step push low frequencies alike, and a full slice has most of them."""
    beam = ParallelBeam(RANGES[name], 48)
    full = np.ones((48, 48, 2), np.float32)
    found = last(iter_tvm(beam, beam(full), options=TvmOptions(n_steps=600)))
    np.testing.assert_allclose(found, full, atol=0.12)
