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
from ..io.tilt_reader import image_paths

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries

#: Packages whose version can change a result.
COMPUTING_PACKAGES = ("numpy", "scipy", "numba", "onnxruntime-gpu", "onnxruntime", "mrcfile")


def provenance(
    source: Path | list[Path], series: TiltSeries, command_line: Sequence[str]
) -> dict[str, Any]:
    """Describe how a result was made, ready for JSON.

    Parameters
    ----------
    source : Path or list of Path
        The file that was read, or the folder or files with one tilt each.
    series : TiltSeries
        As read, before anything was done to it.
    command_line : sequence of str
        The command and its arguments.

    Returns
    -------
    dict
        "command", "started" (UTC, ISO 8601), "versions" and "input": path, sha256 and bytes, and
        where angles, pixel size and tilt axis were found.
    """
    return {
        "command": list(command_line),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "input": {
            **fingerprint(source),
            "sources": dict(series.sources),
            "warnings": list(series.warnings),
        },
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


def fingerprint(source: Path | list[Path]) -> dict[str, Any]:
    """Path, SHA-256 and size of a file; of several, of all of them one after the other."""
    digest, size = hashlib.sha256(), 0
    for path in sorted(image_paths(source)):
        size += path.stat().st_size
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    path_or_paths = [str(one) for one in source] if isinstance(source, list) else str(source)
    return {"path": path_or_paths, "sha256": digest.hexdigest(), "bytes": size}


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both dictionaries as one; dictionaries under the same key are merged in turn."""
    result = dict(first)
    for key, value in second.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = merged(known, value)
        result[key] = value
    return result
