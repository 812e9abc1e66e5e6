"""The three stages of training: what each network sees, what it is to answer, and its loss."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..joint_model.angular_grid import grid_for
from ..joint_model.consistency import restore_consistency
from ..joint_model.contract import (
    InputContract,
    Scales,
    raise_to_noise_floor,
    reconstruct_completed,
    reconstruct_reprojected,
)
from ..joint_model.registry import VIEWS
from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..reconstruct.tvm import noise_level
from .groups import (
    N_SLICES,
    Batch,
    Group,
    answer,
    is_current,
    load_saved,
    log_rmse,
    read_arrays,
    read_tensors,
    save_half,
    stack_neighbours,
    to_slices,
    to_volume,
)
from .losses import back_projected_l1, pixel_loss, wedge_l1, weigh_examples
from .networks import REFINEMENT_SIZES, SinogramGenerator, TomogramGenerator, to_device
from .run_folder import load_trained
from .simulate import repeat_per_object
from .stage import G, Plan, Stage, average_errors


@dataclass
class SinogramGroup(Group):
    """Inputs (64, 3, n_rows, width) and targets (64, 1, n_rows, width), float16."""

    stacks: Tensor
    rows: Tensor
    rows_deg: Tensor | None

    def __post_init__(self) -> None:
        self.width = self.rows.shape[-1]

    def inputs(self, slices: Tensor) -> Tensor:
        """Return warm start, second start and measured fraction."""
        return self.stacks[slices].float()

    def targets(self, slices: Tensor) -> Tensor:
        """Return the ideal rows."""
        return self.rows[slices].float()


class SinogramStage(Stage[SinogramGroup]):
    """Completes the rows of a sinogram that were not measured."""

    name = "sinogram"
    mixed = 1  # the rows of a batch share their angles

    @staticmethod
    def make_network() -> nn.Module:
        """Make the RRDB generator, untrained."""
        return SinogramGenerator()

    def read_group(self, path: Path) -> SinogramGroup:
        """Read a group."""
        (angles,) = read_arrays(path, "angles_deg")
        stacks, rows = (t.half() for t in read_tensors(path, self.device, "input", "target"))
        rows_deg = torch.from_numpy(grid_for(angles, self.contract.n_rows).angles_deg)
        return SinogramGroup(stacks, rows, rows_deg)

    @staticmethod
    def find_start(x: Tensor) -> Tensor:
        """Return the warm start: the reprojected TVM, corrected where rows were measured."""
        return x[:, :1]

    @staticmethod
    def find_unknown(x: Tensor) -> Tensor | None:
        """Return the fraction of each row that was not measured."""
        return 1 - x[:, 2:3]

    @staticmethod
    def loss(values: Tensor, batch: Batch) -> Tensor:
        """Absolute error in the wedge, and twice that of the back projection."""
        x, y, rows_deg = batch
        assert rows_deg is not None
        error = (values - y) * weigh_examples(x[:, :1], y)
        return wedge_l1(error, x[:, 2:3]) + 2.0 * back_projected_l1(error, rows_deg)

    @staticmethod
    def judge_input(values: Tensor, x: Tensor) -> Tensor:
        """Stack the rows with the whole input."""
        return torch.cat([values, x], dim=1)


class SliceStage(Stage[G]):
    """What the two stages share whose networks answer slices of the volume."""

    @staticmethod
    def find_start(x: Tensor) -> Tensor:
        """Return the slice itself in the last kind of input: TVM, or the volume so far."""
        return x[:, [x.shape[1] * 5 // 6]]

    @staticmethod
    def loss(values: Tensor, batch: Batch) -> Tensor:
        """Absolute and squared error, each example weighted."""
        start = SliceStage.find_start(batch.x)
        return pixel_loss((values - batch.y) * weigh_examples(start, batch.y))

    @staticmethod
    def judge_input(values: Tensor, x: Tensor) -> Tensor:
        """Stack the slice with the same slice in each kind of input."""
        third = x.shape[1] // 3
        return torch.cat([values, x[:, third // 2 :: third]], dim=1)


@dataclass
class TomogramGroup(Group):
    """WBP of the completed sinogram, SART, TVM and truth, float16 (64, depth, width) each."""

    completed: Tensor
    sart: Tensor
    tvm: Tensor
    truth: Tensor

    def __post_init__(self) -> None:
        self.width = self.truth.shape[-1]

    def inputs(self, slices: Tensor) -> Tensor:
        """Return the three reconstructions with their neighbours (`contract.tomogram_input`)."""
        return stack_neighbours((self.completed, self.sart, self.tvm), slices)

    def targets(self, slices: Tensor) -> Tensor:
        """Return the true slices."""
        return self.truth[slices, None].float()


class TomogramStage(SliceStage[TomogramGroup]):
    """Clears what artifacts remain after the completed sinogram was back projected."""

    name = "tomogram"

    def __init__(self, run: Path, device: torch.device, contract: InputContract) -> None:
        super().__init__(run, device, contract)
        self.sinogram = to_device(load_trained("sinogram", run), device).eval()

    @staticmethod
    def make_network() -> nn.Module:
        """Make the U-Net generator, untrained."""
        return TomogramGenerator()

    def read_group(self, path: Path) -> TomogramGroup:
        """Read a group, and complete its sinogram unless the run did so with these weights."""
        truth, sart, tvm = read_tensors(path, self.device, "truth", "sart", "tvm")
        saved = self.run / "completed" / f"{path.stem}.npy"
        if not is_current(saved, path, self.run / "sinogram.pt"):
            angles, scale = read_arrays(path, "angles_deg", "sinogram_scale")
            measured, x = read_tensors(path, self.device, "measured", "input")
            beam, rows = ParallelBeam(angles, measured.shape[1]), answer(self.sinogram, x)
            volume = reconstruct_completed(
                beam, to_solver(measured), to_solver(rows), Scales(scale, 0.0), self.contract
            )
            save_half(saved, torch.as_tensor(volume))
        return TomogramGroup(
            *(to_slices(v) for v in (load_saved(saved, self.device), sart, tvm, truth))
        )


def to_solver(values: Tensor) -> Array:
    """Give values to the solvers: on a processor as numpy's array, for which they are fastest."""
    return values.numpy() if values.device.type == "cpu" else values


