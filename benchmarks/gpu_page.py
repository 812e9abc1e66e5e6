"""Put what `gpu.py test` found on a card into the page on CUDA.

python benchmarks/gpu_page.py docs/gpu_test.json --out docs/cuda.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

#: The table goes between these lines of a page.
BEGIN, END = "<!-- begin gpu_test -->", "<!-- end gpu_test -->"


def table(found: dict[str, Any]) -> str:
    """Markdown: for each kind of check how often it was made and the worst that it found."""
    machine = found["machine"]
    measured = [row for row in found["rows"] if "error" in row]
    solvers = [row for row in measured if row["check"] == "beside CPU"]
    kinds = dict.fromkeys(row["check"] for row in measured if row not in solvers)
    groups = {kind: [row for row in measured if row["check"] == kind] for kind in kinds}
    groups |= {f"{row['case']} beside CPU": [row] for row in solvers}
    lines = [
        f"Printed by `benchmarks/gpu_page.py` from `gpu.py test` of {machine['when'][:10]}: one "
        f"{machine['gpu']}, CUDA {machine['cuda']}, torch {machine['torch']}. "
        f"{sum(row['passed'] for row in found['rows'])} of {len(found['rows'])} checks passed.",
        "",
        "| check | geometries | largest relative error | bound |",
        "|---|---|---|---|",
    ]
    for kind, rows in groups.items():
        worst, bound = max(row["error"] for row in rows), max(row["tolerance"] for row in rows)
        lines.append(f"| {kind} | {len(rows)} | {worst:.1e} | {bound:.0e} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Replace what stands between the marks of the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    page = given.out.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    found = json.loads(given.results.read_text(encoding="utf-8"))
    given.out.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
