"""Keeping noise at what the networks know.

Training showed the networks tilts up to five degrees apart, with forty electrons per pixel or more.
What is noisier or sparser, such as element maps of a few counts, they take for structure, and draw
whiskers into a volume that total variation alone would have left smooth. There, only a part of what
TVM leaves unexplained is passed on to them: they see, and agree with, the projections of TVM, and
the less is measured the more of them. Where next to nothing is measured they are left with TVM.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.arrays import Array, convert_like, make_contiguous, namespace
from ..reconstruct.tvm import Beside, rms

#: Least ratio of signal to noise (root mean squares of a slice's rows) that counts in full, and the
#: widest step between tilts, in degrees, at which it does; tilts further apart must be the better.
LEAST_RATIO, WIDEST_STEP_DEG = 8.0, 5.0
#: How fast noise beyond that is held back: a power of the ratio. These were chosen together, on
#: objects of the training families.
POWER = 1.5
#: Bands of the detector's frequencies in which a misfit's power is compared, as shares of the
#: highest: not the lowest, where TVM has taken noise for signal, nor the highest, which
#: interpolation has smoothed.
LOWEST, HIGHEST, N_BANDS = 0.05, 0.75, 8
#: Noise over that of the quietest band, as standard deviations: the least of several is low.
QUIETEST = 1.35


@dataclass(frozen=True, eq=False)
class HeldBack:
    """Rows whose noise the networks know.

    Attributes
    ----------
    sinogram : of the measured kind, float32, (n_tilts, width, n_slices)
        The measured rows, or what lies between them and TVM's projections.
    share : float
        Share of what TVM leaves unexplained that they keep, 0 to 1, in the mean over the slices;
        those with more of the specimen count more.
    """

    sinogram: Array
    share: float


def hold_noise_back(
    beam: ParallelBeam, sinogram: Array, tvm: Array, beside: Beside | None = None
) -> HeldBack:
    """Bring rows nearer to TVM's projections where they are noisier than the networks know.

    Of a misfit only as much is held back as looks like noise, which has the same power at all
    frequencies of the detector. The detail of a lattice that TVM could not follow has not, and is
    passed on.

    Parameters
    ----------
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows.
    tvm : of the same kind, float32, (depth, width, n_slices)
        TVM of these rows.
    beside : Beside, optional
        What was measured beside the rows.

    Returns
    -------
    HeldBack
        With the very rows that were given where nothing is to be held back.
    """
    xp = namespace(sinogram)
    projected = beam(tvm)
    misfit = sinogram - projected
    signal, unexplained = rms(projected), rms(misfit).clip(1e-20, None)
    noisy = (QUIETEST * _measure_quietest(misfit) / unexplained).clip(0.0, 1.0) ** 2
    noise = xp.sqrt(noisy) * unexplained
    if beside is not None:  # what is there belongs to the noise, and no signal does
        noise = xp.sqrt(
            noise**2 + convert_like(beside.squares, noise) / (misfit.shape[0] * misfit.shape[1])
        )
    step_deg = float(np.ptp(beam.angles_deg)) / max(beam.n_tilts - 1, 1)
    least = LEAST_RATIO * max(1.0, step_deg / WIDEST_STEP_DEG) ** 2
    known = (signal / noise.clip(1e-20, None) / least).clip(0.0, 1.0) ** POWER
    share = 1.0 - (1.0 - known) * noisy
    weights = signal**2
    total = float(weights.sum())
    mean = float((weights * share).sum()) / total if total > 0 else 1.0
    if bool((share >= 1.0).all()):
        return HeldBack(sinogram, mean)
    return HeldBack(make_contiguous(projected + share * misfit), mean)


def _measure_quietest(misfit: Array) -> Array:
    """Noise of a pixel in each slice, (n_slices,), its standard deviation, where it is quietest."""
    xp = namespace(misfit)
    waves, bands = _make_waves(misfit.shape[1])
    # Slice by slice: what a matrix product is rounded to depends on its size.
    slices = make_contiguous(xp.moveaxis(misfit, 2, 0)) @ convert_like(waves, misfit)
    powers = (slices * slices).mean(1)
    return xp.sqrt(xp.amin(xp.stack([powers[:, band].mean(1) for band in bands]), 0))


def _make_waves(width: int) -> tuple[NDArray[np.float32], list[slice]]:
    """Cosines and sines (width, n) of the detector's frequencies, of norm one, and their bands."""
    n = width // 2
    first, last = max(1, int(LOWEST * n)), max(2, int(HIGHEST * n))
    numbers = np.arange(first, last)
    phase = 2 * np.pi * np.arange(width)[:, None] * numbers / width
    waves = np.stack([np.cos(phase), np.sin(phase)], axis=2).reshape(width, -1)
    waves *= np.sqrt(2.0 / width)
    edges = 2 * np.unique(np.linspace(0, numbers.size, N_BANDS + 1).astype(int))
    bands = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
    return waves.astype(np.float32), bands
