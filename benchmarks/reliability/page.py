"""What the reliability scripts counted: reliability.json keeps it by part, reliability.md shows it.

Each script puts its part in with `record`; the page is rendered from all parts that are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import MEASURED

PAGE = MEASURED / "reliability.md"


def record(part: str, figures: dict[str, Any], page: Path = PAGE) -> None:
    """Keep the counts of one script, ready for JSON, and render the page again."""
    data = page.with_suffix(".json")
    parts = _read(page)
    parts[part] = figures
    data.write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    page.write_text(render(parts), encoding="utf-8")
    print(SECTIONS[part](figures))


def read_part(part: str, page: Path = PAGE) -> dict[str, Any]:
    """Return the counts of one script that were kept; empty if there are none."""
    return _read(page).get(part, {})


def _read(page: Path) -> dict[str, Any]:
    data = page.with_suffix(".json")
    return json.loads(data.read_text("utf-8")) if data.is_file() else {}


def render(parts: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    blocks = [
        "# Reliability",
        "Printed by the modules of `benchmarks/reliability`; `docs/measured/reliability.json` "
        "holds the counts. [Reliability](../reliability.md) says what is promised.",
    ]
    blocks += [SECTIONS[part](parts[part]) for part in SECTIONS if part in parts]
    return "\n\n".join(blocks) + "\n"


def show_kills(found: dict[str, Any]) -> str:
    """Runs that were killed."""
    lines = [
        "## Killed runs",
        "",
        f"`python -m benchmarks.reliability.kills`, seed {found['seed']}: a fill with four methods "
        "ended at a random moment. Every file under its final name is compared with that of an "
        "undisturbed run, to the byte.",
        "",
        "| signal | runs | files under a final name | of them incomplete | left behind | left "
        "after the next run | ended in anything but a sentence |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    names = ("runs", "files", "incomplete", "left", "left_after", "unexpected")
    lines += [
        f"| {signal} | " + " | ".join(str(count[name]) for name in names) + " |"
        for signal, count in found["signals"].items()
    ]
    return "\n".join(lines)


def show_disks(found: dict[str, Any]) -> str:
    """Disks that filled up."""
    lines = [
        "## Full disks",
        "",
        f"`python -m benchmarks.reliability.disks`, seed {found['seed']}: a fill with four methods "
        "and a picture onto a disk that has no room left: in the middle of a volume, from the "
        "start, or once the volumes are complete. Files under their final name are compared with "
        "those of an undisturbed run.",
        "",
        "| full | runs | refused before anything was computed | stopped in a sentence | volumes "
        "and report, and told that the picture is missing | complete | anything else | incomplete "
        "files | left behind |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    names = ("runs", "refused", "stopped", "incomplete_asked", "complete", "unexpected")
    lines += [
        f"| {disk} | " + " | ".join(str(count[n]) for n in (*names, "incomplete", "left")) + " |"
        for disk, count in found["disks"].items()
    ]
    return "\n".join(lines)


def show_mutations(found: dict[str, Any]) -> str:
    """Damaged reports and models."""
    lines = [
        "## Damaged reports, recipes, lists and models",
        "",
        f"`python -m benchmarks.reliability.mutations`, seed {found['seed']}: bytes changed, cut, "
        "doubled or put in, or values replaced by others. Each file is then used as a command "
        "would use it, up to where a fill begins; that must work or end in one sentence.",
        "",
        "| input | tried | used | refused in a sentence | anything else | slowest, CPU seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, count in found["inputs"].items():
        cells = [count["tried"], count["read"], count["refused"], count["failed"]]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} | {count['slowest']:.2f} |")
    lines += ["", f"Largest memory of the process: {found['peak_mb']} MB."]
    return "\n".join(lines)


def show_readers(found: dict[str, Any]) -> str:
    """Damaged images and lists of angles."""
    lines = [
        "## Damaged images and angle files",
        "",
        f"`python -m benchmarks.reliability.fuzz_readers`, seed {found['seed']}: sound files of a "
        "few kilobytes in which bytes were changed, cut, doubled or put in. Describing and reading "
        f"them must work or end in one sentence, within {found['seconds_each']:g} s of the "
        f"processor and {found['limit_mb']:,} MB beyond what the libraries take.",
        "",
        "| format | tried | read | refused in a sentence | anything else | slowest, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, count in found["counts"].items():
        cells = [count["read"], count["refused"], count["failed"]]
        row = " | ".join(f"{n:,}" for n in (sum(cells), *cells))
        lines.append(f"| {kind} | {row} | {count['slowest_s']:.2f} |")
    total = sum(n for count in found["counts"].values() for n in list(count.values())[:3])
    lines += [
        "",
        f"{total:,} inputs, {len(found['failures'])} failures. Largest memory of a process, with "
        f"all libraries: {found['largest_mb']:,} MB.",
    ]
    lines += [f"- {n} times: {how}" for how, n in found["kinds_of_failure"].items()]
    return "\n".join(lines)


def show_window(found: dict[str, Any]) -> str:
    """Runs in one window."""
    n_runs = found["quick"] + found["whole"] + found["cancelled"]
    lines = [
        "## Runs in one window",
        "",
        f"`python -m benchmarks.reliability.window`: {n_runs} runs in one napari window, "
        f"{found['quick']} of them with the two quick methods, {found['whole']} with all four and "
        f"a look in the Compare window, {found['cancelled']} cancelled on the way; the volumes are "
        "deleted after each.",
        "",
        "| after run | memory, MB | threads | open files | widgets | layers |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for number, count in found["after"].items():
        others = " | ".join(str(count[n]) for n in ("threads", "files", "widgets", "layers"))
        lines.append(f"| {number} | {count['memory_kb'] / 1000:.0f} | {others} |")
    lines += [
        "",
        f"From run 21 on the memory grew by {found['kb_per_run']} kB per run. Errors that were "
        f"shown: {found['errors']}.",
    ]
    if "in_use_kb_per_run" in found:  # counted since there is a way to ask
        used = [f"{count['in_use_kb'] / 1000:.0f}" for count in found["after"].values()]
        objects = [f"{count['objects']:,}" for count in found["after"].values()]
        lines += [
            "",
            f"Of it the C library had given out {', '.join(used)} MB after these runs, "
            f"{found['in_use_kb_per_run']} kB more with each run; it keeps the rest for later. "
            f"Python held {'; '.join(objects)} objects.",
        ]
    return "\n".join(lines)


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "kills": show_kills,
    "disks": show_disks,
    "window": show_window,
    "mutations": show_mutations,
    "readers": show_readers,
}
