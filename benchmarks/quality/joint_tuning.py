"""Whether it pays to train the sinogram and the tomogram network as one.

    python benchmarks/joint_tuning.py runs/data --from models/small --steps 600

Both begin with a model's weights and see the same batches: first the tomogram network goes on
alone, then both do, where the error of the volume reaches the sinogram network through the filtered
back projection. Printed are the errors on the groups that validate: of the tomogram network's
volume, and of what the model's refinement makes of it in its first pass.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_wedgefill.joint_model.angular_grid import AngularGrid, grid_for
from napari_wedgefill.joint_model.contract import (
    FirstEstimates,
    InputContract,
    Scales,
    raise_to_noise_floor,
    reconstruct_completed,
    refinement_input,
    tomogram_input,
)
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct.tvm import noise_level
from napari_wedgefill.training import batches
from napari_wedgefill.training.examples import OBJECTS, SLICES
from napari_wedgefill.training.losses import filtered_back_projection
from napari_wedgefill.training.networks import placed, shipped_generator
from napari_wedgefill.training.residents import log_errors
from napari_wedgefill.training.stages import STAGES
from napari_wedgefill.training.train import falling, follow

CONTRACT, CPU = InputContract(), torch.device("cpu")
NAMES = ("angles_deg", "measured", "input", "target", "truth", "sart", "tvm", "sinogram_scale")
#: Decay a step of the average of the weights; objects that a visit to a group learns from.
AVERAGE, OF_GROUP = 0.995, 4


@dataclass(frozen=True, eq=False)
class Part:
    """One object of a group: eight slices, and everything that was made of them."""

    beam: ParallelBeam
    measured: Tensor
    x: Tensor
    target: Tensor
    truth: Tensor
    quick: FirstEstimates
    scales: Scales

    @property
    def rows_deg(self) -> Tensor:
        """Angles of the sinogram network's rows."""
        return torch.from_numpy(self._grid.angles_deg)

    @property
    def unmeasured(self) -> Tensor:
        """Which of them the tomogram takes from the network, (n_rows, 1)."""
        return torch.from_numpy(self._grid.unmeasured[:, None].astype(np.float32))

    @property
    def _grid(self) -> AngularGrid:
        return grid_for(self.beam.angles_deg, CONTRACT.n_rows)


def parts(path: Path) -> Iterator[Part]:
    """Objects of a group, in order."""
    angles, measured, x, target, truth, sart, tvm, scale = batches.load(path, *NAMES)
    beam = ParallelBeam(angles, measured.shape[1])
    for k in range(OBJECTS):
        own = slice(SLICES * k, SLICES * (k + 1))
        rows, *volumes = (
            torch.from_numpy(v[..., own].copy()) for v in (measured, truth, sart, tvm)
        )
        noise = raise_to_noise_floor(noise_level(rows.numpy()), scale[own])
        slices = volumes[0].movedim(2, 0)[:, None]
        stacks = torch.from_numpy(x[own].copy()), torch.from_numpy(target[own].copy())
        yield Part(
            beam, rows, *stacks, slices, FirstEstimates(*volumes[1:]), Scales(scale[own], noise)
        )


def completed(part: Part, filled: Tensor) -> Tensor:
    """WBP as a fill computes it, whose gradient is that of the rows that the network gave."""
    with torch.no_grad():
        volume = reconstruct_completed(
            part.beam, part.measured, filled.detach(), part.scales, CONTRACT
        )
    if not filled.requires_grad:
        return volume
    # A fill's own back projection is no adjoint and has no gradient; that of the loss has.
    unit = torch.from_numpy(np.asarray(part.scales.sinogram, np.float32))[:, None, None, None]
    passed = (filled - filled.detach()) * unit * part.unmeasured
    return volume + filtered_back_projection(passed, part.rows_deg)


