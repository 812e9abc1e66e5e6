"""The report of a run: where a result came from, and report.json, which repeats it."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..atomic import write_beside
from ..json_text import write_json
from ..validation import read_json

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries

#: Packages whose version can change a result.
COMPUTING_PACKAGES = ("numpy", "scipy", "numba", "onnxruntime-gpu", "onnxruntime", "mrcfile")
#: A list of plain values that json has spread over lines.
_SPREAD = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s*\]")


def describe_versions() -> dict[str, Any]:
    """Say when a run began ("started", UTC, ISO 8601) and what computes ("versions")."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": list_versions(),
    }


def list_versions() -> dict[str, str]:
    """Versions of this package, Python and what computes; absent packages are left out."""
    found = {"napari-wedgefill": __version__, "python": platform.python_version()}
    return found | _find_versions()


@cache
def _find_versions() -> dict[str, str]:
    found = {}
    for name in COMPUTING_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_input(source: Path | list[Path], series: TiltSeries) -> dict[str, Any]:
    """Describe what a series was read from, ready for JSON.

    Parameters
    ----------
    source : Path or list of Path
        The file that was read, or the folder or files with one tilt each.
    series : TiltSeries
        As read, before anything was done to it.

    Returns
    -------
    dict
        "path", "sha256" and "bytes", where angles, pixel size and tilt axis were found
        ("sources"), and "warnings".
    """
    return {
        **compute_fingerprint(source),
        "sources": dict(series.sources),
        "warnings": list(series.warnings),
    }


def compute_fingerprint(source: Path | list[Path]) -> dict[str, Any]:
    """Path, SHA-256 and size of a file; of several, of all of them one after the other."""
    from ..io.tilt_reader import image_paths

    digest, size = hashlib.sha256(), 0
    for path in sorted(image_paths(source)):
        for file in _list_files(path):
            size += file.stat().st_size
            if file != path:  # chunks of a Zarr are told apart by their names
                digest.update(file.relative_to(path).as_posix().encode() + b"\0")
            _add_to_hash(digest, file)
    path_or_paths = [str(one) for one in source] if isinstance(source, list) else str(source)
    return {"path": path_or_paths, "sha256": digest.hexdigest(), "bytes": size}


def _list_files(path: Path) -> list[Path]:
    """List the files of what is a folder to the disk and a file to its users, such as a Zarr."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())


def compute_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    _add_to_hash(digest, path)
    return digest.hexdigest()


def _add_to_hash(digest: Any, path: Path) -> None:
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report; lists of plain values take one line each."""
    text = _SPREAD.sub(_join_lines, write_json(report))
    with write_beside(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report back.

    Raises
    ------
    WedgefillError
        If there is no such file, or it is no report of a fill that can be repeated.
    """
    from .report_schema import Report

    file = path / "report.json" if path.is_dir() else path
    described, plain = read_json(file, Report, what="report", writer="wedgefill fill")
    if "whole_field" not in plain["settings"]:
        # Older runs filled the whole field, unless a box was asked for.
        plain["settings"]["whole_field"] = not described.settings.box
    return plain


def _join_lines(match: re.Match[str]) -> str:
    return "[" + re.sub(r",\n\s+", ", ", match[1]) + "]"
