"""Cutting the slices of a job into slabs that fit into memory.

A strip is what the kernels take at once. How many slices it has follows from the geometry alone,
so that results do not depend on how much memory there is; memory decides how many strips make a
slab, which is what is read, computed and written together.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WedgefillError
from ..memory import DEFAULT_SHARE, free_bytes, held_bytes, in_words
from ..projector import ParallelBeam, strip_width
from ..projector.threads import available_cores

#: Narrower strips where one array of a full strip would be larger than this.
STRIP_BYTES = {"gan": 64 << 20}
OTHER_STRIP_BYTES = 256 << 20
#: Strips of a slab at least, where memory allows, if strips overlap: what two of them share would
#: otherwise be computed twice.
JOINED = 4
#: Arrays of a volume's size that a solver holds at once, its result included.
VOLUMES = {"wbp": 1.0, "sart": 2.0, "sirt": 2.0, "tvm": 6.0, "gan": 28.0}
#: Arrays of a sinogram's size that a solver holds at once.
SINOGRAMS = {"wbp": 3.0, "sart": 3.0, "sirt": 3.0, "tvm": 4.0, "gan": 10.0}
#: What the networks take beside that, for a slice and its pixels.
NETWORK_BYTES, NETWORK_BYTES_PER_PIXEL = 300e6, 4e3
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


def cut(
    method: str,
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
    method : str
        As in `FillOptions.methods`.
    beam : ParallelBeam
        The geometry.
    height : int
        Number of slices.
    max_memory : int or None
        Bytes that the process may hold; by default half of what is free beside what it has.
    reach : int
        Neighbouring slices that the method looks at on either side.
    alone : bool
        One strip at a time: there is one card, however many cores there are.

    Raises
    ------
    WedgefillError
        If not even one strip fits into the memory that was given.
    """
    # A strip no wider than what is read for its neighbours' sake would keep nothing.
    lanes = max(strip_lanes(method, beam), 3 * reach)
    most = max(available_cores(), JOINED if reach else 1)
    need = [_bytes(method, beam, lanes, n) for n in range(1, most + 1)]
    held = held_bytes()
    budget = held + DEFAULT_SHARE * free_bytes() if max_memory is None else max_memory
    if max_memory is not None and held + need[0] > budget:
        raise WedgefillError(
            f"{method.upper()} of slices of {beam.width} x {beam.depth} takes about "
            f"{in_words(held + need[0])} of memory, but only {in_words(budget)} may be used; "
            "allow more (--max-memory) or bin the images (--bin 2)."
        )
    n_strips = 1 if alone else max(1, sum(held + n <= budget for n in need))
    return _slabs(height, lanes, reach, n_strips)


def strip_lanes(method: str, beam: ParallelBeam) -> int:
    """Slices of a strip: as many as the kernels like best, fewer where slices are large."""
    return strip_width(beam.depth, beam.width, STRIP_BYTES.get(method, OTHER_STRIP_BYTES))


def _bytes(method: str, beam: ParallelBeam, lanes: int, n_strips: int) -> float:
    """What a slab of some strips takes while another is read and a third one written."""
    volume = 4.0 * beam.depth * beam.width * lanes
    sinogram = 4.0 * beam.n_tilts * beam.width * lanes
    # One volume more is being written; two sinograms more are read ahead and normalised. Each
    # core at work holds a padded copy of a strip.
    total = n_strips * (volume * (VOLUMES[method] + 1) + sinogram * (SINOGRAMS[method] + 2))
    total += min(available_cores(), 2 * n_strips) * volume + SLACK_BYTES
    if method == "gan":
        total += NETWORK_BYTES + NETWORK_BYTES_PER_PIXEL * beam.depth * beam.width
    return total


def _slabs(height: int, lanes: int, reach: int, n_strips: int) -> list[Slab]:
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
