"""Simultaneous iterative reconstruction, all tilts at once, as a method of a fill."""

from __future__ import annotations

from collections.abc import Generator

from .method import Effort, Memory, Method, Problem, Solution, Step, run_sweeps


def solve(problem: Problem) -> Generator[Step, None, Solution]:
    """Correct the volume by all tilts together, again and again."""
    from ..reconstruct import iter_sirt

    n_sweeps = problem.passes["sirt"]
    sweeps = iter_sirt(problem.beam, problem.sinogram, n_sweeps, stop_at=problem.stop_at)
    return (yield from run_sweeps("SIRT", sweeps))


SIRT = Method(
    name="sirt",
    label="SIRT",
    tip="Simultaneous iterative reconstruction: smooth and steady, slower than SART.",
    colour="#78d2d2",
    cost=14.0,
    memory=Memory(volumes=2.0, sinograms=3.0),
    solve=solve,
    effort=Effort(usual=50, preview=20, stops_at_noise=True),
    is_default=False,
)
