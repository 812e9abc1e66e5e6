"""A narrower network out of a trained one: it forgets what its answers depend on least.

    python -m napari_wedgefill.training.pruning refinement runs/data runs/lean \
        --from models/small --features 16 -o runs/lean/pruned.pt

Much of a network's time goes into its finest scale, and processors compute features sixteen
(AVX-512) or eight (AVX2) at a time: with sixteen, 24 features are computed as 32 would be.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..joint_model.contract import InputContract
from . import batches
from .networks import Residual, TomogramGenerator, shipped_generator, tomogram_generator_of
from .stages import STAGES
from .state import adopt_earlier, save_whole

#: Random directions in which the answer is asked what it depends on.
DIRECTIONS = 4
#: Groups that are looked at, and every how many of their slices.
GROUPS, EVERY = 12, 16


@dataclass(frozen=True)
class Features:
    """Features that can only be dropped together, wherever they are made and heard.

    Attributes
    ----------
    seen : Module
        Where they are complete.
    makers, hearers : list of Conv2d
        Convolutions whose outputs, and whose inputs, they are.
    """

    seen: nn.Module
    makers: list[nn.Conv2d]
    hearers: list[nn.Conv2d]


def narrowed(network: TomogramGenerator, x: Tensor, n_kept: int) -> TomogramGenerator:
    """Return a network with fewer features at the finest scale: those that matter most.

    What a feature matters is estimated to first order: how much the answer would change if it were
    replaced by its mean, which is the sum of its deviations times the answer's gradient, squared.

    Parameters
    ----------
    network : TomogramGenerator
        Trained; left as it is.
    x : Tensor, float32, (n, channels, h, w)
        Inputs that it is to answer.
    n_kept : int
        Features of the finest scale that stay.

    References
    ----------
    P. Molchanov et al., Importance estimation for neural network pruning, CVPR 2019, 11264-11272.
    """
    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    names = {module: name for name, module in network.named_modules()}
    finest = _finest(network)
    for features, matters in zip(finest, _importance(network, finest, x), strict=True):
        kept = matters.argsort(descending=True)[:n_kept].sort().values
        for conv in features.makers:
            for part in ("weight", *(["bias"] if conv.bias is not None else [])):
                weights[f"{names[conv]}.{part}"] = weights[f"{names[conv]}.{part}"][kept]
        for conv in features.hearers:
            weights[f"{names[conv]}.weight"] = weights[f"{names[conv]}.weight"][:, kept]
    smaller = tomogram_generator_of(weights)
    smaller.load_state_dict(weights)
    return smaller


def _finest(network: TomogramGenerator) -> list[Features]:
    """List the features of the finest scale: on the way down, on the way up, inside blocks."""
    down, up = _blocks(network.encode[0]), _blocks(network.decode[0])
    skip = _conv(network.merge[0])
    entered = Features(
        network.encode[0],
        [network.enter, *(block.second for block in down)],
        [*(block.first for block in down), _conv(network.down[0]), skip],
    )
    left = Features(
        network.decode[0],
        [_conv(network.up[0]), skip, *(block.second for block in up)],
        [*(block.first for block in up), network.last],
    )
    inside = [Features(b.first, [b.first], [b.second]) for b in (*down, *up)]
    return [entered, left, *inside]


def _blocks(scale: nn.Module) -> list[Residual]:
    return [module for module in scale.modules() if isinstance(module, Residual)]


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    return module


def _importance(network: nn.Module, several: list[Features], x: Tensor) -> list[Tensor]:
    seen: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, _: object, output: Tensor) -> None:
        seen[module] = output

    hooks = [features.seen.register_forward_hook(keep) for features in several]
    answer = network(x)
    for hook in hooks:
        hook.remove()
    values = [seen[features.seen] for features in several]
    matters = [torch.zeros(value.shape[1]) for value in values]
    generator = torch.Generator().manual_seed(0)
    for _ in range(DIRECTIONS):
        direction = torch.randn(answer.shape, generator=generator)
        slopes = torch.autograd.grad(answer, values, direction, retain_graph=True)
        for value, slope, sums in zip(values, slopes, matters, strict=True):
            away = value.detach() - value.detach().mean((0, 2, 3), keepdim=True)
            sums += (away * slope).sum((2, 3)).square().mean(0)
    return matters


def main(arguments: list[str] | None = None) -> None:
    """Narrow a network of a model, as far as its answers to some groups allow."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("stage", choices=["tomogram", "refinement"])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path, help="the run that will go on from it")
    parser.add_argument("--from", dest="model", type=Path, required=True, help="model folder")
    parser.add_argument("--features", type=int, default=16, help="of the finest scale")
    parser.add_argument("-o", "--out", type=Path, required=True, help="file for the weights")
    given = parser.parse_args(arguments)
    given.run.mkdir(parents=True, exist_ok=True)
    stage, contract = STAGES[given.stage], InputContract()
    adopt_earlier(stage, given.model, given.run, contract)
    prepare = stage.prepare(given.run, torch.device("cpu"))
    paths = batches.to_train_on(given.data)[:GROUPS]
    for path in paths:
        prepare(path, contract)
    x = torch.cat([stage.examples(path, given.run, contract)[0][::EVERY] for path in paths])
    network = shipped_generator(given.model / f"{stage.name}.onnx")
    assert isinstance(network, TomogramGenerator)
    save_whole(narrowed(network, x, given.features).state_dict(), given.out)


if __name__ == "__main__":
    main()
