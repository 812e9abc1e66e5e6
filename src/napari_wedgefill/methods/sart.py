"""Simultaneous algebraic reconstruction, tilt by tilt, as a method of a fill."""

from __future__ import annotations

from collections.abc import Generator

from .method import Effort, Memory, Method, Problem, Solution, Step, run_sweeps


def solve(problem: Problem) -> Generator[Step, None, Solution]:
    """Correct the volume by every tilt in turn."""
    from ..reconstruct import iter_sart

    n_sweeps = problem.passes["sart"]
    sweeps = iter_sart(problem.beam, problem.sinogram, n_sweeps, stop_at=problem.stop_at)
    return (yield from run_sweeps("SART", sweeps))


SART = Method(
    name="sart",
    label="SART",
    tip="Simultaneous algebraic reconstruction: smoother, with less noise than WBP.",
    colour="#5aaafa",
    cost=4.0,
    memory=Memory(volumes=2.0, sinograms=3.0),
    solve=solve,
    effort=Effort(usual=10, preview=5, stops_at_noise=True),
)
