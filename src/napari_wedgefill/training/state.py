"""What a training run is to do, and all that it needs to go on where it stopped."""

from __future__ import annotations

import copy
import itertools
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..atomic import write_beside
from ..errors import WedgefillError
from ..joint_model.contract import InputContract
from .networks import Discriminator, placed, shipped_generator, tomogram_generator_of
from .stages import FIRST_PASS, STAGES, Stage


def save_whole(what: Any, path: Path) -> None:
    """Write weights or a checkpoint; who reads the file meanwhile finds the one before, whole."""
    with write_beside(path) as beside:
        torch.save(what, beside)


@dataclass(frozen=True)
class Plan:
    """The settings of a run; stored with its curves.

    Attributes
    ----------
    minutes : float
        Total training time, over all sessions.
    steps : int
        Total steps instead, if not zero.
    adversarial_after : float
        Fraction of the training after which the adversarial term joins.
    adversarial_weight, penalty : float
        Weight of the adversarial term, and of the gradient penalties.
    learning_rate : float
        Of both networks at the start; the generator's falls along a cosine to a fiftieth.
    batch, batches_per_group : int
        Slices a step, and steps before the next group is read.
    average : float
        Decay a step of the exponential moving average of the weights.
    bfloat16 : bool
        Run the generator in bfloat16 (twice as fast where the processor multiplies it).
    seed : int
        Of the order of the groups and the augmentation.
    """

    minutes: float = 0.0
    steps: int = 0
    adversarial_after: float = 0.8
    adversarial_weight: float = 2e-3
    penalty: float = 1e-3
    learning_rate: float = 5e-4
    batch: int = 8
    batches_per_group: int = 4
    average: float = 0.995
    bfloat16: bool = False
    seed: int = 0

    def progress(self, state: State) -> float:
        """Fraction of the training that is done, 0 to 1."""
        return state.step / self.steps if self.steps else state.minutes / self.minutes


@dataclass
class State:
    """Everything that a run needs to go on where it stopped."""

    generator: nn.Module
    averaged: nn.Module
    discriminator: nn.Module
    optimisers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    minutes: float = 0.0
    step: int = 0
    best: float = float("inf")
    curves: list[dict[str, float]] = field(default_factory=list)

    def modules(self) -> dict[str, Any]:
        """Return what has a `state_dict`."""
        return {
            "generator": self.generator,
            "averaged": self.averaged,
            "discriminator": self.discriminator,
            "generator_optimiser": self.optimisers[0],
            "discriminator_optimiser": self.optimisers[1],
        }

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        parts = {name: module.state_dict() for name, module in self.modules().items()}
        parts["scalars"] = {"minutes": self.minutes, "step": self.step, "best": self.best}
        parts["curves"] = self.curves
        save_whole(parts, path)

    def load(self, path: Path, device: torch.device, *, fresh_judge: bool = False) -> None:
        """Take up a checkpoint; with `fresh_judge`, all of it but the discriminator."""
        parts = torch.load(path, map_location=device, weights_only=True)
        for name, module in self.modules().items():
            if not (fresh_judge and name.startswith("discriminator")):
                module.load_state_dict(parts[name])
        for name, value in parts["scalars"].items():
            setattr(self, name, value)
        self.curves = parts["curves"]


def start(
    stage: Stage,
    plan: Plan,
    device: torch.device,
    model: Path | None = None,
    network: Callable[[], nn.Module] | None = None,
) -> State:
    """Return the state at step zero, seeded: of `network`, an exported model's, or a new one."""
    torch.manual_seed(plan.seed)
    if network is None and model is not None:
        network = partial(_begun, stage, model)
    generator = placed((network or stage.network)(), device)
    discriminator = placed(Discriminator(stage.judged), device)
    averaged = copy.deepcopy(generator).requires_grad_(False)
    adam = (
        torch.optim.AdamW(generator.parameters(), plan.learning_rate, betas=(0.9, 0.99)),
        torch.optim.AdamW(discriminator.parameters(), plan.learning_rate, betas=(0.0, 0.99)),
    )
    return State(generator, averaged, discriminator, adam)


def _begun(stage: Stage, model: Path) -> nn.Module:
    """Return a model's network of this stage, or one like that which it begins as."""
    own = model / f"{stage.name}.onnx"
    if own.is_file() or not stage.begins_as:
        return shipped_generator(own)
    network = shipped_generator(model / f"{stage.begins_as}.onnx")
    # The last layers correct something else: they begin with no correction at all.
    fresh, weights = tomogram_generator_of(network.state_dict()), network.state_dict()
    known = {n: w for n, w in weights.items() if not n.startswith(("last.", "blend."))}
    fresh.load_state_dict(known, strict=False)
    return fresh


def adopt_earlier(stage: Stage, model: Path, run: Path, contract: InputContract) -> None:
    """Take into a run, from an exported model's folder, the earlier stages that it lacks.

    Their curves and plans come along, so that the run can be exported as a whole. A refinement in
    that folder becomes the first pass, over whose answers the run's own learns to pass again.

    Raises
    ------
    WedgefillError
        If the folder does not hold what is lacking.
    """
    earlier = itertools.takewhile(lambda name: name != stage.name, STAGES)
    for name in [name for name in earlier if not (run / f"{name}.pt").exists()]:
        try:
            described = tomllib.loads((model / "model.toml").read_text(encoding="utf-8"))
            trained = described["training"][name]
            curves = json.loads((model / f"{name}_curves.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError) as error:
            raise WedgefillError(
                f"{model}: its {name} network cannot be taken over ({error!r}); name a folder that "
                f"wedgefill export wrote, or train that stage in {run} first."
            ) from error
        network = shipped_generator(model / f"{name}.onnx")
        save_whole(network.state_dict(), run / f"{name}.pt")
        plan = {f.name: trained[f.name] for f in fields(Plan) if f.name in trained}
        record = {"plan": plan, "contract": contract.to_dict(), "curves": curves}
        (run / f"{name}.json").write_text(json.dumps(record, indent=1))
    own, first = model / f"{stage.name}.onnx", run / f"{FIRST_PASS}.pt"
    if stage.begins_as and own.is_file() and not first.exists():
        save_whole(shipped_generator(own).state_dict(), first)
