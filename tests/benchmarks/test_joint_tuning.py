"""Two networks as one: the volume is a fill's, and its error reaches the first network."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_wedgefill.joint_model.contract import reconstruct_completed
from napari_wedgefill.training.examples import simulate_group

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def joint(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("joint_tuning")


def test_a_step_against_the_gradient_of_the_volume_mends_the_rows(joint, tmp_path):
    path = tmp_path / "group_1.npz"
    np.savez(path, **simulate_group(3, 32, joint.CONTRACT))
    part = next(joint.parts(path))
    given = part.x[:, :1].clone().requires_grad_(True)
    volume = joint.completed(part, given)
    with torch.no_grad():
        plain = reconstruct_completed(part.beam, part.measured, given, part.scales, joint.CONTRACT)
        wanted = reconstruct_completed(
            part.beam, part.measured, part.target, part.scales, joint.CONTRACT
        )
    torch.testing.assert_close(volume, plain)
    before = (volume - wanted).square().sum()
    before.backward()
    measured = part.unmeasured[:, 0] == 0
    assert given.grad[:, :, measured].abs().max() == 0
    rate = 0.1 * before.detach() / given.grad.square().sum()
    mended = joint.completed(part, (given - rate * given.grad).detach())
    assert (mended - wanted).square().sum() < 0.95 * before
