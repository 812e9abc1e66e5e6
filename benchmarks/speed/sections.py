"""The sections of docs/measured/speed.md, each from the figures of one benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

CLOCKS = {"wall": "Wall time.", "cpu": "Processor time, because other work shared the cores."}


def count_in_words(n: int) -> str:
    """Say "one core" or "2 cores"."""
    return "one core" if n == 1 else f"{n} cores"


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _render_memory(figures: dict[str, Any]) -> str:
    rows = [
        [
            case["methods"],
            str(case["slices"]),
            case["allowed"],
            f"{case['peak_anonymous_mb']:.0f}",
            f"{case['peak_resident_mb']:.0f}",
            f"{case['seconds']:.0f}",
            f"{case['written_mb_per_s']:.0f}",
        ]
        for case in figures["cases"]
    ]
    head = [
        "methods", "slices", "allowed", "own peak (MB)", "peak with file pages (MB)",
        "seconds", "written (MB/s)",
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## Memory",
            f"`benchmarks/speed/memory.py` on {count_in_words(figures['machine']['cores'])}: "
            f"{figures['what']}",
            format_table(head, rows),
        ]
    )


def _render_startup(figures: dict[str, Any]) -> str:
    rows = []
    for row in figures["rows"]:
        aim = "" if row["aim"] is None else f"{row['aim']:g}"
        rows.append([row["what"], f"{row['seconds']:.3f}", aim])
    return "\n\n".join(
        [
            "## Start-up",
            f"`benchmarks/speed/startup.py` on {count_in_words(figures['machine']['cores'])}: the "
            f"shortest time of several fresh processes. {CLOCKS[figures['clock']]}",
            format_table(["what", "seconds", "aim"], rows),
        ]
    )


def _render_projectors(figures: dict[str, Any]) -> str:
    cores, sweeps = figures["machine"]["cores"], figures["sweeps"]
    rows = []
    for r in figures["rows"]:
        rows.append(
            [
                r["operation"],
                f"{r['ours_ms']:.3f}",
                f"{r['astra_ms']:.2f}" if "ratio" in r else "",
                f"{r['ratio']:.0f}" if "ratio" in r else "",
                f"{r['giga_updates']:.1f}",
                f"{100 * r['share_of_limit']:.0f} %",
                f"{r['ours_db']:.2f}" if "ours_db" in r else "",
                f"{r['astra_db']:.2f}" if "astra_db" in r else "",
            ]
        )
    head = [
        "operation", "ours (ms)", "ASTRA (ms)", "ratio", "ours (giga-updates/s)", "of limit",
        "ours (dB)", "ASTRA (dB)",
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## Projectors and solvers beside ASTRA",
            f"`benchmarks/speed/projectors.py` on {count_in_words(cores)} of an "
            f"{figures['machine']['processor']}: slices of {figures['width']} x "
            f"{figures['width']} from {figures['n_tilts']} tilts over +-60 degrees, ASTRA "
            f"{figures['astra']} (CPU, linear projector, which always uses one core) in the same "
            "run. Milliseconds per slice; "
            + ", ".join(f"{name} with {n}" for name, n in sweeps.items())
            + f" passes. {CLOCKS[figures['clock']]} PSNR is against the simulated object.",
            f"The limit is {figures['limit_giga_updates_a_core']:.0f} giga-updates per second and "
            "core: the speed of the kernels' inner step when all its operands are in the "
            "first-level cache and no index has to be computed.",
            format_table(head, rows),
            _compare_at_same_accuracy(figures),
            *_render_bounds(figures),
        ]
    )


def _render_bounds(figures: dict[str, Any]) -> list[str]:
    """Compare a pass of each solver with what it cannot do without."""
    if "bounds" not in figures:
        return []
    measured = {r["operation"]: r["ours_ms"] for r in figures["rows"]}
    rows = [
        [
            r["solver"],
            f"{measured[r['solver']] / figures['sweeps'][r['solver']]:.2f}",
            f"{r['arithmetic_ms']:.2f}",
            f"{r['moved_mb']:.1f}",
            f"{r['tile_mb']:.0f}",
            f"{r['giga_bytes']:.0f}",
            f"{r['memory_ms']:.2f}",
        ]
        for r in figures["bounds"]
    ]
    head = [
        "one pass of", "measured (ms)", "arithmetic (ms)", "moved (MB)", "tile size (MB)",
        "at (GB/s)", "memory (ms)",
    ]  # fmt: skip
    return [
        "What bounds one pass, per slice and on one core: its arithmetic at the limit above, and "
        "the arrays that it must read and write. Memory counts at the rate at which this core can "
        "update an array as large as a tile of slices.",
        format_table(head, rows),
    ]


def _compare_at_same_accuracy(figures: dict[str, Any]) -> str:
    """Say what SART's ratio is when ours may take as many passes as its accuracy needs."""
    passes = figures["sweeps"]["SART"]
    sart = next(r for r in figures["rows"] if r["operation"] == "SART")
    said = (
        "Our SART takes four tilts per step where ASTRA's takes one. This is what lets it run from "
        "the cache and in vectors, but each pass converges a little less. "
    )
    if "passes_to_match" not in sart:
        return said + "It did not reach ASTRA's PSNR in the passes that were tried."
    needed = sart["passes_to_match"]
    ratio = sart["ratio"] * passes / needed
    return said + (
        f"With a relaxation of {figures['relaxation_to_match']:g} it needs {needed} passes to "
        f"reach the PSNR of ASTRA's {passes}: at the same accuracy the ratio is {ratio:.0f}."
    )


