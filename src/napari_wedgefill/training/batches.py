"""Batches of training examples from a folder of simulated groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..atomic import write_beside
from ..errors import WedgefillError
from ..joint_model.angular_grid import grid_for
from ..joint_model.consistency import restore_consistency
from ..joint_model.contract import (
    FirstEstimates,
    InputContract,
    Scales,
    raise_to_noise_floor,
    reconstruct_completed,
    reconstruct_reprojected,
    refinement_input,
    tomogram_input,
)
from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..reconstruct.tvm import noise_level
from .examples import OBJECTS, SLICES, each_object

#: Groups kept out of training, the first of the folder; examples never repeat a seed.
N_VALIDATION = 6

Floats = NDArray[np.float32]


def groups(folder: Path, *, validation: bool) -> list[Path]:
    """Groups of the folder, in the order of their seeds."""
    paths = sorted(folder.glob("group_*.npz"))
    return paths[:N_VALIDATION] if validation else paths[N_VALIDATION:]


def to_train_on(folder: Path) -> list[Path]:
    """Groups of the folder that do not validate.

    Raises
    ------
    WedgefillError
        If there are none.
    """
    found = groups(folder, validation=False)
    if not found:
        raise WedgefillError(
            f"{folder} holds too few groups: the first {N_VALIDATION} validate and none is left "
            "to train on; simulate more (wedgefill simulate)."
        )
    return found


def load(path: Path, *names: str) -> list[Floats]:
    """Arrays of a group as float32."""
    with np.load(path) as group:
        return [group[name].astype(np.float32) for name in names]


def rows_deg(path: Path, contract: InputContract) -> Tensor:
    """Angles of the sinogram network's rows for a group, (n_rows,)."""
    (angles,) = load(path, "angles_deg")
    return torch.from_numpy(grid_for(angles, contract.n_rows).angles_deg)


def sinogram_examples(path: Path, run: Path, contract: InputContract) -> tuple[Tensor, Tensor]:
    """Input (64, 3, n_rows, width) and target (64, 1, n_rows, width) of a group."""
    inputs, target = load(path, "input", "target")
    return torch.from_numpy(inputs), torch.from_numpy(target)


def completed_path(path: Path, run: Path) -> Path:
    """Where a run keeps the WBP of a group's sinogram, completed by its first stage."""
    return run / "completed" / f"{path.stem}.npy"


def estimate_path(path: Path, run: Path) -> Path:
    """Where a run keeps what its refinement begins from: a group's volume, and the WBP from it."""
    return run / "estimates" / f"{path.stem}.npy"


@torch.no_grad()
def complete(path: Path, run: Path, generator: torch.nn.Module, contract: InputContract) -> None:
    """Complete a group's sinogram with the run's first stage and keep its WBP."""
    angles, measured, inputs, scale = load(
        path, "angles_deg", "measured", "input", "sinogram_scale"
    )
    filled = answer(generator, torch.from_numpy(inputs)).cpu().numpy()
    beam = ParallelBeam(angles, measured.shape[1])
    volume = reconstruct_completed(beam, measured, filled, Scales(scale, 0.0), contract)
    keep(completed_path(path, run), volume)


@torch.no_grad()
def estimate(
    path: Path,
    run: Path,
    generator: torch.nn.Module,
    first_pass: torch.nn.Module | None,
    contract: InputContract,
) -> None:
    """Reconstruct a group with the run's tomogram network, for the refinement to begin from.

    With weights for a first pass, groups of odd seeds are as its second pass finds them.
    """
    angles, measured, tvm, scale = load(path, "angles_deg", "measured", "tvm", "sinogram_scale")
    beam = ParallelBeam(angles, measured.shape[1])
    scales = Scales(scale, raise_to_noise_floor(each_object(noise_level, measured), scale))

    def after(network: torch.nn.Module, inputs: Tensor) -> tuple[Floats, Floats]:
        answered = answer(network, inputs).cpu().numpy()
        volume = np.ascontiguousarray(answered[:, 0].transpose(1, 2, 0))
        return agreed(beam, measured, volume, scales, contract)

    inputs, _ = tomogram_examples(path, run, contract)
    found = after(generator, inputs)
    if first_pass is not None and int(path.stem.split("_")[1]) % 2:
        found = after(first_pass, _refinement_inputs(found, tvm, contract))
    keep(estimate_path(path, run), np.stack(found))


