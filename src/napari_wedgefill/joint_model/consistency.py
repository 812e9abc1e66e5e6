"""Bringing the networks' volume back to agreement with what was measured."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..progress import drain
from ..projector import ParallelBeam
from ..projector.arrays import Array, convert_like, make_contiguous, namespace
from ..reconstruct import TvmOptions, iter_tvm
from ..reconstruct.tvm import Beside, rms
from .contract import Scales

#: Steps, how smooth (`iter_tvm`), and how much of the total variation is that of the difference
#: from the networks' volume. Chosen together, on objects of the training families and on `head`
#: and `branches` of the evaluation. So few steps at so light a weight stop before noise comes
#: through: what the measurements deny is gone by then, and what they leave open is as it was.
STEPS, STRENGTH, SHARE = 80, 1.0, 0.5
#: Steps at the end, where noise is kept out in another way; chosen on the same objects.
LAST_STEPS = 240
#: Of the primal to the dual step: half of what suits a start from SART, for there is less to do.
BALANCE = 0.2
#: Of the dual steps: no further than with diagonal preconditioning, for noise would come sooner.
FASTER = 1.0
#: Share of the misfit, agreed on by chance, that is not believed at the end.
CHANCE = 0.05
#: Agreement of neighbouring tilts from which on all of a misfit counts as signal.
CERTAIN = 0.5
#: Signal at the detector's ends over the scale of the path integrals: from the first on some of the
#: specimen is taken to lie outside the field of view, from the second on it certainly does.
INSIDE, OUTSIDE = 0.02, 0.08
#: Part of the detector at either end where that shows.
END = 1 / 32
#: Part of the detector over which what lies outside varies: the standard deviation of a Gaussian.
SLOW = 1 / 64


def restore_consistency(
    beam: ParallelBeam, sinogram: Array, volume: Array, scales: Scales, *, cautious: bool = False
) -> Array:
    """Run `iter_consistency` to its end and return the volume; see there."""
    return drain(iter_consistency(beam, sinogram, volume, scales, cautious=cautious))


def iter_consistency(
    beam: ParallelBeam,
    sinogram: Array,
    volume: Array,
    scales: Scales,
    *,
    cautious: bool = False,
    n_steps: int | None = None,
    dual: Array | None = None,
    beside: Beside | None = None,
) -> Generator[float, None, Array]:
    """Bring a volume back to agreement with the measurements, as far as they are signal of it.

    Reconstructs the measurements by total variation anew, with the networks' volume as the prior:
    an edge of that volume costs half as much as a new one, and no more if it stays than if it
    goes. With noise little changes; without noise the measurements decide wherever they reach.
    It does so before every pass of the refinement and at the end: a network that begins from a
    volume which agrees with the measurements need only repair what they leave open.

    Two parts of what the volume leaves unexplained are none of its business. Noise is one. Matter
    outside the field of view is the other, where a film or a lamella goes on: many rays pass
    through it, no volume in the field can explain it, and one that is made to is ruined. It
    differs little between neighbouring rays, so that the volume's own detail still counts.

    How much is noise: before a pass, what the series' background shows. That is too little where
    electrons are counted, for they are most uncertain where the specimen is, but the network tells
    noise from signal, and is helped by all that it is given. At the end nothing takes it out again,
    so that caution is due: only what neighbouring tilts agree on is taken for signal. It keeps
    out what is left of misalignment, too.

    Parameters
    ----------
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows.
    volume : of the same kind, float32, (depth, width, n_slices)
        The networks' volume.
    scales : Scales
        Of the series: its path integrals, and their noise.
    cautious : bool
        Believe of what is unexplained only as much as neighbouring tilts share; for the end.
    n_steps : int, optional
        `STEPS` by default, and `LAST_STEPS` where it is cautious.
    dual : of the sinogram's kind and shape, optional
        What the last pass left (`iter_tvm`), zero at first; overwritten with what this one leaves.
        The solver goes on from there as far as neighbouring tilts agree on the misfit: signal need
        not be found anew, and noise that was fitted once would be fitted more and more.
    beside : Beside, optional
        What was measured beside these rows.

    Yields
    ------
    float
        The fraction that is done, 0 to 1.

    Returns
    -------
    of the same kind, float32, (depth, width, n_slices)
        At or above zero.

    References
    ----------
    G.-H. Chen, J. Tang and S. Leng, Med. Phys. 35, 660-663 (2008).
    """
    if n_steps is None:
        n_steps = LAST_STEPS if cautious else STEPS
    if beside is not None:
        beside = replace(beside, squares=convert_like(beside.squares, sinogram))
    projected = beam(volume)
    misfit = _leave_out_outside(sinogram - projected, _estimate_outside(sinogram, scales))
    share = _estimate_signal_share(misfit, scales, beside)
    signal = _correlate_neighbours(misfit, beside)
    if cautious:
        share = namespace(misfit).minimum(share, signal)
    wrong = share > 0
    restored = volume.clip(0.0, None)
    if wrong.any():
        # Slices that are picked are copied one voxel at a time; mostly there are none to leave out.
        these = slice(None) if wrong.all() else wrong
        prior = make_contiguous(volume[..., these])
        begun = None if dual is None else (dual * (signal / CERTAIN).clip(0.0, 1.0))[..., these]
        sweeps = iter_tvm(
            beam,
            make_contiguous((projected + share * misfit)[..., these]),
            options=TvmOptions(
                n_steps=n_steps,
                strength=STRENGTH,
                share=SHARE,
                balance=BALANCE,
                faster=FASTER,
            ),
            x0=prior,
            prior=prior,
            dual=begun,
            beside=None if beside is None else beside.scale(share).of(these),
        )
        for sweep in sweeps:
            yield sweep.done / sweep.total
        restored[..., these] = sweep.x
        if dual is not None:
            dual[..., these] = begun
    if dual is not None:
        dual[..., ~wrong] = 0.0
    return restored


def _estimate_outside(sinogram: Array, scales: Scales) -> Array:
    """How surely each slice's specimen goes on outside the field of view, (n_slices,), 0 to 1."""
    n = max(1, round(END * sinogram.shape[1]))
    ends = (sinogram[:, :n].mean((0, 1)) + sinogram[:, -n:].mean((0, 1))) / 2
    share = ends / convert_like(scales.sinogram, sinogram)
    return ((share - INSIDE) / (OUTSIDE - INSIDE)).clip(0.0, 1.0)


