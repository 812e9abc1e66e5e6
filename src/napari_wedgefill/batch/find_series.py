"""The tilt series in a folder or at an address, and all that is below."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..addresses import Address, Store
from ..errors import WedgefillError
from ..io import kind_of
from ..io.formats import open_stack
from ..io.tilt_reader import image_paths
from ..io.volume_reader import stack_kind
from ..run.stored import stage
from ..tilt_series import MIN_TILTS
from .job import name_results, replace_forbidden

#: Series at addresses that are looked at at once: stores answer slowly, but many at a time.
AT_ONCE = 16


def find_stored_series(
    address: Address, leave_out: Address | None = None
) -> Iterator[tuple[str, Address]]:
    """Find the tilt series among the Zarrs below an address.

    Volumes and single images are passed over; what cannot be opened is given all the same.

    Parameters
    ----------
    address : Address
        Looked through with all that is below it.
    leave_out : Address, optional
        A place below it that is not looked into, such as that of the results.

    Yields
    ------
    tuple of str and Address
        Name for the results, such as ``day1/grid3``, and the Zarr; in order of names.
    """
    zarrs = [
        zarr
        for zarr in Store(address).list_zarrs()
        if leave_out is None or not f"{zarr}/".startswith(f"{leave_out}/")
    ]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for zarr, kind in zip(zarrs, threads.map(_tell_stored_kind, zarrs), strict=True):
            if kind == "tilt series":
                inside = zarr.url.removeprefix(f"{address}/")
                yield replace_forbidden(inside.removesuffix(zarr.suffix)), zarr


def _tell_stored_kind(address: Address) -> str:
    try:
        with stage(address, only_outline=True) as staged:
            assert isinstance(staged.path, Path)
            return kind_of(staged.path)
    except WedgefillError:
        return "tilt series"


def find_series(
    folder: Path,
    leave_out: Path | None = None,
    no_angles: list[tuple[str, Path]] | None = None,
) -> Iterator[tuple[str, Path]]:
    """Find tilt series: files that hold one, and folders with one file a tilt.

    Volumes and single images are passed over. A file that cannot be opened, or a folder that must
    not be looked into, is given all the same: whoever reads it will be told what is wrong with it.

    Parameters
    ----------
    folder : Path
        Looked through with all folders below it, hidden ones excepted.
    leave_out : Path, optional
        A folder below it that is not looked into, such as that of the results.
    no_angles : list of tuple of str and Path, optional
        Receives, with their names, stacks that may be tilt series, but of which no angles are
        known; they are passed over too.

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
        name = replace_forbidden(inside.as_posix() if inside.parts else folder.resolve().name)
        try:
            paths = sorted(image_paths(place))
        except WedgefillError:
            continue  # no image in it
        except OSError:
            yield name, place  # it must not be looked into, and whoever reads it is told so
            continue
        seen = {path: _look_at(path) for path in paths}
        series = [path for path, (kind, _) in seen.items() if kind == "tilt series"]
        images = {path: n for path, (kind, n) in seen.items() if kind == "image"}
        if not series and len(images) >= MIN_TILTS:
            yield name, place
        elif no_angles is not None:
            no_angles += [
                (_name_below(inside, path), path) for path, n in images.items() if n >= MIN_TILTS
            ]
        for path in series:
            yield _name_below(inside, path), path


def _name_below(inside: Path, path: Path) -> str:
    return replace_forbidden((inside / name_results(path)).as_posix())


def _look_at(path: Path) -> tuple[str, int]:
    """Return what a file holds, see `io.kind_of`, and how many images."""
    try:
        stack = open_stack(path, headers_only=True)
    except WedgefillError:
        return "tilt series", 0
    return stack_kind(stack), stack.n


def _is_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
