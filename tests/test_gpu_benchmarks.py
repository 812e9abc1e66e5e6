"""Every subcommand of `benchmarks.gpu` runs on a processor, and sessions end as they should."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import page, profile, session, training
from benchmarks.gpu.__main__ import main
from napari_wedgefill.atomic import LOCK

ROOT = Path(__file__).parent.parent
#: As on a machine where the package was never installed.
UNINSTALLED = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


@pytest.mark.parametrize("command", ["test", "bench", "fill", "profile", "launches", "host"])
def test_a_measurement_writes_its_results(command, tmp_path):
    assert main([command, "--device", "cpu", "--tiny", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / f"gpu_{command}.json").read_text())
    assert found["tiny"]
    assert found["machine"]["device"] == "cpu"
    assert found["rows"]
    assert all(row.get("passed", True) for row in found["rows"])


def test_what_is_played_from_graphs_has_results_of_its_own(tmp_path):
    words = ["profile", "--graphs", "--device", "cpu", "--tiny", "--out", str(tmp_path)]
    assert main(words) == 0
    found = json.loads((tmp_path / "gpu_profile_graphs.json").read_text())
    launches = {row["what"]: row["launches"] for row in found["rows"]}
    assert launches["TVM, 4 slices"] > launches["SART, 4 slices"] > launches["WBP, 4 slices"] > 0
    assert not (tmp_path / "gpu_profile.json").exists()


def test_no_candidate_for_tiles_is_refused(tmp_path):
    assert main(["tune", "--device", "cpu", "--tiny", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "gpu_tune.json").read_text())["rows"]
    assert {row["what"] for row in rows} == {"forward", "adjoint", "dual step of TVM"}
    assert not [row["skipped"] for row in rows if "skipped" in row]


def test_gaps_are_the_time_in_which_no_kernel_runs():
    ran = [("project", 0.3), ("descend", 0.1), ("project", 0.2)]
    whole, *kernels = profile.summarise("TVM", ran, 0.8)
    assert whole["launches"] == 3
    assert whole["gaps"] == pytest.approx(0.25)
    assert [row["operation"] for row in kernels] == ["project", "descend"]
    assert kernels[0]["launches"] == 2
    assert kernels[0]["share"] == pytest.approx(5 / 6)
    assert profile.summarise("TVM", ran, 0.5)[0]["gaps"] == 0  # they may run side by side


def test_a_session_measures_in_order_until_its_time_is_up(monkeypatch, tmp_path, capfd):
    ran = []

    def run(command, timeout, check):
        ran.append(command[3 : command.index("--out")])
        if len(ran) == 2:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(session.subprocess, "run", run)
    words = ["session", "--device", "cpu", "--tiny", "--out", str(tmp_path), "--minutes"]
    assert main([*words, "60"]) == 1
    assert ran == [list(step) for step in session.STEPS]
    assert "profile: cut off" in capfd.readouterr().out
    ran.clear()
    assert main([*words, "60", "--steps", "bench"]) == 0
    assert ran == [["bench"]]
    assert main([*words, "0"]) == 1
    assert len(ran) == 1
    assert "fill --graphs: no time is left" in capfd.readouterr().out


def test_each_model_has_a_table_of_its_fills():
    found = json.loads((ROOT / "docs" / "measured" / "gpu_fill.json").read_text())
    twice = found["rows"] + [row | {"model": "large"} for row in found["rows"]]
    one, both = page.tabulate_fills(found), page.tabulate_fills(found | {"rows": twice})
    table = one[one.index("| method") :]
    assert both == f"{one}\n\nModel large:\n\n{table}"


def test_a_machine_without_a_gpu_is_told_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as left:
        main(["test", "--out", str(tmp_path)])
    assert left.value.code == 2
    assert "torch finds no CUDA device here" in capsys.readouterr().err


@pytest.mark.slow
def test_training_makes_every_stage_and_is_done_the_second_time(tmp_path, capfd):
    words = ["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    words += ["--device", "cpu", "--tiny"]
    command = [sys.executable, "-m", "benchmarks.gpu", *words]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env=UNINSTALLED
    )
    assert ran.returncode == 0, ran.stderr
    for stage in ("sinogram", "tomogram", "refinement"):
        assert (tmp_path / "run" / f"{stage}.pt").is_file()
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    assert len(before) == 4 * 3
    assert main(words) == 0
    assert "refinement is trained already" in capfd.readouterr().out
    assert {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")} == before


def test_a_session_ends_after_a_checkpoint_and_asks_to_go_on(monkeypatch, tmp_path):
    """The loop saves every half second; a session of two must not be cut between two saves."""
    script = (
        "import pathlib, time\n"
        "for k in range(100):\n"
        f"    time.sleep(0.5); pathlib.Path({str(tmp_path / 'sinogram.ckpt')!r}).write_text(str(k))"
    )
    started = []

    def fake(module, arguments, core=None):
        started.append(subprocess.Popen([sys.executable, "-c", script]))
        return started[0]

    monkeypatch.setattr(training, "_python", fake)
    deadline = time.monotonic() + 3.2
    status = training._train("sinogram", [], tmp_path, deadline)
    assert status == training.UNFINISHED
    assert (tmp_path / "sinogram.ckpt").exists()
    assert started[0].poll() is not None
    assert time.monotonic() < deadline + 2


def test_simulating_processes_share_no_seed_and_end_with_the_block(monkeypatch, tmp_path):
    seeds, started = [], []

    def fake(module, arguments, core=None):
        assert module == "napari_wedgefill.training.simulate"
        seeds.append(int(arguments[arguments.index("--first-seed") + 1]))
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[-1]

    monkeypatch.setattr(training, "_python", fake)
    left = tmp_path / ".wedgefill-of-a-killed-process.part"
    left.mkdir()
    (left / LOCK).touch()
    with training.simulating(tmp_path, 3, time.monotonic() + 60):
        assert all(process.poll() is None for process in started)
    assert len(set(seeds)) == 3
    assert min(b - a for a, b in itertools.pairwise(seeds)) >= training.SEEDS_EACH
    assert all(len(str(seed + training.SEEDS_EACH - 1)) == 6 for seed in seeds)
    assert all(process.poll() is not None for process in started)
    assert not left.exists()
