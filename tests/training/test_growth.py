"""A network grown from a smaller one gives the same answers, and every new part can learn."""

import pytest
import torch

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.training.growth import grow
from napari_wedgefill.training.networks import SinogramGenerator, TomogramGenerator

SHAPES = {
    "wider": ((8, 12, 16), 1),
    "deeper": ((4, 8, 8, 8), 1),
    "more blocks": ((4, 8, 8), 3),
    "all of it": ((6, 8, 12, 16, 16), 2),
    "the same": ((4, 8, 8), 1),
}


def answers(network):
    x = torch.rand(2, 9, 32, 48, generator=torch.Generator().manual_seed(1))
    return network(x)


def small():
    torch.manual_seed(0)
    network = TomogramGenerator(widths=(4, 8, 8), blocks=1)
    network.last.weight.data.mul_(20)  # as after training: its correction counts
    return network


@pytest.mark.parametrize("shape", SHAPES)
def test_it_gives_the_same_answers(shape):
    larger = TomogramGenerator(9, *SHAPES[shape])
    torch.testing.assert_close(answers(grow(small().state_dict(), larger)), answers(small()))


def test_after_a_few_steps_everything_has_learned():
    larger = grow(small().state_dict(), TomogramGenerator(9, *SHAPES["all of it"]))
    before = {name: weight.clone() for name, weight in larger.named_parameters()}
    optimiser = torch.optim.SGD(larger.parameters(), 0.05)
    for _ in range(5):  # what reads new features changes first, then the features, from the end on
        optimiser.zero_grad()
        answers(larger).square().mean().backward()
        optimiser.step()
    for name, weight in larger.named_parameters():
        assert (weight != before[name]).any(), name


def test_only_the_networks_of_slices_grow():
    with pytest.raises(WedgefillError, match="tomogram network or a refinement"):
        grow(SinogramGenerator().state_dict(), TomogramGenerator())


@pytest.mark.parametrize("shape", [((3, 8, 8), 1), ((4, 8), 1)])
def test_it_does_not_shrink(shape):
    with pytest.raises(WedgefillError, match="grow but not shrink"):
        grow(small().state_dict(), TomogramGenerator(9, *shape))
