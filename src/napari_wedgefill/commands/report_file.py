"""The report.json of a fill: written for people to read, and read to repeat the run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic import written_beside
from ..errors import WedgefillError

#: A list of plain values that json has spread over lines.
_SPREAD = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s*\]")


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report; lists of plain values take one line each."""
    text = _SPREAD.sub(_on_one_line, json.dumps(report, indent=2))
    with written_beside(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report back.

    Raises
    ------
    WedgefillError
        If there is no such file, or it is no report of a fill that can be repeated.
    """
    if path.is_dir():
        path = path / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WedgefillError(
            f"{path}: the report cannot be read ({error.strerror}); give the report.json of a fill."
        ) from error
    except ValueError as error:
        raise WedgefillError(
            f"{path}: this is not JSON ({error}); give the report.json of a fill."
        ) from error
    if not isinstance(report, dict) or not {"settings", "input", "geometry"} <= set(report):
        raise WedgefillError(
            f"{path}: this report does not say how to repeat the run; give one that a "
            "'wedgefill fill' of this version wrote."
        )
    return report


def _on_one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r",\n\s+", ", ", match[1]) + "]"
