"""Groups that stay on the training device, as the refinement's own passes find them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..joint_model.contract import (
    InputContract,
    Scales,
    raise_to_noise_floor,
    reconstruct_completed,
)
from ..joint_model.registry import VIEWS
from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..reconstruct.tvm import noise_level
from . import batches
from .examples import OBJECTS, SLICES, each_object
from .stages import finished, starting_point

#: A group is learned from as the first so many passes find it, then as the first does again.
PASSES = len(VIEWS)
#: Groups that a batch is drawn from.
MIXED = 8
#: Networks answer so many slices at once.
AT_ONCE = 64

Volumes = tuple[Tensor, Tensor]


@dataclass
class Resident:
    """A group on the device; volumes are float16, (64, depth, width).

    Attributes
    ----------
    beam : ParallelBeam
        Its geometry.
    measured : Tensor, float32, (n_tilts, width, 64)
        Measured rows.
    scales : Scales
        Of each slice.
    truth, tvm : Tensor
        What is to come out, and what every pass sees.
    first, now : tuple of Tensor
        WBP completed from a volume, and that volume, which agrees with the measurements: of the
        tomogram network, and of the last pass.
    passes : int
        How many passes lie between the two.
    """

    beam: ParallelBeam
    measured: Tensor
    scales: Scales
    truth: Tensor
    tvm: Tensor
    first: Volumes
    now: Volumes
    passes: int = 0

    def inputs(self, slices: Tensor) -> Tensor:
        """Return the refinement's input for some slices, float32 (n, channels, depth, width)."""
        # Neighbours are taken within an object, for the next is another world.
        beside = torch.arange(-1, 2, device=slices.device)
        within = (slices[:, None] % SLICES + beside).clamp(0, SLICES - 1)
        index = slices[:, None] // SLICES * SLICES + within
        again, volume = self.now
        return torch.cat([kind[index] for kind in (again, self.tvm, volume)], dim=1).float()


