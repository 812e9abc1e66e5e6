"""The training loop of every stage: time-boxed, resumable, pixel loss first, then adversarial.

    python -m napari_wedgefill.training.train sinogram runs/data runs/small --minutes 25
    python -m napari_wedgefill.training.train tomogram runs/data runs/small --minutes 40

The checkpoint that is kept is the one whose averaged weights have the lowest validation error
(`Stage.validate`) among those after the adversarial term is on: the rule stood before the runs.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..joint_model.contract import InputContract
from . import batches
from .losses import adversarial_discriminator, adversarial_generator
from .stages import STAGES, Stage
from .state import Plan, State, adopt_earlier, save_whole, start
from .teaching import Teacher, add_options, asked_teacher, weighted

#: What the steps since the last report measured, by name.
Running = dict[str, list[Tensor]]
#: Fraction of a training after which it is validated, reported and saved.
REPORT_EVERY = 0.04


def step(
    state: State,
    stage: Stage,
    plan: Plan,
    x: Tensor,
    y: Tensor,
    context: Any,
    adversarial: bool,
    teacher: Teacher | None = None,
) -> dict[str, Tensor]:
    """One step of the generator, and of the discriminator once it plays; what it measured.

    Nothing here waits for a card: it may be many steps behind.
    """
    with torch.autocast(x.device.type, torch.bfloat16, enabled=plan.bfloat16):
        answer = state.generator(x).float()
        excused = teacher.excused(x, y) if teacher else 0.0
    loss = stage.loss(answer - excused, y, x, context)
    figures = {"loss": loss.detach()}
    if adversarial:
        real, fake = stage.judge(y, x), stage.judge(answer, x)
        state.discriminator.requires_grad_(False)
        deceit = adversarial_generator(state.discriminator(real), state.discriminator(fake))
        state.discriminator.requires_grad_(True)
        loss = loss + plan.adversarial_weight * deceit
    _descend(state.optimisers[0], state.generator, loss)
    if adversarial:
        judged, margin, slope = adversarial_discriminator(
            state.discriminator, real, fake, plan.penalty
        )
        _descend(state.optimisers[1], state.discriminator, judged)
        scalars = {"deceit": deceit, "margin": margin, "penalty": slope}
        figures |= {name: value.detach() for name, value in scalars.items()}
    decay = min(plan.average, (1 + state.step) / (10 + state.step))
    follow(state.averaged, state.generator, decay)
    return figures


@torch.no_grad()
def follow(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Take a step of the exponential moving average of a network's weights."""
    kept: list[Tensor] = list(averaged.parameters())
    torch._foreach_lerp_(kept, list(network.parameters()), 1 - decay)


