"""What a fill is asked for, and what it says while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ..errors import WedgefillError
from ..volume import Volume

#: What a plain fill computes.
METHODS = ("wbp", "sart", "tvm", "gan")
#: Sweeps of each algebraic method, and steps of TVM.
SWEEPS, TVM_STEPS = {"sart": 10, "sirt": 50}, 600
PREVIEW_SWEEPS, PREVIEW_TVM_STEPS = {"sart": 5, "sirt": 20}, 150
STOPS = ("sweeps", "discrepancy")
#: How many times the usual sweeps a method gets at most that stops where it reaches the noise.
CAP = 3
#: Rough cost of a slab, for the progress bar alone.
COST = {"wbp": 1.0, "sart": 4.0, "sirt": 14.0, "tvm": 25.0, "gan": 165.0}


@dataclass(frozen=True)
class FillOptions:
    """What to compute, and where.

    Attributes
    ----------
    methods : tuple of str
        Any of "wbp", "sart", "sirt", "tvm", "gan", in the order wanted.
    model : str
        Name of a bundled model, or a folder.
    device : {"auto", "cpu", "cuda"}
        Where the networks run, and everything else too, where torch reaches the card and the
        projector's kernels work there.
    slices : tuple of int, optional
        Start and stop along the tilt axis; all by default.
    preview : bool
        Fewer sweeps: for a look, not for measuring.
    stop : {"sweeps", "discrepancy"}
        When SART and SIRT end: after their usual number of sweeps, or, slice by slice, once what
        is left unexplained is no more than the noise, after three times that number at most.
    max_memory : int, optional
        Bytes that the process may hold in memory; by default, half of what is free.
    """

    methods: tuple[str, ...] = METHODS
    model: str = "small"
    device: str = "auto"
    slices: tuple[int, int] | None = None
    preview: bool = False
    stop: str = "sweeps"
    max_memory: int | None = None

    def sweeps(self, method: str) -> int:
        """Sweeps of "sart" or "sirt", the most that it gets."""
        usual = (PREVIEW_SWEEPS if self.preview else SWEEPS)[method]
        return CAP * usual if self.stop == "discrepancy" else usual

    @property
    def tvm_steps(self) -> int:
        """Steps of TVM, each of a few tilts."""
        return PREVIEW_TVM_STEPS if self.preview else TVM_STEPS


@dataclass(frozen=True)
class Progress:
    """How far the whole job is.

    Attributes
    ----------
    stage : str
        What is being done, for people.
    fraction : float
        0 to 1 over the whole job.
    seconds_left : float or None
        None until there is something to judge by.
    """

    stage: str
    fraction: float
    seconds_left: float | None


@dataclass(frozen=True, eq=False)
class Finished:
    """One method's volume, and the seconds it took."""

    method: str
    volume: Volume
    seconds: float


@dataclass(frozen=True, eq=False)
class Done:
    """The last item: what ran and with which numbers, ready for JSON."""

    report: dict[str, Any]


@dataclass(frozen=True, eq=False)
class FillResult:
    """Volumes by method, and the report."""

    volumes: dict[str, Volume]
    report: dict[str, Any]


Event = Progress | Finished | Done


def check_methods(methods: tuple[str, ...]) -> None:
    """Raise `WedgefillError` for a method that does not exist, or for none at all."""
    unknown = [method for method in methods if method not in COST]
    if unknown:
        raise WedgefillError(f"There is no method {unknown[0]!r}; choose from {', '.join(COST)}.")
    if not methods:
        raise WedgefillError(f"No method was chosen; choose from {', '.join(COST)}.")


def check_stop(stop: str) -> None:
    """Raise `WedgefillError` for a stopping rule that does not exist."""
    if stop not in STOPS:
        raise WedgefillError(f"There is no stopping rule {stop!r}; choose {' or '.join(STOPS)}.")


class Clock:
    """Turns the fraction of a method into the fraction of the job and the time left."""

    def __init__(self, methods: tuple[str, ...]) -> None:
        self._start = time.monotonic()
        self._total = sum(COST[method] for method in methods)
        self._finished = 0.0
        self._methods = list(methods)

    def progress(self, stage: str, fraction_of_method: float) -> Progress:
        """Say how far the job is, from how far the method at work is."""
        now = COST[self._methods[0]] if self._methods else 0.0
        fraction = min(1.0, (self._finished + now * fraction_of_method) / self._total)
        elapsed = time.monotonic() - self._start
        left = elapsed * (1.0 - fraction) / fraction if elapsed > 1.0 and fraction > 0.02 else None
        return Progress(stage, fraction, left)

    def finish(self, method: str) -> None:
        """Count a method as done."""
        self._finished += COST[method]
        self._methods.remove(method)
