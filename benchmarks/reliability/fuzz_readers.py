"""Read damaged files of every format, and count how it ends.

    python benchmarks/reliability/fuzz_readers.py --inputs 200000 --out runs/fuzz.json

Each input is a small sound file of which a few bytes were changed, cut off, doubled or put in from
a list of evil numbers. Reading it must either work or end in a `WedgefillError`, within the time
limit and with less than the allowed memory. The seed and the number of an input rebuild it:
``--first N --inputs 1 --keep DIR`` writes it to a file.

Takes the extra ``formats``. Each batch runs in a process of its own with a limit on its memory, so
that a reader that crashes or swells is counted and the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20191
BATCH = 250
LIMIT_S = 20
LIMIT_BYTES = 1 << 30
N, H, W = 5, 6, 8
ANGLES = np.linspace(-60.0, 60.0, N)
EVIL = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0")


def sound_files(folder: Path) -> dict[str, Path]:
    """Write a sound file of each format; the angles of stacks that hold none lie beside them."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import h5py
    from scipy.io import savemat

    from napari_wedgefill.io import write_tilt_series, write_volume
    from napari_wedgefill.tilt_series import TiltSeries
    from napari_wedgefill.volume import Volume
    from tests.io.dm3 import write_dm3

    images = np.random.default_rng(SEED).random((N, H, W), dtype=np.float32)
    series = TiltSeries.from_arrays(images, ANGLES, pixel_nm=0.5)
    files = {}
    for suffix in (".mrc", ".tif", ".emd"):
        files[suffix] = write_tilt_series(folder / f"written{suffix}", series)
    files[".rec"] = write_volume(folder / "volume.rec", Volume(images, (0.5, 0.5, 0.5)))
    axes = [(0.0, 1.0, "nm"), (0.0, 1.0, "nm"), (2.0, 30.0, "deg")]
    files[".dm3"] = write_dm3(folder / "a.dm3", images, calibrations=axes)
    files[".npy"] = folder / "plain.npy"
    np.save(files[".npy"], images)
    np.savetxt(folder / "plain.tlt", ANGLES)
    np.savez_compressed(folder / "a.npz", images=images, angles=ANGLES)
    savemat(folder / "a.mat", {"stack": images.T, "angles": ANGLES}, do_compression=True)
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("exchange/data", data=images, chunks=(1, H, W), compression="gzip")
        file["exchange/theta"] = ANGLES
    for suffix in (".npz", ".mat", ".h5"):
        files[suffix] = folder / f"a{suffix}"
    files[".hspy"] = _hspy(folder / "a.hspy", images)
    for suffix, text in _texts().items():
        stem = folder / f"beside{suffix.replace('.', '_')}"
        stem.with_suffix(".npy").write_bytes(files[".npy"].read_bytes())
        files[suffix] = stem.with_suffix(suffix)
        files[suffix].write_text(text)
    return files


def _hspy(path: Path, images: np.ndarray) -> Path:
    from rsciio.hspy import file_writer

    names = (("Projections", "degrees", 30.0, -60.0), ("y", "nm", 1.0, 0.0), ("x", "nm", 1.0, 0.0))
    axes = [
        {
            "name": name,
            "units": unit,
            "scale": scale,
            "offset": offset,
            "size": n,
            "navigate": not i,
        }
        for i, ((name, unit, scale, offset), n) in enumerate(zip(names, images.shape, strict=True))
    ]
    signal = {
        "data": images,
        "axes": axes,
        "metadata": {"General": {"title": "a"}, "Signal": {"signal_type": ""}},
        "original_metadata": {},
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
        "learning_results": {},
        "attributes": {"_lazy": False},
        "models": {},
        "tmp_parameters": {},
        "original_shape": images.shape,
    }
    file_writer(str(path), signal, show_progressbar=False)
    return path


def _texts() -> dict[str, str]:
    mdoc = ["PixelSpacing = 5", "[T = SerialEM: Tilt axis angle = 85.3, binning = 1]"]
    for z, angle in enumerate(ANGLES):
        mdoc += [f"[ZValue = {z}]", f"TiltAngle = {angle:.3f}", "RotationAngle = 175.3", ""]
    lines = "\n".join(f"{angle:.3f}" for angle in ANGLES) + "\n"
    return {".tlt": lines, ".rawtlt": lines, ".csv": "angle\n" + lines, ".mdoc": "\n".join(mdoc)}


def damaged(sound: bytes, rng: np.random.Generator) -> bytes:
    """Change a file at one to eight places, most often near its beginning, where headers are."""
    raw = bytearray(sound)
    for _ in range(int(rng.integers(1, 9))):
        reach = len(raw) if rng.random() < 0.4 else min(len(raw), 1100)
        at = int(rng.integers(0, max(reach, 1)))
        match int(rng.integers(0, 6)):
            case 0 | 1:
                raw[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 2:
                raw[at : at + 4] = EVIL[int(rng.integers(0, len(EVIL)))]
            case 3:
                raw[at : at + 1] = bytes(
                    [(raw[at] if at < len(raw) else 0) ^ (1 << rng.integers(8))]
                )
            case 4:
                n = int(rng.integers(1, 65))
                raw[at:at] = raw[at : at + n]
            case _:
                del raw[at : at + int(rng.integers(1, 65))]
        if rng.random() < 0.03:
            del raw[at:]
    return bytes(raw)


def read_one(path: Path) -> str:
    """Read a file as the command line and the window do; say how it ended."""
    from napari_wedgefill.errors import WedgefillError
    from napari_wedgefill.io import describe, kind_of, read_tilt_series, read_volume

    try:
        describe(path)
        if kind_of(path) == "volume":
            read_volume(path)
        else:
            read_tilt_series(path).sinograms(0, 1)
    except WedgefillError as error:
        return "refused" if "\n" not in str(error) else "refused in several lines"
    except TimeoutError:
        return "hang"
    except MemoryError:
        return "memory"
    except Exception as error:  # what is looked for
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = (
            ""
            if where is None
            else f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}"
        )
        return f"{type(error).__name__} at {line}: {str(error)[:100]}"
    return "read"


