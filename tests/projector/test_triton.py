"""The Triton kernels answer as the CPU kernels do, and compile for Hopper without a GPU."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_wedgefill.projector import ParallelBeam, triton_support
from napari_wedgefill.projector.arrays import backend_for
from napari_wedgefill.projector.backend import Rays
from napari_wedgefill.projector.torch_backend import TorchBackend
from napari_wedgefill.projector.torch_tvm import DualRows

pytest.importorskip("triton", reason="there is no Triton for this system")

HERE = Path(__file__).parent
CASES = ("shifted", "each its own", "edges", "long", "strip", "halves", "subset")
#: Mesa's, which the tests of the windows draw with.
LLVM = sorted(Path("/usr").glob("lib*/**/libLLVM*.so*"))
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """What the kernels answer in Triton's interpreter, and what they should, by name."""
    out = tmp_path_factory.mktemp("triton") / "answers.npz"
    ran = subprocess.run(
        [sys.executable, str(HERE / "run_interpreted.py"), str(out)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"TRITON_INTERPRET": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    with np.load(out) as answers:
        return dict(answers)


@pytest.mark.skipif(not LLVM, reason="no library here brings an LLVM that could be confused")
def test_the_kernels_load_beside_the_llvm_of_mesa():
    """Where napari draws with Mesa, its LLVM is there before Triton's; that was a crash."""
    script = (
        "import ctypes, sys; ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL); "
        "from napari_wedgefill.projector import triton_kernels; print('loaded')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(LLVM[-1])],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.stdout == "loaded\n", (ran.returncode, ran.stderr)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("what", ["forward", "adjoint", "smear"])
def test_the_kernels_answer_as_those_of_the_cpu(interpreted, case, what):
    name = f"{case} {what}"
    np.testing.assert_allclose(interpreted[name], interpreted[f"{name} expected"], atol=3e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_kernels_are_each_others_adjoint(interpreted, case):
    x, y, forward, back = (
        interpreted[f"{case} {what}"].astype(np.float64)
        for what in ("x", "y", "forward", "adjoint")
    )
    scale = np.linalg.norm(forward) * np.linalg.norm(y)
    assert abs(np.vdot(forward, y) - np.vdot(x, back)) <= 1e-6 * scale


def test_a_volume_of_billions_of_voxels_is_read_with_64_bit_offsets(interpreted):
    expected = interpreted["far forward expected"]
    np.testing.assert_allclose(interpreted["far forward"], expected, atol=3e-5)


def test_the_trial_that_decides_whether_the_kernels_run_is_passed(interpreted):
    assert 0 < interpreted["trial"] < 1e-4


@pytest.mark.parametrize(
    "name",
    [
        "WBP",
        "SART",
        "SIRT",
        "SIRT, stopped",
        "TVM alone",
        "TVM near a prior",
        "consistency",
        "consistency of two slices",
    ],
)
def test_a_solver_answers_as_on_the_cpu(interpreted, name):
    expected = interpreted[f"{name} expected"]
    np.testing.assert_allclose(interpreted[name], expected, atol=3e-5)
    assert np.ptp(expected) > 0.1


def test_how_many_slices_are_taken_at_once_changes_no_result(interpreted):
    whole = interpreted["consistency"][..., 2:4]
    np.testing.assert_allclose(interpreted["consistency of two slices"], whole, atol=1e-5)


@pytest.mark.parametrize("name", ["alone", "shared"])
def test_a_dual_step_and_its_squares_are_those_of_plain_torch(interpreted, name):
    for what in ("dual step", "squares"):
        found, expected = (interpreted[f"{what}, {name}{end}"] for end in ("", " expected"))
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=3e-5)
        assert np.ptp(expected) > 0.1


def test_kernels_never_see_a_wrong_shape():
    from napari_wedgefill.projector.triton_backend import TritonBackend

    ours, rays = TritonBackend(), Rays.at([0.0, 80.0], 8, 8)
    x, y = torch.zeros(8, 8, 2), torch.zeros(2, 8, 2)
    with pytest.raises(ValueError, match=r"\(2, 8, 1\) was expected"):
        ours.weigh_residual(rays, x, y, torch.zeros(2, 7, 1))
    with pytest.raises(ValueError, match=r"\(8, 8, 2\) was expected"):
        ours.descend_(rays, x[:7], y, torch.zeros(8, 8, 1), 0.0)
    with pytest.raises(ValueError, match="float32 and contiguous"):
        ours.descend_(rays, x.double(), y, torch.zeros(8, 8, 1), 0.0)
    rates, common = torch.zeros(2, 8), torch.zeros(2, 0, 8)
    rows = DualRows(rays, y, y.clone(), rates, common, y.clone(), y.clone())
    with pytest.raises(
        ValueError, match=r"\(2, 2\) was expected"
    ):  # a slot for either kind of tilt
        ours.step_dual(rows, x, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="contiguous float32 only"):
        ours.step_dual(replace(rows, dual=y.double()), x, torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"\(2, 8\) was expected"):
        ours.step_dual(replace(rows, rates=torch.zeros(2, 7)), x, torch.zeros(2, 2))


@pytest.mark.parametrize("name", ["gradient of forward", "gradient of adjoint"])
def test_the_gradient_of_one_is_the_other(interpreted, name):
    np.testing.assert_allclose(interpreted[name], interpreted[f"{name} expected"], atol=3e-5)


@pytest.mark.parametrize("name", ["residual", "bounded descent", "free descent"])
def test_a_fused_step_is_the_sum_of_its_parts(interpreted, name):
    np.testing.assert_allclose(interpreted[name], interpreted[f"{name} expected"], atol=3e-5)
    if name == "bounded descent":
        assert interpreted[name].min() == 0
        assert interpreted["free descent"].min() < 0


@pytest.mark.slow
def test_the_kernels_compile_for_hopper_without_a_gpu(monkeypatch, tmp_path):
    """Registers hold everything, and the samples are read 16 bytes at once."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from benchmarks.gpu import compile as gpu_compile

    for row in gpu_compile.survey(90, (512,)):
        assert row["spills"] == 0
        if row["kernel"].startswith("dual step, what"):
            assert row["loads"][128] >= 4
            continue
        if row["kernel"].startswith("TVM"):
            assert row["loads"][128] >= 10
            continue
        assert row["registers"] <= 128
        assert row["loads"][128] >= 16
        assert row["loads"].get(32, 0) < 16  # weights and indices; one by one, samples take 64


def test_without_a_gpu_there_is_a_reason_why_the_kernels_do_not_run(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    triton_support.obstacle.cache_clear()
    assert "without CUDA" in triton_support.obstacle()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    triton_support.obstacle.cache_clear()
    assert "no CUDA device" in triton_support.obstacle()
    triton_support.obstacle.cache_clear()


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (lambda device: 1 / 0, "fail here: division by zero"),
        (lambda device: 0.5, "wrong here, by 0.5"),
        (lambda device: float("nan"), "wrong here"),
    ],
)
def test_kernels_that_fail_their_trial_do_not_run(monkeypatch, trial, reason):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(triton_support, "trial_error", trial)
    triton_support.obstacle.cache_clear()
    assert reason in triton_support.obstacle(0)
    on_a_gpu = SimpleNamespace(device=torch.device("cuda", 0))
    assert type(backend_for(on_a_gpu)) is TorchBackend  # and all is computed by plain torch
    triton_support.obstacle.cache_clear()


@needs_cuda
@pytest.mark.parametrize("n_slices", [1, 8, 61, 512])
def test_on_a_gpu_the_kernels_run_and_agree_with_the_cpu(n_slices):
    assert triton_support.obstacle() is None
    beam = ParallelBeam(np.arange(-66, 67, 11.0), 50, 37, axis_shift_px=-0.7)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((37, 50, n_slices), dtype=np.float32)
    y = rng.standard_normal((beam.n_tilts, 50, n_slices), dtype=np.float32)
    for operator, array in ((beam, x), (beam.T, y), (beam.smear, y)):
        answer = operator(torch.from_numpy(array).cuda()).cpu().numpy()
        np.testing.assert_allclose(answer, operator(array), atol=1e-4)