def _leave_out_outside(misfit: Array, beyond: Array) -> Array:
    """What of a misfit (n_tilts, width, n_slices) is not due to matter outside the field."""
    if (beyond > 0).any():
        xp = namespace(misfit)
        # Slice by slice: what a matrix product is rounded to depends on its size.
        slices = make_contiguous(xp.moveaxis(misfit, 2, 0)) @ convert_like(
            _make_smoother(misfit.shape[1]).T, misfit
        )
        return misfit - beyond * xp.moveaxis(slices, 0, 2)
    return misfit


def _estimate_signal_share(misfit: Array, scales: Scales, beside: Beside | None) -> Array:
    """Share of each slice's misfit that is above the noise, (n_slices,), 0 to 1."""
    noise = convert_like(scales.noise, misfit) / rms(misfit, beside).clip(1e-20, None)
    return 1 - noise.clip(0.0, 1.0) ** 2  # clipped first: its square may not fit into a float


def _correlate_neighbours(misfit: Array, beside: Beside | None) -> Array:
    """Share of each slice's misfit that neighbouring tilts agree on, (n_slices,), 0 to 1.

    Their correlation, but for what chance may bring about: noise has none, and a wrong volume is
    wrong in much the same way for both.
    """
    together = (misfit[1:] * misfit[:-1]).sum((0, 1))
    alone = (misfit * misfit).sum((0, 1))
    if beside is not None:
        alone = alone + beside.squares
    alone = alone.clip(1e-20, None)
    return ((together / alone - CHANCE) / (1 - CHANCE)).clip(0.0, 1.0)


def _make_smoother(width: int) -> NDArray[np.float32]:
    """Matrix (width, width) that leaves of a row what varies slowly along the detector."""
    u = np.arange(width) / (SLOW * width)
    weights = np.exp(-0.5 * (u[:, None] - u[None, :]) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
