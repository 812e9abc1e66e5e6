"""Cutting the slices of a job into slabs that fit into memory.

A strip is what the kernels take at once. How many slices it has follows from the geometry alone,
so that results do not depend on how much memory there is; memory decides how many strips make a
slab, which is what is read, computed and written together.
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
    alone: bool = False,
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
    alone : bool
        One strip at a time: there is one GPU, however many cores there are.

    Raises
    ------
    WedgefillError
        If not even one strip fits into the memory that was given.
    """
    lanes = choose_lanes(method, beam, reach)
    most = max(available_cores(), JOINED if reach else 1)
    need = [_estimate_bytes(method.memory, beam, lanes, n) for n in range(1, most + 1)]
    held = measure_held_bytes()
    budget = held + DEFAULT_SHARE * measure_free_bytes() if max_memory is None else max_memory
    if max_memory is not None and held + need[0] > budget:
        raise WedgefillError(
            f"{method.label} of slices of {beam.width} x {beam.depth} takes about "
            f"{format_bytes(held + need[0])} of memory, but only {format_bytes(budget)} may be "
            "used; allow more (--max-memory) or bin the images (--bin 2)."
        )
    n_strips = 1 if alone else max(1, sum(held + n <= budget for n in need))
    return _join_strips(height, lanes, reach, n_strips)


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


def _join_strips(height: int, lanes: int, reach: int, n_strips: int) -> list[Slab]:
    """Join full strips; without neighbours a shorter last one stays alone: its kernel differs."""
    most = lanes * n_strips
    if height <= most and reach:
        return [Slab(0, height, 0, height)]
    kept = most - 2 * reach
    whole = height if reach else height // lanes * lanes
    starts = list(range(0, whole, kept))
    stops = [min(start + kept, whole) for start in starts]
    if whole < height:
        starts.append(whole)
        stops.append(height)
    return [
        Slab(start, stop, max(start - reach, 0), min(stop + reach, height))
        for start, stop in zip(starts, stops, strict=True)
    ]
