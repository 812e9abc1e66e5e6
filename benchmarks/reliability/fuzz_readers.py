"""Read damaged files of every format, and count how it ends.

    python -m benchmarks.reliability.fuzz_readers --inputs 200000

Each input is a small sound file of `reader_seeds` in which a few bytes were changed, cut off,
doubled or put in, or the list of angles beside one. Describing and reading it must work or end in a
`WedgefillError` of one line, within the time limit and with less than the allowed memory. An input
is rebuilt from the seed and its number: ``--first N --inputs 1 --keep DIR`` writes it.

Takes the extra ``formats``. Inputs are read one after another in a forked process with a limit on
its memory; after a crash, and now and then, another takes over. Ctrl-C prints what was counted
until then. ``TMPDIR=/dev/shm`` makes it quicker.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.page import PAGE, record
from benchmarks.reliability.reader_seeds import WRITERS, Seed, kinds, write_seeds
from benchmarks.reliability.runs import HangError
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, open_stacks, read_tilt_series
from napari_wedgefill.io.formats import choose_stacks, has_angles, is_image_file
from napari_wedgefill.io.sidecars import COMPRESSED
from napari_wedgefill.io.tilt_reader import decide, make_series
from napari_wedgefill.io.volume_reader import make_volume, stack_kind

#: Inputs that one process reads before another takes over.
INPUTS_A_PROCESS = 5000
#: Seconds of the processor that one input may take; a process that says nothing for longer than
#: `SILENCE_S` hangs outside Python.
LIMIT_S, SILENCE_S = 5.0, 600.0
LIMIT_BYTES = 1 << 30
HEAVY = (
    "dask.array",
    "h5py",
    "rsciio.digitalmicrograph",
    "rsciio.hspy",
    "tifffile",
    "zarr",
    "scipy",
)
EVIL = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0")
#: Each so many inputs one is described, in place of opened.
DESCRIBED_EACH = 4
#: Formats that we decode ourselves come up more often than those that libraries decode.
OFTEN = ("MRC", "list of angles", "mdoc", "aln, xf, FEI log", "NumPy", "MATLAB", "TIFF")
#: Which seed each input in turn is made from.
TURNS = [i for i, (kind, _, _) in enumerate(WRITERS) for _ in range(4 if kind in OFTEN else 1)]
#: Put in the place of a number in a text.
EVIL_TEXT = (
    b"nan", b"-inf", b"1e400", b"1e-400", b"--5", b"9" * 60, b"", b"\xff", b"\0", b"\n[T = x]\n",
    b"-60,5", b"0x10", b"[ZValue = 99999999999]", b"\xef\xbb\xbf", b"[FrameSet = 0]",
)  # fmt: skip
#: Headers end about here.
HEAD_BYTES = 1100


@dataclass
class Count:
    """How the inputs of one format ended."""

    read: int = 0
    refused: int = 0
    failed: int = 0
    slowest_s: float = 0.0


@dataclass
class Tally:
    """How all inputs ended."""

    counts: dict[str, Count] = field(default_factory=lambda: {kind: Count() for kind in kinds()})
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def n_inputs(self) -> int:
        """How many were counted."""
        return sum(one.read + one.refused + one.failed for one in self.counts.values())

    def add(self, number: int, outcome: str, seconds: float) -> None:
        """Count one input."""
        kind, name, _ = WRITERS[TURNS[number % len(TURNS)]]
        count = self.counts[kind]
        count.slowest_s = max(count.slowest_s, round(seconds, 3))
        if outcome in ("read", "refused"):
            setattr(count, outcome, getattr(count, outcome) + 1)
            return
        count.failed += 1
        self.failures.append({"input": number, "file": f"{kind}, {name}", "outcome": outcome})
        print(f"input {number} ({kind}, {name}): {outcome}", flush=True)


def damage(sound: bytes, rng: np.random.Generator, *, is_text: bool) -> bytes:
    """Change a file at a few places, most often near its beginning, where headers are."""
    raw = bytearray(sound)
    for _ in range(int(rng.choice((1, 1, 1, 2, 3, 5, 8)))):
        reach = len(raw) if rng.random() < 0.4 else min(len(raw), HEAD_BYTES)
        at = int(rng.integers(0, max(reach, 1)))
        n = int(rng.integers(1, 65))
        match int(rng.integers(0, 6 + is_text)):
            case 0 | 1:
                raw[at : at + 1] = rng.bytes(1)
            case 2:
                raw[at : at + 4] = EVIL[int(rng.integers(0, len(EVIL)))]
            case 3 if at < len(raw):
                raw[at] ^= 1 << int(rng.integers(8))
            case 4:
                raw[at:at] = raw[at : at + n]
            case 5:
                del raw[at : at + n]
            case _:
                end = next((i for i in range(at, len(raw)) if raw[i] in b" \n;,="), len(raw))
                raw[at:end] = EVIL_TEXT[int(rng.integers(0, len(EVIL_TEXT)))]
        if rng.random() < 0.03:
            del raw[at:]
    return bytes(raw)


def build(number: int, seeds: list[Seed], seed: int) -> tuple[Seed, Path, bytes]:
    """Return what an input is made from, the file that it replaces, and its bytes."""
    rng = np.random.default_rng([seed, number])
    chosen = seeds[TURNS[number % len(TURNS)]]
    target = chosen.damaged[int(rng.integers(0, len(chosen.damaged)))]
    sound = target.read_bytes()
    is_text = b"\0" not in sound and target.suffix not in COMPRESSED
    return chosen, target, damage(sound, rng, is_text=is_text)


def read_as_users_do(path: Path, *, describes: bool) -> str:
    """Open a file as the window does, or describe it as ``info`` does; say how it ended."""
    try:
        describe(path) if describes else _open(path)
    except WedgefillError as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error}"
    except HangError:
        return f"took more than {LIMIT_S:g} s"
    except BaseException as error:  # what is looked for
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = "?" if frame is None else Path(frame.tb_frame.f_code.co_filename).name
        line = 0 if frame is None else frame.tb_lineno
        return f"{type(error).__name__} at {place}:{line}: {str(error)[:100]}"
    return "read"


def _open(path: Path) -> None:
    if path.is_dir() and not is_image_file(path):
        read_tilt_series(path)
        return
    for stack in choose_stacks(open_stacks(path)):
        if has_angles(stack):
            make_series(stack, decide(stack)).sinograms(0, 1)
        elif stack_kind(stack) == "volume":
            float(make_volume(stack).data.sum())
        else:
            float(np.asarray(stack.pixels).sum())


def _ring(*_: Any) -> None:
    raise HangError


def read_inputs(numbers: range, seed: int, place: Path, out: Connection) -> None:
    """Read inputs in this process; tell each outcome through `out`."""
    tempfile.tempdir = str(place / "temporary")
    Path(tempfile.tempdir).mkdir()
    seeds = write_seeds(place / "seeds")
    for one in seeds:  # whatever is imported or kept is there before the memory is limited
        describe(one.opened)
        _open(one.opened)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space_bytes() + LIMIT_BYTES, hard))
    signal.signal(signal.SIGPROF, _ring)
    out.send(None)
    for number in numbers:
        chosen, target, raw = build(number, seeds, seed)
        sound = target.read_bytes()
        target.write_bytes(raw)
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        outcome = read_as_users_do(chosen.opened, describes=number % DESCRIBED_EACH == 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - began
        target.unlink()  # a new file, for the old one may still be mapped
        target.write_bytes(sound)
        out.send((outcome, seconds))


def _address_space_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


@dataclass
class Reading:
    """A process at work on a range of inputs, and how far it has come."""

    process: Any
    receiver: Connection
    numbers: range
    number: int
    place: Path
    is_ready: bool = False
    last_told: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, numbers: range, seed: int, place: Path) -> Reading:
        """Fork a process that reads some inputs."""
        context = multiprocessing.get_context("fork")
        place.mkdir()
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=read_inputs, args=(numbers, seed, place, sender))
        process.start()
        sender.close()
        return cls(process, receiver, numbers, numbers.start, place)

    def follow(self, tally: Tally) -> bool:
        """Take up what the process tells; whether it goes on."""
        try:
            while self.receiver.poll():
                message = self.receiver.recv()
                self.last_told = time.monotonic()
                if message is None:
                    self.is_ready = True
                    continue
                tally.add(self.number, *message)
                self.number += 1
        except EOFError:
            self._end(tally, "the process died")
            return False
        if time.monotonic() - self.last_told > SILENCE_S:
            self._end(tally, "hung outside Python")
            return False
        return True

    def _end(self, tally: Tally, how: str) -> None:
        self.process.kill()
        self.process.join()
        if self.number < self.numbers.stop:
            if not self.is_ready:
                raise SystemExit(f"{how} before its first input")
            tally.add(self.number, how, 0.0)
            self.number += 1
        shutil.rmtree(self.place, ignore_errors=True)


def read_all(numbers: range, seed: int, n_processes: int) -> dict[str, Any]:
    """Read all inputs, piece by piece; after a crash another process begins behind its input."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for module in HEAVY:  # once, before the first fork; zarr's thread must not start before it
        import_module(module)
    tally, began = Tally(), time.monotonic()
    starts = range(numbers.start, numbers.stop, INPUTS_A_PROCESS)
    waiting = [range(start, min(start + INPUTS_A_PROCESS, numbers.stop)) for start in starts]
    readings: list[Reading] = []
    with tempfile.TemporaryDirectory() as name:
        try:
            while waiting or readings:
                while waiting and len(readings) < n_processes:
                    ahead = waiting.pop(0)
                    readings.append(Reading.start(ahead, seed, Path(name) / f"from_{ahead.start}"))
                wait([reading.receiver for reading in readings], timeout=SILENCE_S)
                for reading in list(readings):
                    if reading.follow(tally):
                        continue
                    readings.remove(reading)
                    if reading.number < reading.numbers.stop:
                        waiting.insert(0, range(reading.number, reading.numbers.stop))
                    rate = tally.n_inputs / (time.monotonic() - began)
                    print(
                        f"{tally.n_inputs:,} of {len(numbers):,}, {len(tally.failures)} failures, "
                        f"{rate:.0f} a second",
                        flush=True,
                    )
        except KeyboardInterrupt:  # what was counted counts
            for reading in readings:
                reading.process.kill()
                reading.process.join()
    held = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "seed": seed,
        "first": numbers.start,
        "seconds_each": LIMIT_S,
        "limit_mb": LIMIT_BYTES // 10**6,
        "largest_mb": held // 10**6,
        "counts": {kind: vars(count) for kind, count in tally.counts.items()},
        "failures": tally.failures,
        "kinds_of_failure": Counter(one["outcome"] for one in tally.failures),
    }


def keep(numbers: range, seed: int, folder: Path) -> None:
    """Write inputs into a folder of their own each, in place of reading them."""
    for number in numbers:
        place = folder / f"input_{number}"
        chosen, target, raw = build(number, write_seeds(place), seed)
        target.write_bytes(raw)
        for other in place.iterdir():
            if not chosen.opened.is_relative_to(other):
                shutil.rmtree(other)
        print(f"{target} (open {chosen.opened})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--keep", type=Path, help="write the inputs into this folder; read none")
    args = parser.parse_args()
    numbers = range(args.first, args.first + args.inputs)
    if args.keep is not None:
        keep(numbers, args.seed, args.keep)
        return
    record("readers", read_all(numbers, args.seed, args.processes), args.page)


if __name__ == "__main__":
    main()
