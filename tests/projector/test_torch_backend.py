"""The torch backend agrees with the CPU kernels, and its gradient is the adjoint."""

import numpy as np
import pytest
import torch

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.projector.torch_backend import TorchBackend

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


@pytest.fixture
def beam():
    shifts = np.linspace(-0.5, 0.5, 14)
    return ParallelBeam(np.arange(-75, 106, 13.0), 22, 17, axis_shift_px=0.6, tilt_shifts_px=shifts)


@pytest.mark.parametrize("device", DEVICES)
def test_plain_torch_gives_what_the_kernels_give(beam, device):
    x = np.random.default_rng(0).random((17, 22, 3), dtype=np.float32)
    y = beam(x)
    plain = beam.with_backend(TorchBackend())
    rows = plain(torch.from_numpy(x).to(device)).cpu().numpy()
    back = plain.T(torch.from_numpy(y).to(device)).cpu().numpy()
    smeared = plain.smear(torch.from_numpy(y).to(device)).cpu().numpy()
    np.testing.assert_allclose(smeared, beam.smear(y), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(rows, y, atol=1e-4)
    np.testing.assert_allclose(back, beam.T(y), rtol=1e-5, atol=1e-4)


def test_the_gradient_of_a_projection_is_the_adjoint(beam):
    x = torch.rand(17, 22, 2, requires_grad=True)
    target = torch.rand(beam.n_tilts, 22, 2)
    loss = 0.5 * (beam(x) - target).square().sum()
    loss.backward()
    expected = beam.T((beam(x) - target).detach())
    torch.testing.assert_close(x.grad, expected)


def test_the_gradient_of_a_back_projection_is_the_projection(beam):
    y = torch.rand(beam.n_tilts, 22, 2, requires_grad=True)
    beam.T(y).square().sum().backward()
    torch.testing.assert_close(y.grad, beam(2 * beam.T(y).detach()))
