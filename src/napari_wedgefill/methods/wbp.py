"""Weighted back projection, as a method of a fill."""

from __future__ import annotations

from collections.abc import Generator

from .method import Memory, Method, Problem, Solution, Step


def solve(problem: Problem) -> Generator[Step, None, Solution]:
    """Filter the rows and project them back."""
    from ..reconstruct import wbp

    yield "WBP", 0.0
    return Solution(wbp(problem.beam, problem.sinogram))


WBP = Method(
    name="wbp",
    label="WBP",
    tip="Weighted back projection: quick, sharp, full of streaks from the missing wedge.",
    colour="#a0a0a0",
    cost=1.0,
    memory=Memory(volumes=1.0, sinograms=3.0),
    solve=solve,
    fills_field=True,
)
