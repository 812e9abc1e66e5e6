"""Total variation minimisation, as a method of a fill."""

from __future__ import annotations

from collections.abc import Generator

from .method import Effort, Memory, Method, Problem, Solution, Step, run_sweeps


def solve(problem: Problem) -> Generator[Step, None, Solution]:
    """Start from SART, the fill's own where it is there, and minimise the total variation."""
    from ..reconstruct import TvmOptions, iter_sart, iter_tvm, last

    beam, rows, beside = problem.beam, problem.sinogram, problem.beside
    start = problem.starts.get("sart")
    if start is None:
        lengths = None if beside is None else beside.ray_lengths
        start = last(iter_sart(beam, rows, problem.passes["sart"], ray_lengths=lengths))
    options = TvmOptions(n_steps=problem.passes["tvm"])
    sweeps = iter_tvm(beam, rows, options=options, x0=start, beside=beside)
    return (yield from run_sweeps("TVM", sweeps))


TVM = Method(
    name="tvm",
    label="TVM",
    tip="Total variation minimisation: favours flat regions with sharp edges.",
    colour="#fabe50",
    cost=25.0,
    memory=Memory(volumes=6.0, sinograms=4.0),
    solve=solve,
    uses=("sart",),
    effort=Effort(usual=600, preview=150, unit="steps"),
)
