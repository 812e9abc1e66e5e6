"""A network loses the features that its answers do not depend on, and none other."""

import torch

from napari_wedgefill.training.growth import grown
from napari_wedgefill.training.networks import TomogramGenerator
from napari_wedgefill.training.pruning import narrowed


def trained(widths=(4, 8, 8), blocks=1):
    torch.manual_seed(0)
    network = TomogramGenerator(widths=widths, blocks=blocks)
    network.last.weight.data.mul_(20)  # as after training: its correction counts
    return network


def examples():
    return torch.rand(3, 9, 32, 48, generator=torch.Generator().manual_seed(1))


def test_what_is_not_heard_is_what_goes():
    small = trained()
    wide = grown(small.state_dict(), TomogramGenerator(widths=(7, 8, 8), blocks=2))
    before = {name: weight.clone() for name, weight in wide.state_dict().items()}
    again = narrowed(wide, examples(), 4)
    assert len(again.enter.bias) == 4
    torch.testing.assert_close(again(examples()), small(examples()))
    for name, weight in wide.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_what_matters_least_goes_first():
    """Better than any four features is hard to test; better than the four worst is not."""
    network = trained((8, 8, 8))
    expected = network(examples())
    kept = narrowed(network, examples(), 7)
    # The same network with one feature that enters silenced, the most audible one.
    loudest = network.merge[0].weight.square().sum((0, 2, 3)).argmax()
    silenced = trained((8, 8, 8))
    for conv in (silenced.enter, silenced.encode[0].second):
        conv.weight.data[loudest] = 0
        conv.bias.data[loudest] = 0
    changes = [(other(examples()) - expected).square().mean() for other in (kept, silenced)]
    assert 0 < changes[0] < changes[1]