def _refinement_inputs(
    found: tuple[Floats, Floats], tvm: Floats, contract: InputContract
) -> Tensor:
    again, volume = found
    parts = [
        refinement_input(again[:, :, s], tvm[:, :, s], volume[:, :, s], contract)
        for s in _objects()
    ]
    return torch.from_numpy(np.concatenate(parts))


def agreed(
    beam: ParallelBeam, measured: Array, volume: Array, scales: Scales, contract: InputContract
) -> tuple[Array, Array]:
    """Return what a pass over a network's volume begins from: the WBP completed from it, and it."""
    volume = restore_consistency(beam, measured, volume, scales)
    return reconstruct_reprojected(beam, measured, volume, contract), volume


def answer(network: torch.nn.Module, inputs: Tensor, at_once: int = 8) -> Tensor:
    """Run a network over slices, so many at once; the answers are on its device."""
    device = next(network.parameters()).device
    parts = [part.to(device, memory_format=torch.channels_last) for part in inputs.split(at_once)]
    return torch.cat([network(part) for part in parts])


def keep(path: Path, values: Floats) -> None:
    """Keep what earlier stages made of a group, as float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_beside(path) as beside, beside.open("wb") as file:
        np.save(file, values.astype(np.float16))


def tomogram_examples(path: Path, run: Path, contract: InputContract) -> tuple[Tensor, Tensor]:
    """Input (64, channels, width, width) and target (64, 1, width, width) of a group."""
    truth, sart, tvm = load(path, "truth", "sart", "tvm")
    completed = np.load(completed_path(path, run)).astype(np.float32)
    parts = [
        tomogram_input(completed[:, :, s], FirstEstimates(sart[:, :, s], tvm[:, :, s]), contract)
        for s in _objects()
    ]
    return torch.from_numpy(np.concatenate(parts)), _target(truth)


def refinement_examples(path: Path, run: Path, contract: InputContract) -> tuple[Tensor, Tensor]:
    """Input (64, channels, width, width) and target (64, 1, width, width) of a group."""
    truth, tvm = load(path, "truth", "tvm")
    again, volume = np.load(estimate_path(path, run)).astype(np.float32)
    return _refinement_inputs((again, volume), tvm, contract), _target(truth)


def _objects() -> list[slice]:
    """Slices of each object: neighbours are taken within it, for the next is another world."""
    return [slice(k * SLICES, (k + 1) * SLICES) for k in range(OBJECTS)]


def _target(truth: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(truth.transpose(2, 0, 1)[:, None]))


def shuffled(
    rng: np.random.Generator, inputs: Tensor, target: Tensor, size: int, n_batches: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw batches from one group, mirrored at random and with the intensity varied a little.

    A mirror image of an object is an object: in a sinogram, flipping the rows mirrors it about the
    wedge and flipping the detector turns it by 180 degrees; neighbouring slices change places.
    """
    order = rng.permutation(len(inputs))[: size * n_batches]
    for k in range(0, len(order), size):
        index = torch.from_numpy(order[k : k + size])
        yield varied(rng, inputs[index], target[index])


def varied(rng: np.random.Generator, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror a batch at random and vary its intensity a little; see `shuffled`."""
    flips = [axis for axis in (2, 3) if rng.random() < 0.5]
    gain = float(np.exp(rng.normal(0, 0.1)))
    x, y = inputs.flip(flips), target.flip(flips) * gain
    if rng.random() < 0.5:  # three kinds of input, each with its neighbours, if it has any
        x = x.unflatten(1, (3, -1)).flip(2).flatten(1, 2)
    return _scaled(x, gain), y


def _scaled(x: Tensor, gain: float) -> Tensor:
    """Scale intensities, but not the measured fraction of a sinogram input (three channels)."""
    scaled = x * gain
    if x.shape[1] == 3:
        scaled[:, 2] = x[:, 2]
    return scaled