@dataclass
class RefinementGroup(Group):
    """A group as the refinement's passes find it; volumes are float16, (64, depth, width).

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
        Passes between the two.
    """

    beam: ParallelBeam
    measured: Tensor
    scales: Scales
    truth: Tensor
    tvm: Tensor
    first: tuple[Tensor, Tensor]
    now: tuple[Tensor, Tensor]
    passes: int = 0

    def __post_init__(self) -> None:
        self.width = self.truth.shape[-1]

    def inputs(self, slices: Tensor) -> Tensor:
        """Return completed WBP, TVM and volume with neighbours (`contract.refinement_input`)."""
        again, volume = self.now
        return stack_neighbours((again, self.tvm, volume), slices)

    def targets(self, slices: Tensor) -> Tensor:
        """Return the true slices."""
        return self.truth[slices, None].float()


class RefinementStage(SliceStage[RefinementGroup]):
    """Repairs the tomogram network's volume, then its own, as in the passes of a fill.

    A group is learned from as the tomogram network left it, until a pass is made over it
    (`revisit`), then as that pass left it, and so on; after the last pass it begins again.
    """

    name = "refinement"
    plan = Plan(learning_rate=4e-4, batch=16, average=0.999)

    def __init__(self, run: Path, device: torch.device, contract: InputContract) -> None:
        super().__init__(run, device, contract)
        self.earlier = TomogramStage(run, device, contract)
        self.tomogram = to_device(load_trained("tomogram", run), device).eval()
        self.all_slices = torch.arange(N_SLICES, device=device)

    @staticmethod
    def make_network() -> nn.Module:
        """Make a U-Net generator of the shape of the model `small`, untrained."""
        widths, blocks = REFINEMENT_SIZES["small"]
        return TomogramGenerator(widths=widths, blocks=blocks)

    def read_group(self, path: Path) -> RefinementGroup:
        """Read a group, and reconstruct it unless the run did so with these earlier networks."""
        angles, scale, rows = read_arrays(path, "angles_deg", "sinogram_scale", "measured")
        measured, truth, tvm = read_tensors(path, self.device, "measured", "truth", "tvm")
        scales = Scales(scale, raise_to_noise_floor(repeat_per_object(noise_level, rows), scale))
        beam, nothing = ParallelBeam(angles, rows.shape[1]), (truth, truth)
        group = RefinementGroup(
            beam, measured, scales, to_slices(truth), to_slices(tvm), nothing, nothing
        )
        saved = self.run / "first" / f"{path.stem}.npy"
        networks = [self.run / f"{name}.pt" for name in ("sinogram", "tomogram")]
        if not is_current(saved, path, *networks):
            slices = self.earlier.read_group(path).inputs(self.all_slices)
            begun = self._begin_pass(group, answer(self.tomogram, slices))
            save_half(saved, torch.stack(begun))
        again, volume = (to_slices(v) for v in load_saved(saved, self.device))
        group.first = group.now = (again, volume)
        return group

    def _begin_pass(self, group: RefinementGroup, answers: Tensor) -> tuple[Tensor, Tensor]:
        """Make of a network's answers what a pass begins from, each (depth, width, 64)."""
        measured = to_solver(group.measured)
        volume = restore_consistency(
            group.beam, measured, to_solver(to_volume(answers)), group.scales
        )
        again = reconstruct_reprojected(group.beam, measured, volume, self.contract)
        return torch.as_tensor(again), torch.as_tensor(volume)

    @torch.no_grad()
    def run_pass(self, group: RefinementGroup, network: nn.Module) -> tuple[Tensor, Tensor]:
        """Return a group's inputs and a network's answers, from where a fill's pass sees them."""
        x = group.inputs(self.all_slices)
        axes = VIEWS[group.passes][0]
        return x, answer(network, x.flip(axes)).flip(axes)

    @torch.no_grad()
    def advance(self, group: RefinementGroup, network: nn.Module) -> None:
        """Let a network pass over a group, or begin again with it after its last pass."""
        if group.passes + 1 == len(VIEWS):
            group.now, group.passes = group.first, 0
            return
        again, volume = self._begin_pass(group, self.run_pass(group, network)[1])
        group.now, group.passes = (to_slices(again), to_slices(volume)), group.passes + 1

    def revisit(self, rng: np.random.Generator, network: nn.Module) -> None:
        """Let the network pass over one of the groups."""
        self.advance(self.groups[rng.integers(len(self.groups))], network)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Compute mean errors: before the first pass, after it ("once") and after the second."""
        errors: dict[str, list[Tensor]] = {"start": [], "once": [], "validation": []}
        for group in self.validating:
            seen, truth = copy.copy(group), group.targets(self.all_slices)
            x, once = self.run_pass(seen, network)
            self.advance(seen, network)
            answers = (self.find_start(x), once, self.run_pass(seen, network)[1])
            for kept, values in zip(errors.values(), answers, strict=True):
                kept.append(log_rmse(values, truth))
        return average_errors(errors)


AnyStage = SinogramStage | TomogramStage | RefinementStage
#: By name, in the order in which they are trained.
STAGES: dict[str, type[SinogramStage] | type[TomogramStage] | type[RefinementStage]] = {
    stage.name: stage for stage in (SinogramStage, TomogramStage, RefinementStage)
}
