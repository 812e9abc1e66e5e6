"""Damage reports, recipes, lists and models in every way, and count how using them ends.

    python -m benchmarks.reliability.mutations --inputs 200000

Bytes of a sound file are changed, cut, doubled or put in, or a value is replaced by one of
another kind. Each input is then used as a command would: it must work or end in a sentence. An
input is rebuilt from the seed and its number: ``--first N --inputs 1``.

Takes the extra ``train``, whose package onnx makes the small networks. Inputs are tried in forked
processes, so that one that crashes or never ends is counted and the rest goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.page import PAGE, read_part, record
from benchmarks.reliability.runs import UNFORESEEN, HangError, write_series
from napari_wedgefill.cli import build_parser
from napari_wedgefill.cli import main as run_command
from napari_wedgefill.errors import write_in_one_line
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.joint_model import registry
from napari_wedgefill.run.report import read_report
from napari_wedgefill.tilt_series import TiltSeries

Damage = Callable[[bytes, np.random.Generator], bytes]

#: Values that a person, a program or an enemy may put in the place of another.
ODD: list[Any] = [
    None, True, -1, 0, 10**30, 1.5, -1e308, "", "x" * 1000, "\x1b[2J", "../../etc/passwd", [], {},
    [[]], {"": {}}, [None] * 3, float("nan"), float("inf"), "/dev/zero", "nul\0",
]  # fmt: skip
#: The same as TOML and as cells of a list.
ODD_TOML = (
    "-1", "0", "1e9", "1e999", "nan", "true", '""', "[]", "{}", '"\\u001b[2J"', "1979-05-27", "x",
)  # fmt: skip
ODD_CELLS = ("-1", "0", "1e999", "nan", "", "\x1b[2J", '"', "/dev/zero", "x" * 300, "1:2:3", "yes")
#: Inputs per process, and seconds of computing after which one has taken too long.
PER_PROCESS, LIMIT_S = 2000, 5
#: Seconds after which one that does not even compute is given up, on a machine that may be busy.
PATIENCE_S = 120


@dataclass(frozen=True)
class Kind:
    """A kind of file that is damaged.

    Attributes
    ----------
    name : str
        What the page calls it.
    share : float
        Of all inputs.
    path : Path
        A sound file.
    damage : callable
        Gives the bytes of a damaged file for those of the sound one.
    use : callable
        Reads the file at `path` and does with it what a command does.
    """

    name: str
    share: float
    path: Path
    damage: Damage
    use: Callable[[], object]


def damage_bytes(sound: bytes, rng: np.random.Generator) -> bytes:
    """Change a file at one to eight places."""
    raw = bytearray(sound)
    for _ in range(int(rng.integers(1, 9))):
        at, n = int(rng.integers(0, max(len(raw), 1))), int(rng.integers(1, 65))
        match int(rng.integers(0, 6)):
            case 0 | 1:
                raw[at : at + 1] = rng.bytes(1)
            case 2:
                raw[at : at + 4] = (b"\xff" * 4, b"\0" * 4, b"\x1b[2J", b"1e99")[rng.integers(4)]
            case 3:
                raw[at:at] = raw[at : at + n]
            case 4:
                del raw[at : at + n]
            case _:
                if rng.random() < 0.2:
                    del raw[at:]
    return bytes(raw)


def damage_json(sound: bytes, rng: np.random.Generator) -> bytes:
    """Damage bytes, or replace values, of a file of JSON."""
    if rng.random() < 0.4:
        return damage_bytes(sound, rng)
    tree = json.loads(sound)
    for _ in range(int(rng.integers(1, 4))):
        tree = replace_value(tree, rng)
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def replace_value(tree: Any, rng: np.random.Generator) -> Any:
    """Replace one value, however deep, by an odd one, or leave it out."""
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        name = list(tree)[int(rng.integers(len(tree)))]
        if rng.random() < 0.1:
            return {key: value for key, value in tree.items() if key != name}
        return tree | {name: replace_value(tree[name], rng)}
    if isinstance(tree, list) and tree and rng.random() < 0.7:
        at = int(rng.integers(len(tree)))
        return [*tree[:at], replace_value(tree[at], rng), *tree[at + 1 :]]
    return ODD[int(rng.integers(len(ODD)))]


def damage_toml(sound: bytes, rng: np.random.Generator) -> bytes:
    """Damage bytes, or the value of a line, of a file of TOML."""
    if rng.random() < 0.4:
        return damage_bytes(sound, rng)
    lines = sound.decode().split("\n")
    at = [k for k, line in enumerate(lines) if "=" in line]
    k = at[int(rng.integers(len(at)))]
    lines[k] = f"{lines[k].partition('=')[0]}= {ODD_TOML[int(rng.integers(len(ODD_TOML)))]}"
    return "\n".join(lines).encode()


def damage_list(sound: bytes, rng: np.random.Generator) -> bytes:
    """Damage bytes, or a cell, of a list."""
    if rng.random() < 0.4:
        return damage_bytes(sound, rng)
    lines = [line.split(",") for line in sound.decode().splitlines()]
    cells = lines[int(rng.integers(len(lines)))]
    cells[int(rng.integers(len(cells)))] = ODD_CELLS[int(rng.integers(len(ODD_CELLS)))]
    return "\n".join(",".join(cells) for cells in lines).encode()


def write_model(folder: Path) -> Path:
    """Write a model of two networks of one operation each."""
    from onnx import TensorProto, helper, numpy_helper, save

    folder.mkdir()
    for stage, n_channels in (("sinogram", 3), ("tomogram", 9)):
        value = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
        graph = helper.make_graph(
            [helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)],
            stage,
            [value("x", shape=["n", n_channels, "height", "width"])],
            [value("y", shape=["a", "b", "c", "d"])],
            [numpy_helper.from_array(np.array([1]), "axes")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        save(model, str(folder / f"{stage}.onnx"))
    hashes = [
        f'{path.stem} = "{hashlib.sha256(path.read_bytes()).hexdigest()}"'
        for path in sorted(folder.glob("*.onnx"))
    ]
    contract = "[contract]\nn_rows = 24\ntvm_steps = 2\nsart_sweeps = 1\nneighbours = 1"
    text = "\n".join(['name = "mean"', 'summary = "means"', "[sha256]", *hashes, contract])
    (folder / "model.toml").write_text(text + "\n", encoding="utf-8")
    return folder


def make_kinds(place: Path) -> list[Kind]:
    """Write a sound file of every kind, with commands, and say how each is used."""
    series = write_series(place / "series.mrc", width=16, n_slices=2)
    model, out, recipe = write_model(place / "model"), place / "out", place / "prepared.json"
    for words in (
        ["fill", series, "-o", out, "--methods", "wbp,gan", "--model", model, "--device", "cpu"],
        ["prepare", series, "-o", recipe.with_suffix(".mrc"), "--leave-out", "3"],
    ):
        if run_command([str(word) for word in words]) != 0:
            raise SystemExit(f"wedgefill {words[0]} has failed")
    listed = place / "list.csv"
    listed.write_text(
        "file,name,axis,bin,methods,slices,device\n"
        "series.mrc,a,y,1,wbp,0:1,cpu\nseries.mrc,b,y,2,sart,,auto\n"
    )
    network, bundled = model / "sinogram.onnx", place / "bundled" / "sinogram.onnx"
    shutil.copytree(registry.load("small").folder, bundled.parent)
    report = out / "report.json"
    repeat = partial(repeat_report, report, read_report(report))
    use = partial(use_recipe, read_tilt_series(series), recipe)
    load = partial(registry.load, model)
    kinds = [
        Kind("report.json", 0.06, report, damage_json, repeat),
        Kind("recipe of prepare", 0.05, recipe, damage_json, use),
        Kind("model.toml", 0.54, model / "model.toml", damage_toml, load),
        Kind("ONNX file, small", 0.33, network, damage_bytes, partial(load_with_hash, network)),
        Kind("ONNX file, bundled", 0.002, bundled, damage_bytes, partial(load_with_hash, bundled)),
        Kind("list for batch", 0.018, listed, damage_list, partial(read_list, listed)),
    ]
    for kind in kinds:
        kind.use()
    return kinds


def parse(*words: str) -> argparse.Namespace:
    """Read a command line of `wedgefill`."""
    args = make_parser().parse_args(words)
    args.command_line = ["wedgefill", *words]
    return args


@cache
def make_parser() -> argparse.ArgumentParser:
    return build_parser()


def repeat_report(path: Path, now: dict[str, Any]) -> None:
    """Do what `fill --from-report` does before and after it computes; `now` is what it reports."""
    from napari_wedgefill.commands.fill import make_run_options
    from napari_wedgefill.commands.from_report import restore_arguments
    from napari_wedgefill.commands.series_arguments import read_series
    from napari_wedgefill.pipeline.session import Session
    from napari_wedgefill.run.repeat import check_series, find_differences
    from napari_wedgefill.run.run import check_run

    args = parse("fill", "-o", str(path.parent / "again"), "--from-report", str(path))
    args, report = restore_arguments(args)
    series = read_series(args)
    check_series(series, report)
    check_run(series, make_run_options(args), Session())
    find_differences(report, now)


def use_recipe(series: TiltSeries, path: Path) -> None:
    """Do what `prepare --recipe` and `prepare --like` do, on a small series."""
    from napari_wedgefill.prepare.preparing import iter_prepare
    from napari_wedgefill.prepare.recipe import read_recipe

    recipe = read_recipe(path)
    for found in {recipe.found, None}:
        for _ in iter_prepare(series, recipe.options, found):
            pass


def load_with_hash(path: Path) -> None:
    """Load a model one of whose networks is damaged, as if its author had damaged it."""
    description = path.parent / "model.toml"
    text = description.read_text("utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"{path.stem} = "))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    description.write_text(text.replace(line, f'{path.stem} = "{sha256}"'), encoding="utf-8")
    registry.load(path.parent)


def read_list(path: Path) -> None:
    """Do what `batch` does with a list before it computes."""
    from napari_wedgefill.commands.series_list import read_jobs

    read_jobs(parse("batch", str(path), "-o", str(path.parent / "filled")), lambda *_: None, print)


def try_input(kind: Kind, sound: bytes, seed: int, number: int) -> str:
    """Damage a file, use it, and say how it ended: "read", "refused" or what happened."""
    kind.path.write_bytes(kind.damage(sound, np.random.default_rng([seed, number])))
    try:
        kind.use()
    except SystemExit as error:
        return f"left the program ({error})"
    except HangError:
        return f"took longer than {LIMIT_S} s"
    except Exception as error:  # what is looked for
        said = write_in_one_line(error)
        return said if said.startswith(UNFORESEEN[0]) else "refused"
    return "read"


def ring(*_: Any) -> None:
    raise HangError


def try_inputs(kind: Kind, seed: int, numbers: range, out: Any) -> None:
    """Try inputs in this process; tell each before it begins, and how it ended."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, ring)
    sound = kind.path.read_bytes()
    for number in numbers:
        out.send((number, None, 0.0))
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        outcome = try_input(kind, sound, seed, number)
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.send((number, outcome, time.process_time() - begun))
    kind.path.write_bytes(sound)


