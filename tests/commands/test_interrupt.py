"""Signals that end a run: each cleans up, and a second one does not disturb the cleaning."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_wedgefill import cli
from napari_wedgefill.addresses import Address, Store
from napari_wedgefill.commands import follow, interrupt
from napari_wedgefill.commands.interrupt import find_exit_status, remember_interrupts
from napari_wedgefill.io import read_tilt_series, writing
from napari_wedgefill.prepare import recipe
from napari_wedgefill.samples import needle_path

SRC = Path(cli.__file__).parent.parent
#: A client that nobody asks for anything but its page.
CLIENT = SimpleNamespace(dashboard_link="")
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs the signals of POSIX")


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_scheduler_s_signal_leaves_nothing_half_written(tmp_path: Path, name: str):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_wedgefill.cli", "fill", str(needle_path())]
    started = subprocess.Popen(
        [*command, "-o", str(out), "--methods", "sart,tvm"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    deadline = time.monotonic() + 120
    while not list(out.glob(".wedgefill-*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(getattr(signal, name))
    time.sleep(0.3)  # of two at once, Python hears the lower number first
    with contextlib.suppress(ProcessLookupError):
        started.send_signal(signal.SIGINT)  # impatient
    _, complaint = started.communicate(timeout=120)
    assert started.returncode == 128 + getattr(signal, name)
    assert "stopped; nothing was left half-written" in complaint
    assert "Traceback" not in complaint
    assert not out.exists() or not list(out.glob(".*"))


def test_a_fill_that_is_stopped_says_what_stays_and_how_to_go_on(
    wedgefill, tiny_path, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    command = ["fill", tiny_path, "-o", out, "--methods", "wbp,sart,sirt", "--slices", "2:4"]

    def stop_at(what: str) -> None:
        def say_and_stop(file, line) -> None:
            if file.what == what:
                raise KeyboardInterrupt

        monkeypatch.setattr(follow, "say_what_was_recorded", say_and_stop)

    stop_at("sart")
    ran = wedgefill(*command)
    assert ran.code == 130
    assert f"Complete in {out}: tiny_wbp.mrc, tiny_sart.mrc; there is no report" in ran.err
    assert "--methods sirt makes the others" in ran.err
    assert sorted(os.listdir(out)) == ["tiny_sart.mrc", "tiny_wbp.mrc"]
    monkeypatch.undo()
    assert wedgefill(*command[:5], "sirt", *command[6:]).code == 0  # what was said is true
    assert wedgefill(*command).code == 1
    stop_at("wbp")
    ran = wedgefill(*command, "--overwrite")
    assert "Complete in" in ran.err
    assert "what else lies there, report.json too, is of the earlier run" in ran.err
    ran = wedgefill(*command[:3], "memory://stopped/out", *command[4:])
    assert "What was sent to memory://stopped/out was removed again." in ran.err
    assert Store(Address("memory://stopped/out")).list_objects() == {}
    monkeypatch.setattr(follow, "follow", stop_now)
    ran = wedgefill(*command[:3], tmp_path / "none")
    assert "No volume was complete. To go on, run the same command again." in ran.err


def stop_now(*arguments: object) -> None:
    raise KeyboardInterrupt


@posix
def test_ctrl_c_in_a_terminal_which_every_process_of_a_batch_hears_prints_no_traceback(
    tmp_path: Path,
):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_wedgefill.cli", "batch", str(needle_path())]
    started = subprocess.Popen(
        [*command, "-o", str(out), "--methods", "sart,tvm", "--workers", "1"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(out.glob(".*.partial/.wedgefill-*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)
    _, complaint = started.communicate(timeout=120)
    assert started.returncode == 130
    assert "Traceback" not in complaint
    assert "0 of 1 series" in complaint
    assert [path.name for path in out.glob(".*")] == []


def test_every_command_that_is_stopped_says_how_to_go_on(
    wedgefill, tiny_path, tmp_path, monkeypatch
):
    out = tmp_path / "out.mrc"
    monkeypatch.setattr(follow, "follow", stop_now)
    for command in ("prepare", "align"):
        ran = wedgefill(command, tiny_path, "-o", out)
        assert ran.code == 130
        assert ran.err.endswith("half-written. To go on, run the same command again.\n")
    ran = wedgefill("self-check", tiny_path)
    assert ran.err.endswith("half-written. To go on, run the same command again.\n")
    monkeypatch.setattr(writing, "write_beside", stop_now)
    ran = wedgefill("convert", tiny_path, out)
    assert ran.err.endswith("half-written. To go on, run the same command again.\n")


def test_files_that_were_complete_when_a_command_was_stopped_are_named(
    wedgefill, tiny_path, tmp_path, monkeypatch
):
    """Without `--overwrite`, the same command would be refused because of them."""
    out = tmp_path / "out.mrc"
    monkeypatch.setattr(recipe, "write_recipe", stop_now)
    ran = wedgefill("prepare", tiny_path, "-o", out, "--no-shifts")
    assert ran.code == 130
    named = f"Complete: {out}, {out.with_suffix('.tlt')}."
    assert f"{named} The same command with --overwrite makes all of its files anew." in ran.err
    monkeypatch.undo()
    assert wedgefill("prepare", tiny_path, "-o", out, "--no-shifts").code == 1
    assert wedgefill("prepare", tiny_path, "-o", out, "--no-shifts", "--overwrite").code == 0


def test_a_batch_and_a_watch_that_are_stopped_say_what_stays(
    wedgefill, tiny_path, tmp_path, monkeypatch
):
    from napari_wedgefill.batch import cluster, many, watch
    from napari_wedgefill.batch.job import DONE, FAILED, Outcome

    def iter_two(jobs, place, client):
        yield Outcome("tiny", tiny_path, DONE)
        yield Outcome("bad", tiny_path, FAILED, "It is broken.")
        stop_now()

    monkeypatch.setattr(cluster, "_start_cluster", lambda n: contextlib.nullcontext(CLIENT))
    monkeypatch.setattr(many, "iter_many", iter_two)
    out = tmp_path / "out"
    ran = wedgefill("batch", tiny_path, "-o", out, "--methods", "wbp")
    assert ran.code == 130
    assert f"Complete in {out}: 1 of 1 series" in ran.err
    assert "The same command goes on" in ran.err

    def iter_grown(folder, growing, read, pace):
        yield watch.Grown(read_tilt_series(tiny_path), {"wbp": growing / "tiny_wbp.mrc"})
        stop_now()

    monkeypatch.setattr(watch, "iter_watch", iter_grown)
    ran = wedgefill("watch", tmp_path, "-o", out)
    assert f"The volumes of 25 tilts stay in {out / 'growing'}. The same command" in ran.err


def test_a_second_request_waits_for_the_cleaning_up():
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append(True)

    with remember_interrupts():
        with pytest.raises(KeyboardInterrupt):
            work()
        assert find_exit_status() == 128 + signal.SIGINT
    assert cleaned


def test_one_who_waited_long_is_heard_again(monkeypatch):
    monkeypatch.setattr(interrupt, "PATIENCE_SECONDS", 0.0)
    with remember_interrupts():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)


@posix
def test_a_signal_that_is_ignored_stays_so():
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with remember_interrupts():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
