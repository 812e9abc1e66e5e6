"""What the stages of training share: the plan, the draw of a batch, and the validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..joint_model.contract import InputContract
from .groups import N_SLICES, Batch, Group, answer, augment, log_rmse


@dataclass(frozen=True)
class Plan:
    """The settings of a training; stored with its curves and, by export, in `model.toml`.

    Attributes
    ----------
    minutes : float
        Training time, over all sessions.
    steps : int
        Number of steps instead, if not zero.
    adversarial_after : float
        Fraction of the training after which the adversarial term joins.
    adversarial_weight, penalty : float
        Weight of the adversarial term, and of the gradient penalties.
    learning_rate : float
        Of both networks at the start; the generator's falls along a cosine to a fiftieth.
    warm_up : int
        Steps over which the generator's learning rate rises first: Adam's first steps are rash.
    batch : int
        Slices of 128 x 128 pixels per step; fewer of larger ones.
    average : float
        Decay per step of the exponential moving average of the weights.
    bfloat16 : bool
        Run the generator in bfloat16 (twice as fast where the processor multiplies it).
    seed : int
        Of new weights, the order of the examples and the augmentation.
    """

    minutes: float = 0.0
    steps: int = 0
    adversarial_after: float = 0.8
    adversarial_weight: float = 2e-3
    penalty: float = 1e-3
    learning_rate: float = 5e-4
    warm_up: int = 200
    batch: int = 8
    average: float = 0.995
    bfloat16: bool = False
    seed: int = 0


G = TypeVar("G", bound=Group)


class Stage(ABC, Generic[G]):
    """One stage of the joint model.

    Parameters
    ----------
    run : Path
        Folder of the run; holds the networks of earlier stages.
    device : torch.device
        Where to train.
    contract : InputContract
        What the networks are given.

    Attributes
    ----------
    groups, validating : list of Group
        What is trained on so far, and what validates.
    """

    name: ClassVar[str]
    #: Plan by default; the command fills in the time.
    plan: ClassVar[Plan] = Plan()
    #: Groups from which the slices of a batch are drawn, at most.
    mixed: ClassVar[int] = 8
    #: Channels that the discriminator sees.
    judged: ClassVar[int] = 4

    def __init__(self, run: Path, device: torch.device, contract: InputContract) -> None:
        self.run, self.device, self.contract = run, device, contract
        self.groups: list[G] = []
        self.validating: list[G] = []

    @staticmethod
    @abstractmethod
    def make_network() -> nn.Module:
        """Make the generator, untrained."""

    @abstractmethod
    def read_group(self, path: Path) -> G:
        """Read a group; earlier networks work on it unless the run holds what they made of it."""

    def add_group(self, path: Path, *, validation: bool = False) -> None:
        """Read a group, to train on or to validate with."""
        (self.validating if validation else self.groups).append(self.read_group(path))

    @staticmethod
    @abstractmethod
    def find_start(x: Tensor) -> Tensor:
        """Return that part of an input which the network corrects, (n, 1, h, w)."""

    @staticmethod
    def find_unknown(x: Tensor) -> Tensor | None:
        """Return the weights of the pixels that count when validating; None for all alike."""
        return None

    @staticmethod
    @abstractmethod
    def loss(values: Tensor, batch: Batch) -> Tensor:
        """Compute the loss of the generator's answer."""

    @staticmethod
    @abstractmethod
    def judge_input(values: Tensor, x: Tensor) -> Tensor:
        """Stack an answer, or the truth, with that part of its input which the judge sees."""

    def draw_batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw the slices of a step, mirrored and varied: `size` of 128 pixels, fewer of wider."""
        one = self.groups[rng.integers(len(self.groups))]
        alike = [group for group in self.groups if group.width == one.width]
        n_groups, each = split_batch(size, one.width, self.mixed)
        chosen = [one]
        if n_groups > 1:
            chosen = [alike[k] for k in rng.integers(len(alike), size=n_groups)]
        parts = []
        for group in chosen:
            slices = torch.from_numpy(rng.permutation(N_SLICES)[:each]).to(self.device)
            parts.append((group.inputs(slices), group.targets(slices)))
        x, y = (torch.cat(column) for column in zip(*parts, strict=True))
        return Batch(*augment(rng, x, y), one.rows_deg)

    def revisit(self, rng: np.random.Generator, network: nn.Module) -> None:
        """Renew what the network will be given; only the refinement sees its own answers."""

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Compute the mean errors of the answer ("validation") and of what it corrects ("start").

        Each is the geometric mean over the slices of their root mean square errors, over the rows
        that were not measured (sinogram) or the whole slice.
        """
        slices = torch.arange(0, N_SLICES, 4, device=self.device)
        errors: dict[str, list[Tensor]] = {"start": [], "validation": []}
        for group in self.validating:
            x, y = group.inputs(slices), group.targets(slices)
            where = self.find_unknown(x)
            errors["start"].append(log_rmse(self.find_start(x), y, where))
            errors["validation"].append(log_rmse(answer(network, x), y, where))
        return average_errors(errors)


def split_batch(size: int, width: int, most: int) -> tuple[int, int]:
    """Split a batch among groups, `most` at most.

    Returns
    -------
    n_groups, n_slices : int
        Slices of each; together `size`, or as many as have no more pixels than `size` slices of
        128 x 128.
    """
    n = max(1, round(size * min(1.0, (128 / width) ** 2)))
    n_groups = min(most, n)
    return n_groups, max(1, round(n / n_groups))


def average_errors(logarithms: dict[str, list[Tensor]]) -> dict[str, float]:
    """Average `log_rmse` of several groups, and undo the logarithm."""
    return {name: float(torch.cat(values).mean().exp()) for name, values in logarithms.items()}
