"""What the networks are given and what is made of their answers: written once.

Training builds its examples with these very functions, so the networks meet in use what they met
in training. Volumes and sinograms are numpy arrays or torch tensors, on a GPU or not, in units of
the series' density scale, so that densities are of order one. Everything is per slice but for the
neighbours that the tomogram network sees, and the scales, which belong to the whole series.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.arrays import Array, convert_like, namespace
from ..reconstruct import TvmOptions, iter_sart, iter_tvm, last, wbp
from ..reconstruct.tvm import Beside
from .angular_grid import align_rows, grid_for

Floats = NDArray[np.float32]
#: Least noise that is believed, over the path integral that counts as one. Interpolated images
#: look noise-free, but alignment, detector and projection model are never better than this.
NOISE_FLOOR = 2e-3


@dataclass(frozen=True)
class InputContract:
    """The numbers that a model was trained with; stored in its `model.toml`.

    Attributes
    ----------
    n_rows : int
        Rows of the angular grid over 180 degrees.
    sart_sweeps, tvm_steps : int
        Passes of SART and steps of TVM, the two that the networks are given.
    neighbours : int
        Slices on either side that the tomogram network sees.
    multiple : int
        Height and width of every network input are padded to a multiple of this.
    """

    n_rows: int = 120
    sart_sweeps: int = 10
    tvm_steps: int = 600
    neighbours: int = 1
    multiple: int = 16

    def to_dict(self) -> dict[str, float | int]:
        """Plain values, for `model.toml`."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Scales:
    """Intensities of a series whose densities were brought to order one.

    Attributes
    ----------
    sinogram : float or ndarray, (n_slices,)
        A high percentile of the path integrals.
    noise : float or ndarray, (n_slices,)
        Least standard deviation of their noise that is believed.
    is_smooth : bool
        Whether neighbouring pixels share much of their noise, as in smoothed images.
    """

    sinogram: float | Floats
    noise: float | Floats
    is_smooth: bool = False


@dataclass(frozen=True, eq=False)
class FirstEstimates:
    """SART and TVM of measured data, from which the networks start.

    Each float32 (z, x, y), densities of order one.
    """

    sart: Array
    tvm: Array


def density_scale(volume: Floats) -> float:
    """Density that counts as one: a high percentile of a quick reconstruction."""
    return max(float(np.percentile(volume, 99.9)), 1e-20)


def sinogram_scale(sinogram: Floats) -> float:
    """Path integral that counts as one: a high percentile of the measured ones."""
    return max(float(np.percentile(np.abs(sinogram), 99.5)), 1e-20)


def raise_to_noise_floor(noise: float | Floats, scale: float | Floats) -> Any:
    """Standard deviation of the noise that is believed, for the scale of the path integrals."""
    return np.maximum(noise, NOISE_FLOOR * scale)


def compute_first_estimates(
    beam: ParallelBeam,
    sinogram: Array,
    contract: InputContract,
    beside: Beside | None = None,
) -> FirstEstimates:
    """SART and TVM of the measured sinogram (n_tilts, width, n_slices), for a fixed effort.

    `sinogram` is in units of the density scale. These are the methods "sart" and "tvm" of a fill.
    """
    lengths = None if beside is None else beside.ray_lengths
    sart = last(iter_sart(beam, sinogram, contract.sart_sweeps, ray_lengths=lengths))
    options = TvmOptions(n_steps=contract.tvm_steps)
    steps = iter_tvm(beam, sinogram, options=options, x0=sart, beside=beside)
    return FirstEstimates(sart, last(steps))


def sinogram_input(
    beam: ParallelBeam,
    sinogram: Array,
    estimates: FirstEstimates,
    scales: Scales,
    contract: InputContract,
) -> Array:
    """Channels of the sinogram network, float32 (n_slices, 3, n_rows, width).

    0: the reprojected TVM, corrected to the measurements where there are any; 1: the reprojected
    SART; 2: the fraction of each row that was measured.
    """
    xp = namespace(sinogram)
    grid = grid_for(beam.angles_deg, contract.n_rows)
    rows = beam.at(grid.angles_deg)
    misfit = align_rows(beam, sinogram - beam(estimates.tvm))
    warm = rows(estimates.tvm) + grid.interpolate(misfit, beam.axis_u)
    unit = convert_like(scales.sinogram, sinogram)
    measured = convert_like(grid.measured_fraction[:, None, None], sinogram)
    channels = [warm / unit, rows(estimates.sart) / unit, xp.broadcast_to(measured, warm.shape)]
    return xp.stack([xp.moveaxis(channel, 2, 0) for channel in channels], axis=1)


