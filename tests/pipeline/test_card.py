"""A slab that goes to a card stays there; torch's main memory stands in for one."""

import numpy as np
import pytest
import torch

from napari_wedgefill.joint_model import model as joint_model
from napari_wedgefill.joint_model import onnx_session as session
from napari_wedgefill.pipeline import card, one_method, pipeline
from napari_wedgefill.pipeline.events import FillOptions
from napari_wedgefill.tilt_series import TiltSeries

METHODS = ("wbp", "sart", "sirt", "tvm", "gan")


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    images = rng.normal(0, 0.1, (13, 5, 24))
    images[:, 1:4, 8:15] += 5
    return TiltSeries.from_arrays(images, np.linspace(-60, 60, 13), axis_shift_px=0.4)


@pytest.fixture
def pretended(monkeypatch):
    """A card in main memory, and what ran on it."""
    there = card.Card(torch.device("cpu"))
    ran = []

    def run_shared(opened, name, batch):
        ran.append(opened.get_inputs()[0].shape[1])
        return shared(opened, name, batch)

    shared = session._run_shared
    monkeypatch.setattr(session, "_run_shared", run_shared)
    monkeypatch.setattr(one_method, "card_for", lambda device: None if device == "cpu" else there)
    monkeypatch.setattr(one_method, "CUDA", session.CPU)
    return there, ran


def filled(series, device, methods=METHODS):
    result = pipeline.fill(series, FillOptions(methods=methods, device=device))
    return {name: volume.data for name, volume in result.volumes.items()}, result.report


def test_every_method_answers_on_a_card_as_in_main_memory(series, pretended):
    plain, report = filled(series, "cpu")
    assert set(report["projections"].values()) == {"main memory"}
    assert not pretended[1]
    there, report = filled(series, "auto")
    assert set(report["projections"].values()) == {"CUDA"}
    for method in METHODS:
        scale = np.abs(plain[method]).max()
        np.testing.assert_allclose(there[method], plain[method], atol=2e-3 * scale)


def test_no_stage_of_the_joint_model_leaves_the_card(series, pretended, monkeypatch):
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


def test_a_slab_too_large_for_the_card_is_computed_in_main_memory(series, pretended, monkeypatch):
    there, _ = pretended
    plain, _ = filled(series, "cpu")

    def crowded(array):
        raise there.short_of_memory("CUDA out of memory.")

    monkeypatch.setattr(there, "put", crowded)
    found, _ = filled(series, "auto")
    for method in METHODS:
        np.testing.assert_array_equal(found[method], plain[method])


def test_slices_that_stop_by_themselves_stay_in_main_memory(pretended):
    options = FillOptions(methods=("sart",), stop="discrepancy")
    assert one_method.card_of("sart", None, options) is None
    assert one_method.card_of("sart", None, FillOptions(methods=("sart",))) is pretended[0]


def test_without_a_driver_there_is_no_card(monkeypatch):
    def missing():
        raise OSError("no such library")

    monkeypatch.setattr(card, "load_driver", missing)
    card._first_card.cache_clear()
    try:
        assert card.card_for("auto") is None
        assert card.card_for("cpu") is None
    finally:
        card._first_card.cache_clear()


def test_networks_on_a_processor_keep_the_slab_with_them(monkeypatch):
    """Arrays on a card are of no use to a session that runs in main memory."""
    monkeypatch.setattr(one_method, "card_for", lambda device: "a card")
    model = joint_model.JointModel(pipeline.load("small"), "cpu")
    model.open(32)
    options = FillOptions(methods=("gan",))
    assert one_method.card_of("gan", model, options) is None
    assert one_method.card_of("tvm", model, options) == "a card"
