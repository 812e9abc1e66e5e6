"""Cutting the slices of a job into slabs that fit into memory.

A strip is what the processor's kernels take at once. How many slices it has follows from the
geometry alone, so that results do not depend on how much memory there is; memory decides how many
strips make a slab, which is what is read, computed and written together. A GPU's kernels take a
whole slab at once: the more slices, the less it waits between two kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WedgefillError
from ..memory import DEFAULT_SHARE, format_bytes, measure_free_bytes, measure_held_bytes
from ..methods import Memory, Method
from ..projector import ParallelBeam, strip_width
from ..projector.threads import available_cores

#: Strips of a slab at least, where memory allows, if strips overlap: what two of them share would
#: otherwise be computed twice.
JOINED = 4
#: What compiled code and libraries take that is not there yet when a job begins.
SLACK_BYTES = 150e6
#: Share of a GPU's free memory for the arrays of a slab: the networks take as much, and what torch
#: keeps of arrays that are gone is in pieces.
GPU_SHARE = 0.4
#: Arrays that a slab takes on a GPU, over those in main memory: kernels write what is new beside
#: what is old, so that no program waits for another.
GPU_ARRAYS = 2.0
#: Slices that a GPU's threads load at once, where it is a divisor of their number.
GPU_LOAD = 4


@dataclass(frozen=True)
class Slab:
    """Slices that are computed together.

    Attributes
    ----------
    start, stop : int
        Slices that are kept.
    first, last : int
        Slices that are read: neighbours on either side that a method looks at come along.
    """

    start: int
    stop: int
    first: int
    last: int


def cut_slabs(
    method: Method,
    beam: ParallelBeam,
    height: int,
    max_memory: int | None,
    reach: int,
    *,
    gpu_bytes: int | None = None,
) -> list[Slab]:
    """Cut `height` slices into slabs for one method.

    Parameters
    ----------
    method : Method
        Says how much memory a slab of it takes.
    beam : ParallelBeam
        The geometry.
    height : int
        Number of slices.
    max_memory : int or None
        Bytes that the process may hold; by default half of what is free beside what it has.
    reach : int
        Neighbouring slices that the method looks at on either side.
    gpu_bytes : int, optional
        What is free on the GPU, if one computes the slabs. They are then as large as its memory and
        the main memory allow, for what does not fit there after all is computed here; and all about
        as large.

    Raises
    ------
    WedgefillError
        If not even one strip fits into the memory that was given.
    """
    lanes = choose_lanes(method, beam, reach)
    most = max(available_cores(), JOINED if reach else 1)
    if gpu_bytes is not None:
        most = max(1, -(-height // lanes))
    need = [_estimate_bytes(method.memory, beam, lanes, n) for n in range(1, most + 1)]
    held = measure_held_bytes()
    budget = held + DEFAULT_SHARE * measure_free_bytes() if max_memory is None else max_memory
    if max_memory is not None and held + need[0] > budget:
        raise WedgefillError(
            f"{method.label} of slices of {beam.width} x {beam.depth} takes about "
            f"{format_bytes(held + need[0])} of memory, but only {format_bytes(budget)} may be "
            "used; allow more (--max-memory) or bin the images (--bin 2)."
        )
    n_strips = max(1, sum(held + n <= budget for n in need))
    if gpu_bytes is not None:
        strip = _estimate_gpu_bytes(method.memory, beam, lanes)
        most = max(1, min(n_strips, int(GPU_SHARE * gpu_bytes / strip)))
        cuts = [
            _join_strips(height, lanes, reach, n, is_rest_alone=False) for n in range(1, most + 1)
        ]
        # The first of those with the fewest: the slabs that are most alike.
        return [_fill_loads(slab, height) for slab in min(cuts, key=len)]
    return _join_strips(height, lanes, reach, n_strips, is_rest_alone=True)


def choose_lanes(method: Method, beam: ParallelBeam, reach: int) -> int:
    """Slices of a strip, with the neighbours that are read for its sake."""
    # A strip no wider than those would keep nothing.
    return max(choose_strip_lanes(method.memory, beam), 3 * reach)


def choose_strip_lanes(memory: Memory, beam: ParallelBeam) -> int:
    """Slices of a strip: as many as the kernels like best, fewer where slices are large."""
    return strip_width(beam.depth, beam.width, memory.strip_bytes)


def _estimate_bytes(memory: Memory, beam: ParallelBeam, lanes: int, n_strips: int) -> float:
    """What a slab of some strips takes while another is read and a third one written."""
    pixels = beam.depth * beam.width
    volume, sinogram = 4.0 * pixels * lanes, 4.0 * beam.n_tilts * beam.width * lanes
    # One volume more is being written; two sinograms more are read ahead and normalised. Each
    # core at work holds a padded copy of a strip.
    total = n_strips * (volume * (memory.volumes + 1) + sinogram * (memory.sinograms + 2))
    total += min(available_cores(), 2 * n_strips) * volume + SLACK_BYTES
    return total + memory.fixed_bytes + memory.bytes_per_pixel * pixels


def _estimate_gpu_bytes(memory: Memory, beam: ParallelBeam, lanes: int) -> float:
    """What the arrays of a strip take on a GPU; the networks see to their own."""
    volume, sinogram = (
        4.0 * beam.depth * beam.width * lanes,
        4.0 * beam.n_tilts * beam.width * lanes,
    )
    return GPU_ARRAYS * (volume * memory.volumes + sinogram * memory.sinograms)


def _fill_loads(slab: Slab, height: int) -> Slab:
    """Read some further neighbours, so that loads of `GPU_LOAD` slices have no rest."""
    missing = -(slab.last - slab.first) % GPU_LOAD
    last = min(slab.last + missing, height)
    first = max(slab.first - (missing - (last - slab.last)), 0)
    return Slab(slab.start, slab.stop, first, last)


def _join_strips(
    height: int, lanes: int, reach: int, n_strips: int, *, is_rest_alone: bool
) -> list[Slab]:
    """Join full strips; without neighbours, a shorter last one may have a kernel of its own."""
    most = lanes * n_strips
    if height <= most and reach:
        return [Slab(0, height, 0, height)]
    kept = most - 2 * reach
    whole = height // lanes * lanes if is_rest_alone and not reach else height
    starts = list(range(0, whole, kept))
    stops = [min(start + kept, whole) for start in starts]
    if whole < height:
        starts.append(whole)
        stops.append(height)
    return [
        Slab(start, stop, max(start - reach, 0), min(stop + reach, height))
        for start, stop in zip(starts, stops, strict=True)
    ]
