"""What differs between the stages of training: network, examples, loss, validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import WedgefillError
from ..joint_model.contract import InputContract
from . import batches
from .losses import back_projected_l1, importance, pixel_loss, wedge_l1
from .networks import SinogramGenerator, TomogramGenerator, generator_of, placed

Examples = tuple[Tensor, Tensor]
Prepare = Callable[[Path, InputContract], None]
#: The weights of a run's folder that refine a group before the refinement learns from it.
FIRST_PASS = "first_pass"


@dataclass(frozen=True)
class Stage:
    """One stage of the joint model.

    Attributes
    ----------
    name : str
        "sinogram", "tomogram" or "refinement".
    network : callable
        Makes the generator.
    judged : int
        Channels that the discriminator sees.
    examples, context : callable
        A group's inputs and targets, of a run, and what else the loss needs.
    loss : callable
        ``(answer, target, input, context) -> scalar``.
    judge : callable
        ``(rows or slice, input) -> `` what the discriminator sees.
    prepare : callable
        Given a run and a device, returns what makes a group ready: earlier stages work on it, once.
    begins_as : str
        Stage whose network has the same shape, if any: training may begin with its weights.
    """

    name: str
    network: Callable[[], nn.Module]
    judged: int
    examples: Callable[[Path, Path, InputContract], Examples]
    context: Callable[[Path, InputContract], Tensor | None]
    loss: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
    judge: Callable[[Tensor, Tensor], Tensor]
    prepare: Callable[[Path, torch.device], Prepare]
    begins_as: str = ""

    @torch.no_grad()
    def validate(
        self, network: nn.Module, paths: list[Path], run: Path, contract: InputContract
    ) -> dict[str, float]:
        """Mean error of the answer and of the starting point over the validation groups.

        "validation" is the geometric mean over the slices of their root mean square error, over
        unmeasured rows (sinogram) or the slice (tomogram): a mean of decibels. "start" is the same
        for what the network corrects.
        """
        device = next(network.parameters()).device
        errors: list[Tensor] = []
        starts: list[Tensor] = []
        for path in paths:
            inputs, target = self.examples(path, run, contract)
            x = inputs[::4].to(device, memory_format=torch.channels_last)
            y = target[::4].to(device)
            unknown = 1 - x[:, 2:3] if self.name == "sinogram" else torch.ones_like(y)
            first = x[:, :1] if self.name == "sinogram" else starting_point(x)
            for part, kept in ((network(x), errors), (first, starts)):
                mean = ((part - y).square() * unknown).sum((1, 2, 3)) / unknown.sum((1, 2, 3))
                kept.append(0.5 * mean.clamp(min=1e-12).log())
        return {
            "validation": float(torch.cat(errors).mean().exp()),
            "start": float(torch.cat(starts).mean().exp()),
        }


def _sinogram_loss(answer: Tensor, target: Tensor, x: Tensor, rows_deg: Tensor | None) -> Tensor:
    assert rows_deg is not None
    error = (answer - target) * importance(x[:, :1], target)
    return wedge_l1(error, x[:, 2:3]) + 2.0 * back_projected_l1(error, rows_deg)


def _tomogram_loss(answer: Tensor, target: Tensor, x: Tensor, context: Tensor | None) -> Tensor:
    return pixel_loss((answer - target) * importance(starting_point(x), target))


def starting_point(x: Tensor) -> Tensor:
    """Return what a tomogram network corrects: the slice itself in its last kind of input."""
    return x[:, [x.shape[1] * 5 // 6]]


def _judge_sinogram(rows: Tensor, x: Tensor) -> Tensor:
    return torch.cat([rows, x], dim=1)


def _judge_tomogram(image: Tensor, x: Tensor) -> Tensor:
    third = x.shape[1] // 3
    return torch.cat([image, x[:, third // 2 :: third]], dim=1)


def _completing(run: Path, device: torch.device) -> Prepare:
    """Complete groups with the run's first stage."""
    network = finished("sinogram", run, device)

    def prepare(path: Path, contract: InputContract) -> None:
        if not batches.completed_path(path, run).exists():
            batches.complete(path, run, network, contract)

    return prepare


def _estimating(run: Path, device: torch.device) -> Prepare:
    """Complete and reconstruct groups with the run's two stages, and refine some, if it can."""
    complete = _completing(run, device)
    network = finished("tomogram", run, device)
    refines = (run / f"{FIRST_PASS}.pt").is_file()
    first = finished(FIRST_PASS, run, device) if refines else None

    def prepare(path: Path, contract: InputContract) -> None:
        complete(path, contract)
        if not batches.estimate_path(path, run).exists():
            batches.estimate(path, run, network, first, contract)

    return prepare


def finished(stage: str, out: Path, device: torch.device) -> nn.Module:
    """Return the network of a stage that was trained before.

    Raises
    ------
    WedgefillError
        If the run holds none.
    """
    path = out / f"{stage}.pt"
    if not path.is_file():
        raise WedgefillError(
            f"{out} holds no finished {stage} stage ({path.name}); train that stage to its end "
            "first."
        )
    weights = torch.load(path, map_location=device, weights_only=True)
    return placed(generator_of(weights), device).eval()


def _nothing(run: Path, device: torch.device) -> Prepare:
    """The first stage needs no preparation."""
    return lambda path, contract: None


STAGES = {
    "sinogram": Stage(
        name="sinogram",
        network=SinogramGenerator,
        judged=4,
        examples=batches.sinogram_examples,
        context=batches.rows_deg,
        loss=_sinogram_loss,
        judge=_judge_sinogram,
        prepare=_nothing,
    ),
    "tomogram": Stage(
        name="tomogram",
        network=TomogramGenerator,
        judged=4,
        examples=batches.tomogram_examples,
        context=lambda path, contract: None,
        loss=_tomogram_loss,
        judge=_judge_tomogram,
        prepare=_completing,
    ),
    "refinement": Stage(
        name="refinement",
        network=TomogramGenerator,
        judged=4,
        examples=batches.refinement_examples,
        context=lambda path, contract: None,
        loss=_tomogram_loss,
        judge=_judge_tomogram,
        prepare=_estimating,
        begins_as="tomogram",
    ),
}
