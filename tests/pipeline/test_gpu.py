"""A slab that goes to a GPU stays there; torch's main memory stands in for one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_wedgefill.joint_model import model as joint_model
from napari_wedgefill.joint_model import onnx_session as session
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.methods import METHODS
from napari_wedgefill.pipeline import gpu, streaming
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.tilt_series import TiltSeries

NAMES = tuple(METHODS)


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    images = rng.normal(0, 0.1, (13, 5, 24))
    images[:, 1:4, 8:15] += 5
    return TiltSeries.from_arrays(images, np.linspace(-60, 60, 13), axis_shift_px=0.4)


@pytest.fixture
def pretended(monkeypatch):
    """A GPU in main memory, and what ran on it."""
    there = gpu.Gpu(torch.device("cpu"))
    ran = []

    def run_shared(opened, name, batch):
        ran.append(opened.get_inputs()[0].shape[1])
        return shared(opened, name, batch)

    shared = session._run_shared
    monkeypatch.setattr(session, "_run_shared", run_shared)
    monkeypatch.setattr(streaming, "find_gpu", lambda device: None if device == "cpu" else there)
    monkeypatch.setattr(streaming, "CUDA", session.CPU)
    return there, ran


def filled(series, device, methods=NAMES):
    result = fill(series, FillOptions(methods=methods, device=device))
    return {name: volume.data for name, volume in result.volumes.items()}, result.report


def test_every_method_answers_on_a_gpu_as_in_main_memory(series, pretended):
    plain, report = filled(series, "cpu")
    assert set(report["projections"].values()) == {"main memory"}
    assert not pretended[1]
    there, report = filled(series, "auto")
    assert set(report["projections"].values()) == {"CUDA"}
    for method in NAMES:
        scale = np.abs(plain[method]).max()
        np.testing.assert_allclose(there[method], plain[method], atol=2e-3 * scale)


def test_no_stage_of_the_joint_model_leaves_the_gpu(series, pretended, monkeypatch):
    """Rows are copied there once and densities back once; the networks read torch's memory."""
    there, ran = pretended
    copies = []
    put, get = there.put, there.get
    monkeypatch.setattr(there, "put", lambda x: copies.append("there") or put(x))
    monkeypatch.setattr(there, "get", lambda x: copies.append("back") or get(x))
    monkeypatch.setattr(session, "_run_bound", lambda *_: pytest.fail("ran on a copy"))
    filled(series, "auto", ("gan",))
    assert copies == ["there", "back"]
    assert len(set(ran)) > 1
    assert len(ran) >= 3 * series.height


def test_the_box_of_the_specimen_is_filled_on_a_gpu_too(pretended):
    u = np.arange(96) - 47.5
    images = np.broadcast_to(2 * np.sqrt(np.clip(36 - u**2, 0, None)), (9, 6, 96))
    series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
    options = FillOptions(("sart", "tvm", "gan"), slices=(2, 3), preview=True)
    plain, there = (fill(series, replace(options, device=device)) for device in ("cpu", "auto"))
    assert set(there.report["projections"].values()) == {"CUDA"}
    assert there.report["box"]["x"] == [16, 80]
    for method in options.methods:
        data = plain.volumes[method].data
        np.testing.assert_allclose(there.volumes[method].data, data, atol=2e-3 * data.max())


def test_a_slab_too_large_for_the_gpu_is_computed_in_main_memory(series, pretended, monkeypatch):
    there, _ = pretended
    plain, _ = filled(series, "cpu")

    def crowded(array):
        raise there.short_of_memory("CUDA out of memory.")

    monkeypatch.setattr(there, "put", crowded)
    found, _ = filled(series, "auto")
    for method in NAMES:
        np.testing.assert_array_equal(found[method], plain[method])


def test_slices_that_stop_by_themselves_stay_in_main_memory(pretended):
    options = FillOptions(methods=("sart",), stop="discrepancy")
    assert streaming.choose_gpu(METHODS["sart"], None, options) is None
    assert (
        streaming.choose_gpu(METHODS["sart"], None, FillOptions(methods=("sart",))) is pretended[0]
    )


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    def missing():
        raise OSError("no such library")

    monkeypatch.setattr(gpu, "load_driver", missing)
    gpu._find_first_gpu.cache_clear()
    try:
        assert gpu.find_gpu("auto") is None
        assert gpu.find_gpu("cpu") is None
    finally:
        gpu._find_first_gpu.cache_clear()


def test_networks_on_a_processor_keep_the_slab_with_them(monkeypatch):
    """Arrays on a GPU are of no use to a session that runs in main memory."""
    monkeypatch.setattr(streaming, "find_gpu", lambda device: "a GPU")
    model = joint_model.JointModel(load("small"), "cpu")
    model.open(32)
    options = FillOptions(methods=("gan",))
    assert streaming.choose_gpu(METHODS["gan"], model, options) is None
    assert streaming.choose_gpu(METHODS["tvm"], model, options) == "a GPU"
