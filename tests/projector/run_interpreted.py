"""Run the Triton kernels on the CPU, in Triton's interpreter, and keep what they answer.

TRITON_INTERPRET=1 python run_interpreted.py OUT.npz

The variable counts when Triton is imported, hence a process of its own. Beside each answer stands,
as "... expected", what the CPU kernels say.
"""

import sys

import numpy as np
import torch

from napari_wedgefill.projector import ParallelBeam, torch_backend, triton_backend
from napari_wedgefill.reconstruct import iter_tvm, last, tensor_primal_dual, triton_primal_dual

#: Geometry and slices: odd sizes, tilts on and across 45 degrees, deep and flat volumes.
CASES = {
    "shifted": (ParallelBeam(np.arange(-75, 106, 23.0), 20, 13, axis_shift_px=0.6), 3),
    "edges": (ParallelBeam([0.0, 45.0, 90.0, -45.0, 133.0], 9, 14, axis_shift_px=-1.3), 1),
    "long": (ParallelBeam([3.0, 88.0], 70, 6), 2),
    "strip": (ParallelBeam([-60.0, -20.0, 51.0], 8), 16),
    "halves": (ParallelBeam([-30.0, 70.0], 5), 200),
    "subset": (ParallelBeam([-50.0, 10.0, 80.0], 12, axis_shift_px=0.4).subset([2, 0]), 2),
}


def operators(keep: dict[str, np.ndarray]) -> None:
    """Projection, adjoint and smear of every case."""
    for name, (beam, n_slices) in CASES.items():
        x, y = draw(beam, n_slices)
        keep |= {f"{name} x": x, f"{name} y": y}
        for what, operator, array in (
            ("forward", beam, x),
            ("adjoint", beam.T, y),
            ("smear", beam.smear, y),
        ):
            keep[f"{name} {what}"] = operator(torch.from_numpy(array)).numpy()
            keep[f"{name} {what} expected"] = operator(array)


def far_offsets(keep: dict[str, np.ndarray]) -> None:
    """Project as if 32-bit offsets did not reach through the volume."""
    beam, n_slices = CASES["shifted"]
    x, _ = draw(beam, n_slices)
    reach, triton_backend.FAR = triton_backend.FAR, 0
    keep["far forward"] = beam(torch.from_numpy(x)).numpy()
    triton_backend.FAR = reach
    keep["far forward expected"] = beam(x)


def gradients(keep: dict[str, np.ndarray]) -> None:
    """Of both operators, through `ParallelBeam`."""
    beam, n_slices = CASES["shifted"]
    x, y = draw(beam, n_slices)
    for what, operator, at, along in (
        ("of forward", beam, x, y),
        ("of adjoint", beam.T, y, x),
    ):
        variable = torch.from_numpy(at).requires_grad_()
        (operator(variable) * torch.from_numpy(along)).sum().backward()
        keep[f"gradient {what}"] = variable.grad.numpy()
    keep |= {"gradient of forward expected": beam.T(y), "gradient of adjoint expected": beam(x)}


def steps(keep: dict[str, np.ndarray]) -> None:
    """The fused residual and the fused descent, bounded and not."""
    beam, n_slices = CASES["shifted"]
    x, y = draw(beam, n_slices)
    rng = np.random.default_rng(1)
    rows = rng.random((beam.n_tilts, beam.width, 1), dtype=np.float32)
    columns = rng.random((beam.depth, beam.width, 1), dtype=np.float32)
    tensors = [torch.from_numpy(a) for a in (x, y, rows, columns)]
    keep["residual"] = torch_backend.residual(beam, *tensors[:3]).numpy()
    keep["residual expected"] = rows * (y - beam(x))
    for name, bound in (("bounded", 0.0), ("free", -np.inf)):
        moved = tensors[0].clone()
        torch_backend.descend_(beam, moved, tensors[1], tensors[3], nonnegative=bound == 0.0)
        keep[f"{name} descent"] = moved.numpy()
        keep[f"{name} descent expected"] = np.maximum(x + columns * beam.T(y), bound)


def minimise(keep: dict[str, np.ndarray]) -> None:
    """Total variation in the kernel of its own, with a prior and without."""
    beam = ParallelBeam([-50.0, -20.0, 0.0, 33.0, 61.0], 11, 9, axis_shift_px=0.4)
    x, y = (np.abs(array) for array in draw(beam, 5))
    device = torch.device("cpu")
    assert tensor_primal_dual.step_for(device) is triton_primal_dual.descend  # passed its trial
    for name, options in (("alone", {}), ("near a prior", {"prior": x, "share": 0.5})):
        for key, as_array in (("", torch.from_numpy), (" expected", np.asarray)):
            given = {k: as_array(v) if k == "prior" else v for k, v in options.items()}
            steps = iter_tvm(beam, as_array(y), 2, weight=0.2, x0=as_array(x), **given)
            keep[f"TVM {name}{key}"] = np.asarray(last(steps))


def draw(beam: ParallelBeam, n_slices: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a random volume and a random sinogram."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((beam.depth, beam.width, n_slices), dtype=np.float32)
    return x, rng.standard_normal((beam.n_tilts, beam.width, n_slices), dtype=np.float32)


def main() -> None:
    """Send CPU tensors where CUDA tensors go, and keep every answer."""
    torch_backend.triton_kernels_for = lambda device: triton_backend
    tensor_primal_dual.triton_kernels_for = torch_backend.triton_kernels_for
    keep: dict[str, np.ndarray] = {}
    operators(keep)
    far_offsets(keep)
    gradients(keep)
    steps(keep)
    minimise(keep)
    np.savez(sys.argv[1], **keep)


if __name__ == "__main__":
    main()
