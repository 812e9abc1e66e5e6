"""Solvers of tensors answer as those of arrays."""

import numpy as np
import pytest
import torch

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import TvmOptions, iter_sart, iter_sirt, iter_tvm, last, wbp

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


@pytest.fixture(scope="module")
def measured():
    beam = ParallelBeam(np.arange(-60, 61, 8.0), 24, 20, axis_shift_px=0.3)
    truth = np.random.default_rng(0).random((20, 24, 3), dtype=np.float32)
    return beam, beam(truth)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("window", ["ramp", "hann"])
def test_weighted_back_projection_of_a_tensor(measured, device, window):
    beam, rows = measured
    answer = wbp(beam, torch.from_numpy(rows).to(device), window)
    assert answer.device.type == device
    np.testing.assert_allclose(answer.cpu().numpy(), wbp(beam, rows, window), atol=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize(
    ("solver", "settings"),
    [
        (iter_sirt, {"relaxation": 0.7}),
        (iter_sart, {"relaxation": 0.7}),
        (iter_tvm, {}),
        (iter_tvm, {"weight": 0.3}),
        (iter_tvm, {"share": 0.6}),
        (iter_tvm, {"weight": np.array([0.1, 2.0, 0.1], np.float32)}),
    ],
)
def test_a_solver_answers_a_tensor_with_a_tensor(measured, device, nonnegative, solver, settings):
    beam, rows = measured
    settings = {**settings, "nonnegative": nonnegative}
    if solver is iter_tvm:
        settings = {"options": TvmOptions(**settings)}
    start = np.full((20, 24, 3), 0.2, np.float32)
    tensor, x0 = torch.from_numpy(rows).to(device), torch.from_numpy(start).to(device)
    there = settings
    if "options" in settings and settings["options"].share:
        prior = np.random.default_rng(1).random((20, 24, 3), dtype=np.float32)
        settings["prior"] = prior
        there = {**settings, "prior": torch.from_numpy(prior).to(device)}
    answers = [s.x.cpu().numpy().copy() for s in solver(beam, tensor, 3, x0=x0, **there)]
    expected = [s.x.copy() for s in solver(beam, rows, 3, x0=start, **settings)]
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    assert float(x0.min()) == float(x0.max())  # where it started is left alone
    assert last(solver(beam, tensor, 2, **there)).device.type == device
