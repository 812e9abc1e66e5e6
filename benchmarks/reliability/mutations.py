"""Damage reports and models in every way, and count how reading them ends.

    python -m benchmarks.reliability.mutations --inputs 20000

Bytes of a sound file are changed, cut, doubled or put in, or a value is replaced by one of
another kind. Reading must work or end in a `WedgefillError` of one line. An input is rebuilt from
the seed and its number.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.page import PAGE, record
from benchmarks.reliability.runs import start_fill, write_series
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model import registry
from napari_wedgefill.joint_model.onnx_file import find_external_files, read_signature
from napari_wedgefill.run.report import read_report

#: Values that a person, a program or an enemy may put in the place of another.
ODD: list[Any] = [
    None, True, -1, 0, 10**30, 1.5, -1e308, "", "x" * 1000, "\x1b[2J", "../../etc/passwd", [], {},
    [[]], {"": {}}, [None] * 3, float("nan"), float("inf"),
]  # fmt: skip
SHARES = {"report.json": 0.5, "model.toml": 0.4, "an ONNX file": 0.1}


def damage_bytes(sound: bytes, rng: np.random.Generator) -> bytes:
    """Change a file at one to eight places."""
    raw = bytearray(sound)
    for _ in range(int(rng.integers(1, 9))):
        at, n = int(rng.integers(0, max(len(raw), 1))), int(rng.integers(1, 65))
        match int(rng.integers(0, 5)):
            case 0:
                raw[at : at + 1] = rng.bytes(1)
            case 1:
                raw[at : at + 4] = (b"\xff" * 4, b"\0" * 4, b"\x1b[2J", b"1e99")[rng.integers(4)]
            case 2:
                raw[at:at] = raw[at : at + n]
            case 3:
                del raw[at : at + n]
            case _:
                del raw[at + int(rng.integers(0, len(raw) + 1)) :]
    return bytes(raw)


def replace_value(tree: Any, rng: np.random.Generator) -> Any:
    """Replace one value, however deep, by an odd one, or leave it out."""
    if isinstance(tree, dict) and tree and rng.random() < 0.85:
        name = list(tree)[int(rng.integers(len(tree)))]
        if rng.random() < 0.1:
            return {key: value for key, value in tree.items() if key != name}
        return tree | {name: replace_value(tree[name], rng)}
    if isinstance(tree, list) and tree and rng.random() < 0.7:
        at = int(rng.integers(len(tree)))
        return [*tree[:at], replace_value(tree[at], rng), *tree[at + 1 :]]
    return ODD[int(rng.integers(len(ODD)))]


def damage_report(sound: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged report."""
    if rng.random() < 0.5:
        return damage_bytes(sound, rng)
    tree = json.loads(sound)
    for _ in range(int(rng.integers(1, 4))):
        tree = replace_value(tree, rng)
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def damage_description(sound: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged model.toml: bytes, or the value of a line."""
    if rng.random() < 0.5:
        return damage_bytes(sound, rng)
    lines = sound.decode().split("\n")
    at = [k for k, line in enumerate(lines) if "=" in line]
    k = at[int(rng.integers(len(at)))]
    odd = ("-1", "0", "1e9", "nan", "true", '""', "[]", "{}", '"\\u001b[2J"', "1979-05-27", "x")
    lines[k] = f"{lines[k].partition('=')[0]}= {odd[int(rng.integers(len(odd)))]}"
    return "\n".join(lines).encode()


def try_inputs(
    n_inputs: int,
    seed: int,
    path: Path,
    damage: Callable[[bytes, np.random.Generator], bytes],
    read: Callable[[Path], object],
) -> dict[str, Any]:
    """Damage the file at `path` `n_inputs` times, read each, and count how it ends."""
    sound = path.read_bytes()
    count: dict[str, Any] = {"tried": n_inputs, "read": 0, "refused": 0, "failed": 0, "slowest": 0}
    for number in range(n_inputs):
        path.write_bytes(damage(sound, np.random.default_rng([seed, number])))
        begun = time.monotonic()
        try:
            read(path)
            count["read"] += 1
        except WedgefillError as error:
            count["refused" if "\n" not in str(error) else "failed"] += 1
        except Exception as error:  # what is looked for
            count["failed"] += 1
            print(f"{path.name}, input {number}: {type(error).__name__}: {error}", flush=True)
        count["slowest"] = max(count["slowest"], round(time.monotonic() - begun, 3))
    path.write_bytes(sound)
    return count


def read_network(path: Path) -> None:
    """Read an ONNX file as `registry.load` does, without its hash."""
    find_external_files(path)
    read_signature(path)


def count_mutations(n_inputs: int, seed: int, place: Path) -> dict[str, Any]:
    """Try all inputs in a folder."""
    series = write_series(place / "series.mrc", width=16, n_slices=2)
    process = start_fill(series, place / "out")
    if process.wait() != 0:
        raise SystemExit(process.stderr.read() if process.stderr else "the fill failed")
    model = place / "model"
    shutil.copytree(registry.load("small").folder, model)
    numbers = {name: max(1, int(share * n_inputs)) for name, share in SHARES.items()}
    inputs = {}
    for name, path, damage, read in (
        ("report.json", place / "out" / "report.json", damage_report, read_report),
        ("model.toml", model / "model.toml", damage_description, lambda _: registry.load(model)),
        ("an ONNX file", model / "sinogram.onnx", damage_bytes, read_network),
    ):
        inputs[name] = try_inputs(numbers[name], seed, path, damage, read)
        print(f"{name}: {inputs[name]}", flush=True)
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return {"seed": seed, "inputs": inputs, "peak_mb": peak // 10**6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        record("mutations", count_mutations(args.inputs, args.seed, Path(name)), args.page)


if __name__ == "__main__":
    main()
