"""Groups of simulated examples, on disk and in memory.

The volumes of a group stay in the memory of the training device as float16; the stacks of
neighbouring slices that a network sees are put together when a batch is drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..atomic import write_beside
from ..errors import WedgefillError
from .simulate import OBJECTS, SLICES

#: Groups that only validate: the first of the folder.
N_VALIDATION = 6
#: Slices of a group.
N_SLICES = OBJECTS * SLICES
#: Slices that a network answers at once where nothing is learned.
AT_ONCE = 64

Floats = NDArray[np.float32]


class Batch(NamedTuple):
    """Examples of one step.

    `x` (n, channels, h, w) is what the network is given, `y` (n, 1, h, w) what it is to answer;
    `rows_deg` are the angles of the rows (sinogram stage only).
    """

    x: Tensor
    y: Tensor
    rows_deg: Tensor | None


class Group(ABC):
    """A group in memory, as one of the networks sees it."""

    width: int
    rows_deg: Tensor | None = None

    @abstractmethod
    def inputs(self, slices: Tensor) -> Tensor:
        """Return the network's input for some slices, float32 (n, channels, h, w)."""

    @abstractmethod
    def targets(self, slices: Tensor) -> Tensor:
        """Return what it is to answer, float32 (n, 1, h, w)."""


def list_groups(folder: Path, *, validation: bool) -> list[Path]:
    """List the groups of a folder that validate, or the others, in the order of their seeds."""
    paths = sorted(folder.glob("group_*.npz"))
    return paths[:N_VALIDATION] if validation else paths[N_VALIDATION:]


def list_training_groups(folder: Path) -> list[Path]:
    """List the groups of a folder that are trained on.

    Raises
    ------
    WedgefillError
        If there are none.
    """
    paths = list_groups(folder, validation=False)
    if not paths:
        raise WedgefillError(
            f"{folder} holds too few groups: the first {N_VALIDATION} only validate and none is "
            "left to train on; simulate more (wedgefill simulate)."
        )
    return paths


def read_arrays(path: Path, *names: str) -> list[Floats]:
    """Read arrays of a group as float32; `simulate.simulate_group` lists them."""
    with np.load(path) as group:
        return [group[name].astype(np.float32) for name in names]


def read_tensors(path: Path, device: torch.device, *names: str) -> list[Tensor]:
    """Read arrays of a group as float32 tensors on a device."""
    return [torch.from_numpy(array).to(device) for array in read_arrays(path, *names)]


def save_half(path: Path, values: Tensor) -> None:
    """Save as float16 what earlier networks made of a group; the file appears when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_beside(path) as beside, beside.open("wb") as file:
        np.save(file, values.cpu().numpy().astype(np.float16))


def is_current(saved: Path, *sources: Path) -> bool:
    """Whether a saved file exists and is not older than the files it was made from."""
    if not saved.exists():
        return False
    made = saved.stat().st_mtime_ns
    return all(made >= source.stat().st_mtime_ns for source in sources)


def load_saved(path: Path, device: torch.device) -> Tensor:
    """Load what `save_half` saved, as float32 on a device."""
    return torch.from_numpy(np.load(path).astype(np.float32)).to(device)


@torch.no_grad()
def answer(network: nn.Module, inputs: Tensor) -> Tensor:
    """Run a network over slices (n, channels, h, w), `AT_ONCE` at a time; returns (n, 1, h, w)."""
    parts = inputs.split(AT_ONCE)
    return torch.cat([network(p.contiguous(memory_format=torch.channels_last)) for p in parts])


def to_slices(volume: Tensor) -> Tensor:
    """Turn a solver's volume (depth, width, n_slices) into float16 (n_slices, depth, width)."""
    return volume.movedim(2, 0).half().contiguous()


def to_volume(slices: Tensor) -> Tensor:
    """Turn answers (n_slices, 1, depth, width) into a solver's volume (depth, width, n_slices)."""
    return slices[:, 0].float().movedim(0, 2).contiguous()


def stack_neighbours(volumes: Sequence[Tensor], slices: Tensor) -> Tensor:
    """Stack slices of volumes with their neighbours, as the two U-Nets see them.

    The layout is that of `joint_model.contract.tomogram_input` for one neighbour on either side.
    Neighbours are taken from the same object, since the next one is unrelated.

    Parameters
    ----------
    volumes : sequence of Tensor, (64, depth, width)
        Kinds of input of a group.
    slices : Tensor of int, (n,)
        Which slices.

    Returns
    -------
    Tensor, float32, (n, 3 len(volumes), depth, width)
    """
    beside = torch.arange(-1, 2, device=slices.device)
    within = (slices[:, None] % SLICES + beside).clamp(0, SLICES - 1)
    index = slices[:, None] // SLICES * SLICES + within
    return torch.cat([volume[index] for volume in volumes], dim=1).float()


def augment(rng: np.random.Generator, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror a batch at random and vary its intensity a little.

    A mirror image of an object is an object: in a sinogram, flipping the rows mirrors the object
    about the wedge, and flipping the detector turns it by 180 degrees. Neighbouring slices change
    places.

    Parameters
    ----------
    x : Tensor, (n, channels, h, w)
        Inputs: three channels for the sinogram network, three kinds with neighbours for the others.
    y : Tensor, (n, 1, h, w)
        Targets.
    """
    flips = [axis for axis in (2, 3) if rng.random() < 0.5]
    gain = float(np.exp(rng.normal(0, 0.1)))
    x, y = x.flip(flips), y.flip(flips) * gain
    if rng.random() < 0.5:
        x = x.unflatten(1, (3, -1)).flip(2).flatten(1, 2)
    scaled = x * gain
    if x.shape[1] == 3:  # the sinogram network's third channel is a fraction, not an intensity
        scaled[:, 2] = x[:, 2]
    return scaled, y


def log_rmse(values: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """Logarithm of each slice's root mean square error; averaged so, errors count as decibels do.

    Parameters
    ----------
    values, truth : Tensor, (n, 1, h, w)
        What is compared.
    where : Tensor, (n, 1, h, 1) or (n, 1, h, w), optional
        Weight of each pixel; slices without any weight are left out.

    Returns
    -------
    Tensor, (at most n,)
    """
    weights = torch.ones_like(truth) if where is None else where.expand_as(truth)
    total = weights.sum((1, 2, 3))
    mean = ((values - truth).square() * weights).sum((1, 2, 3))[total > 0] / total[total > 0]
    return 0.5 * mean.clamp(min=1e-12).log()