def _tell_box(boxed: dict[str, Any] | None) -> str:
    if boxed is None or boxed["box"] is None:
        return ""
    box = boxed["box"]
    depth, width = (box[axis][1] - box[axis][0] for axis in ("z", "x"))
    return (
        f" In the box of the specimen, {depth} x {width} pixels a slice, which a fill finds by "
        f"default, all four take {boxed['wall_s']:.0f} s."
    )


def _render_fill(figures: dict[str, Any]) -> str:
    cores, n = count_in_words(figures["machine"]["cores"]), figures["slices"]
    rows = [
        [
            row["what"],
            f"{row['wall_s']:.1f}",
            f"{row['cpu_s']:.1f}",
            f"{1e3 * row['wall_s'] / n:.0f}",
        ]
        for row in figures["rows"]
    ]
    aim = f" The aim on two cores is {figures['aim_s']:.0f} s." if figures["aim_s"] else ""
    largest = sorted(figures["share_of_stage"].items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in largest if share >= 0.005)
    return "\n\n".join(
        [
            "## A whole fill",
            f"`benchmarks/speed/fill.py` on {cores} of an {figures['machine']['processor']}: {n} "
            f"slices of {figures['width']} x {figures['width']} from {figures['n_tilts']} tilts, "
            f"all four methods with the small model over the whole field, from file to file.{aim} "
            "`tvm` starts from the finished SART, and `gan` from both.",
            format_table(
                ["method", "seconds", "processor seconds", "milliseconds per slice"], rows
            ),
            f"Share of each stage: {shares}."
            + "".join(
                f" With the {tier} model `gan` takes {seconds:.0f} s."
                for tier, seconds in figures.get("gan_s_of", {}).items()
            )
            + _tell_box(figures.get("boxed")),
        ]
    )


def _render_networks(figures: dict[str, Any]) -> str:
    cores, ways = count_in_words(figures["machine"]["cores"]), ("shared", "side by side")
    rows = [
        [row["network"], f"{row['giga']:.1f}"]
        + [f"{row[f'now, {way}']:.1f}" for way in ways]
        + [f"{100 * row['of_peak']:.0f} %"]
        for row in figures["rows"]
    ]
    head = ["network", "giga-multiply-adds", *(f"{way} (ms)" for way in ways), "of matrix rate"]
    return "\n\n".join(
        [
            "## The networks",
            f"`benchmarks/speed/networks.py` on {cores} of an {figures['machine']['processor']}: "
            f"milliseconds per slice of {figures['width']} x {figures['width']}, once with all "
            "cores sharing each slice, and once with one slice per core, as in a fill. The last "
            "column compares the second way with this machine's matrix product, which does "
            f"{figures['matrix_giga']:.0f} giga-multiply-adds per second. Wall time.",
            format_table(head, rows),
        ]
    )