def reconstruct_completed(
    beam: ParallelBeam, sinogram: Array, filled: Array, scales: Scales, contract: InputContract
) -> Array:
    """WBP over 180 degrees of every measured row, verbatim, and the network's rows between.

    Parameters
    ----------
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured rows.
    filled : ndarray, float32, (n_slices, 1, n_rows, width)
        The sinogram network's answer, in its own units.

    Returns
    -------
    ndarray, float32, (depth, width, n_slices)
    """
    grid = grid_for(beam.angles_deg, contract.n_rows)
    added = np.flatnonzero(grid.unmeasured)
    rows = namespace(filled).moveaxis(filled[:, 0][:, added], 0, 2)
    rows = rows * convert_like(scales.sinogram, filled)
    return _reconstruct_with(beam, sinogram, grid.angles_deg[added], rows)


def reconstruct_reprojected(
    beam: ParallelBeam, sinogram: Array, volume: Array, contract: InputContract
) -> Array:
    """WBP over 180 degrees of every measured row, verbatim, and a volume's projections between.

    Where the volume disagrees with the measurements, this one shows it.

    Parameters
    ----------
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured rows.
    volume : ndarray, float32, (depth, width, n_slices)
        What the unmeasured rows are projected from.

    Returns
    -------
    ndarray, float32, (depth, width, n_slices)
    """
    grid = grid_for(beam.angles_deg, contract.n_rows)
    angles = grid.angles_deg[grid.unmeasured]
    if not angles.size:
        return wbp(beam, sinogram)
    return _reconstruct_with(beam, sinogram, angles, beam.at(angles)(volume))


def _reconstruct_with(
    beam: ParallelBeam, sinogram: Array, angles_deg: NDArray[np.float64], rows: Array
) -> Array:
    """WBP of the measured rows and of `rows` at further angles."""
    whole = beam.with_tilts(angles_deg)
    return wbp(whole, namespace(sinogram).concatenate([sinogram, rows]))


def tomogram_input(completed: Array, estimates: FirstEstimates, contract: InputContract) -> Array:
    """Channels of the tomogram network, float32 (n_slices, 3 (2 neighbours + 1), depth, width).

    WBP of the completed sinogram, SART and TVM, each with neighbouring slices.
    """
    return _stack_neighbours((completed, estimates.sart, estimates.tvm), contract.neighbours)


def refinement_input(again: Array, tvm: Array, estimate: Array, contract: InputContract) -> Array:
    """Channels of the refinement network, as many and as large as the tomogram network's.

    WBP completed from the volume so far (`reconstruct_reprojected`), TVM, and that volume, which
    agrees with the measurements (`restore_consistency`).
    """
    return _stack_neighbours((again, tvm, estimate), contract.neighbours)


def _stack_neighbours(volumes: tuple[Array, Array, Array], reach: int) -> Array:
    """Slices (n_slices, channels, depth, width) of volumes, each with its neighbours, in order.

    The first and last slice stand in for neighbours that do not exist.
    """
    xp = namespace(volumes[0])
    n_slices = volumes[0].shape[2]
    index = np.arange(-reach, n_slices + reach).clip(0, n_slices - 1)
    parts = []
    for volume in volumes:
        stack = xp.moveaxis(volume, 2, 0)[index]
        parts += [stack[k : k + n_slices] for k in range(2 * reach + 1)]
    return xp.stack(parts, axis=1)


def pad_to_multiple(batch: Array, multiple: int) -> tuple[Array, tuple[slice, slice]]:
    """Pad the last two axes with edge values; also return the slices that undo it."""
    h, w = batch.shape[-2:]
    pad_h, pad_w = -h % multiple, -w % multiple
    top, left = pad_h // 2, pad_w // 2
    if pad_h or pad_w:
        row = np.arange(h + pad_h) - top
        column = np.arange(w + pad_w) - left
        batch = batch[..., row.clip(0, h - 1), :][..., column.clip(0, w - 1)]
    return batch, (slice(top, top + h), slice(left, left + w))