class Pair(nn.Module):
    """The two networks with the back projection between them."""

    def __init__(self, model: Path) -> None:
        super().__init__()
        self.sinogram = placed(shipped_generator(model / "sinogram.onnx"), CPU)
        self.tomogram = placed(shipped_generator(model / "tomogram.onnx"), CPU)

    def forward(self, part: Part) -> tuple[Tensor, Tensor, Tensor]:
        """Return the completed rows, the tomogram network's input, and its answer."""
        filled = self.sinogram(part.x).float()
        seen = tomogram_input(completed(part, filled), part.quick, CONTRACT)
        return filled, seen, self.tomogram(seen).float()


def tuned(pair: Pair, data: Path, given: argparse.Namespace, *, jointly: bool) -> Pair:
    """Return the average of the weights over so many steps, of both networks or of the second."""
    pair = copy.deepcopy(pair)
    pair.sinogram.requires_grad_(jointly)
    averaged = copy.deepcopy(pair)
    optimiser = torch.optim.AdamW(
        [p for p in pair.parameters() if p.requires_grad], betas=(0.9, 0.99)
    )
    rng, step = np.random.default_rng(0), 0
    paths = batches.to_train_on(data)
    while step < given.steps:
        path = paths[rng.integers(len(paths))]
        chosen = set(rng.permutation(OBJECTS)[:OF_GROUP].tolist())
        for part in (part for k, part in enumerate(parts(path)) if k in chosen):
            rate = min(1.0, (step + 1) / 50) * falling(step / given.steps)
            optimiser.param_groups[0]["lr"] = given.learning_rate * rate
            with torch.autocast("cpu", torch.bfloat16, enabled=given.bfloat16):
                filled, seen, answer = pair(part)
            loss = STAGES["tomogram"].loss(answer, part.truth, seen, None)
            if jointly:
                own = STAGES["sinogram"].loss(filled, part.target, part.x, part.rows_deg)
                loss = loss + given.sinogram_weight * own
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(pair.parameters(), 1.0)
            optimiser.step()
            follow(averaged, pair, min(AVERAGE, (1 + step) / (10 + step)))
            step += 1
    return averaged


@torch.no_grad()
def errors(pair: Pair, refinement: nn.Module, data: Path) -> dict[str, float]:
    """Geometric means over slices: after the tomogram network, and after one refining pass."""
    found: dict[str, list[Tensor]] = {"tomogram": [], "refined once": []}
    for path in batches.groups(data, validation=True):
        for part in parts(path):
            answer = pair(part)[2]
            volume = answer[:, 0].movedim(0, 2).contiguous().numpy()
            measured = part.measured.numpy()
            again, agreed = batches.agreed(part.beam, measured, volume, part.scales, CONTRACT)
            tvm = np.asarray(part.quick.tvm)
            seen = torch.from_numpy(refinement_input(again, tvm, agreed, CONTRACT))
            for kept, image in zip(found.values(), (answer, refinement(seen)), strict=True):
                kept.append(log_errors(image, part.truth))
    return {name: float(torch.cat(values).mean().exp()) for name, values in found.items()}


def main() -> None:
    """Train in both ways, and print the errors before and after."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path, help="folder of training groups")
    parser.add_argument("--from", dest="model", type=Path, default=Path("models/small"))
    parser.add_argument("--steps", type=int, default=600, help="of eight slices")
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--sinogram-weight", type=float, default=0.1, help="of its own loss")
    parser.add_argument("--bfloat16", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    pair = Pair(given.model)
    refinement = placed(shipped_generator(given.model / "refinement.onnx"), CPU)
    print("| | tomogram | refined once |\n|---|---|---|")
    for name, jointly in (("before", None), ("tomogram network alone", False), ("both", True)):
        now = pair if jointly is None else tuned(pair, given.data, given, jointly=jointly)
        shown = " | ".join(f"{v:.5f}" for v in errors(now, refinement, given.data).values())
        print(f"| {name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
