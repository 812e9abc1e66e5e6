"""`wedgefill doctor`: facts, and a repair for each thing that is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from napari_wedgefill import doctor, gpu_state
from napari_wedgefill.cli import main
from napari_wedgefill.gpu_state import INSTALL, GpuState, advise_gpu

ROOT = Path(__file__).parent.parent


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


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("0.9.1", True), ("0.6.4.dev3", True), ("0.9.2", False), ("0.10.0rc1", False)],
)
def test_a_napari_that_is_too_old_for_the_window_is_a_problem(version, is_old, monkeypatch):
    monkeypatch.setattr(doctor, "list_installed", lambda names: {names[0]: version})
    found = doctor.Diagnosis()
    doctor._look_at_window(found)
    told = [problem for problem in found.problems if "older than" in problem]
    assert bool(told) == is_old
    assert all("pip install --upgrade" in problem for problem in told)


def test_the_lowest_napari_is_that_of_the_extra():
    assert f'"napari[pyqt6]>={doctor.LOWEST_NAPARI}"' in (ROOT / "pyproject.toml").read_text()


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
    subjects = {"Python", "Processor", "Memory", "Compiled kernels", "Networks", "Projections"}
    subjects |= {"Models", "Window"}
    assert subjects <= set(found["facts"])
    assert found["facts"]["Processor"]["cores"] >= 1


def test_a_problem_makes_the_status_1(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "diagnose", lambda: doctor.Diagnosis(problems=["mend this."]))
    assert main(["doctor"]) == 1
    assert "mend this." in capsys.readouterr().out


def test_a_gpu_without_working_kernels_is_a_hint_with_its_reason(monkeypatch):
    pytest.importorskip("torch")
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


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (GpuState(None, (13, 0)), ["built without CUDA", "pip uninstall -y onnxruntime"]),
        (GpuState(13, (13, 1)), []),
        (
            GpuState(13, (12, 4)),
            ["runs CUDA 12.4 at most", "built for CUDA 13", "nvidia.com/drivers", "==1.22.*"],
        ),
        (GpuState(13, (11, 4)), ["runs CUDA 11.4 at most"]),
        (
            GpuState(13, (13, 0), ("libcudart.so.13", "libcublas.so.13")),
            ["CUDA 13 is missing (libcudart.so.13, libcublas.so.13)", INSTALL],
        ),
        (
            GpuState(13, (13, 0), ("libcudart.so.13",), (12,)),
            ["CUDA 12 is installed, but this ONNX Runtime was built for CUDA 13", INSTALL],
        ),
        (
            GpuState(13, (13, 0), ("libcudnn.so.9",)),
            ["cuDNN 9 is missing (libcudnn.so.9)", INSTALL],
        ),
        (
            GpuState(13, (13, 0), ("libcudart.so.13",), (), (("CUDA_PATH", 12),)),
            ["CUDA 13 is missing", "CUDA_PATH points to CUDA 12"],
        ),
        (GpuState(13, (13, 0), (), (), (("CUDA_PATH", 12),)), []),
    ],
)
def test_every_reason_against_a_gpu_has_its_command(state, words):
    advice = " | ".join(advise_gpu(state))
    assert bool(advice) == bool(words)
    for word in words:
        assert word in advice


def test_an_old_driver_is_no_reason_to_take_a_runtime_that_it_cannot_run_either():
    assert "1.22" not in " ".join(advise_gpu(GpuState(13, (11, 4))))


def test_the_gpu_is_looked_at_library_by_library(monkeypatch, tmp_path):
    there = {"libcudart.so.12", "libcudnn.so.9"}
    monkeypatch.setattr(gpu_state.sys, "platform", "linux")
    monkeypatch.setattr(gpu_state, "can_load", lambda name: name in there)
    monkeypatch.setattr(gpu_state, "find_driver_version", lambda: (12, 8))
    monkeypatch.setenv("CUDA_PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", "/usr/local/cuda-11.8")
    (tmp_path / "version.json").write_text('{"cuda": {"name": "CUDA SDK", "version": "12.6.3"}}')
    missing = ("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13")
    variables = (("CUDA_PATH", 12), ("CUDA_HOME", 11))
    assert gpu_state.look_at_gpu("13.0") == GpuState(13, (12, 8), missing, (12,), variables)
    assert gpu_state.look_at_gpu(None).needed is None


def test_a_driver_says_which_cuda_it_runs(monkeypatch):
    class Driver:
        @staticmethod
        def cuDriverGetVersion(pointer):
            pointer._obj.value = 12080
            return 0

    monkeypatch.setattr(gpu_state.sys, "platform", "linux")
    monkeypatch.setattr(gpu_state.ctypes, "CDLL", lambda name: Driver)
    assert gpu_state.find_driver_version() == (12, 8)


def test_a_gpu_that_the_networks_cannot_use_is_a_hint_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor, "list_nvidia_gpus", lambda: ["a GPU"])
    monkeypatch.setattr(doctor, "look_at_gpu", lambda _: GpuState(13, (13, 0), ("libcudnn.so.9",)))
    found = doctor.Diagnosis()
    doctor._look_at_runtime(found)
    assert any("cuDNN 9 is missing" in hint and INSTALL in hint for hint in found.hints)


def test_a_runtime_that_cannot_be_imported_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = doctor.Diagnosis()
    doctor._look_at_runtime(found)
    assert any("cannot be imported" in problem for problem in found.problems)


def test_little_memory_is_a_hint(monkeypatch):
    monkeypatch.setattr(doctor, "measure_free_bytes", lambda: 700 * 10**6)
    found = doctor.Diagnosis()
    doctor._look_at_memory(found)
    assert "only 700MB of memory are free" in found.hints[0]
    assert "--bin 2" in found.hints[0]


@pytest.mark.parametrize("chosen", [True, False])
def test_caches_that_cannot_be_written_are_a_hint(monkeypatch, tmp_path, chosen):
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    if chosen:
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none" / "such"))
    found = doctor.Diagnosis()
    doctor._look_at_caches(found)
    (hint,) = found.hints
    assert ("(NUMBA_CACHE_DIR), which cannot be written to" in hint) == chosen
    assert "NUMBA_CACHE_DIR=FOLDER" in hint


def test_a_window_without_opengl_is_a_problem_with_its_command(monkeypatch):
    monkeypatch.setattr(doctor, "list_installed", lambda names: dict.fromkeys(names, "1"))
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor, "can_load", lambda name: name != "libEGL.so.1")
    found = doctor.Diagnosis()
    doctor._look_at_window(found)
    assert "libEGL.so.1 is missing" in found.problems[0]
    assert "apt-get install libgl1 libegl1" in found.problems[0]
    monkeypatch.setattr(doctor, "can_load", lambda name: True)
    assert doctor.find_missing_opengl() is None
