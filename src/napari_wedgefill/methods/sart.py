"""Algebraic reconstruction as methods of a fill: SART tilt by tilt, SIRT all tilts at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from .method import Effort, Memory, Method, Problem, Solution, Step, run_sweeps

if TYPE_CHECKING:
    from ..reconstruct import Sweep

MEMORY = Memory(volumes=2.0, sinograms=3.0)


def solve_by_sart(problem: Problem) -> Generator[Step, None, Solution]:
    """Correct the volume by every tilt in turn."""
    from ..reconstruct import iter_sart

    return (yield from _sweep(SART, iter_sart, problem))


def solve_by_sirt(problem: Problem) -> Generator[Step, None, Solution]:
    """Correct the volume by all tilts together, again and again."""
    from ..reconstruct import iter_sirt

    return (yield from _sweep(SIRT, iter_sirt, problem))


def _sweep(
    method: Method, solver: Callable[..., Iterator[Sweep]], problem: Problem
) -> Generator[Step, None, Solution]:
    sweeps = solver(
        problem.beam,
        problem.sinogram,
        problem.passes[method.name],
        stop_at=problem.stop_at,
        ray_lengths=None if problem.beside is None else problem.beside.ray_lengths,
    )
    return (yield from run_sweeps(method.label, sweeps))


SART = Method(
    name="sart",
    label="SART",
    tip="Simultaneous algebraic reconstruction: smoother, with less noise than WBP.",
    colour="#5aaafa",
    cost=4.0,
    memory=MEMORY,
    solve=solve_by_sart,
    effort=Effort(usual=10, preview=5, stops_at_noise=True),
)
SIRT = Method(
    name="sirt",
    label="SIRT",
    tip="Simultaneous iterative reconstruction: smooth and steady, slower than SART.",
    colour="#78d2d2",
    cost=14.0,
    memory=MEMORY,
    solve=solve_by_sirt,
    effort=Effort(usual=50, preview=20, stops_at_noise=True),
    is_default=False,
)
