"""What a fill says while it runs, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..progress import Progress
from ..volume import Volume


@dataclass(frozen=True, eq=False)
class Finished:
    """One method's volume, and the seconds it took."""

    method: str
    volume: Volume
    seconds: float


@dataclass(frozen=True, eq=False)
class Done:
    """The last item: what ran and with which numbers, ready for JSON."""

    report: dict[str, Any]


@dataclass(frozen=True, eq=False)
class FillResult:
    """Volumes by method, in the order in which they were asked for, and the report."""

    volumes: dict[str, Volume]
    report: dict[str, Any]


Event = Progress | Finished | Done
