"""A small fill in a process of its own, undisturbed or not, and what it left in its folder."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("wbp", "sart", "tvm", "gan")
#: What is in the words of a run that ended in anything but a sentence.
UNFORESEEN = ("unexpected", "Traceback")


class HangError(BaseException):
    """An input took too long; no ``except Exception`` of a library swallows it."""


@dataclass(frozen=True)
class Undisturbed:
    """A fill that nothing disturbed: what others are compared with.

    Attributes
    ----------
    series : Path
        What was filled.
    seconds : float
        From when its folder was there to its end.
    sha256 : dict of str to str
        Of every volume, by the name of its file.
    n_bytes : int
        Of one volume's file.
    """

    series: Path
    seconds: float
    sha256: dict[str, str]
    n_bytes: int


def write_series(path: Path, width: int = 32, n_slices: int = 8) -> Path:
    """Write a tilt series of an ellipsoid."""
    angles = np.arange(-60.0, 61.0, 4.0)
    z, x, y = (np.mgrid[:width, :width, :n_slices] - (width - 1) / 2).astype(np.float32)
    density = ((z / 9) ** 2 + (x / 12) ** 2 + (y / 40) ** 2 < 1).astype(np.float32)
    images = ParallelBeam(angles, width)(density).transpose(0, 2, 1)
    return write_tilt_series(path, TiltSeries.from_arrays(images, angles, pixel_nm=1.0))


def set_environment() -> dict[str, str]:
    """Environment in which `python -m` runs this checkout's code."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def start_fill(series: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """Start `wedgefill fill` with this checkout's code, and wait until its folder is there."""
    command = [sys.executable, "-m", "napari_wedgefill.cli", "fill", str(series), "-o", str(out)]
    process = subprocess.Popen(
        [*command, "--methods", ",".join(METHODS), "--device", "cpu", *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=set_environment(),
        # A shell has what it starts in the background ignore Ctrl-C, and that is handed down.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    while not out.exists() and process.poll() is None:
        time.sleep(0.01)
    return process


def fill_undisturbed(series: Path, out: Path, *more: str) -> Undisturbed:
    """Fill a series to its end."""
    process = start_fill(series, out, *more)
    begun = time.monotonic()
    _, said = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"the fill that nothing disturbed has failed: {said}")
    found = hash_volumes(out)
    return Undisturbed(
        series, time.monotonic() - begun, found, (out / next(iter(found))).stat().st_size
    )


def hash_volumes(folder: Path) -> dict[str, str]:
    """SHA-256 of every volume under its final name; none where the folder was not made."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("[!.]*.mrc"))
    }


def list_hidden(folder: Path) -> list[str]:
    """Names of what no run should leave."""
    return [path.name for path in folder.glob(".*")]
