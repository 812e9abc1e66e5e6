"""Training the refinement on groups that stay on the device, each as its own passes find it.

    python -m napari_wedgefill.training.resident DATA RUN --minutes 7 --from models/small

A card takes a step in milliseconds: reading groups, and looking up what earlier stages made of
them, would take longer than learning from them. So groups are read once, may come in while
training runs, and are mixed within a batch. Now and then the network passes over one of them, and
learns from what it made of it from then on, as it will in use.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..errors import WedgefillError
from ..inference.contract import InputContract
from . import batches
from .networks import TomogramGenerator, placed
from .residents import MIXED, Arrivals, Residents, slices_each, validate
from .stages import STAGES
from .state import Plan, State, adopt_earlier, start
from .train import REPORT_EVERY, Running, report, set_rate, step

REFINEMENT = STAGES["refinement"]
#: Shapes of the refinement network of the model's tiers: widths of its scales, blocks at each.
TIERS = {"small": ((24, 48, 64, 96), 1), "large": ((32, 64, 96, 96, 96), 2)}
#: Steps after which the learning rate is as planned: Adam's first ones are rash.
WARM_UP = 200


def train(
    data: Path,
    out: Path,
    plan: Plan,
    device: torch.device,
    state: State,
    *,
    round_steps: int,
    admissions: int,
) -> None:
    """Train until the plan is fulfilled; go on from ``out/refinement.ckpt`` if it exists.

    Parameters
    ----------
    data : Path
        Folder of groups, which may grow.
    out : Path
        The run; holds the earlier networks.
    plan : Plan
        Its minutes are those of the clock, admissions and passes included.
    state : State
        As it starts.
    round_steps, admissions : int
        Steps after which a pass is made over one group and so many new ones are admitted.
    """
    checkpoint = out / f"{REFINEMENT.name}.ckpt"
    if checkpoint.exists():
        state.load(checkpoint, device)
    rng = np.random.default_rng(plan.seed + state.step)
    residents, arrivals = Residents(out, device, InputContract()), Arrivals(data)
    validating = [residents.admit(path) for path in batches.groups(data, validation=True)]
    residents.groups += [residents.admit(path) for path in arrivals.new(MIXED)]
    if not residents.groups:
        raise WedgefillError(f"{data} holds too few groups: simulate more (wedgefill simulate).")
    _note(state, residents, out, plan, {}, validate(residents, validating, state.averaged))
    running: Running = {}
    clock, before = time.monotonic(), state.minutes
    next_report = plan.progress(state) + REPORT_EVERY
    while (progress := plan.progress(state)) < 1:
        adversarial = progress >= plan.adversarial_after
        set_rate(state, plan, progress, min(1.0, (state.step + 1) / WARM_UP))
        for _ in range(round_steps):
            x, y = residents.batch(rng, plan.batch)
            x = x.contiguous(memory_format=torch.channels_last)
            for name, value in step(state, REFINEMENT, plan, x, y, None, adversarial).items():
                running.setdefault(name, []).append(value)
            state.step += 1
        residents.groups += [residents.admit(path) for path in arrivals.new(admissions)]
        residents.advance(residents.groups[rng.integers(len(residents.groups))], state.averaged)
        state.minutes = before + (time.monotonic() - clock) / 60
        if plan.progress(state) >= min(next_report, 1.0):
            validated = validate(residents, validating, state.averaged)
            _note(state, residents, out, plan, running, validated, adversarial)
            state.save(checkpoint)
            running.clear()
            next_report = plan.progress(state) + REPORT_EVERY


def _note(
    state: State,
    residents: Residents,
    out: Path,
    plan: Plan,
    running: Running,
    validated: dict[str, float],
    adversarial: bool = False,
) -> None:
    groups = {"groups": float(len(residents.groups))}
    report(state, REFINEMENT, out, plan, running, validated | groups, adversarial)


def shaped(state: State, tier: str, plan: Plan, device: torch.device) -> State:
    """Return the state at step zero with a new network of another tier's shape."""
    torch.manual_seed(plan.seed)
    widths, blocks = TIERS[tier]
    state.generator = placed(TomogramGenerator(9, widths, blocks), device)
    state.averaged = copy.deepcopy(state.generator).requires_grad_(False)
    adam = torch.optim.AdamW(state.generator.parameters(), plan.learning_rate, betas=(0.9, 0.99))
    state.optimisers = (adam, state.optimisers[1])
    return state


def compile_network(state: State, plan: Plan, device: torch.device) -> None:
    """Let torch compile the generator, for batches of 128 x 128 pixels, before it is needed."""
    torch.backends.cudnn.benchmark = True
    state.generator.compile(dynamic=False)
    shape = (MIXED * slices_each(plan.batch, 128), 9, 128, 128)
    x = torch.zeros(shape, device=device).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.bfloat16):
        answer = state.generator(x).float()
    answer.square().mean().backward()
    state.generator.zero_grad(set_to_none=True)
    print("compiled", flush=True)


def wait_for(files: list[Path]) -> None:
    """Wait until files are there that others make."""
    while not all(file.exists() for file in files):
        time.sleep(0.5)


def main(arguments: list[str] | None = None) -> None:
    """Train a refinement on groups that stay on the device."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, default=0.0)
    budget.add_argument("--steps", type=int, default=0)
    budget.add_argument("--until", type=float, help="when to end, in seconds since the epoch")
    parser.add_argument(
        "--from", dest="model", type=Path, required=True, help="model with the earlier networks"
    )
    parser.add_argument(
        "--new", choices=sorted(TIERS), help="begin with a new network of this tier's shape"
    )
    parser.add_argument("--learning-rate", type=float, default=Plan.learning_rate)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--round", type=int, default=30, help="steps between passes over a group")
    parser.add_argument("--admissions", type=int, default=2, help="new groups a round, at most")
    parser.add_argument(
        "--wait-for", type=Path, nargs="*", default=[], help="groups that must be there first"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--compile", action="store_true", help="let torch compile the network")
    given = parser.parse_args(arguments)
    plan = Plan(
        given.minutes,
        given.steps,
        learning_rate=given.learning_rate,
        batch=given.batch,
        average=0.999,
        bfloat16=given.bfloat16,
    )
    given.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(given.device)
    adopt_earlier(REFINEMENT, given.model, given.out, InputContract())
    state = start(REFINEMENT, plan, device, given.model if given.new is None else None)
    if given.new is not None:
        state = shaped(state, given.new, plan, device)
    if given.compile:
        compile_network(state, plan, device)
    wait_for(given.wait_for)
    if given.until:
        plan = replace(plan, minutes=(given.until - time.time()) / 60)
    steps = {"round_steps": given.round, "admissions": given.admissions}
    train(given.data, given.out, plan, device, state, **steps)


if __name__ == "__main__":
    main()
