"""How many kernels a pass of each iterative solver launches: a count that needs no GPU.

    python -m benchmarks.gpu launches --device cpu --out results

Kernels written in Triton are counted where they are launched, operations of torch as they are
dispatched; those that only look at memory or take it launch nothing. No kernel is run, for what is
launched depends on no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from napari_wedgefill.joint_model import consistency
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import TvmOptions, iter_sart, iter_tvm, last
from napari_wedgefill.reconstruct.sart import spread_steps

#: Operations that take memory, or look at it, and leave it as it is.
IDLE = ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "_unsafe_view")
#: Voxels and slices do not count.
N_TILTS, WIDTH, N_SLICES = 61, 16, 4


class Launches(TorchDispatchMode):
    """Counts what is launched in a block, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.of_torch: Counter[str] = Counter()
        self.of_triton: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # torch names these
        """Count an operation that computes or copies something."""
        packet = func.overloadpacket.__name__
        looks = any(r.alias_info and not r.alias_info.is_write for r in func._schema.returns)
        if not looks and packet not in IDLE:
            self.of_torch[packet] += 1
        return func(*args, **(kwargs or {}))

    @property
    def total(self) -> int:
        """Launches of both kinds."""
        return self.of_torch.total() + self.of_triton.total()


class Counted:
    """Stands for a kernel of Triton: counts its launches, and launches nothing."""

    def __init__(self, name: str, launches: Launches) -> None:
        self._name, self._launches = name, launches

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        def count(*args: Any, **settings: Any) -> None:
            self._launches.of_triton[self._name] += 1

        return count


@contextmanager
def counting() -> Iterator[Launches]:
    """Count what the block launches; kernels of ours are not run, so that no answer means much."""
    from napari_wedgefill.projector import triton_backend, triton_tvm

    launches = Launches()
    kernels = [
        (module, name, kernel)
        for module, names in (
            (triton_backend, ("project_rays", "back_project_rays")),
            (triton_tvm, ("descend_voxels", "hold_back")),
        )
        for name, kernel in vars(module).items()
        if name in names
    ]
    try:
        for module, name, _ in kernels:
            setattr(module, name, Counted(name, launches))
        with launches:
            yield launches
    finally:
        for module, name, kernel in kernels:
            setattr(module, name, kernel)


def measure(device: torch.device, tiny: bool) -> list[dict[str, Any]]:
    """Count the kernels of a pass of SART, of TVM and of the consistency step."""
    if find_spec("triton") is None:
        return [{"what": "launches", "skipped": "Triton is not installed"}]
    rows = list(_count_passes(device))
    print(tabulate(rows))
    return rows


def tabulate(rows: list[dict[str, Any]]) -> str:
    """Markdown: what a pass and a step launch."""
    lines = [
        "| solver | steps of a pass | launches of a pass | of a step | ours | torch's |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, theirs = (
            ", ".join(f"{n} {name}" for name, n in row[kind].items()) or "none"
            for kind in ("triton", "torch")
        )
        lines.append(
            f"| {row['what']} | {row['steps']} | {row['launches']} "
            f"| {row['launches'] / row['steps']:.1f} | {ours} | {theirs} |"
        )
    return "\n".join(lines)


def list_solvers(beam: ParallelBeam, y: torch.Tensor) -> dict[str, Callable[[int], object]]:
    """Return the iterative solvers of a fill, by name; each takes a number of passes."""
    x = torch.full((beam.depth, beam.width, y.shape[2]), 0.5, device=y.device)
    near = TvmOptions(
        strength=consistency.STRENGTH,
        share=consistency.SHARE,
        balance=consistency.BALANCE,
        faster=consistency.FASTER,
    )
    return {
        "SART": lambda n: last(iter_sart(beam, y, n)),
        "TVM": lambda n: last(iter_tvm(beam, y, n)),
        "consistency": lambda n: last(iter_tvm(beam, y, n, near, x0=x, prior=x)),
    }


def _count_passes(device: torch.device) -> Iterator[dict[str, Any]]:
    """What three passes launch more than two: one in the middle, begin and end left out."""
    from napari_wedgefill.projector.triton_backend import TritonBackend

    beam = ParallelBeam(np.linspace(-60, 60, N_TILTS), WIDTH).with_backend(TritonBackend())
    y = torch.rand((N_TILTS, WIDTH, N_SLICES), device=device)
    for what, solve in list_solvers(beam, y).items():
        counts = []
        for n_passes in (2, 2, 3):  # the first makes the tables of the geometry
            with counting() as launches:
                solve(n_passes)
            counts.append(launches)
        _, fewer, more = counts
        yield {
            "what": what,
            "steps": len(spread_steps(N_TILTS)),
            "launches": more.total - fewer.total,
            "triton": dict(more.of_triton - fewer.of_triton),
            "torch": dict(more.of_torch - fewer.of_torch),
        }
