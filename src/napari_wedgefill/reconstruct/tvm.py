"""Total-variation minimisation.

This file chooses the steps, the weight of the total variation and how far a step goes; a backend of
the projector takes the steps (`Processor.begin_tvm` and its like).

How far does the dual variable of the data go in a step, which takes a few tilts? With diagonal
preconditioning only as far as the slice that all of them see in the same way, the uniform one,
allows. But tilts that are an angle apart share no more than what varies slowly along the detector:
in Fourier space their slices meet at the origin alone. So only the lowest frequencies of a row go
as slowly as that, and all the others `FASTER`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.arrays import Array, convert_like, namespace
from ..projector.backend import DualStep, TvmProblem
from .sart import spread_steps
from .sweeps import Sweep

Floats = NDArray[np.float32]

#: These were chosen together, noise-free and noisy, for 25 to 121 tilts of 128 and 256 px, on
#: objects of the training families and on `head` and `branches` of the evaluation.
STEPS = 600
STRENGTH = 3.4
BALANCE = 0.4
#: Share of the way, on a logarithmic scale, that the level may rise in one step.
RISE = 0.006
#: How much further than with diagonal preconditioning; more, and single tilts would be the limit.
FASTER = 4.0
#: Cosines along the detector that are held back, at most; tilts so near to each other that they
#: share more are not taken faster.
MOST_COMMON = 12


@dataclass(frozen=True, eq=False)
class Beside:
    """What lies beside the rows and the volume that are worked on: vacuum, which explains nothing.

    What is left unexplained is a mean over the whole field of view, however little of it is worked
    on, and rays are as long as they are there.

    Attributes
    ----------
    squares : array, float32, (n_slices,)
        Sum of the squares of the pixels in each slice.
    n_pixels : int
        Their number in a slice, at all tilts together.
    ray_lengths : ndarray, float32, (n_tilts, width, 1)
        Of the rays that are worked on, in the whole field.
    """

    squares: Any
    n_pixels: int
    ray_lengths: Floats

    def scale(self, factor: Any) -> Beside:
        """Return what is beside rows that are multiplied by a factor, one for each slice."""
        return replace(self, squares=self.squares * factor**2)

    def of(self, slices: Any) -> Beside:
        """Return what is beside some of the slices."""
        return replace(self, squares=self.squares[slices])


@dataclass(frozen=True, eq=False)
class TvmOptions:
    """How far total-variation minimisation goes, and how smooth it makes a volume.

    Attributes
    ----------
    n_steps : int
        Steps in all, each of about four tilts; where passes are counted, they win.
    strength : float
        How smooth, relative to what noise asks for; above zero.
    weight : float or ndarray, (n_slices,), optional
        A fixed weight of the total variation instead, in units of the sinogram; one for all
        slices, or one each.
    share : float
        How much of the total variation is that of the difference from a prior, 0 to 1.
    nonnegative : bool
        Constrain the densities to be at least zero.
    balance : float
        Ratio of the primal to the dual step; affects the speed of convergence only. Less suits
        noise, more its absence.
    faster : float
        How much further than with diagonal preconditioning the dual variable goes where tilts
        share nothing, 1 to 4 (`precondition_dual`). The minimum is the same. Fine detail of the
        measurements, noise among it, comes the sooner, which suits who goes on to the minimum, and
        not who stops on the way.
    """

    n_steps: int = STEPS
    strength: float = STRENGTH
    weight: float | Floats | None = None
    share: float = 0.0
    nonnegative: bool = True
    balance: float = BALANCE
    faster: float = FASTER


USUAL = TvmOptions()


def noise_level(sinogram: Floats) -> float:
    """Estimate the standard deviation of the noise of a sinogram (n_tilts, width, n_slices).

    The second difference along both image axes removes what is smooth; the median ignores edges.
    With fewer than three slices the difference runs along the detector alone.

    References
    ----------
    J. Immerkaer, Computer Vision and Image Understanding 64, 300-302 (1996).
    """
    if sinogram.shape[1] < 3:
        return 0.0
    second, gain = np.diff(sinogram, n=2, axis=1), np.sqrt(6.0)
    if sinogram.shape[2] >= 3:
        second, gain = np.diff(second, n=2, axis=2), 6.0
    return float(1.4826 * np.median(np.abs(second)) / gain)


def weight_for(n_tilts: int, unexplained: Array, strength: float = STRENGTH) -> Array:
    """Weight that `iter_tvm` gives the total variation of slices, from what is left unexplained."""
    return strength * n_tilts**0.25 * unexplained


def iter_tvm(
    beam: ParallelBeam,
    sinogram: Array,
    n_sweeps: int | None = None,
    options: TvmOptions = USUAL,
    *,
    x0: Array | None = None,
    prior: Array | None = None,
    dual: Array | None = None,
    beside: Beside | None = None,
) -> Iterator[Sweep]:
    """Minimise ``1/2 |A x - b|^2 + weight TV(x)`` with isotropic TV in each slice.

    With a prior, ``share TV(x - prior) + (1 - share) TV(x)`` takes the place of ``TV(x)``.

    The weight follows from the data: in each slice, ``strength n_tilts^(1/4)`` times the root mean
    square of what the volume leaves unexplained, measured anew after every pass. (Noise alone asks
    for the square root of the tilts, but a volume can explain the very noise of few of them.)
    Where it comes to rest, the square root of the sum of squares is minimised instead of the sum,
    for which one strength serves every noise level. It starts high and falls, which also speeds
    convergence.
    It rises slowly only: a heavier weight leaves more unexplained, which asks for a heavier one,
    and a specimen full of edges would swing between blank and noise.

    The stochastic primal-dual method, the tilts taken a few at a time: fifty passes get further
    than five hundred that take all tilts at once. An edge moves by a voxel or so in a step, so that
    it is steps which count, not passes: those over few tilts have few steps. Preconditioning is
    diagonal but for what the tilts of a step share (`precondition_dual`), which lets the dual
    variable of the data go four times as far.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    n_sweeps : int, optional
        Passes over all tilts; by default, as many as make about ``options.n_steps``.
    options : TvmOptions
        How smooth, and how fast; what a fill uses by default.
    x0 : of the sinogram's kind, float32, (depth, width, n_slices), optional
        Where to start; zero by default. Not modified.
    prior : of the sinogram's kind, float32, (depth, width, n_slices), optional
        A volume whose edges are to stay, as far as ``options.share`` says.
    dual : of the sinogram's kind and shape, optional
        Where the dual variable of the data starts, zero by default; overwritten, after the last
        pass, with where it ended. At the minimum it is what the volume projects to less what was
        measured.
    beside : Beside, optional
        What was measured beside these rows; it counts as unexplained.

    Yields
    ------
    Sweep
        After each pass.

    References
    ----------
    A. Chambolle, M. J. Ehrhardt, P. Richtarik and C.-B. Schoenlieb, SIAM J. Optim. 28, 2783-2808
    (2018); T. Pock and A. Chambolle, ICCV 2011, 1762-1769 (the preconditioning); A. Belloni,
    V. Chernozhukov and L. Wang, Biometrika 98, 791-806 (2011) (the root of the sum of squares);
    G.-H. Chen, J. Tang and S. Leng, Med. Phys. 35, 660-663 (2008) (the prior).
    """
    backend = beam.backend_for(sinogram)
    xp = backend.xp
    level = rms(sinogram if x0 is None else sinogram - beam(x0), beside)
    steps = plan_steps(beam, options.balance, options.faster)
    rise = min(1.0, RISE * len(steps))
    if n_sweeps is None:
        n_sweeps = -(-options.n_steps // len(steps))
    # Row and column sums of |A| stacked on the gradient (2 a row, 4 a column); with a prior there
    # are two gradients, and each takes half the step.
    unit = scale_gradient(beam)
    problem = TvmProblem(
        beam.rays,
        sinogram,
        steps,
        sigma=unit / (options.balance * (2.0 if prior is None else 4.0)),
        tau=(options.balance / (beam.voxel_coverage + 4.0 * unit)).astype(np.float32),
        lowest=0.0 if options.nonnegative else -np.inf,
        x0=x0,
        prior=prior,
        share=options.share,
        dual=dual,
    )
    solver = backend.begin_tvm(problem)
    for sweep in range(n_sweeps):
        weight = options.weight
        if weight is None:
            weight = weight_for(beam.n_tilts, level, options.strength)
        weights = xp.broadcast_to(backend.convert_like(weight, sinogram), sinogram.shape[2:])
        squares = solver.sweep(weights, is_last=sweep == n_sweeps - 1)
        unexplained = _take_root(squares, sinogram, beside)
        level = xp.minimum(unexplained, level ** (1 - rise) * unexplained**rise)
        yield Sweep(sweep + 1, n_sweeps, solver.x)


@lru_cache(maxsize=8)  # every slab, and every consistency of it, takes the same steps
def plan_steps(beam: ParallelBeam, balance: float, faster: float) -> tuple[DualStep, ...]:
    """Return the steps of a sweep; parameters as `precondition_dual`."""
    steps = []
    for tilts in spread_steps(beam.n_tilts):
        some = beam.subset(tilts)
        steps.append(DualStep(tilts, some.rays, *precondition_dual(some, balance, faster)))
    return tuple(steps)


def scale_gradient(beam: ParallelBeam) -> float:
    """Scale of the gradient beside the projections, so that neither operator dwarfs the other."""
    return float(np.sqrt(beam.n_tilts))


def precondition_dual(
    beam: ParallelBeam, balance: float, faster: float = FASTER
) -> tuple[Floats, Floats]:
    """Preconditioner ``diag(rates) - C.T C`` of the rows that a step takes, tilt by tilt.

    The dual variable y of a row changes by it times ``A x - b - y``. With the primal steps of
    `iter_tvm`, its product with the projections has a norm below one over the number of steps
    in a sweep, as convergence asks for.

    Parameters
    ----------
    beam : ParallelBeam
        Of the tilts of the step.
    balance : float
        Ratio of the primal to the dual step.
    faster : float
        How much further than with diagonal preconditioning, which is 1.

    Returns
    -------
    rates : ndarray, float32, (n_tilts, width)
        For what the tilts do not share.
    common : ndarray, float32, (n_tilts, n_common, width)
        The rows of C: what they share is held back to a rate `faster` times lower.

    Raises
    ------
    ValueError
        If `faster` is below one.

    References
    ----------
    T. Pock and A. Chambolle, ICCV 2011, 1762-1769; A. Chambolle, M. J. Ehrhardt, P. Richtarik and
    C.-B. Schoenlieb, SIAM J. Optim. 28, 2783-2808 (2018), theorem 4.3.
    """
    if faster < 1.0:
        raise ValueError(f"faster = {faster}; 1 is as far as diagonal preconditioning goes")
    lengths = beam.ray_lengths[:, :, 0].astype(np.float64)
    n_common = _count_common(beam)
    faster = faster if n_common <= MOST_COMMON else 1.0
    sigma = faster / (balance * np.maximum(lengths, 1.0))
    rates = sigma / (1.0 + sigma)
    if faster == 1.0 or n_common == 0:
        return rates.astype(np.float32), np.zeros((beam.n_tilts, 0, beam.width), np.float32)
    u = (np.arange(beam.width) + 0.5) / beam.width
    cosines = np.cos(np.pi * u[:, None] * np.arange(min(n_common, beam.width)))
    root = np.sqrt(rates)[:, :, None]
    # What the projections make of a slice is a row times the lengths of its rays.
    directions, _ = np.linalg.qr(root * lengths[:, :, None] * cosines)
    common = np.sqrt(1.0 - 1.0 / faster) * root * directions
    return rates.astype(np.float32), np.ascontiguousarray(common.swapaxes(1, 2), np.float32)


def _count_common(beam: ParallelBeam) -> int:
    """Cosines along the detector that tilts share: none, if there is one tilt only.

    Two rays meet in the slice over a stretch of the detector as wide as the slice is deep, or as
    wide as the detector, times the sine of the angle between them.
    """
    if beam.n_tilts < 2:
        return 0
    sorted_deg = np.sort(beam.angles_deg % 180.0)
    gaps = np.diff(np.append(sorted_deg, sorted_deg[0] + 180.0))
    apart = np.sin(np.deg2rad(min(gaps.min(), 90.0))) * min(1.0, beam.depth / beam.width)
    return 1 + int(np.ceil(1.0 / max(apart, 1e-6)))


def rms(sinogram: Array, beside: Beside | None = None) -> Array:
    """Root mean square of each slice of (n_tilts, width, n_slices), (n_slices,)."""
    xp = namespace(sinogram)
    if beside is not None:
        return _take_root(xp.square(sinogram).sum((0, 1)), sinogram, beside)
    if sinogram.shape[2] == 1:
        # numpy adds a single slice up in another order than it does one of many; the answer must
        # not depend on how slices are grouped.
        return rms(xp.concatenate([sinogram, sinogram], axis=2))[:1]
    return xp.sqrt(xp.mean(xp.square(sinogram), axis=(0, 1)))


def _take_root(squares: Array, sinogram: Array, beside: Beside | None) -> Array:
    """Root of the mean, from the sum of squares of each slice of a sinogram, (n_slices,)."""
    xp, n_pixels = namespace(sinogram), sinogram.shape[0] * sinogram.shape[1]
    if beside is None:
        return xp.sqrt(squares / n_pixels)
    more = convert_like(beside.squares, sinogram)
    return xp.sqrt((squares + more) / (n_pixels + beside.n_pixels))
