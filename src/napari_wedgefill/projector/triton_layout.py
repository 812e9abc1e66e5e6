"""What the Triton kernels are launched with: sizes of tiles, and the numbers of each tilt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..geometry import centre

if TYPE_CHECKING:
    from .parallel_beam import ParallelBeam

Tables = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Tiles:
    """What one program of a kernel owns; all powers of two.

    Attributes
    ----------
    slices : int
        Neighbouring slices, at most 256.
    by_z, by_x : int
        Voxels of a back projection.
    tilts, pixels : int
        Rays of a projection: detector pixels at each of some tilts.
    warps : int
        Groups of 32 threads that share a program.
    """

    slices: int
    by_z: int = 8
    by_x: int = 8
    tilts: int = 4
    pixels: int = 16
    warps: int = 16

    @property
    def lanes(self) -> int:
        """Slices side by side in a warp, four a thread; beyond 128 a thread holds two fours."""
        return min(self.slices, 128)


def tiles_for(n_slices: int) -> Tiles:
    """Tiles for a number of slices, chosen by reasoning: no GPU has been timed with them yet.

    With 256 slices a thread holds eight slices of four voxels: 32 sums in registers, and index
    arithmetic that costs about as much as the sums themselves. A square of voxels covers the fewest
    detector pixels, and neighbouring tilts share most samples.
    """
    slices = min(256, 1 << (n_slices - 1).bit_length())
    return Tiles(slices, warps=min(16, max(2, slices // 16)))


def tables(beam: ParallelBeam, device: torch.device) -> Tables:
    """Numbers of each tilt, on the device; copied there once for each geometry."""
    angles = np.ascontiguousarray(beam.angles_deg).tobytes()
    return _tables(angles, beam.width, beam.depth, beam.axis_u, device)


@lru_cache(maxsize=256)  # SART has an operator for every few tilts, and a loss makes one a step
def _tables(angles: bytes, width: int, depth: int, axis_u: float, device: torch.device) -> Tables:
    radians = np.deg2rad(np.frombuffer(angles))
    cosines, sines = np.cos(radians), np.sin(radians)
    steep = np.abs(sines) > np.abs(cosines)
    along = np.where(steep, cosines, sines)
    across = np.where(steep, sines, cosines)
    rows = np.where(steep, centre(width), centre(depth))
    columns = np.where(steep, centre(depth), centre(width))
    slopes, shifts = 1.0 / across, along / across
    arrays = {
        "slopes": slopes,
        "shifts": shifts,
        "ray_starts": columns - axis_u * slopes + rows * shifts,
        "shallow": np.flatnonzero(~steep).astype(np.int32),
        "steep": np.flatnonzero(steep).astype(np.int32),
        "cosines": cosines,
        "sines": sines,
        "half_widths": np.maximum(np.abs(cosines), np.abs(sines)),
        "voxel_starts": axis_u - centre(depth) * sines - centre(width) * cosines,
    }
    return {name: torch.from_numpy(a).to(device) for name, a in arrays.items()}
