"""Grow a network: the larger one gives the smaller one's answers at first, and can learn more.

What the smaller network knows took hours of training, which the larger one need not repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from ..errors import WedgefillError
from .networks import TomogramGenerator, make_generator_like


@torch.no_grad()
def grow(weights: Mapping[str, Tensor], larger: TomogramGenerator) -> TomogramGenerator:
    """Give a network the weights of a smaller one, so that it gives the same answers.

    Features that only the larger network has keep their random weights, but nothing of the smaller
    one reads them yet, and the additional blocks and scales add zero. So the answers are the same
    while the gradients of the new parts are not zero.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of a `TomogramGenerator` that is no wider and has no more scales or blocks.
    larger : TomogramGenerator
        Newly made; changed in place, and returned.

    Raises
    ------
    WedgefillError
        If their network is larger than `larger` in any respect.

    References
    ----------
    T. Chen, I. Goodfellow and J. Shlens, Net2Net, ICLR 2016, arXiv:1511.05641.
    """
    smaller = make_generator_like(weights)
    if not isinstance(smaller, TomogramGenerator):
        raise WedgefillError("Only a tomogram network or a refinement can grow; these are others.")
    smaller.load_state_dict(weights)
    if not _fits(smaller, larger):
        raise WedgefillError(
            "A network can grow but not shrink: the one to begin with is wider or deeper than the "
            "one asked for, or has other input channels; ask for a larger one."
        )
    for known, conv in _pair_convolutions(smaller, larger):
        _embed(known, conv)
    for conv in _find_added_outputs(smaller, larger):
        _silence(conv)
    for merge in _list_convolutions(larger.merge)[len(smaller.merge) :]:
        nn.init.dirac_(merge.weight)  # what was the coarsest scale passes through unchanged
    return larger


def _list_parts(network: TomogramGenerator) -> tuple[list[nn.Module], ...]:
    """List its parts, each from the finest scale to the coarsest."""
    single = (network.enter, network.last, network.blend)
    several = (network.down, network.up, network.merge, network.encode, network.decode)
    each: list[list[nn.Module]] = [[part] for part in single]
    return (*each, *(list(parts) for parts in several))


def _list_convolutions(part: nn.Module) -> list[nn.Conv2d]:
    return [m for m in part.modules() if isinstance(m, nn.Conv2d)]


def _fits(smaller: TomogramGenerator, larger: TomogramGenerator) -> bool:
    if len(smaller.encode) > len(larger.encode):
        return False
    wide = all(
        a.out_channels <= b.out_channels and a.in_channels <= b.in_channels
        for a, b in _pair_convolutions(smaller, larger)
    )
    deep = len(_list_convolutions(smaller.encode[0])) <= len(_list_convolutions(larger.encode[0]))
    return wide and deep and smaller.enter.in_channels == larger.enter.in_channels


def _pair_convolutions(
    smaller: TomogramGenerator, larger: TomogramGenerator
) -> Iterator[tuple[nn.Conv2d, nn.Conv2d]]:
    """Pair each convolution of the smaller network with its counterpart in the larger one."""
    for known, scales in zip(_list_parts(smaller), _list_parts(larger), strict=True):
        for a, b in zip(known, scales, strict=False):
            yield from zip(_list_convolutions(a), _list_convolutions(b), strict=False)


def _find_added_outputs(
    smaller: TomogramGenerator, larger: TomogramGenerator
) -> Iterator[nn.Conv2d]:
    """Yield the convolutions through which the additional parts would change the answer."""
    yield from _list_convolutions(larger.up)[len(smaller.up) :]
    # Scales below the smaller network's coarsest one reach the answer through `up` alone.
    scales = [*zip(smaller.encode, larger.encode, strict=False)]
    scales += zip(smaller.decode, larger.decode, strict=False)
    for there, scale in scales:
        yield from _list_convolutions(scale)[len(_list_convolutions(there)) + 1 :: 2]
    for scale in list(larger.decode)[len(smaller.decode) :]:
        yield from _list_convolutions(scale)[1::2]


def _embed(known: nn.Conv2d, conv: nn.Conv2d) -> None:
    """Let the first features read the first inputs as before, and none of the others."""
    n_out, n_in = known.weight.shape[:2]
    conv.weight[:n_out].zero_()
    conv.weight[:n_out, :n_in] = known.weight
    if conv.bias is not None and known.bias is not None:
        conv.bias[:n_out] = known.bias


def _silence(conv: nn.Conv2d) -> None:
    conv.weight.zero_()
    if conv.bias is not None:
        conv.bias.zero_()
