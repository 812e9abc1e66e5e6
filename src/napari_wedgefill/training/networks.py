"""The networks: two generators and a discriminator.

The tomogram network and the refinement are both a `TomogramGenerator`. There are no normalisation
layers: their statistics would depend on the tile, and neighbouring tiles would disagree. All are
fully convolutional; height and width of the input are multiples of `InputContract.multiple`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import WedgefillError

SLOPE = 0.2
#: Shapes of a refinement, as the models of these names have it: features at each scale, and
#: residual blocks at each.
REFINEMENT_SIZES: dict[str, tuple[tuple[int, ...], int]] = {
    "small": ((16, 48, 64, 96), 1),
    "large": ((32, 64, 96, 96, 96), 2),
}
Network = TypeVar("Network", bound=nn.Module)


class DenseBlock(nn.Module):
    """Residual dense block whose kernels reach ever further along the angle.

    A wedge is tens of rows high and only its two sides are known, so a row in its middle must see
    both; along the detector, neighbours suffice.
    """

    def __init__(self, features: int, growth: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.grow = nn.ModuleList(
            nn.Conv2d(features + k * growth, growth, 3, padding=(d, 1), dilation=(d, 1))
            for k, d in enumerate(dilations)
        )
        self.fuse = nn.Conv2d(features + len(dilations) * growth, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, features, h, w) to the same shape."""
        seen = x
        for conv in self.grow:
            seen = torch.cat([seen, F.leaky_relu(conv(seen), SLOPE)], dim=1)
        return x + 0.2 * self.fuse(seen)


