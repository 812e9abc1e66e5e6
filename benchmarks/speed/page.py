"""What the speed benchmarks measured: speed.json keeps it by part, speed.md shows it as one page.

Each benchmark puts its part in with `record`; the page is rendered from all parts that are there.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

from benchmarks import MEASURED
from benchmarks.speed.sections import SECTIONS
from napari_wedgefill.projector.threads import available_cores

PAGE = MEASURED / "speed.md"
NOTES = Path(__file__).with_name("notes.md")


def describe_machine() -> dict[str, Any]:
    """Processor and the cores that may be used."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = names[0].partition(":")[2].strip() if names else name
    return {"processor": name, "cores": available_cores()}


def record(part: str, figures: dict[str, Any], page: Path = PAGE) -> None:
    """Keep the figures of one benchmark and render the page again.

    Parameters
    ----------
    part : {"projectors", "convergence", "fill", "box", "networks", "startup", "memory"}
        Which benchmark.
    figures : dict
        Ready for JSON.
    page : Path
        The Markdown file; the JSON file lies beside it.
    """
    data = page.with_suffix(".json")
    parts = json.loads(data.read_text()) if data.is_file() else {}
    parts[part] = {"machine": describe_machine(), **figures}
    data.write_text(json.dumps(parts, indent=1) + "\n")
    page.write_text(render(parts))
    print(SECTIONS[part](parts[part]))


def read_part(part: str, page: Path = PAGE) -> dict[str, Any]:
    """Return the figures that a benchmark put into the page last."""
    figures: dict[str, Any] = json.loads(page.with_suffix(".json").read_text())[part]
    return figures


def render(parts: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    blocks = [
        "# Speed and memory",
        "Printed by `make bench`; `docs/measured/speed.json` holds the figures.",
    ]
    blocks += [SECTIONS[part](parts[part]) for part in SECTIONS if part in parts]
    blocks.append(NOTES.read_text(encoding="utf-8").strip())
    return "\n\n".join(blocks) + "\n"
