"""What became of every series of a batch: summary.csv for programs, index.html for people."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .. import __version__
from ..addresses import Address, Store
from ..atomic import write_beside
from ..durations import write_duration
from ..methods import label_of
from .job import SUMMARIES, Outcome, count_states

COLUMNS = ("name", "file", "state", "seconds", "methods", "version", "folder", "verdict")
#: Files of a report that are no volumes of methods.
OTHERS = ("png", "results", "trust", "report")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ddd; padding: .4rem .6rem; text-align: left }
td { vertical-align: top }
img { max-width: 100%; display: block; margin-top: .4rem }
.failed td { background: #fdecea }
.begun td { color: #777 }
""".strip()


def write_summary(folder: Path | Address, outcomes: Sequence[Outcome]) -> None:
    """Write ``summary.csv`` and ``index.html`` into the folder of a batch.

    Raises
    ------
    WedgefillError
        If the folder cannot be written.
    """
    for name, text in zip(SUMMARIES, (to_csv(outcomes), to_html(outcomes)), strict=True):
        if isinstance(folder, Address):
            Store(folder).write_bytes(name, text.encode())
            continue
        with write_beside(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")


def to_csv(outcomes: Sequence[Outcome]) -> str:
    """Return a row a series, with the columns name, file, state, seconds, methods, version, ..."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in outcomes:
        has_results = bool(one.report)
        row = (
            one.name, one.source, one.state, f"{one.seconds:.1f}", " ".join(list_methods(one)),
            one.report.get("versions", {}).get("napari-wedgefill", ""),
            one.name if has_results else "",
            " ".join([one.sentence, *one.verdicts]).strip(),
        )  # fmt: skip
        writer.writerow(row)
    return out.getvalue()


def to_html(outcomes: Sequence[Outcome]) -> str:
    """Return one page with a row a series: state, verdicts, links and the comparison picture."""
    counts = ", ".join(f"{n} {state}" for state, n in count_states(outcomes).items() if n)
    rows = "\n".join(_write_row(one) for one in outcomes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Batch of {len(outcomes)} series</title>\n<style>\n{STYLE}\n</style>\n</head>\n"
        f"<body>\n<h1>Batch of {len(outcomes)} series</h1>\n"
        f"<p>{counts}. napari-wedgefill {__version__}.</p>\n<table>\n"
        "<tr><th>series</th><th>state</th><th>time</th><th>what was found</th></tr>\n"
        f"{rows}\n</table>\n</body>\n</html>\n"
    )


def list_methods(outcome: Outcome) -> list[str]:
    """List the methods of which there is a volume."""
    return [what for what in outcome.report.get("files", {}) if what not in OTHERS]


def _write_row(one: Outcome) -> str:
    files = one.report.get("files", {})

    def link(what: str, words: str) -> str:
        return f'<a href="{quote(f"{one.name}/{files[what]}")}">{html.escape(words)}</a>'

    links = [link(name, label_of(name)) for name in list_methods(one)]
    links += [link(what, what) for what in ("trust", "results") if what in files]
    if one.report:
        links.append(f'<a href="{quote(f"{one.name}/report.json")}">report</a>')
    notes = one.report.get("input", {}).get("warnings", [])
    told = [html.escape(text) for text in (one.sentence, *one.verdicts, *notes) if text]
    cell = "<br>".join([*told, " · ".join(links)] if links else told)
    if "png" in files:
        picture = quote(f"{one.name}/{files['png']}")
        cell += f'<img loading="lazy" alt="methods side by side" src="{picture}">'
    return (
        f'<tr class="{one.state.split()[-1]}"><td>{html.escape(one.name)}<br>'
        f"<small>{html.escape(str(one.source))}</small></td><td>{one.state}</td>"
        f"<td>{write_duration(one.seconds)}</td><td>{cell}</td></tr>"
    )
