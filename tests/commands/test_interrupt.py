"""Signals that end a run: each cleans up, and a second one does not disturb the cleaning."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_wedgefill import cli
from napari_wedgefill.commands import interrupt
from napari_wedgefill.commands.interrupt import find_exit_status, remember_interrupts
from napari_wedgefill.samples import needle_path

SRC = Path(cli.__file__).parent.parent
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
