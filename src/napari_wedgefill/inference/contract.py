"""What the networks are given and what is made of their answers: written once.

Training builds its examples with these very functions, so the networks meet in use what they met
in training. All volumes and sinograms here are in units of the series' density scale, so that
densities are of order one. Everything is per slice but for the neighbours that the tomogram
network sees, and the scales, which belong to the whole series.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..reconstruct import iter_sart, iter_tvm, last, wbp
from .angular_grid import grid_for

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class InputContract:
    """The numbers that a model was trained with; stored in its `model.toml`.

    Attributes
    ----------
    n_rows : int
        Rows of the angular grid over 180 degrees.
    sart_sweeps, tvm_sweeps : int
        Sweeps of the two classical reconstructions that the networks are given.
    neighbours : int
        Slices on either side that the tomogram network sees.
    multiple : int
        Height and width of every network input are padded to a multiple of this.
    """

    n_rows: int = 120
    sart_sweeps: int = 10
    tvm_sweeps: int = 60
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
    """

    sinogram: float | Floats
    noise: float | Floats


@dataclass(frozen=True, eq=False)
class Quick:
    """Quick reconstructions of measured data, each float32 (z, x, y), densities of order one."""

    sart: Floats
    tvm: Floats


def density_scale(volume: Floats) -> float:
    """Density that counts as one: a high percentile of a quick reconstruction."""
    return max(float(np.percentile(volume, 99.9)), 1e-20)


def sinogram_scale(sinogram: Floats) -> float:
    """Path integral that counts as one: a high percentile of the measured ones."""
    return max(float(np.percentile(np.abs(sinogram), 99.5)), 1e-20)


def quick_reconstructions(beam: ParallelBeam, sinogram: Floats, contract: InputContract) -> Quick:
    """SART and TVM of the measured sinogram (n_tilts, width, n_slices), a fixed number of sweeps.

    `sinogram` is in units of the density scale. These are the methods "sart" and "tvm" of a fill.
    """
    sart = last(iter_sart(beam, sinogram, contract.sart_sweeps))
    return Quick(sart, last(iter_tvm(beam, sinogram, contract.tvm_sweeps, x0=sart)))


def sinogram_input(
    beam: ParallelBeam, sinogram: Floats, quick: Quick, scales: Scales, contract: InputContract
) -> Floats:
    """Channels of the sinogram network, float32 (n_slices, 3, n_rows, width).

    0: the reprojected TVM, corrected to the measurements where there are any; 1: the reprojected
    SART; 2: the fraction of each row that was measured.
    """
    grid = grid_for(beam.angles_deg, contract.n_rows)
    rows = _beam_at(beam, grid.angles_deg)
    warm = rows(quick.tvm) + grid.interpolate(sinogram - beam(quick.tvm), beam.axis_u)
    unit = np.asarray(scales.sinogram, np.float32)
    channels = np.empty((sinogram.shape[2], 3, contract.n_rows, beam.width), np.float32)
    channels[:, 0] = (warm / unit).transpose(2, 0, 1)
    channels[:, 1] = (rows(quick.sart) / unit).transpose(2, 0, 1)
    channels[:, 2] = grid.measured_fraction[None, :, None]
    return channels


def completed_wbp(
    beam: ParallelBeam, sinogram: Floats, filled: Floats, scales: Scales, contract: InputContract
) -> Floats:
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
    added = grid.unmeasured
    rows = filled[:, 0, added].transpose(1, 2, 0) * np.asarray(scales.sinogram, np.float32)
    return _wbp_with(beam, sinogram, grid.angles_deg[added], rows)


def reprojected_wbp(
    beam: ParallelBeam, sinogram: Floats, volume: Floats, contract: InputContract
) -> Floats:
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
    return _wbp_with(beam, sinogram, angles, _beam_at(beam, angles)(volume))


def _wbp_with(
    beam: ParallelBeam, sinogram: Floats, angles_deg: NDArray[np.float64], rows: Floats
) -> Floats:
    """WBP of the measured rows and of `rows` at further angles."""
    angles = np.concatenate([beam.angles_deg, angles_deg])
    return wbp(_beam_at(beam, angles), np.concatenate([sinogram, rows]))


def tomogram_input(completed: Floats, quick: Quick, contract: InputContract) -> Floats:
    """Channels of the tomogram network, float32 (n_slices, 3 (2 neighbours + 1), depth, width).

    WBP of the completed sinogram, SART and TVM, each with neighbouring slices.
    """
    return _with_neighbours((completed, quick.sart, quick.tvm), contract.neighbours)


def refinement_input(
    again: Floats, tvm: Floats, estimate: Floats, contract: InputContract
) -> Floats:
    """Channels of the refinement network, as many and as large as the tomogram network's.

    WBP completed from the tomogram network's volume (`reprojected_wbp`), TVM, and that volume.
    """
    return _with_neighbours((again, tvm, estimate), contract.neighbours)


def _with_neighbours(volumes: tuple[Floats, Floats, Floats], reach: int) -> Floats:
    """Slices (n_slices, channels, depth, width) of volumes, each with its neighbours, in order.

    The first and last slice stand in for neighbours that do not exist.
    """
    n_slices = volumes[0].shape[2]
    index = np.arange(-reach, n_slices + reach).clip(0, n_slices - 1)
    parts = []
    for volume in volumes:
        stack = volume.transpose(2, 0, 1)[index]
        parts += [stack[k : k + n_slices] for k in range(2 * reach + 1)]
    return np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32)


def inverted(batch: Floats) -> Floats:
    """Turn what the tomogram network sees, or answers, inside out; twice is as before.

    Inversion through the centre of each slice: rows, columns and the order of the neighbours.

    Parameters
    ----------
    batch : ndarray, float32, (n, channels, h, w)
        Three volumes with their neighbours, or a single one.
    """
    n, channels, h, w = batch.shape
    volumes = 3 if channels > 1 else 1
    turned = batch.reshape(n, volumes, -1, h, w)[:, :, ::-1, ::-1, ::-1]
    return np.ascontiguousarray(turned).reshape(batch.shape)


def pad_to_multiple(batch: Floats, multiple: int) -> tuple[Floats, tuple[slice, slice]]:
    """Pad the last two axes with edge values; also return the slices that undo it."""
    h, w = batch.shape[-2:]
    pad_h, pad_w = -h % multiple, -w % multiple
    top, left = pad_h // 2, pad_w // 2
    widths = [(0, 0)] * (batch.ndim - 2) + [(top, pad_h - top), (left, pad_w - left)]
    padded = np.pad(batch, widths, mode="edge") if pad_h or pad_w else batch
    return padded, (slice(top, top + h), slice(left, left + w))


def _beam_at(beam: ParallelBeam, angles_deg: NDArray[np.float64]) -> ParallelBeam:
    return ParallelBeam(angles_deg, beam.width, beam.depth, axis_shift_px=beam.axis_shift_px)
