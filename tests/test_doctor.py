"""`wedgefill doctor`: facts, and a repair for each thing that is wrong."""

from __future__ import annotations

import json

import pytest

from napari_wedgefill import doctor
from napari_wedgefill.cli import main


def test_both_runtimes_at_once_are_a_problem_with_a_repair():
    repair = doctor.advise_runtime_repair({"onnxruntime": "1.2", "onnxruntime-gpu": "1.3"})
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in repair


def test_no_runtime_is_a_problem():
    assert "pip install onnxruntime" in doctor.advise_runtime_repair({})


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu"])
def test_one_runtime_is_as_it_should_be(name):
    assert doctor.advise_runtime_repair({name: "1.31"}) is None


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch):
    monkeypatch.setitem(doctor.LIBCUDA, doctor.sys.platform, "libthere-is-no-such-driver.so")
    assert doctor.list_nvidia_gpus() is None


def test_a_display_is_an_x_server_or_wayland(monkeypatch):
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not doctor.has_display()
    monkeypatch.setenv("DISPLAY", ":7")
    assert doctor.has_display()


def test_text_says_everything_that_json_says():
    found = doctor.Diagnosis({"Python": {"version": "3.x"}}, ["mend this."], ["try that."])
    text = found.to_text()
    assert "version: 3.x" in text
    assert "Problem: mend this." in text
    assert "Hint: try that." in text
    assert found.to_dict()["problems"] == ["mend this."]


def test_the_command_prints_what_really_runs_here(capsys):
    code = main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (1 if found["problems"] else 0)
    subjects = {"Python", "Processor", "Networks", "Projections", "Models", "Window"}
    assert subjects <= set(found["facts"])
    assert found["facts"]["Processor"]["cores"] >= 1


def test_a_problem_makes_the_status_1(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "diagnose", lambda: doctor.Diagnosis(problems=["mend this."]))
    assert main(["doctor"]) == 1
    assert "mend this." in capsys.readouterr().out


def test_a_gpu_without_working_kernels_is_a_hint_with_its_reason(monkeypatch):
    from napari_wedgefill.projector import triton_support

    monkeypatch.setattr(doctor, "list_nvidia_gpus", lambda: ["a GPU"])
    monkeypatch.setattr(triton_support, "obstacle", lambda: "Triton is not installed")
    found = doctor.Diagnosis()
    doctor._look_at_projections(found)
    assert "Triton is not installed" in found.facts["Projections"]["CUDA tensors"]
    assert "Triton is not installed" in found.hints[0]
    monkeypatch.setattr(triton_support, "obstacle", lambda: None)
    doctor._look_at_projections(found)
    assert found.facts["Projections"]["CUDA tensors"] == "Triton kernels"
    assert len(found.hints) == 1
