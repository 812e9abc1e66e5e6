"""A slab that goes to a GPU stays there; torch's main memory stands in for one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_wedgefill.joint_model import model as joint_model
from napari_wedgefill.joint_model import onnx_session as session
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.methods import METHODS
from napari_wedgefill.pipeline import gpu, slabs, streaming
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector import ParallelBeam
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
    put, get_slices = there.put, there.get_slices
    monkeypatch.setattr(there, "put", lambda x: copies.append("there") or put(x))
    monkeypatch.setattr(there, "get", lambda x: pytest.fail("went back"))
    monkeypatch.setattr(there, "get_slices", lambda *x: copies.append("back") or get_slices(*x))
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


def test_how_many_slices_a_gpu_takes_at_once_changes_no_result(pretended, monkeypatch):
    """As many as its memory allows, and the same to rounding where it allows few."""
    images = np.random.default_rng(1).normal(0, 0.1, (9, 22, 16))
    images[:, 2:19, 5:11] += 5
    series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
    there = pretended[0]
    taken, volumes = [], []
    move = there.move
    monkeypatch.setattr(there, "move", lambda p: taken.append(p.sinogram.shape[-1]) or move(p))
    monkeypatch.setattr(slabs, "choose_strip_lanes", lambda memory, beam: 8)
    monkeypatch.setattr(FillOptions, "count_passes", lambda _: {"sart": 2, "tvm": 10})
    options = FillOptions(("sart", "tvm"), whole_field=True)
    for n_bytes in (10**9, 1):
        monkeypatch.setattr(there, "measure_free_bytes", lambda n=n_bytes: n)
        taken.clear()
        found = fill(series, options).volumes
        volumes.append({name: volume.data for name, volume in found.items()})
        assert set(taken) == ({22} if n_bytes > 1 else {8})
    for name, whole in volumes[0].items():
        np.testing.assert_allclose(volumes[1][name], whole, atol=1e-5 * np.abs(whole).max())


def test_a_volume_that_fits_the_gpu_stays_there_for_the_methods_that_start_from_it(
    series, pretended, monkeypatch
):
    there, _ = pretended
    sent = []
    put_slices = there.put_slices
    monkeypatch.setattr(there, "put_slices", lambda x: sent.append(x.shape) or put_slices(x))
    names = ("wbp", "sart", "tvm", "gan")
    stayed, _ = filled(series, "auto", names)
    assert not sent
    monkeypatch.setattr(slabs, "choose_strip_lanes", lambda memory, beam: 3)
    monkeypatch.setattr(there, "measure_free_bytes", lambda: 1)
    returned, _ = filled(series, "auto", names)
    assert len(sent) > 2
    for name in names:
        atol = 2e-3 * np.abs(stayed[name]).max()
        np.testing.assert_allclose(returned[name], stayed[name], atol=atol)


def test_a_method_that_outgrows_the_gpu_starts_from_what_lies_there(series, pretended, monkeypatch):
    """Only TVM finds no room: its start, SART, is on the GPU, and comes back."""
    there, _ = pretended
    plain, _ = filled(series, "cpu", ("sart", "tvm"))
    moved = []

    def crowded(problem):
        moved.append(problem)
        if len(moved) == 2:
            raise there.short_of_memory("CUDA out of memory.")
        return move(problem)

    move = there.move
    monkeypatch.setattr(there, "move", crowded)
    found, _ = filled(series, "auto", ("sart", "tvm"))
    for name, data in plain.items():
        np.testing.assert_allclose(found[name], data, atol=1e-4 * np.abs(data).max())


@pytest.mark.parametrize(
    ("height", "reach"), [(512, 0), (512, 1), (325, 1), (90, 9), (3, 1), (65, 0)]
)
@pytest.mark.parametrize("n_bytes", [1, 3 * 10**8, 10**9, 10**11])
def test_slabs_of_a_gpu_keep_every_slice_and_load_four_at_once(height, reach, n_bytes):
    beam = ParallelBeam(np.linspace(-60, 60, 9), 64)
    found = slabs.cut_slabs(METHODS["gan"], beam, height, 10**12, reach, gpu_bytes=n_bytes)
    assert [i for slab in found for i in range(slab.start, slab.stop)] == list(range(height))
    for slab in found:
        assert slab.first <= max(slab.start - reach, 0)
        assert slab.last >= min(slab.stop + reach, height)
        assert (slab.last - slab.first) % 4 == 0 or slab.last - slab.first == height
    if n_bytes == 10**11:
        assert len(found) == 1
    longest = max(slab.stop - slab.start for slab in found)
    assert sum(slab.stop - slab.start for slab in found[:-1]) == longest * (len(found) - 1)


def test_more_memory_of_a_gpu_means_fewer_slabs_up_to_that_of_the_machine():
    beam = ParallelBeam(np.linspace(-60, 60, 61), 256)

    def count(gpu_bytes, max_memory=10**12):
        return len(slabs.cut_slabs(METHODS["tvm"], beam, 512, max_memory, 0, gpu_bytes=gpu_bytes))

    counts = [count(n) for n in (1, 10**9, 3 * 10**9, 10**10)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 8
    assert counts[-1] == 1
    assert count(10**10, slabs.measure_held_bytes() + 10**9) > 1
