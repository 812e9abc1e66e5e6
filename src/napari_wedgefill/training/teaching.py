"""A trained network as the teacher of a smaller one.

A network of few features learns the objects that it is shown by heart before it does as well on
others. What a larger one, which has seen many more, answers to the same inputs is an easier
target, and one that says more of objects at large.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from ..joint_model.registry import VIEWS
from .networks import generator_of, placed, shipped_generator

#: Sides that the teacher looks from: those of the first two passes.
SIDES = VIEWS[0] + VIEWS[1]


class Teacher:
    """Answers of a trained network, the mean of two views, beside the truth.

    Parameters
    ----------
    network : Module
        Trained; maps inputs (n, channels, h, w) to slices (n, 1, h, w).
    share : float
        From 0, where only the truth counts, to 1, where only the teacher's answer does.

    References
    ----------
    G. Hinton, O. Vinyals and J. Dean, Distilling the knowledge in a neural network,
    arXiv:1503.02531, 2015.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        self.network, self.share = network.eval(), share

    @torch.no_grad()
    def excused(self, x: Tensor, truth: Tensor) -> Tensor:
        """Return that part of the teacher's errors which its pupil may make too, (n, 1, h, w)."""
        sides = [self.network(x.flip(axes)).float().flip(axes) for axes in SIDES]
        return self.share * (torch.stack(sides).mean(0) - truth)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a training begin with weights of its own, and have a teacher."""
    parser.add_argument("--weights", type=Path, help="weights to begin with instead of the model's")
    parser.add_argument("--teacher", type=Path, help="model that is learned from beside the truth")
    parser.add_argument(
        "--taught", type=float, default=0.5, help="how much its answers count, 0 to 1"
    )


def weighted(path: Path) -> nn.Module:
    """Return the network whose weights a training, or pruning, wrote to a file."""
    return generator_of(torch.load(path, map_location="cpu", weights_only=True))


def asked_teacher(given: argparse.Namespace, stage: str, device: torch.device) -> Teacher | None:
    """Return the network of a stage of the model that was asked to teach, if one was."""
    if given.teacher is None:
        return None
    network = placed(shipped_generator(given.teacher / f"{stage}.onnx"), device)
    return Teacher(network, given.taught)
