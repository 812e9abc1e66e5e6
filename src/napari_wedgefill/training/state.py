"""Where a training stands: networks, optimisers and curves, and how it begins and goes on."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import WedgefillError
from .growth import grow
from .networks import (
    REFINEMENT_SIZES,
    Discriminator,
    TomogramGenerator,
    load_generator,
    to_device,
)
from .run_folder import save_complete
from .stage import Plan
from .stages import STAGES


@dataclass
class State:
    """All that a training needs to go on where it stopped."""

    generator: nn.Module
    averaged: nn.Module
    discriminator: nn.Module
    optimisers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    minutes: float = 0.0
    step: int = 0
    best: float = float("inf")
    curves: list[dict[str, float]] = field(default_factory=list)

    def list_parts(self) -> dict[str, Any]:
        """List what has a `state_dict`."""
        return {
            "generator": self.generator,
            "averaged": self.averaged,
            "discriminator": self.discriminator,
            "generator_optimiser": self.optimisers[0],
            "discriminator_optimiser": self.optimisers[1],
        }

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        parts = {name: part.state_dict() for name, part in self.list_parts().items()}
        parts["scalars"] = {"minutes": self.minutes, "step": self.step, "best": self.best}
        parts["curves"] = self.curves
        save_complete(parts, path)

    def load(self, path: Path, device: torch.device) -> None:
        """Continue from a checkpoint.

        Raises
        ------
        WedgefillError
            If it is of a network of another shape.
        """
        parts = torch.load(path, map_location=device, weights_only=True)
        try:
            for name, part in self.list_parts().items():
                part.load_state_dict(parts[name])
        except RuntimeError as error:
            raise WedgefillError(
                f"{path} is of a network of another shape than the one asked for; train with the "
                "options that the run began with, or in another folder."
            ) from error
        for name, value in parts["scalars"].items():
            setattr(self, name, value)
        self.curves = parts["curves"]

    def progress(self, plan: Plan) -> float:
        """Fraction of the training that is done, 0 to 1."""
        return self.step / plan.steps if plan.steps else self.minutes / plan.minutes


def start(
    stage: str, plan: Plan, device: torch.device, model: Path | None = None, size: str | None = None
) -> State:
    """Make the state at step zero.

    Parameters
    ----------
    stage : str
        Name of the stage.
    plan : Plan
        Seeds new weights and sets the learning rates.
    device : torch.device
        Where to train.
    model : Path, optional
        Exported model with whose weights to begin.
    size : str, optional
        Shape of a refinement, a key of `REFINEMENT_SIZES`. The model's refinement grows into it.
    """
    torch.manual_seed(plan.seed)
    generator = to_device(make_first_generator(stage, model, size), device)
    discriminator = to_device(Discriminator(STAGES[stage].judged), device)
    averaged = copy.deepcopy(generator).requires_grad_(False)
    adam = (
        torch.optim.AdamW(generator.parameters(), plan.learning_rate, betas=(0.9, 0.99)),
        torch.optim.AdamW(discriminator.parameters(), plan.learning_rate, betas=(0.0, 0.99)),
    )
    return State(generator, averaged, discriminator, adam)


def make_first_generator(stage: str, model: Path | None, size: str | None) -> nn.Module:
    """Make the generator that training begins with; see `start`."""
    known = None
    # A model without a refinement can lend its other networks to the training of one.
    if model is not None and (stage != "refinement" or (model / f"{stage}.onnx").is_file()):
        known = load_generator(model / f"{stage}.onnx")
    if size is None:
        return STAGES[stage].make_network() if known is None else known
    widths, blocks = REFINEMENT_SIZES[size]
    asked = TomogramGenerator(widths=widths, blocks=blocks)
    return asked if known is None else grow(known.state_dict(), asked)
