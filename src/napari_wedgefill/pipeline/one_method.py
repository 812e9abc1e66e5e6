"""One method over all slices of a job, slab by slab, and what it took."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..joint_model.contract import InputContract, Quick
from ..joint_model.model import JointModel
from ..joint_model.onnx_session import CUDA
from ..joint_model.stages import iter_joint
from ..memory import release_pages
from ..normalise import Normalisation
from ..projector.arrays import Array
from ..reconstruct import iter_sart, iter_sirt, iter_tvm, last, wbp
from ..steps import relayed
from .card import Card, card_for
from .events import Clock, FillOptions, Progress
from .job import Job
from .sink import SlabWriter
from .slabs import Slab, cut
from .streaming import read_ahead, write_behind

Floats = NDArray[np.float32]

#: What is left unexplained, over the noise, at which SART and SIRT may stop. Above one, for
#: vacuum, alignment and projection model are never exact.
DISCREPANCY = 1.25


def plan(method: str, job: Job, model: JointModel | None, options: FillOptions) -> list[Slab]:
    """Cut the slices of a job into slabs for one method."""
    reach = model.model.reach if model is not None and method == "gan" else 0
    alone = card_of(method, model, options) is not None
    return cut(method, job.beam, job.series.height, options.max_memory, reach, alone=alone)


def card_of(method: str, model: JointModel | None, options: FillOptions) -> Card | None:
    """Return the card that a method's slabs go to; None where they stay in main memory."""
    if options.stop == "discrepancy":  # slices that stop apart are a matter for processors
        return None
    if method == "gan" and (model is None or model.provider != CUDA):
        return None
    return card_for(options.device)


def iter_volume(
    method: str,
    slabs: list[Slab],
    job: Job,
    model: JointModel | None,
    options: FillOptions,
    clock: Clock,
    writer: SlabWriter,
) -> Iterator[Progress]:
    """Reconstruct slab by slab, reading the next and writing the last one meanwhile."""
    height = job.series.height

    def read(slab: Slab) -> Floats:
        return job.normalisation.apply(job.series.sinograms(slab.first, slab.last))

    with write_behind() as behind:
        for slab, sinogram in read_ahead(slabs, read):
            where = "" if len(slabs) == 1 else f", slice {slab.start} of {height}"
            solver = _timed(_solver(method, job, model, options, slab, sinogram), method, job)
            volume = yield from relayed(solver, partial(_progress, clock, slab, where, height))
            start = time.monotonic()
            behind(partial(_write, writer, slab, volume, job.normalisation))
            job.stages["waiting for the disk"] += time.monotonic() - start
    clock.finish(method)


def _progress(
    clock: Clock, slab: Slab, where: str, height: int, step: tuple[str, float]
) -> Progress:
    """Tell how far the whole method is, for how far it is in a slab."""
    stage, fraction = step
    return clock.progress(
        stage + where, (slab.start + fraction * (slab.stop - slab.start)) / height
    )


def _timed(
    solver: Generator[tuple[str, float], None, Floats], method: str, job: Job
) -> Generator[tuple[str, float], None, Floats]:
    """Add the seconds that a solver spends to the stage that it was in."""
    stage, now = method.upper(), time.monotonic()
    try:
        while True:
            step = next(solver)
            job.stages[stage] += time.monotonic() - now
            yield step
            stage, now = step[0], time.monotonic()
    except StopIteration as ended:
        job.stages[stage] += time.monotonic() - now
        return ended.value


def _write(writer: SlabWriter, slab: Slab, volume: Floats, normalisation: Normalisation) -> None:
    """Write the slices that a slab keeps, in the units of the file; changes `volume`."""
    kept = volume[:, :, slab.start - slab.first : slab.stop - slab.first]
    normalisation.restore(kept, out=kept)
    writer.write(slab.start, kept)


def _solver(
    method: str,
    job: Job,
    model: JointModel | None,
    options: FillOptions,
    slab: Slab,
    sinogram: Floats,
) -> Generator[tuple[str, float], None, Floats]:
    """One slab of one method, densities of order one; on a card if there is one and it fits."""
    quick = start = None
    if method == "gan":
        assert model is not None
        quick = _quick(model.model.contract, job, options, slab)
    elif method == "tvm":
        start = _earlier("sart", job, options, slab)
    card = card_of(method, model, options)
    if card is not None:
        try:
            there = (
                card.put(sinogram),
                card.put_both(quick),
                start if start is None else card.put(start),
            )
            return card.get((yield from _steps(method, job, model, options, *there)))
        except card.short_of_memory:
            pass  # main memory is larger
    volume: Floats = yield from _steps(method, job, model, options, sinogram, quick, start)
    return volume


def _steps(
    method: str,
    job: Job,
    model: JointModel | None,
    options: FillOptions,
    sinogram: Array,
    quick: Quick | None,
    start: Array | None,
) -> Generator[tuple[str, float], None, Array]:
    """One slab of one method, wherever its arrays are."""
    beam = job.beam
    label = method.upper()
    if method == "wbp":
        yield label, 0.0
        return wbp(beam, sinogram)
    if method == "gan":
        assert model is not None
        return (yield from iter_joint(model, beam, sinogram, job.scales, quick))
    if method == "tvm":
        if start is None:
            start = last(iter_sart(beam, sinogram, options.sweeps("sart")))
        sweeps = iter_tvm(beam, sinogram, n_steps=options.tvm_steps, x0=start)
    else:
        algebraic = iter_sart if method == "sart" else iter_sirt
        at = DISCREPANCY * float(job.scales.noise) if options.stop == "discrepancy" else None
        sweeps = algebraic(beam, sinogram, options.sweeps(method), stop_at=at)
    x, done = sinogram, 0
    for sweep in sweeps:
        x, done = sweep.x, sweep.done
        yield label, done / sweep.total
    job.taken.setdefault(method, []).append(done)
    return x


def _quick(contract: InputContract, job: Job, options: FillOptions, slab: Slab) -> Quick | None:
    """SART and TVM of the slab if this job has computed both, and as the networks want them."""
    trained_on = contract.sart_sweeps, contract.tvm_steps
    if not options.preview and trained_on != (options.sweeps("sart"), options.tvm_steps):
        return None
    sart = _earlier("sart", job, options, slab)
    tvm = None if sart is None else _earlier("tvm", job, options, slab)
    return None if sart is None or tvm is None else Quick(sart, tvm)


def _earlier(method: str, job: Job, options: FillOptions, slab: Slab) -> Floats | None:
    """Return what this job has made of the slab by an earlier method, densities of order one."""
    if method not in job.finished or options.stop == "discrepancy":
        return None
    kept = job.finished[method][:, slab.first : slab.last].transpose(0, 2, 1)
    volume: Floats = np.ascontiguousarray(kept) / np.float32(job.normalisation.scale)
    release_pages(kept)
    return volume
