"""A trained network as the teacher of a smaller one.

A network of few features learns the objects that it is shown by heart before it does as well on
others. What a larger one, which has seen many more, answers to the same inputs is an easier
target, and one that says more of objects at large.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Sides that the teacher looks from, as the axes of a slice that are flipped.
SIDES: tuple[tuple[int, ...], ...] = ((), (-2, -1))


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
