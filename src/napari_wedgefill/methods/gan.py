"""The joint model, as a method of a fill."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from .method import Effort, Memory, Method, Problem, Solution, Step

if TYPE_CHECKING:
    from ..joint_model.model import JointModel


def solve(problem: Problem) -> Generator[Step, None, Solution]:
    """Complete the sinogram and repair the volume with the trained networks."""
    from ..joint_model.contract import FirstEstimates
    from ..joint_model.stages import iter_joint

    assert problem.model is not None
    starts = problem.starts
    estimates = FirstEstimates(starts["sart"], starts["tvm"]) if starts else None
    joined = yield from iter_joint(
        problem.model,
        problem.beam,
        problem.sinogram,
        problem.scales,
        estimates,
        problem.beside,
        n_passes=problem.passes["gan"],
    )
    return Solution(joined.volume, noise_share=joined.noise_share)


def suits(passes: Mapping[str, int], model: JointModel | None) -> bool:
    """Tell whether SART and TVM of a fill are those that the networks were trained on."""
    assert model is not None
    contract = model.model.contract
    return (contract.sart_sweeps, contract.tvm_steps) == (passes["sart"], passes["tvm"])


GAN = Method(
    name="gan",
    label="GAN",
    tip=(
        "The trained networks: they fill the missing tilts and remove what artifacts remain.\n"
        "Measured projections are never replaced; where they are noisier than the networks know,\n"
        "they count in part, and the result says so."
    ),
    colour="#f06e96",
    cost=165.0,
    memory=Memory(
        volumes=28.0, sinograms=10.0, strip_bytes=64 << 20, fixed_bytes=300e6, bytes_per_pixel=4e3
    ),
    solve=solve,
    uses=("sart", "tvm"),
    suits=suits,
    effort=Effort(usual=3, preview=1, unit="passes"),
    needs_model=True,
)
