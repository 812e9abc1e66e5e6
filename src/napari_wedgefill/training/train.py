"""Train one of the networks on simulated groups.

    wedgefill train sinogram DATA RUN --minutes 60
    wedgefill train tomogram DATA RUN --minutes 120
    wedgefill train refinement DATA RUN --minutes 60

One loop serves all three: pixel loss first, with an adversarial term in the last fifth of the time.
Groups are read while training goes on, as they appear in the folder, and stay in memory. The
weights that are kept are the averaged ones with the lowest validation error (`Stage.validate`) of
those after the adversarial term joined: the rule was set before the runs.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import WedgefillError
from ..joint_model.contract import InputContract
from .groups import Batch, list_groups, list_training_groups
from .losses import adversarial_discriminator, adversarial_generator
from .networks import REFINEMENT_SIZES, load_generator, to_device
from .run_folder import copy_earlier_networks, save_complete
from .stage import Plan
from .stages import STAGES, AnyStage
from .state import State, start
from .teacher import Teacher

#: Steps after which new groups are read and the refinement passes over one group.
ROUND = 50
#: Groups that are read at the start and after each round, at most: training need not wait for all.
NEW_GROUPS = 8
#: Fraction of a training after which it is validated, reported and saved.
REPORT_EVERY = 0.04


def take_step(
    state: State,
    stage: AnyStage,
    plan: Plan,
    batch: Batch,
    *,
    adversarial: bool,
    teacher: Teacher | None = None,
) -> dict[str, Tensor]:
    """Take a step of the generator, and of the discriminator once it takes part.

    Returns
    -------
    dict of str to Tensor
        What was measured. Nothing here waits for a GPU, which may be many steps behind.
    """
    x = batch.x.contiguous(memory_format=torch.channels_last)
    y = batch.y
    with torch.autocast(x.device.type, torch.bfloat16, enabled=plan.bfloat16):
        values = state.generator(x).float()
    excused = teacher.excuse_error(x, y) if teacher else 0.0
    loss = stage.loss(values - excused, Batch(x, y, batch.rows_deg))
    figures = {"loss": loss.detach()}
    if adversarial:
        real, fake = stage.judge_input(y, x), stage.judge_input(values, x)
        state.discriminator.requires_grad_(False)
        deceit = adversarial_generator(state.discriminator(real), state.discriminator(fake))
        state.discriminator.requires_grad_(True)
        loss = loss + plan.adversarial_weight * deceit
    descend(state.optimisers[0], state.generator, loss)
    if adversarial:
        judged, margin, slope = adversarial_discriminator(
            state.discriminator, real, fake, plan.penalty
        )
        descend(state.optimisers[1], state.discriminator, judged)
        scalars = {"deceit": deceit, "margin": margin, "penalty": slope}
        figures |= {name: value.detach() for name, value in scalars.items()}
    update_average(
        state.averaged, state.generator, min(plan.average, (1 + state.step) / (10 + state.step))
    )
    state.step += 1
    return figures


def descend(optimiser: torch.optim.Optimizer, network: nn.Module, loss: Tensor) -> None:
    """Move a network's weights down the gradient of a loss, clipped."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


@torch.no_grad()
def update_average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Update the exponential moving average of a network's weights."""
    kept: list[Tensor] = list(averaged.parameters())
    torch._foreach_lerp_(kept, list(network.parameters()), 1 - decay)


def set_learning_rate(state: State, plan: Plan) -> None:
    """Raise the generator's learning rate over the first steps, then lower it along a cosine."""
    warm = min(1.0, (state.step + 1) / plan.warm_up)
    left = 0.51 + 0.49 * math.cos(math.pi * state.progress(plan))
    for group in state.optimisers[0].param_groups:
        group["lr"] = plan.learning_rate * warm * left


def train(
    stage: AnyStage, state: State, plan: Plan, data: Path, teacher: Teacher | None = None
) -> None:
    """Train until the plan is fulfilled; go on from the run's checkpoint if there is one.

    Parameters
    ----------
    stage : Stage
        Of the run; its folder receives weights, curves and checkpoints.
    state : State
        As `start` makes it.
    plan : Plan
        Its minutes are those of training, without reading groups and validating.
    data : Path
        Folder of groups, which may grow meanwhile.
    teacher : Teacher, optional
        On the same device.

    Raises
    ------
    WedgefillError
        If the folder holds no group to train on.
    """
    list_training_groups(data)
    checkpoint = stage.run / f"{stage.name}.ckpt"
    if checkpoint.exists():
        state.load(checkpoint, stage.device)
    rng = np.random.default_rng(plan.seed + state.step)
    for path in list_groups(data, validation=True):
        stage.add_group(path, validation=True)
    arrivals = find_new_groups(data)
    read_new_groups(stage, arrivals)
    measured: dict[str, list[Tensor]] = {}
    if state.step == 0:
        report(stage, state, plan, measured, adversarial=False)
    next_report = state.progress(plan) + REPORT_EVERY
    clock = time.monotonic()
    while (progress := state.progress(plan)) < 1:
        adversarial = progress >= plan.adversarial_after
        set_learning_rate(state, plan)
        batch = stage.draw_batch(rng, plan.batch)
        figures = take_step(state, stage, plan, batch, adversarial=adversarial, teacher=teacher)
        for name, value in figures.items():
            measured.setdefault(name, []).append(value)
        round_ends = state.step % ROUND == 0
        if round_ends:
            stage.revisit(rng, state.averaged)
        state.minutes += (time.monotonic() - clock) / 60
        if round_ends:
            read_new_groups(stage, arrivals)
        if state.progress(plan) >= min(next_report, 1.0):
            report(stage, state, plan, measured, adversarial=adversarial)
            state.save(checkpoint)
            measured.clear()
            next_report = state.progress(plan) + REPORT_EVERY
        clock = time.monotonic()


