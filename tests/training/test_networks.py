"""Losses and networks look at what they should, and leave alone what was measured."""

import pytest
import torch

from napari_wedgefill.training.losses import adversarial_discriminator, back_projected_l1
from napari_wedgefill.training.networks import SinogramGenerator, TomogramGenerator


def test_the_back_projected_loss_ignores_what_cannot_be_seen():
    rows = torch.linspace(0, 177, 60)
    assert back_projected_l1(torch.zeros(2, 1, 60, 32), rows) == 0
    constant = back_projected_l1(torch.ones(1, 1, 60, 32), rows)
    stripes = back_projected_l1((-1.0) ** torch.arange(32).expand(1, 1, 60, 32), rows)
    assert stripes > 3 * constant


def test_the_penalty_is_the_squared_slope_of_the_discriminator():
    torch.manual_seed(0)
    linear = torch.nn.Conv2d(1, 1, 8, bias=False)
    real, fake = torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8)
    _, margin, slope = adversarial_discriminator(linear, real, fake, 1.0)
    assert slope.item() == pytest.approx(2 * linear.weight.square().sum().item(), rel=1e-5)
    assert margin.item() == pytest.approx((linear(real) - linear(fake)).mean().item(), rel=1e-4)


def test_networks_see_no_batch_and_no_position():
    """No normalisation layer: a slice alone, in a batch or shifted by a multiple gives the same."""
    torch.manual_seed(0)
    network = TomogramGenerator(9).eval()
    x = torch.randn(2, 9, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), atol=1e-5, rtol=1e-4)
    assert not [m for m in network.modules() if "Norm" in type(m).__name__]


def test_measured_rows_pass_the_sinogram_network_untouched():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32)
    x[:, 2] = 0
    x[:, 2, ::3] = 1
    with torch.no_grad():
        answer = SinogramGenerator()(x)
    torch.testing.assert_close(answer[:, :, ::3], x[:, :1, ::3], rtol=0, atol=0)
    assert (answer - x[:, :1]).abs().max() > 0