def _descend(optimiser: torch.optim.Optimizer, network: nn.Module, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()


def train(
    stage: Stage,
    data: Path,
    out: Path,
    plan: Plan,
    device: torch.device,
    model: Path | None = None,
    *,
    network: Callable[[], nn.Module] | None = None,
    teacher: Teacher | None = None,
    fresh_judge: bool = False,
) -> None:
    """Train until the plan is fulfilled; go on from ``out/<stage>.ckpt`` if it exists."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / f"{stage.name}.ckpt"
    state = start(stage, plan, device, model, network)
    if model is not None:
        adopt_earlier(stage, model, out, InputContract())
    if checkpoint.exists():
        state.load(checkpoint, device, fresh_judge=fresh_judge)
    rng = np.random.default_rng(plan.seed + state.step)
    contract = InputContract()
    prepare = stage.prepare(out, device)
    for path in batches.groups(data, validation=True):
        prepare(path, contract)
    clock = time.monotonic()
    running: Running = {}
    next_report = plan.progress(state) + REPORT_EVERY
    while (progress := plan.progress(state)) < 1:
        available = batches.to_train_on(data)  # there may be more by now
        path = available[rng.integers(len(available))]
        begun = time.monotonic()
        prepare(path, contract)
        clock += time.monotonic() - begun  # no training time
        inputs, target = stage.examples(path, out, contract)
        context = stage.context(path, contract)
        adversarial = progress >= plan.adversarial_after
        set_rate(state, plan, progress)
        for x, y in batches.shuffled(rng, inputs, target, plan.batch, plan.batches_per_group):
            x = x.to(device, memory_format=torch.channels_last)
            figures = step(state, stage, plan, x, y.to(device), context, adversarial, teacher)
            for name, value in figures.items():
                running.setdefault(name, []).append(value)
            state.step += 1
        state.minutes += (time.monotonic() - clock) / 60
        clock = time.monotonic()
        if plan.progress(state) >= min(next_report, 1.0):
            validating = batches.groups(data, validation=True)
            validated = stage.validate(state.averaged, validating, out, contract)
            report(state, stage, out, plan, running, validated, adversarial)
            running.clear()
            state.save(checkpoint)
            clock = time.monotonic()
            next_report = plan.progress(state) + REPORT_EVERY


def set_rate(state: State, plan: Plan, progress: float, share: float = 1.0) -> None:
    """Let the generator's learning rate fall along a cosine, or set a share of that."""
    for group in state.optimisers[0].param_groups:
        group["lr"] = share * plan.learning_rate * falling(progress)


def falling(progress: float) -> float:
    """Share of the learning rate that is left: along a cosine, from one to a fiftieth."""
    return 0.51 + 0.49 * math.cos(math.pi * progress)


def report(
    state: State,
    stage: Stage,
    out: Path,
    plan: Plan,
    running: Running,
    validated: dict[str, float],
    adversarial: bool,
) -> None:
    """Extend the curves; keep the averaged weights if they validated best."""
    figures = {name: float(torch.stack(values).mean()) for name, values in running.items()}
    figures |= {"minutes": state.minutes, "step": float(state.step)} | validated
    state.curves.append(figures)
    print(" ".join(f"{k} {v:.5g}" for k, v in figures.items()), flush=True)
    if not adversarial:
        save_whole(state.averaged.state_dict(), out / f"{stage.name}_pixel.pt")
    elif figures["validation"] < state.best:
        state.best = figures["validation"]
        save_whole(state.averaged.state_dict(), out / f"{stage.name}.pt")
    record = {
        "plan": asdict(plan),
        "contract": InputContract().to_dict(),
        "curves": state.curves,
    }
    (out / f"{stage.name}.json").write_text(json.dumps(record, indent=1))


def main(arguments: list[str] | None = None) -> None:
    """Train one stage from a folder of simulated groups."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("stage", choices=sorted(STAGES))
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, default=0.0)
    budget.add_argument("--steps", type=int, default=0)
    parser.add_argument(
        "--from", dest="model", type=Path, help="model folder to start from (a checkpoint wins)"
    )
    add_options(parser)
    parser.add_argument("--learning-rate", type=float, default=Plan.learning_rate)
    parser.add_argument("--penalty", type=float, default=Plan.penalty)
    parser.add_argument(
        "--adversarial-weight",
        type=float,
        default=Plan.adversarial_weight,
        help="of the adversarial term; 0 leaves it out",
    )
    parser.add_argument(
        "--restart-discriminator", action="store_true", help="go on, but with a new discriminator"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=Plan.batch)
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="faster on GPUs and processors that multiply it, many times slower on others",
    )
    parser.add_argument("--threads", type=int, help="CPU threads; all cores by default")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    plan = Plan(
        given.minutes,
        given.steps,
        penalty=given.penalty,
        learning_rate=given.learning_rate,
        adversarial_weight=given.adversarial_weight,
        batch=given.batch,
        bfloat16=given.bfloat16,
    )
    stage = STAGES[given.stage]
    device = torch.device(given.device)
    train(
        stage,
        given.data,
        given.out,
        plan,
        device,
        given.model,
        network=partial(weighted, given.weights) if given.weights else None,
        teacher=asked_teacher(given, stage.name, device),
        fresh_judge=given.restart_discriminator,
    )


if __name__ == "__main__":
    main()
