"""Where a result came from: the command, the versions and the input's fingerprint."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries

#: Packages whose version can change a result.
COMPUTING_PACKAGES = ("numpy", "scipy", "numba", "onnxruntime-gpu", "onnxruntime", "mrcfile")


def provenance(series: TiltSeries, command_line: Sequence[str]) -> dict[str, Any]:
    """Describe how a result was made, ready for JSON.

    Parameters
    ----------
    series : TiltSeries
        As read, before anything was done to it.
    command_line : sequence of str
        The command and its arguments.

    Returns
    -------
    dict
        "command", "started" (UTC, ISO 8601), "versions" and "input" (path, sha256 and bytes).
    """
    return {
        "command": list(command_line),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "input": {} if series.path is None else fingerprint(series.path),
    }


def versions() -> dict[str, str]:
    """Versions of this package, Python and what computes; absent packages are left out."""
    found = {"napari-wedgefill": __version__, "python": platform.python_version()}
    for name in COMPUTING_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fingerprint(path: Path) -> dict[str, Any]:
    """Path, SHA-256 and size of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": str(path), "sha256": digest, "bytes": path.stat().st_size}


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both dictionaries as one; dictionaries under the same key are merged in turn."""
    result = dict(first)
    for key, value in second.items():
        known = result.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[key] = merged(known, value) if both else value  # type: ignore[arg-type]
    return result
