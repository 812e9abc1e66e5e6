"""Training the refinement on groups that stay on the device, each as its own passes find it.

    python -m napari_wedgefill.training.resident DATA RUN --minutes 7 --from models/small

A card takes a step in milliseconds: reading groups, and looking up what earlier stages made of
them, would take longer than learning from them. So groups are read once, may come in while
training runs, and are mixed within a batch. Now and then the network passes over one of them, and
learns from what it made of it from then on, as it will in use.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..joint_model.contract import InputContract
from . import batches
from .growth import grown
from .networks import TomogramGenerator, shipped_generator
from .residents import MIXED, Arrivals, Residents, slices_each, validate
from .stages import STAGES
from .state import Plan, State, adopt_earlier, start
from .teaching import Teacher, add_options, asked_teacher, weighted
from .train import REPORT_EVERY, Running, report, set_rate, step

REFINEMENT = STAGES["refinement"]
#: Shapes of the refinement network of the model's tiers: widths of its scales, blocks at each.
TIERS = {"small": ((16, 48, 64, 96), 1), "large": ((32, 64, 96, 96, 96), 2)}
#: Steps after which the learning rate is as planned: Adam's first ones are rash.
WARM_UP = 200


class Loop:
    """Rounds of steps, each followed by passes over some groups and the admission of new ones.

    Parameters
    ----------
    data : Path
        Folder of groups, which may grow.
    out : Path
        The run; holds the earlier networks, and a checkpoint if it is to go on.
    plan : Plan
        Its minutes are those of the clock, admissions and passes included.
    state : State
        As it starts.
    device : torch.device
        Where groups and networks are.
    teacher : Teacher, optional
        On the same device; whose errors are held against the network in part only.

    Raises
    ------
    WedgefillError
        If the folder holds no group to train on.
    """

    def __init__(
        self,
        data: Path,
        out: Path,
        plan: Plan,
        state: State,
        device: torch.device,
        teacher: Teacher | None = None,
    ) -> None:
        self.out, self.plan, self.state, self.teacher = out, plan, state, teacher
        self.checkpoint = out / f"{REFINEMENT.name}.ckpt"
        if self.checkpoint.exists():
            state.load(self.checkpoint, device)
        self.rng = np.random.default_rng(plan.seed + state.step)
        self.residents, self.arrivals = Residents(out, device, InputContract()), Arrivals(data)
        batches.to_train_on(data)  # refuses a folder that holds too few
        validating = batches.groups(data, validation=True)
        self.validating = [self.residents.admit(path) for path in validating]
        self.admit(MIXED)
        self.running: Running = {}

    def admit(self, most: int) -> None:
        """Admit up to `most` groups that appeared since."""
        self.residents.groups += [self.residents.admit(path) for path in self.arrivals.new(most)]

    def train(self, round_steps: int, passes: int, admissions: int) -> None:
        """Go on until the plan is fulfilled, in rounds of so many steps, passes and admissions."""
        plan, state = self.plan, self.state
        self.note(adversarial=False)
        clock, before = time.monotonic(), state.minutes
        next_report = plan.progress(state) + REPORT_EVERY
        while (progress := plan.progress(state)) < 1:
            adversarial = progress >= plan.adversarial_after
            set_rate(state, plan, progress, min(1.0, (state.step + 1) / WARM_UP))
            self.descend(round_steps, adversarial)
            self.admit(admissions)
            groups = self.residents.groups
            for k in self.rng.integers(len(groups), size=passes):
                self.residents.advance(groups[k], state.averaged)
            state.minutes = before + (time.monotonic() - clock) / 60
            if plan.progress(state) >= min(next_report, 1.0):
                self.note(adversarial)
                state.save(self.checkpoint)
                next_report = plan.progress(state) + REPORT_EVERY

    def descend(self, n_steps: int, adversarial: bool) -> None:
        """Take so many steps, each on another batch."""
        for _ in range(n_steps):
            x, y = self.residents.batch(self.rng, self.plan.batch)
            x = x.contiguous(memory_format=torch.channels_last)
            figures = step(self.state, REFINEMENT, self.plan, x, y, None, adversarial, self.teacher)
            for name, value in figures.items():
                self.running.setdefault(name, []).append(value)
            self.state.step += 1

    def note(self, adversarial: bool) -> None:
        """Validate, and extend the curves by it and by what was measured since the last time."""
        figures = validate(self.residents, self.validating, self.state.averaged)
        figures["groups"] = float(len(self.residents.groups))
        report(self.state, REFINEMENT, self.out, self.plan, self.running, figures, adversarial)
        self.running.clear()


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
        "--grow", choices=sorted(TIERS), help="begin with a network of this tier's shape"
    )
    add_options(parser)
    parser.add_argument("--learning-rate", type=float, default=Plan.learning_rate)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--round", type=int, default=30, help="steps between passes over a group")
    parser.add_argument("--passes", type=int, default=1, help="groups passed over in a round")
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
    if given.grow or given.weights:
        state = start(REFINEMENT, plan, device, network=partial(_begun, given))
    else:
        state = start(REFINEMENT, plan, device, given.model)
    if given.compile:
        compile_network(state, plan, device)
    wait_for(given.wait_for)
    if given.until:
        plan = replace(plan, minutes=(given.until - time.time()) / 60)
    teacher = asked_teacher(given, REFINEMENT.name, device)
    Loop(given.data, given.out, plan, state, device, teacher).train(
        given.round, given.passes, given.admissions
    )


def _begun(given: argparse.Namespace) -> nn.Module:
    """Return a network that answers as the model's, or the weights asked for; it may be larger."""
    if given.weights:
        begun = weighted(given.weights)
    else:
        begun = shipped_generator(given.model / f"{REFINEMENT.name}.onnx")
    if given.grow is None:
        return begun
    widths, blocks = TIERS[given.grow]
    return grown(begun.state_dict(), TomogramGenerator(widths=widths, blocks=blocks))


if __name__ == "__main__":
    main()
