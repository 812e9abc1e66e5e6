"""Volumes that an earlier run of a batch wrote and the last one did not: no report tells of them.

They stay, for they took hours; a later run that makes them anew may replace them. A hidden file
beside them says which they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..addresses import Address, Store
from ..atomic import write_beside
from ..run.report import compute_fingerprint
from ..run.stored import REPORT

LEDGER = ".wedgefill-superseded.json"


def keep_superseded(
    place: Path | Address, earlier: Mapping[str, Any], report: Mapping[str, Any]
) -> None:
    """Note the files that the `earlier` report names and the new one does not."""
    known = read_superseded(place)
    hashes = earlier.get("sha256", {})
    files = {name: hashes.get(what) for what, name in earlier.get("files", {}).items()}
    written = {*report["files"].values(), REPORT}
    left = {name: sha256 for name, sha256 in (known | files).items() if name not in written}
    if not left and not known:
        return
    content = json.dumps(left).encode()
    if isinstance(place, Address):
        Store(place).write_bytes(LEDGER, content)
        return
    with write_beside(place / LEDGER) as beside:
        beside.write_bytes(content)


def read_superseded(place: Path | Address) -> dict[str, str | None]:
    """Return such files, with their SHA-256 if it is known."""
    if isinstance(place, Address):
        content = Store(place).read_bytes(LEDGER)
    else:
        content = (place / LEDGER).read_bytes() if (place / LEDGER).is_file() else None
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def list_superseded(folder: Path) -> set[str]:
    """List those that lie in a folder as they were written."""
    return {
        name
        for name, sha256 in read_superseded(folder).items()
        if (folder / name).is_file() and compute_fingerprint(folder / name)["sha256"] == sha256
    }