class SinogramGenerator(nn.Module):
    """RRDB generator that completes a sinogram.

    Works at half resolution in both axes, which doubles the reach and quarters the cost, and adds
    a correction to the warm start; measured rows pass through untouched.

    Parameters
    ----------
    features, growth, blocks : int
        Width of the trunk, channels a dense layer adds, and number of RRDBs (three dense blocks).

    References
    ----------
    X. Wang et al., ESRGAN, ECCV Workshops 2018.
    """

    def __init__(self, features: int = 32, growth: int = 16, blocks: int = 2) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(3, features, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(DenseBlock(features, growth, (1, 2, 4)) for _ in range(3)))
            for _ in range(blocks)
        )
        self.trunk = nn.Conv2d(features, features, 3, padding=1)
        self.expand = nn.Conv2d(features, 4 * features // 2, 3, padding=1)
        self.last = nn.Conv2d(features // 2, 1, 3, padding=1)
        _start_small(self, self.last)

    def forward(self, x: Tensor) -> Tensor:
        """Map warm start, second start and measured fraction (n, 3, h, w) to rows (n, 1, h, w)."""
        first = self.shrink(x)
        y = first
        for block in self.blocks:
            y = y + 0.2 * block(y)
        y = first + self.trunk(y)
        y = F.leaky_relu(F.pixel_shuffle(self.expand(y), 2), SLOPE)
        return x[:, :1] + (1.0 - x[:, 2:3]) * self.last(y)


class TomogramGenerator(nn.Module):
    """U-Net generator that clears what artifacts remain in a slice.

    Parameters
    ----------
    channels : int
        Input channels; the first `neighbours` group is the completed WBP, then SART, then TVM.
    widths : tuple of int
        Features at each scale, finest first; each scale is half as fine as the one before.
    blocks : int
        Residual blocks at each scale, down and up.

    References
    ----------
    O. Ronneberger, P. Fischer and T. Brox, MICCAI 2015, 234-241.
    """

    def __init__(
        self, channels: int = 9, widths: tuple[int, ...] = (24, 48, 64, 96), blocks: int = 1
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )
        self.encode = nn.ModuleList(_make_residuals(w, blocks) for w in widths)
        # Before the interpolation and one pixel wide: 3 x 3 after it would cost more than a scale.
        # Added, not stacked: a stack of both and a convolution over it would say the same, slower.
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in itertools.pairwise(widths))
        self.merge = nn.ModuleList(nn.Conv2d(w, w, 1, bias=False) for w in widths[:-1])
        self.decode = nn.ModuleList(_make_residuals(w, blocks) for w in widths[:-1])
        self.last = nn.Conv2d(widths[0], 1, 3, padding=1)
        self.blend = nn.Conv2d(channels, 1, 1, bias=False)
        _start_small(self, self.last)
        with torch.no_grad():  # begin as the TVM of the slice itself, the best single input
            self.blend.weight.zero_()
            self.blend.weight[0, channels * 5 // 6] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to the slice (n, 1, h, w)."""
        y = self.encode[0](self.enter(x))
        skips = []
        for down, encode in zip(self.down, list(self.encode)[1:], strict=True):
            skips.append(y)
            y = encode(down(y))
        for k in reversed(range(len(self.up))):
            y = F.interpolate(self.up[k](y), scale_factor=2.0, mode="nearest")
            y = self.decode[k](self.merge[k](skips[k]) + y)
        # Not the convolution that it is, which bfloat16 would round to eight bits.
        return (x * self.blend.weight).sum(dim=1, keepdim=True) + self.last(y)


def make_generator(weights: Mapping[str, Tensor]) -> nn.Module:
    """Make the generator whose weights these are, with them."""
    network = make_generator_like(weights)
    network.load_state_dict(weights)
    return network


def make_generator_like(weights: Mapping[str, Tensor]) -> SinogramGenerator | TomogramGenerator:
    """Make a new generator of the shape that these weights have.

    Raises
    ------
    KeyError
        If they are not those of a generator of this file.
    """
    if "shrink.weight" in weights:
        n_blocks = sum(
            name.startswith("blocks.") and name.endswith(".0.fuse.bias") for name in weights
        )
        growth = len(weights["blocks.0.0.grow.0.bias"])
        return SinogramGenerator(len(weights["shrink.bias"]), growth, n_blocks)
    downs = sum(name.startswith("down.") and name.endswith(".weight") for name in weights)
    widths = (len(weights["enter.bias"]), *(len(weights[f"down.{k}.bias"]) for k in range(downs)))
    blocks = sum(name.startswith("encode.0.") for name in weights) // 4
    return TomogramGenerator(weights["enter.weight"].shape[1], widths, blocks)


def _make_residuals(width: int, n: int) -> nn.Module:
    blocks = [Residual(width) for _ in range(n)]
    return blocks[0] if n == 1 else nn.Sequential(*blocks)


class Residual(nn.Module):
    """Two convolutions, each after its activation, added to what they see."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, width, h, w) to the same shape."""
        y = F.leaky_relu(self.first(F.leaky_relu(x, SLOPE)), SLOPE)
        return x + self.second(y)


class Discriminator(nn.Module):
    """Patch discriminator of an answer beside the input it was made from."""

    def __init__(self, channels: int, features: int = 24) -> None:
        super().__init__()
        widths = [channels, features, 2 * features, 4 * features]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to a score for each patch, (n, 1, h / 8, w / 8)."""
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
        score: Tensor = self.last(x)
        return score


def to_device(network: Network, device: torch.device) -> Network:
    """Move a network to a device, in the memory layout in which its convolutions are fastest."""
    nn.utils.convert_conv2d_weight_memory_format(network.to(device), torch.channels_last)
    return network


def read_weights(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Read the weights of `network` from an exported ONNX file.

    Raises
    ------
    WedgefillError
        If the file was exported from a network of another shape.
    """
    stored = _read_initializers(path)
    expected = network.state_dict()
    if any(n not in stored or stored[n].shape != w.shape for n, w in expected.items()):
        raise WedgefillError(
            f"{path} holds another network than the {type(network).__name__} of this shape; name "
            "a model whose network has the same shape."
        )
    return {name: stored[name] for name in expected}


def load_generator(path: Path) -> nn.Module:
    """Load the generator of an exported ONNX file, whatever its shape.

    Raises
    ------
    WedgefillError
        If the file is missing or does not hold a generator of this package.
    """
    if not path.is_file():
        raise WedgefillError(f"{path} does not exist; name a folder that wedgefill export wrote.")
    try:
        network = make_generator_like(_read_initializers(path))
    except KeyError as error:
        raise WedgefillError(
            f"{path} does not hold a network that can be trained further; name a folder that "
            "wedgefill export wrote."
        ) from error
    network.load_state_dict(read_weights(path, network))
    return network


def _read_initializers(path: Path) -> dict[str, Tensor]:
    import onnx
    from onnx import numpy_helper

    weights = onnx.load(str(path)).graph.initializer
    return {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in weights}


def _start_small(network: nn.Module, last: nn.Conv2d) -> None:
    """Start near the identity: He's initialisation, and almost no correction at the end."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, Residual):
            module.second.weight.data.mul_(0.2)
    last.weight.data.mul_(0.05)
