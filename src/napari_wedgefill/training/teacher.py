"""A trained network as a teacher of another one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..joint_model.registry import VIEWS


class Teacher:
    """A trained network from whose answers another one learns, besides from the truth.

    A small network learns the objects it is shown by heart before it does as well on others. What a
    larger one answers, which has seen many more, is an easier target and says more about objects in
    general.

    Parameters
    ----------
    network : Module
        Maps inputs (n, channels, h, w) to slices (n, 1, h, w); its mean over the views of the first
        two passes is taken.
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
    def excuse_error(self, x: Tensor, truth: Tensor) -> Tensor:
        """Return the part of the teacher's errors that its pupil may make too, (n, 1, h, w)."""
        views = VIEWS[0] + VIEWS[1]
        answers = [self.network(x.flip(axes)).float().flip(axes) for axes in views]
        return self.share * (torch.stack(answers).mean(0) - truth)
