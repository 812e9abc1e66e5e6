"""Real schedulers and workers, as processes on the loopback interface."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import napari_wedgefill
from napari_wedgefill import FillOptions, RunOptions, WedgefillError
from napari_wedgefill.batch import cluster
from napari_wedgefill.batch.cluster import count_workers, open_client, share_cores
from napari_wedgefill.batch.job import DONE, FAILED, make_job
from napari_wedgefill.batch.many import fill_many
from napari_wedgefill.cli import main
from napari_wedgefill.io import read_tilt_series

WBP = RunOptions(FillOptions(methods=("wbp",)))
ROOM = str(Path(napari_wedgefill.__file__).parent.parent)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `dask ...` by hand; everything is ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, path: str = ROOM) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        started.append(process)
        return process

    yield run
    for process in reversed(started):
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture
def scheduler_file(tmp_path) -> Path:
    """Where the scheduler says how it is reached."""
    return tmp_path / "scheduler.json"


@pytest.fixture
def scheduler(start, scheduler_file) -> str:
    """Address of a scheduler that was started by hand."""
    process = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(scheduler_file),
    )  # fmt: skip
    for line in process.stderr:
        if found := re.search(r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)", line):
            return found[1]
    raise AssertionError("no scheduler")


def start_worker(start, scheduler: str, tmp_path: Path, **more: str) -> None:
    start(
        "worker", scheduler, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard",
        "--local-directory", str(tmp_path / "scratch"), **more,
    )  # fmt: skip


def test_a_scheduler_and_a_worker_that_were_started_by_hand(
    start, scheduler, scheduler_file, write_series, tmp_path, capsys
):
    """As docs/batch.md does it."""
    path, out = write_series("tiny"), tmp_path / "out"
    start(
        "worker", "--scheduler-file", str(scheduler_file), "--nthreads", "1",
        "--memory-limit", "0", "--host", "127.0.0.1", "--no-dashboard",
        "--local-directory", str(tmp_path / "scratch"),
    )  # fmt: skip
    command = ["batch", str(path), "-o", str(out), "--methods", "wbp", "--scheduler"]
    assert main([*command, str(scheduler_file)]) == 0
    assert "1 done, 0 kept, 0 failed" in capsys.readouterr().err
    assert (out / "tiny" / "tiny_wbp.mrc").exists()
    assert main([*command, scheduler]) == 0
    assert "0 done, 1 kept, 0 failed" in capsys.readouterr().err


def test_workers_of_another_version_are_refused_with_both_versions(
    start, scheduler, write_series, tmp_path, capsys
):
    other = tmp_path / "other" / "napari_wedgefill"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "0.0.9"\n')
    start_worker(start, scheduler, tmp_path, path=str(other.parent))
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    path = write_series("tiny")
    code = main(["batch", str(path), "-o", str(tmp_path / "out"), "--scheduler", scheduler])
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert "0.0.9" in complaint
    assert napari_wedgefill.__version__ in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "ftp://there:1"])
def test_a_scheduler_that_is_not_there(address, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(WedgefillError, match=f"{address}: no Dask scheduler answers"),
        open_client(address),
    ):
        pass


@pytest.mark.parametrize("content", [b"\xff\0", b"[]", b'{"address": 1}', b""])
def test_a_file_that_is_no_scheduler_file(content, tmp_path):
    path = tmp_path / "scheduler.json"
    path.write_bytes(content)
    with pytest.raises(WedgefillError, match="no scheduler file of Dask"), open_client(str(path)):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(WedgefillError, match=r"napari-wedgefill\[cluster\]"), open_client():
        pass


@pytest.mark.slow
def test_a_killed_worker_costs_its_series_only_and_one_that_kills_them_all_is_given_up(
    write_series, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster, "MOST_DEATHS", 1)
    paths = [write_series(f"s{k}") for k in range(3)]
    marker, kill = tmp_path / "was-killed", signal.SIGKILL

    def read_and_die_once(_):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), kill)
        return read_tilt_series(paths[1])

    jobs = [make_job(path, WBP) for path in paths]
    jobs[1] = replace(jobs[1], read=read_and_die_once)
    jobs[2] = replace(jobs[2], read=lambda _: os.kill(os.getpid(), kill))
    with open_client(n_workers=1) as client:
        ended = fill_many(jobs, folder=tmp_path / "out", client=client)
        addresses = list(client.scheduler_info(n_workers=-1)["workers"])
    assert [one.state for one in ended[:2]] == [DONE, DONE]
    assert [one.report["files"]["wbp"] for one in ended[:2]] == ["s0_wbp.mrc", "s1_wbp.mrc"]
    assert ended[2].state == FAILED
    assert "died one after the other" in ended[2].sentence
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)


def test_cores_are_shared_out_without_overlap():
    cores = share_cores(1)[0]
    shares = share_cores(len(cores))
    assert sorted(core for share in shares for core in share) == cores
    assert share_cores(len(cores) + 1) == [cores] * (len(cores) + 1)


def test_one_worker_a_gpu(monkeypatch):
    monkeypatch.setattr(cluster, "list_nvidia_gpus", lambda: ["H100", "H100", "H100"])
    assert count_workers() == 3
    monkeypatch.setattr(cluster, "list_nvidia_gpus", lambda: None)
    monkeypatch.setattr(cluster, "available_cores", lambda: 9)
    assert count_workers() == 2