def _render_convergence(figures: dict[str, Any]) -> str:
    cases = figures["cases"]
    steps = list(dict.fromkeys(case["steps"] for case in cases))
    left = {(c["dose"], c["rates"], c["steps"]): f"{c['left']:.3f}" for c in cases}
    kinds = dict.fromkeys((case["dose"], case["rates"]) for case in cases)
    rows = [[*kind, *(left[(*kind, n)] for n in steps)] for kind in kinds]
    return "\n\n".join(
        [
            "## Convergence of TVM",
            f"`benchmarks/speed/convergence.py`: {figures['what']}. The distance of TVM "
            "from its minimum, as a fraction of the distance from SART to that minimum, after the "
            "given number of steps at a fixed weight: with the dual steps in use, and with those "
            "of diagonal preconditioning.",
            format_table(["dose (e/px)", "dual steps", *map(str, steps)], rows),
        ]
    )


def _render_box(figures: dict[str, Any]) -> str:
    times = []
    for row in figures["times"]:
        share = "" if row["share"] is None else f"{100 * row['share']:.0f} %"
        box = "whole field" if row["box"] is None else " x ".join(str(n) for n in row["box"])
        field = f"{row['width']} x {row['width']}"
        whole, boxed = row["whole_cpu_s"], row["box_cpu_s"]
        times.append(
            [
                *(row["what"], field, share, box, f"{whole:.1f}", f"{boxed:.1f}"),
                *(f"{boxed / whole:.2f}", f"{row['find_cpu_s']:.2f}"),
            ]
        )
    quality = []
    for row in figures["quality"]:
        electrons = "noise-free" if row["electrons"] is None else f"{row['electrons']:g}"
        box = "whole field" if row["box"] is None else " x ".join(str(n) for n in row["box"])
        gains = [
            f"{row['whole_db'][m]:.2f} ({row['box_db'][m] - row['whole_db'][m]:+.2f})"
            if row["box"]
            else ""
            for m in ("sart", "tvm", "gan")
        ]
        turned = f"{row['mirrored_db'] - row['whole_db']['gan']:+.2f}" if row["box"] else ""
        quality.append([row["what"], ", ".join(row["families"]), electrons, box, *gains, turned])
    found = [row for row in figures["quality"] if row["box"]]
    mean = ", ".join(
        f"{m.upper()} {sum(r['box_db'][m] - r['whole_db'][m] for r in found) / len(found):+.2f} dB"
        for m in ("sart", "tvm", "gan")
        if found
    )
    return "\n\n".join(
        [
            "## The box of the specimen",
            f"`benchmarks/speed/box.py` on {count_in_words(figures['machine']['cores'])}: `gan` by "
            "itself, with SART and TVM that it makes first, on the whole field and on the box of "
            f"the specimen in turn; {figures['slices']} slices of each rod. The box is found once "
            "for a series, however many slices are filled: the last column is not in the ratio. "
            f"{CLOCKS['cpu']}",
            format_table(
                [
                    *("what", "field", "specimen", "box", "whole (s)", "box (s)", "ratio"),
                    "box found in (s)",
                ],
                times,
            ),
            "Objects of held-back families, small in a field of "
            f"{figures['width']} x {figures['width']} pixels, 41 tilts up to 60 degrees: PSNR on "
            f"the whole field, and in brackets how the box changes it. Mean change: {mean}. The "
            "last column shows how far GAN depends on chance: what changes on the whole field if "
            "the same images are filled in mirror image.",
            format_table(
                [
                    *("what", "family", "electrons", "box"),
                    *("SART (dB)", "TVM (dB)", "GAN (dB)", "GAN mirrored (dB)"),
                ],
                quality,
            ),
        ]
    )


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "projectors": _render_projectors,
    "convergence": _render_convergence,
    "fill": _render_fill,
    "box": _render_box,
    "networks": _render_networks,
    "startup": _render_startup,
    "memory": _render_memory,
}
