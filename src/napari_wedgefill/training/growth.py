"""A larger network that begins as a smaller one: it answers alike, and has room to learn more.

What the smaller one knows took hours; from scratch, the larger one would first spend as many on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from ..errors import WedgefillError
from .networks import TomogramGenerator, tomogram_generator_of


@torch.no_grad()
def grown(weights: Mapping[str, Tensor], larger: TomogramGenerator) -> TomogramGenerator:
    """Give a network the weights of a smaller one, so that it answers as that one does.

    Features that only the larger network has keep the weights they come with, but nothing that the
    smaller one has listens to them; its further blocks and scales add nothing. So the answers are
    alike, and the gradients of what is new are not zero.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of a `TomogramGenerator`, as wide at most, with as many scales and blocks at most.
    larger : TomogramGenerator
        Newly made; changed in place, and returned.

    Raises
    ------
    WedgefillError
        If the weights are of a network that is larger in anything.

    References
    ----------
    T. Chen, I. Goodfellow and J. Shlens, Net2Net, ICLR 2016, arXiv:1511.05641.
    """
    smaller = tomogram_generator_of(weights)
    smaller.load_state_dict(weights)
    if not _fits(smaller, larger):
        raise WedgefillError(
            "A network can grow but not shrink: these weights are of one that is wider, deeper or "
            "sees other channels than the one that is to begin with them."
        )
    for known, conv in _alike(smaller, larger):
        _embed(known, conv)
    for conv in _idle(smaller, larger):
        _silence(conv)
    for merge in _of_blocks(larger.merge)[len(smaller.merge) :]:
        nn.init.dirac_(merge.weight)  # the scale that was the coarsest passes through unchanged
    return larger


def _scales(network: TomogramGenerator) -> tuple[list[nn.Module], ...]:
    """Return its parts, each from the finest scale on."""
    single = (network.enter, network.last, network.blend)
    several = (network.down, network.up, network.merge, network.encode, network.decode)
    each: list[list[nn.Module]] = [[part] for part in single]
    return (*each, *(list(parts) for parts in several))


def _of_blocks(part: nn.Module) -> list[nn.Conv2d]:
    return [m for m in part.modules() if isinstance(m, nn.Conv2d)]


def _fits(smaller: TomogramGenerator, larger: TomogramGenerator) -> bool:
    if len(smaller.encode) > len(larger.encode):
        return False
    wide = all(
        a.out_channels <= b.out_channels and a.in_channels <= b.in_channels
        for a, b in _alike(smaller, larger)
    )
    deep = len(_of_blocks(smaller.encode[0])) <= len(_of_blocks(larger.encode[0]))
    return wide and deep and smaller.enter.in_channels == larger.enter.in_channels


def _alike(
    smaller: TomogramGenerator, larger: TomogramGenerator
) -> Iterator[tuple[nn.Conv2d, nn.Conv2d]]:
    """Yield the convolutions of the one with those that take their place in the other."""
    for known, scales in zip(_scales(smaller), _scales(larger), strict=True):
        for a, b in zip(known, scales, strict=False):
            yield from zip(_of_blocks(a), _of_blocks(b), strict=False)


def _idle(smaller: TomogramGenerator, larger: TomogramGenerator) -> Iterator[nn.Conv2d]:
    """Yield the convolutions through which what only the larger network has would be heard."""
    yield from _of_blocks(larger.up)[len(smaller.up) :]
    # Scales that are encoded below the coarsest known one are heard through `up` alone.
    scales = [*zip(smaller.encode, larger.encode, strict=False)]
    scales += zip(smaller.decode, larger.decode, strict=False)
    for there, scale in scales:
        yield from _of_blocks(scale)[len(_of_blocks(there)) + 1 :: 2]
    for scale in list(larger.decode)[len(smaller.decode) :]:
        yield from _of_blocks(scale)[1::2]


def _embed(known: nn.Conv2d, conv: nn.Conv2d) -> None:
    """Let the first features see the first ones as before, and none of the others."""
    n_out, n_in = known.weight.shape[:2]
    conv.weight[:n_out].zero_()
    conv.weight[:n_out, :n_in] = known.weight
    if conv.bias is not None and known.bias is not None:
        conv.bias[:n_out] = known.bias


def _silence(conv: nn.Conv2d) -> None:
    conv.weight.zero_()
    if conv.bias is not None:
        conv.bias.zero_()