def find_new_groups(data: Path) -> Iterator[Path | None]:
    """Yield each group to train on once, in the order of their seeds; None while there is none."""
    known = set(list_groups(data, validation=True))
    while True:
        path = next((p for p in list_groups(data, validation=False) if p not in known), None)
        yield path
        if path is not None:
            known.add(path)


def read_new_groups(stage: AnyStage, arrivals: Iterator[Path | None]) -> None:
    """Read up to `NEW_GROUPS` groups that were not read before."""
    for _ in range(NEW_GROUPS):
        path = next(arrivals)
        if path is None:
            return
        stage.add_group(path)


def report(
    stage: AnyStage,
    state: State,
    plan: Plan,
    measured: dict[str, list[Tensor]],
    *,
    adversarial: bool,
) -> None:
    """Validate, extend the curves, and keep the averaged weights if they are the best so far."""
    figures = {name: float(torch.stack(values).mean()) for name, values in measured.items()}
    figures |= {"minutes": state.minutes, "step": float(state.step)}
    figures |= {"groups": float(len(stage.groups))} | stage.validate(state.averaged)
    state.curves.append(figures)
    print(" ".join(f"{k} {v:.5g}" for k, v in figures.items()), flush=True)
    weights = state.averaged.state_dict()
    if not adversarial:
        save_complete(weights, stage.run / f"{stage.name}_pixel.pt")
    elif figures["validation"] < state.best:
        state.best = figures["validation"]
        save_complete(weights, stage.run / f"{stage.name}.pt")
    record = {"plan": asdict(plan), "contract": stage.contract.to_dict(), "curves": state.curves}
    (stage.run / f"{stage.name}.json").write_text(json.dumps(record, indent=1))


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command."""
    made = argparse.ArgumentParser(prog="wedgefill train", description="Train one network.")
    made.add_argument("stage", choices=list(STAGES), help="which network")
    made.add_argument("data", type=Path, metavar="DATA", help="folder of simulated groups")
    made.add_argument("run", type=Path, metavar="RUN", help="folder for weights and curves")
    budget = made.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="training time in all sessions")
    budget.add_argument("--steps", type=int, help="number of steps instead")
    made.add_argument(
        "--from",
        dest="model",
        type=Path,
        metavar="MODEL",
        help="model folder with whose weights to begin, and whose earlier networks to use where "
        "RUN has none; a run that was stopped goes on where it was instead",
    )
    made.add_argument(
        "--size",
        choices=list(REFINEMENT_SIZES),
        help="shape of the refinement; that of --from grows into it (that of --from, or small)",
    )
    made.add_argument(
        "--teacher", type=Path, metavar="MODEL", help="model folder to learn from beside the truth"
    )
    made.add_argument(
        "--taught", type=float, default=0.5, help="share of the teacher's answers, 0 to 1 (0.5)"
    )
    made.add_argument("--learning-rate", type=float, help="by default 5e-4; refinement 4e-4")
    made.add_argument("--batch", type=int, help="slices per step (8; refinement 16)")
    made.add_argument(
        "--adversarial-weight", type=float, help="of the adversarial term (0.002); 0 leaves it out"
    )
    made.add_argument("--seed", type=int, help="of new weights and the order of examples (0)")
    made.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    made.add_argument(
        "--bfloat16",
        action="store_true",
        help="faster on GPUs and processors that multiply it, many times slower on others",
    )
    return made


def main(arguments: list[str] | None = None) -> None:
    """Train one network on a folder of simulated groups."""
    given = make_parser().parse_args(arguments)
    if not (given.minutes or given.steps or 0) > 0:
        raise WedgefillError("There is no time to train; give --minutes or --steps above 0.")
    if given.size and given.stage != "refinement":
        raise WedgefillError(f"--size is for the refinement; leave it out for the {given.stage}.")
    if not 0 <= given.taught <= 1:
        raise WedgefillError(f"--taught {given.taught:g} is not a share; give one from 0 to 1.")
    names = ("minutes", "steps", "learning_rate", "batch", "adversarial_weight", "seed", "bfloat16")
    asked = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    plan = replace(STAGES[given.stage].plan, **asked)
    device = torch.device(given.device)
    given.run.mkdir(parents=True, exist_ok=True)
    if given.model is not None:
        copy_earlier_networks(given.stage, given.model, given.run)
    stage = STAGES[given.stage](given.run, device, InputContract())
    state = start(given.stage, plan, device, given.model, given.size)
    teacher = None
    if given.teacher is not None:
        network = load_generator(given.teacher / f"{given.stage}.onnx")
        teacher = Teacher(to_device(network, device), given.taught)
    train(stage, state, plan, given.data, teacher)


if __name__ == "__main__":
    main()