class Residents:
    """Groups on a device, and the two networks whose volumes the refinement begins from."""

    def __init__(self, run: Path, device: torch.device, contract: InputContract) -> None:
        self.run, self.device, self.contract = run, device, contract
        self.networks = [finished(stage, run, device) for stage in ("sinogram", "tomogram")]
        self.groups: list[Resident] = []

    @torch.no_grad()
    def admit(self, path: Path) -> Resident:
        """Read a group; reconstruct it with the earlier networks unless the run has done so."""
        angles, measured, tvm, truth, scale = batches.load(
            path, "angles_deg", "measured", "tvm", "truth", "sinogram_scale"
        )
        scales = Scales(scale, raise_to_noise_floor(each_object(noise_level, measured), scale))
        beam, rows = ParallelBeam(angles, measured.shape[1]), self._here(measured)
        known = [_stack(self._here(volume)) for volume in (truth, tvm)]
        nothing = (rows, rows)
        group = Resident(beam, rows, scales, known[0], known[1], nothing, nothing)
        # Not where `batches.estimate` keeps its own: those of odd seeds are a second pass's.
        kept = self.run / "first" / f"{path.stem}.npy"
        if not kept.exists():
            found = self._agreed(group, self._first_answer(path, group, tvm))
            batches.keep(kept, torch.stack(found).cpu().numpy())
        again, volume = (_stack(self._here(v)) for v in np.load(kept))
        group.first = group.now = (again, volume)
        return group

    def _here(self, array: batches.Floats) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _first_answer(self, path: Path, group: Resident, tvm: batches.Floats) -> Tensor:
        """Return the tomogram network's answer for a group, (64, 1, depth, width)."""
        sinogram, tomogram = self.networks
        inputs, sart = batches.load(path, "input", "sart")
        completed = batches.completed_path(path, self.run)
        if completed.exists():  # the tomogram network learned from this group
            volume = self._here(np.load(completed))
        else:
            filled = batches.answer(sinogram, self._here(inputs), AT_ONCE)
            volume = reconstruct_completed(
                group.beam, group.measured, filled, group.scales, self.contract
            )
        kinds = [_stack(v, torch.float32) for v in (volume, self._here(sart), self._here(tvm))]
        seen = Resident(**vars(group) | {"tvm": kinds[1], "now": (kinds[0], kinds[2])})
        everything = torch.arange(OBJECTS * SLICES, device=self.device)
        return batches.answer(tomogram, seen.inputs(everything), AT_ONCE)

    def _agreed(self, group: Resident, answer: Tensor) -> Volumes:
        """Return what a pass over a network's answer begins from, each (depth, width, 64)."""
        volume: Array = answer[:, 0].movedim(0, 2).contiguous()
        measured: Array = group.measured
        if self.device.type == "cpu":  # its kernels are made for numpy's arrays
            volume, measured = volume.numpy(), measured.numpy()
        found = batches.agreed(group.beam, measured, volume, group.scales, self.contract)
        return torch.as_tensor(found[0]), torch.as_tensor(found[1])

    @torch.no_grad()
    def passed(self, group: Resident, network: nn.Module) -> tuple[Tensor, Tensor]:
        """Return all inputs of a group, and a network's answers, seen as a fill's passes see it."""
        inputs = group.inputs(torch.arange(OBJECTS * SLICES, device=self.device))
        axes = VIEWS[group.passes][0]
        return inputs, batches.answer(network, inputs.flip(axes), AT_ONCE).flip(axes)

    @torch.no_grad()
    def advance(self, group: Resident, network: nn.Module) -> None:
        """Let a network pass over a group, or begin with it again after its last pass."""
        if group.passes + 1 == PASSES:
            group.now, group.passes = group.first, 0
            return
        again, volume = self._agreed(group, self.passed(group, network)[1])
        group.now, group.passes = (_stack(again), _stack(volume)), group.passes + 1

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Draw slices of as many pixels as `size` of 128 x 128 have, of groups of one width."""
        one = self.groups[rng.integers(len(self.groups))]
        alike = [g for g in self.groups if g.beam.width == one.beam.width]
        each = slices_each(size, one.beam.width)
        parts = []
        for k in rng.integers(len(alike), size=MIXED):
            index = rng.permutation(OBJECTS * SLICES)[:each]
            slices = torch.from_numpy(index).to(self.device, non_blocking=True)
            parts.append((alike[k].inputs(slices), alike[k].truth[slices, None].float()))
        x, y = (torch.cat(column) for column in zip(*parts, strict=True))
        return batches.varied(rng, x, y)


def slices_each(size: int, width: int) -> int:
    """Slices that each group gives to a batch of as many pixels as `size` of 128 x 128 have."""
    return max(1, round(size * (128 / width) ** 2 / MIXED))


def _stack(volume: Tensor, dtype: torch.dtype = torch.float16) -> Tensor:
    """Turn (depth, width, n_slices) into (n_slices, depth, width)."""
    return volume.movedim(2, 0).to(dtype).contiguous()


def log_errors(answer: Tensor, truth: Tensor) -> Tensor:
    """Return the logarithm of each slice's root mean square error, (n,); both (n, 1, h, w)."""
    return 0.5 * (answer - truth).square().mean((1, 2, 3)).clamp(min=1e-12).log()


@torch.no_grad()
def validate(residents: Residents, groups: list[Resident], network: nn.Module) -> dict[str, float]:
    """Mean errors over groups: before the first pass, after it ("once"), after the second.

    Each is the geometric mean over the slices of their root mean square errors.
    """
    errors: dict[str, list[Tensor]] = {"start": [], "once": [], "validation": []}
    for group in groups:
        seen = copy.copy(group)
        inputs, once = residents.passed(seen, network)
        residents.advance(seen, network)
        answers = (starting_point(inputs), once, residents.passed(seen, network)[1])
        for kept, answer in zip(errors.values(), answers, strict=True):
            kept.append(log_errors(answer, group.truth[:, None]))
    return {name: float(torch.cat(values).mean().exp()) for name, values in errors.items()}


class Arrivals:
    """Groups of a folder in the order of their seeds, as they appear."""

    def __init__(self, data: Path) -> None:
        self.data, self.known = data, set(batches.groups(data, validation=True))

    def new(self, most: int) -> Iterator[Path]:
        """Yield up to `most` groups that were not there before."""
        arrived = [p for p in batches.groups(self.data, validation=False) if p not in self.known]
        for path in arrived[:most]:
            self.known.add(path)
            yield path
