"""Two networks as one: the volume is a fill's, and its error reaches the first network."""

import numpy as np
import torch

from benchmarks.quality import joint_tuning as joint
from napari_wedgefill.joint_model.contract import completed_wbp
from napari_wedgefill.training.examples import simulate_group


def test_a_step_against_the_gradient_of_the_volume_mends_the_rows(tmp_path):
    path = tmp_path / "group_1.npz"
    np.savez(path, **simulate_group(3, 32, joint.CONTRACT))
    part = next(joint.parts(path))
    given = part.x[:, :1].clone().requires_grad_(True)
    volume = joint.completed(part, given)
    with torch.no_grad():
        plain = completed_wbp(part.beam, part.measured, given, part.scales, joint.CONTRACT)
        wanted = completed_wbp(part.beam, part.measured, part.target, part.scales, joint.CONTRACT)
    torch.testing.assert_close(volume, plain)
    before = (volume - wanted).square().sum()
    before.backward()
    measured = part.unmeasured[:, 0] == 0
    assert given.grad[:, :, measured].abs().max() == 0
    rate = 0.1 * before.detach() / given.grad.square().sum()
    mended = joint.completed(part, (given - rate * given.grad).detach())
    assert (mended - wanted).square().sum() < 0.95 * before