def _ring(*_: Any) -> None:
    raise TimeoutError


def build(number: int, files: dict[str, Path], seed: int) -> tuple[str, Path, bytes]:
    """Return the format of an input, the sound file that it stands in for, and its bytes."""
    rng = np.random.default_rng([seed, number])
    suffix = list(files)[number % len(files)]
    return suffix, files[suffix], damaged(files[suffix].read_bytes(), rng)


def run_batch(start: int, stop: int, seed: int, out: Any) -> None:
    """Read the inputs ``start:stop`` in this process; tell each outcome through `out`."""
    import warnings

    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _ring)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = sound_files(folder)
        for path in files.values():  # load every package before the memory is limited
            read_one(path.with_suffix(".npy") if path.suffix in _texts() else path)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        held = _held_bytes()
        resource.setrlimit(resource.RLIMIT_DATA, (held + LIMIT_BYTES, hard))
        for number in range(start, stop):
            out.send((number, "begun", ""))
            suffix, target, raw = build(number, files, seed)
            sound = target.read_bytes()
            target.write_bytes(raw)
            signal.alarm(LIMIT_S)
            outcome = read_one(target.with_suffix(".npy") if suffix in _texts() else target)
            signal.alarm(0)
            target.unlink()
            target.write_bytes(sound)
            out.send((number, outcome, suffix))
    out.send(None)


def _held_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def run(first: int, n_inputs: int, seed: int) -> dict[str, Any]:
    """Read all inputs, batch by batch; after a crash the next batch begins behind its input."""
    counts: dict[str, Counter[str]] = {}
    failures: list[dict[str, Any]] = []
    started, number, last = time.monotonic(), first, first + n_inputs
    context = multiprocessing.get_context("spawn")
    peak = 0
    while number < last:
        stop = min(number + BATCH, last)
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=run_batch, args=(number, stop, seed, sender))
        process.start()
        sender.close()
        begun = number
        try:
            while (message := receiver.recv()) is not None:
                at, outcome, suffix = message
                begun = at
                if outcome == "begun":
                    continue
                number = at + 1
                kind = outcome if outcome in ("read", "refused") else "failed"
                counts.setdefault(suffix, Counter())[kind] += 1
                if kind == "failed":
                    failures.append({"input": at, "format": suffix, "outcome": outcome})
        except EOFError:
            failures.append({"input": begun, "format": "?", "outcome": "the process died"})
            number = begun + 1
        process.join()
        peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        done = number - first
        print(f"{done} of {n_inputs}, {len(failures)} failures, {time.monotonic() - started:.0f} s",
              flush=True)  # fmt: skip
    return {
        "seed": seed,
        "first": first,
        "inputs": n_inputs,
        "limit_seconds_each": LIMIT_S,
        "limit_bytes": LIMIT_BYTES,
        "peak_resident_bytes": peak,
        "counts": {suffix: dict(count) for suffix, count in sorted(counts.items())},
        "failures": failures,
        "python": platform.python_version(),
    }


def page(result: dict[str, Any]) -> str:
    """Print the results as the page that the docs show."""
    lines = [
        "# Reliability of the readers",
        "",
        "Printed by `python benchmarks/reliability/fuzz_readers.py`. Each input is a small sound",
        "file of which a few bytes were changed, or the list of angles beside one. Reading it must",
        f"work or be refused in one sentence, within {result['limit_seconds_each']} s and with no",
        f"more than {result['limit_bytes'] >> 20} MiB beyond what the libraries take.",
        "",
        f"{result['inputs']:,} inputs, seed {result['seed']}, from number {result['first']};",
        f"{len(result['failures'])} failed; largest memory of a process "
        f"{result['peak_resident_bytes'] / 2**20:.0f} MiB.",
        "",
        "| format | inputs | read | refused in a sentence | failed |",
        "|---|---:|---:|---:|---:|",
    ]
    for suffix, count in result["counts"].items():
        cells = [count.get(kind, 0) for kind in ("read", "refused", "failed")]
        lines.append(f"| `{suffix}` | {sum(cells)} | " + " | ".join(map(str, cells)) + " |")
    for failure in result["failures"]:
        lines += ["", f"- input {failure['input']} ({failure['format']}): {failure['outcome']}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="JSON of the results")
    parser.add_argument("--page", type=Path, help="Markdown page of the results")
    parser.add_argument("--keep", type=Path, help="write the inputs into this folder; read none")
    args = parser.parse_args()
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        files = sound_files(args.keep)
        for number in range(args.first, args.first + args.inputs):
            suffix, _, raw = build(number, files, args.seed)
            (args.keep / f"input_{number}{suffix}").write_bytes(raw)
        return
    result = run(args.first, args.inputs, args.seed)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = page(result)
    if args.page is not None:
        args.page.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
