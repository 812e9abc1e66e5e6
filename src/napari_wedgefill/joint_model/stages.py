"""The joint model at work on one slab: sinogram network, WBP, tomogram networks, consistency."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from ..progress import relay
from ..projector import ParallelBeam
from ..projector.arrays import Array, make_contiguous, namespace
from ..reconstruct.tvm import Beside
from . import contract as inputs
from .consistency import LAST_STEPS, iter_consistency
from .model import JointModel
from .registry import VIEWS
from .trained_noise import hold_noise_back

#: What a step of the model reports: its name and how far the slab is, 0 to 1.
Step = tuple[str, float]


@dataclass(frozen=True, eq=False)
class Joined:
    """What the joint model makes of a slab.

    Attributes
    ----------
    volume : of the sinogram's kind, float32, (depth, width, n_slices)
        Densities in units of the density scale.
    noise_share : float
        Share of what TVM leaves unexplained that the networks were shown (`hold_noise_back`).
    """

    volume: Array
    noise_share: float


def iter_joint(
    model: JointModel,
    beam: ParallelBeam,
    sinogram: Array,
    scales: inputs.Scales,
    estimates: inputs.FirstEstimates | None = None,
    beside: Beside | None = None,
    n_passes: int = len(VIEWS),
) -> Generator[Step, None, Joined]:
    """Reconstruct one slab with the joint model; torch tensors stay where they are, all the way.

    Parameters
    ----------
    model : JointModel
        The networks.
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows in units of the density scale; neighbouring slices must be neighbours.
    scales : Scales
        Of the whole series.
    estimates : FirstEstimates, optional
        SART and TVM of these rows, of the same kind, if they are there already; computed otherwise.
    beside : Beside, optional
        What was measured beside these rows.
    n_passes : int
        Of the refinement, if the model has one; by default, from every side of `VIEWS`. With fewer,
        for a look, the last consistency takes fewer steps, too.

    Yields
    ------
    tuple of str and float
        The step at work and the fraction of the slab that is done.

    Returns
    -------
    Joined
        The volume, and how far the measurements counted.
    """
    contract = model.model.contract
    if estimates is None:
        yield "GAN: SART and TVM", 0.0
        estimates = inputs.compute_first_estimates(beam, sinogram, contract, beside)
    yield "GAN: sinogram network", 0.2
    held = hold_noise_back(beam, sinogram, estimates.tvm, beside)
    sinogram = held.sinogram
    rows = inputs.sinogram_input(beam, sinogram, estimates, scales, contract)
    filled = yield from _run_stage(model, "sinogram", rows, 0.2, 0.3)
    yield "GAN: weighted back projection", 0.3
    completed = inputs.reconstruct_completed(beam, sinogram, filled, scales, contract)
    channels = inputs.tomogram_input(completed, estimates, contract)
    until = 0.4 if model.model.refines else 0.9
    volume = _turn_into_volume((yield from _run_stage(model, "tomogram", channels, 0.3, until)))
    if model.model.refines:
        views = VIEWS[:n_passes]
        passes = iter_refine(model, beam, sinogram, estimates.tvm, volume, scales, views, beside)
        volume = yield from relay(passes, lambda step: (step[0], until + (0.9 - until) * step[1]))
    n_steps = -(-LAST_STEPS * n_passes // len(VIEWS))
    steps = iter_consistency(
        beam, sinogram, volume, scales, cautious=True, n_steps=n_steps, beside=beside
    )
    return Joined((yield from _restore(steps, 0.9, 1.0)), held.share)


def iter_refine(
    model: JointModel,
    beam: ParallelBeam,
    sinogram: Array,
    tvm: Array,
    volume: Array,
    scales: inputs.Scales,
    views: Sequence[Sequence[tuple[int, ...]]] = VIEWS,
    beside: Beside | None = None,
) -> Generator[Step, None, Array]:
    """Repair a volume with the refinement network, each time from where it fits the measurements.

    Each time it is seen from another side: the network does not make the same errors there, and
    so repairs some of those that it made before. No pass follows the last to repair it, so it is
    the mean of two views, and half of that in which they differ goes.
    Shapes and units are those of `iter_joint`.

    Parameters
    ----------
    views : sequence of sequences of tuples of int
        For each pass the views whose mean it takes, each as the axes of a slice that are flipped.
    beside : Beside, optional
        What was measured beside the rows.

    Yields
    ------
    tuple of str and float
        The step at work and the fraction of the repair that is done, 0 to 1.

    Returns
    -------
    of the volume's kind, float32, (depth, width, n_slices)
        The repaired volume.
    """
    contract = model.model.contract
    stage = model.model.choose_refinement(is_smooth=scales.is_smooth)
    step = 1.0 / len(views)
    dual = sinogram * 0.0
    for k, sides in enumerate(views):
        first = k * step
        steps = iter_consistency(beam, sinogram, volume, scales, dual=dual, beside=beside)
        volume = yield from _restore(steps, first, first + 0.4 * step)
        again = inputs.reconstruct_reprojected(beam, sinogram, volume, contract)
        channels = inputs.refinement_input(again, tvm, volume, contract)
        volume = yield from _average_views(
            model, stage, channels, sides, (first + 0.4 * step, first + step)
        )
    return volume


def _restore(
    steps: Generator[float, None, Array], begin: float, end: float
) -> Generator[Step, None, Array]:
    """Report the steps of `iter_consistency`, and return its volume."""
    name = "GAN: consistency with the measurements"
    yield name, begin
    return (yield from relay(steps, lambda done: (name, begin + (end - begin) * done)))


def _average_views(
    model: JointModel,
    stage: str,
    channels: Array,
    sides: Sequence[tuple[int, ...]],
    between: tuple[float, float],
) -> Generator[Step, None, Array]:
    """Mean (depth, width, n_slices) of what a network answers from several sides."""
    begin, end = between
    each = (end - begin) / len(sides)
    volumes: list[Array] = []
    for k, axes in enumerate(sides):
        first = begin + k * each
        answer = yield from _run_stage(model, stage, _flip(channels, axes), first, first + each)
        volumes.append(_turn_into_volume(_flip(answer, axes)))
    return make_contiguous(sum(volumes) / len(volumes))


def _flip(slices: Array, axes: tuple[int, ...]) -> Array:
    """Flip slices (..., depth, width) along some of their two axes."""
    return namespace(slices).flip(slices, axes) if axes else slices  # numpy's is a view


def _turn_into_volume(answer: Array) -> Array:
    """Turn a network's answer (n_slices, 1, depth, width) into (depth, width, n_slices)."""
    return make_contiguous(namespace(answer).moveaxis(answer[:, 0], 0, 2))


def _run_stage(
    model: JointModel, stage: str, batch: Array, begin: float, end: float
) -> Generator[Step, None, Array]:
    answers: list[Array] = []
    done = 0
    for answer in model.run(stage, batch):
        answers.append(answer)
        done += len(answer)
        yield f"GAN: {stage} network", begin + (end - begin) * done / len(batch)
    return namespace(batch).concatenate(answers)
