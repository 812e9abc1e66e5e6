"""The tilt series in a folder and the folders below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import WedgefillError
from ..io import kind_of
from ..io.tilt_reader import image_paths
from ..tilt_series import MIN_TILTS
from .job import name_results


def find_series(folder: Path, leave_out: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Find tilt series: files that hold one, and folders with one file a tilt.

    Volumes and single images are passed over. A file that cannot be opened is given all the same:
    whoever reads it will be told what is wrong with it.

    Parameters
    ----------
    folder : Path
        Looked through with all folders below it, hidden ones excepted.
    leave_out : Path, optional
        A folder below it that is not looked into, such as that of the results.

    Yields
    ------
    tuple of str and Path
        Name for the results, such as ``day1/grid3``, and the file or folder; in order of names.
    """
    for place in [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]:
        inside = place.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if is_hidden or (leave_out is not None and _is_in(place, leave_out)):
            continue
        try:
            paths = sorted(image_paths(place))
        except WedgefillError:
            continue  # no image in it
        kinds = {path: _tell_kind(path) for path in paths}
        series = [path for path, kind in kinds.items() if kind == "tilt series"]
        if not series and list(kinds.values()).count("image") >= MIN_TILTS:
            yield (inside.as_posix() if inside.parts else folder.resolve().name), place
        for path in series:
            yield (inside / name_results(path)).as_posix(), path


def _tell_kind(path: Path) -> str:
    try:
        return kind_of(path)
    except WedgefillError:
        return "tilt series"


def _is_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
