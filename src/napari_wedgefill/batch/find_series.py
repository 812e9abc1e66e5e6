"""The tilt series in a folder or at an address, and all that is below."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..addresses import Address, Store
from ..errors import WedgefillError
from ..io.tilt_reader import image_paths
from ..run.stored import stage
from ..tilt_series import MIN_TILTS
from .job import name_results, replace_forbidden
from .passed_over import IMAGE, SERIES, STACK, UNREADABLE, Look, PassedOver, look_at

#: Series at addresses that are looked at at once: stores answer slowly, but many at a time.
AT_ONCE = 16


def find_stored_series(
    address: Address,
    leave_out: Address | None = None,
    passed_over: list[PassedOver] | None = None,
) -> Iterator[tuple[str, Address]]:
    """Find the tilt series among the Zarrs below an address.

    What cannot be opened is given all the same.

    Parameters
    ----------
    address : Address
        Looked through with all that is below it.
    leave_out : Address, optional
        A place below it that is not looked into, such as that of the results.
    passed_over : list of PassedOver, optional
        Receives what is not taken.

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
        for zarr, look in zip(zarrs, threads.map(_look_at_stored, zarrs), strict=True):
            inside = zarr.url.removeprefix(f"{address}/")
            name = replace_forbidden(inside.removesuffix(zarr.suffix))
            if look.kind in (SERIES, UNREADABLE):
                yield name, zarr
            elif passed_over is not None:
                passed_over.append(PassedOver(name, zarr, look))


def _look_at_stored(address: Address) -> Look:
    try:
        with stage(address, only_outline=True) as staged:
            assert isinstance(staged.path, Path)
            return look_at(staged.path)
    except WedgefillError:
        return Look(UNREADABLE)


def find_series(
    folder: Path,
    leave_out: Path | None = None,
    passed_over: list[PassedOver] | None = None,
) -> Iterator[tuple[str, Path]]:
    """Find tilt series: files that hold one, and folders with one file a tilt.

    A file that cannot be opened, or a folder that must not be looked into, is given all the same:
    whoever reads it will be told what is wrong with it.

    Parameters
    ----------
    folder : Path
        Looked through with all folders below it, hidden ones excepted.
    leave_out : Path, optional
        A folder below it that is not looked into, such as that of the results.
    passed_over : list of PassedOver, optional
        Receives every image file that is not taken: volumes, stacks without angles, and images
        that are no folder of one file a tilt.

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
        seen = {path: look_at(path) for path in paths}
        kinds = [look.kind for look in seen.values()]
        n_images = kinds.count(IMAGE) + kinds.count(STACK)
        if SERIES not in kinds and n_images >= MIN_TILTS:
            # One file a tilt, also where one of them is damaged: the others must not be lost.
            yield name, place
            continue
        for path, look in seen.items():
            if look.kind in (SERIES, UNREADABLE):
                yield _name_below(inside, path), path
            elif passed_over is not None:
                passed_over.append(PassedOver(_name_below(inside, path), path, look))


def _name_below(inside: Path, path: Path) -> str:
    return replace_forbidden((inside / name_results(path)).as_posix())


def _is_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
