"""Run the Triton kernels on the CPU, in Triton's interpreter, and keep what they answer.

TRITON_INTERPRET=1 python run_interpreted.py OUT.npz

The variable counts when Triton is imported, hence a process of its own. Beside each answer stands,
as "... expected", what the CPU kernels say.
"""

import sys

import numpy as np
import torch

from napari_wedgefill.projector import ParallelBeam, triton_backend
from napari_wedgefill.projector.backend import Rays
from napari_wedgefill.projector.torch_backend import TorchBackend
from napari_wedgefill.projector.torch_tvm import DualRows
from napari_wedgefill.projector.triton_backend import TritonBackend
from napari_wedgefill.projector.triton_support import trial_error
from napari_wedgefill.reconstruct import TvmOptions, iter_sart, iter_sirt, iter_tvm, last, wbp

#: Geometry and slices: odd sizes, tilts on and across 45 degrees, deep and flat volumes.
CASES = {
    "shifted": (ParallelBeam(np.arange(-75, 106, 23.0), 20, 13, axis_shift_px=0.6), 3),
    "each its own": (
        ParallelBeam([-60.0, 51.0, 90.0], 15, 12, tilt_shifts_px=[0.4, -0.3, 2.0]),
        2,
    ),
    "edges": (ParallelBeam([0.0, 45.0, 90.0, -45.0, 133.0], 9, 14, axis_shift_px=-1.3), 1),
    "long": (ParallelBeam([3.0, 88.0], 70, 6), 2),
    "strip": (ParallelBeam([-60.0, -20.0, 51.0], 8), 16),
    "halves": (ParallelBeam([-30.0, 70.0], 5), 200),
    "subset": (ParallelBeam([-50.0, 10.0, 80.0], 12, axis_shift_px=0.4).subset([2, 0]), 2),
}


#: As in the consistency step, where nothing is held back.
NEAR = TvmOptions(share=0.5, faster=1.0)


def operators(keep: dict[str, np.ndarray]) -> None:
    """Projection, adjoint and smear of every case."""
    for name, (beam, n_slices) in CASES.items():
        x, y = draw(beam, n_slices)
        keep |= {f"{name} x": x, f"{name} y": y}
        ours = beam.with_backend(TritonBackend())
        for what, operator, expected, array in (
            ("forward", ours, beam, x),
            ("adjoint", ours.T, beam.T, y),
            ("smear", ours.smear, beam.smear, y),
        ):
            keep[f"{name} {what}"] = operator(torch.from_numpy(array)).numpy()
            keep[f"{name} {what} expected"] = expected(array)


def far_offsets(keep: dict[str, np.ndarray]) -> None:
    """Project as if 32-bit offsets did not reach through the volume."""
    beam, n_slices = CASES["shifted"]
    x, _ = draw(beam, n_slices)
    reach, triton_backend.FAR = triton_backend.FAR, 0
    keep["far forward"] = beam.with_backend(TritonBackend())(torch.from_numpy(x)).numpy()
    triton_backend.FAR = reach
    keep["far forward expected"] = beam(x)


def gradients(keep: dict[str, np.ndarray]) -> None:
    """Of both operators, through `ParallelBeam`."""
    beam, n_slices = CASES["shifted"]
    x, y = draw(beam, n_slices)
    ours = beam.with_backend(TritonBackend())
    for what, operator, at, along in (
        ("of forward", ours, x, y),
        ("of adjoint", ours.T, y, x),
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
    backend = TritonBackend()
    keep["residual"] = backend.weigh_residual(beam.rays, *tensors[:3]).numpy()
    keep["residual expected"] = rows * (y - beam(x))
    for name, bound in (("bounded", 0.0), ("free", -np.inf)):
        moved = tensors[0].clone()
        backend.descend_(beam.rays, moved, tensors[1], tensors[3], bound)
        keep[f"{name} descent"] = moved.numpy()
        keep[f"{name} descent expected"] = np.maximum(x + columns * beam.T(y), bound)


def dual_steps(keep: dict[str, np.ndarray]) -> None:
    """The step of the data's dual variable: blocks of slices and pixels, whole ones and not."""
    for name, n_common in (("alone", 0), ("shared", 3)):
        for expected, backend in ((" expected", TorchBackend()), ("", TritonBackend())):
            rng = np.random.default_rng(3)
            rays = Rays.at([-70.0, -20.0, 51.0], 37, 4, axis_shift_px=0.3)

            def draw_tensor(*shape: int, rng: np.random.Generator = rng) -> torch.Tensor:
                return torch.from_numpy(rng.random(shape, dtype=np.float32))

            x, measured, dual = (draw_tensor(n, 37, 36) for n in (4, 3, 3))
            rates, common = draw_tensor(3, 37), 0.3 * draw_tensor(3, n_common, 37)
            ahead, change = torch.empty(2, 3, 37, 36)
            rows = DualRows(rays, measured, dual, rates, common, ahead, change)
            squares = torch.ones(backend.count_slots(rays, x), 36)
            backend.step_dual(rows, x, squares)
            keep[f"dual step, {name}{expected}"] = torch.cat([change, dual]).numpy()
            keep[f"squares, {name}{expected}"] = (squares - 1).sum(0).numpy()


def solve(keep: dict[str, np.ndarray]) -> None:
    """Every solver; total variation, in the kernel of its own, with a prior and without."""
    keep["trial"] = np.asarray(trial_error(torch.device("cpu")))
    beam = ParallelBeam([-50.0, -20.0, 0.0, 33.0, 61.0], 9, 3, axis_shift_px=0.4)
    x, y = (np.abs(array) for array in draw(beam, 5))
    for operator, kind, key in (
        (beam.with_backend(TritonBackend()), torch.from_numpy, ""),
        (beam, np.asarray, " expected"),
    ):
        start, rows = kind(x), kind(y)
        found = {
            "WBP": wbp(operator, rows),
            "SART": last(iter_sart(operator, rows, 2, x0=start)),
            "SIRT": last(iter_sirt(operator, rows, 2)),
            "SIRT, stopped": last(iter_sirt(operator, rows, 4, stop_at=0.6)),
            "TVM alone": last(iter_tvm(operator, rows, 2, TvmOptions(weight=0.2), x0=start)),
            "consistency": last(iter_tvm(operator, rows, 2, NEAR, x0=start, prior=start)),
            "consistency of two slices": last(
                iter_tvm(
                    operator, rows[..., 2:4], 2, NEAR, x0=start[..., 2:4], prior=start[..., 2:4]
                )
            ),
            "TVM near a prior": last(
                iter_tvm(
                    operator, rows, 2, TvmOptions(weight=0.2, share=0.5), x0=start, prior=start
                )
            ),
        }
        keep |= {f"{name}{key}": np.asarray(volume) for name, volume in found.items()}


def draw(beam: ParallelBeam, n_slices: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a random volume and a random sinogram."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((beam.depth, beam.width, n_slices), dtype=np.float32)
    return x, rng.standard_normal((beam.n_tilts, beam.width, n_slices), dtype=np.float32)


def main() -> None:
    """Send CPU tensors where CUDA tensors go, and keep every answer."""
    keep: dict[str, np.ndarray] = {}
    operators(keep)
    far_offsets(keep)
    gradients(keep)
    steps(keep)
    dual_steps(keep)
    solve(keep)
    np.savez(sys.argv[1], **keep)


if __name__ == "__main__":
    main()
