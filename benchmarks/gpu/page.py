"""Put what `benchmarks.gpu` found into the page on CUDA.

    python -m benchmarks.gpu.page docs/measured/gpu_test.json

The page, docs/cuda.md, has a pair of marks for each of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import DOCS, MEASURED

#: Launches as they were counted before there were fewer, and at which commit.
EARLIER_LAUNCHES, EARLIER_COMMIT = MEASURED / "gpu_launches_before.json", "bda6da8"
#: What the rest of a fill took before it ran beside the GPU's work, and at which commit.
EARLIER_HOST, EARLIER_HOST_COMMIT = MEASURED / "gpu_host_before.json", "dd9a158"


def _describe_origin(command: str, found: dict[str, Any]) -> str:
    """Say which command measured, when and where."""
    machine = found["machine"]
    return (
        f"Printed by `benchmarks/gpu/page.py` from `python -m benchmarks.gpu {command}` of "
        f"{machine['when'][:10]}: one {machine['gpu']}, CUDA {machine['cuda']}, torch "
        f"{machine['torch']}"
    )


def tabulate_checks(found: dict[str, Any]) -> str:
    """Markdown: for each kind of check how often it was made and the worst that it found."""
    measured = [row for row in found["rows"] if "error" in row]
    solvers = [row for row in measured if row["check"] == "beside CPU"]
    kinds = dict.fromkeys(row["check"] for row in measured if row not in solvers)
    groups = {kind: [row for row in measured if row["check"] == kind] for kind in kinds}
    groups |= {f"{row['case']} beside CPU": [row] for row in solvers}
    lines = [
        f"{_describe_origin('test', found)}. "
        f"{sum(row['passed'] for row in found['rows'])} of {len(found['rows'])} checks passed.",
        "",
        "| check | geometries | largest relative error | bound |",
        "|---|---|---|---|",
    ]
    for kind, rows in groups.items():
        worst, bound = max(row["error"] for row in rows), max(row["tolerance"] for row in rows)
        lines.append(f"| {kind} | {len(rows)} | {worst:.1e} | {bound:.0e} |")
    return "\n".join(lines)


def tabulate_rates(found: dict[str, Any]) -> str:
    """Markdown: each operation's time and rate, beside plain torch on the same GPU."""
    peers = [
        peer
        for peer in ("plain torch", "ASTRA CUDA")
        if any(f"times faster than {peer}" in row for row in found["rows"])
    ]
    lines = [
        f"{_describe_origin('bench', found)}.",
        "",
        "| operation | tilts | slices | seconds | giga-updates/s "
        + "".join(f"| times {peer} " for peer in peers)
        + "|",
        "|---|---|---|---|---|" + "---|" * len(peers),
    ]
    for row in found["rows"]:
        if row.get("by") == "ours":
            size = f"{row['slices']} of {row['width']} x {row['width']}"
            figures = f"{row['seconds']:.4f} | {row['giga_updates']:.0f}"
            ratios = [row.get(f"times faster than {peer}") for peer in peers]
            cells = [row["what"], str(row["tilts"]), size, figures]
            cells += ["" if ratio is None else f"{ratio:.1f}" for ratio in ratios]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def tabulate_fills(found: dict[str, Any]) -> str:
    """Markdown: each method of whole fills, beside the processor's volume, and its time."""
    machine, rows = found["machine"], found["rows"]
    fills = [row for row in rows if row["what"] == "fill"]
    origin = f"{_describe_origin('fill', found)}, onnxruntime-gpu {machine['onnxruntime']}, model"
    tables = []
    for model in dict.fromkeys(row["model"] for row in fills):
        own = [row for row in rows if row["model"] == model]
        head = f"{origin} {model}. {found.get('remark', '')}" if not tables else f"Model {model}:"
        tables.append(f"{head.rstrip()}\n\n{_tabulate_model(own)}")
    return "\n\n".join(tables)


def _tabulate_model(rows: list[dict[str, Any]]) -> str:
    fills = [row for row in rows if row["what"] == "fill"]
    sizes = [
        f"{row['slices']} of {row['width']} x {row['width']}, {row['which']} (s)" for row in fills
    ]
    lines = [
        f"| method | error | bound | {' | '.join(sizes)} |",
        "|---|---|---|" + "---|" * len(fills),
    ]
    for method in fills[0]["seconds"]:
        lines.append(f"| {method} | {_beside(method, rows)} | {_seconds(method, fills)} |")
    stages = sorted(fills[-1]["share_of_stage"].items(), key=lambda item: -item[1])[:4]
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in stages)
    return "\n".join([*lines, "", f"Of the last fill's time: {shares}."])


def _beside(method: str, rows: list[dict[str, Any]]) -> str:
    for row in rows:
        if row["what"] == f"{method} beside the processor":
            return f"{row['error']:.1e} | {row['tolerance']:.0e}"
    return " | "


def _seconds(method: str, fills: list[dict[str, Any]]) -> str:
    return " | ".join(f"{row['seconds'][method]:.2f}" for row in fills)


def tabulate_launches(found: dict[str, Any]) -> str:
    """Markdown: what a step of each solver launches, now and before."""
    earlier = json.loads(EARLIER_LAUNCHES.read_text(encoding="utf-8"))
    before = {row["what"]: row for row in earlier["rows"]}
    lines = [
        "Printed by `benchmarks/gpu/page.py` from `python -m benchmarks.gpu launches` of "
        f"{found['machine']['when'][:10]}, beside the same count at commit "
        f"{EARLIER_COMMIT}; no GPU was involved.",
        "",
        "| solver | launches of a pass | before | of a step | before |",
        "|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        cells = []
        for key in ("launches", "each"):
            for one in (row, before[row["what"]]):
                n = one["launches"]
                cells.append(f"{n / one['steps']:.1f}" if key == "each" else str(n))
        lines.append(f"| {row['what']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tabulate_host(found: dict[str, Any]) -> str:
    """Markdown: what a fill takes beside the GPU's work, now and before."""
    earlier = json.loads(EARLIER_HOST.read_text(encoding="utf-8"))
    size, machine = found["rows"][0], found["machine"]
    lines = [
        "Printed by `benchmarks/gpu/page.py` from `python -m benchmarks.gpu host` of "
        f"{machine['when'][:10]} on {machine['cores']} cores, beside the same at commit "
        f"{EARLIER_HOST_COMMIT}, for {size['slices']} slices of {size['width']} x "
        f"{size['width']}; no GPU was involved.",
        "",
        "| run | beside the methods (s) | before (s) |",
        "|---|---|---|",
    ]
    for row, before in zip(found["rows"], earlier["rows"], strict=True):
        lines.append(f"| {row['which']} | {row['beside_s']:.1f} | {before['beside_s']:.1f} |")
    return "\n".join(lines)


#: What goes between a page's marks, by the name of the results.
TABLES = {
    "gpu_test": tabulate_checks,
    "gpu_bench": tabulate_rates,
    "gpu_fill": tabulate_fills,
    "gpu_launches": tabulate_launches,
    "gpu_host": tabulate_host,
}


def main(arguments: list[str] | None = None) -> None:
    """Replace what stands between the marks of the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("results", type=Path, help="JSON that the measurement wrote")
    parser.add_argument("--out", type=Path, default=DOCS / "cuda.md")
    given = parser.parse_args(arguments)
    page = given.out.read_text(encoding="utf-8")
    name = given.results.stem
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    found = json.loads(given.results.read_text(encoding="utf-8"))
    text = f"{before}{begin}\n{TABLES[name](found)}\n{end}{after}"
    given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