def iter_outcomes(kind: Kind, seed: int, numbers: range) -> Iterator[tuple[int, str, float]]:
    """Yield number, outcome and seconds of each input; after a crash go on behind it."""
    context = multiprocessing.get_context("fork")
    sound, first = kind.path.read_bytes(), numbers.start
    while first < numbers.stop:
        part = range(first, min(first + PER_PROCESS, numbers.stop))
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=try_inputs, args=(kind, seed, part, sender))
        process.start()
        sender.close()
        number = first
        try:
            while receiver.poll(PATIENCE_S):
                number, outcome, seconds = receiver.recv()
                if outcome is not None:
                    yield number, outcome, seconds
                    first = number + 1
            process.kill()
            process.join()
            yield number, "never ended", float(PATIENCE_S)
            first = number + 1
        except EOFError:
            process.join()
            if first < part.stop:
                yield number, f"the process died with {process.exitcode}", 0.0
                first = number + 1
        process.join()
        kind.path.write_bytes(sound)
        print(f"{kind.name}: {first - numbers.start} of {len(numbers)}", flush=True)


def count_mutations(
    n_inputs: int, seed: int, first: int, names: list[str] | None, place: Path
) -> dict[str, Any]:
    """Try inputs of all kinds, or those named, and count how they end."""
    inputs = {}
    for kind in make_kinds(place):
        if names is not None and kind.name not in names:
            continue
        count: dict[str, Any] = {"tried": 0, "read": 0, "refused": 0, "failed": 0, "slowest": 0.0}
        stop = first + max(1, round(kind.share * n_inputs))
        for number, outcome, seconds in iter_outcomes(kind, seed, range(first, stop)):
            count["tried"] += 1
            count[outcome if outcome in count else "failed"] += 1
            count["slowest"] = max(count["slowest"], round(seconds, 3))
            if outcome not in count:
                print(f"{kind.name}, input {number}: {outcome}", flush=True)
        inputs[kind.name] = count
        print(f"{kind.name}: {count}", flush=True)
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale
    return {"seed": seed, "inputs": inputs, "peak_mb": peak // 10**6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", metavar="NAME", help="of the page's table (all)")
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        counted = count_mutations(args.inputs, args.seed, args.first, args.kinds, Path(name))
    if args.kinds is not None:  # beside the kinds that were counted before
        before = read_part("mutations", args.page)
        counted["inputs"] = before.get("inputs", {}) | counted["inputs"]
        counted["peak_mb"] = max(before.get("peak_mb", 0), counted["peak_mb"])
    record("mutations", counted, args.page)


if __name__ == "__main__":
    main()
