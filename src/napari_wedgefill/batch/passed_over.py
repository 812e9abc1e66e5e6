"""Image files that are not taken for tilt series: for what they are taken, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..addresses import Address
from ..errors import WedgefillError
from ..io.formats import open_stack
from ..io.mrc_labels import is_our_own
from ..io.sidecars import without_compression
from ..io.volume_reader import stack_kind
from ..tilt_series import MIN_TILTS

#: What a file may be taken for.
SERIES, STACK, VOLUME = "tilt series", "stack without angles", "volume"
RESULT, IMAGE, UNREADABLE = "result", "image", "unreadable"
#: So many files are named in a sentence, and so many results.
MOST_NAMED, MOST_RESULTS = 10, 3


@dataclass(frozen=True)
class Look:
    """What a file was taken for.

    Attributes
    ----------
    kind : str
        "tilt series", "stack without angles" (it may be a series), "volume" (of another program),
        "result" (a volume that this package wrote), "image" (or two), or "unreadable".
    shape : tuple of int
        Images or planes, rows, columns; empty if it is unreadable.
    because : str
        Why it is taken for a volume; else empty.
    """

    kind: str
    shape: tuple[int, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class PassedOver:
    """A file that is not taken for a tilt series.

    Attributes
    ----------
    name : str
        What its results would be called, such as ``day1/grid3``.
    path : Path or Address
        The file.
    look : Look
        What it was taken for.
    """

    name: str
    path: Path | Address
    look: Look


def look_at(path: Path) -> Look:
    """Say what a file is taken for; none of its pixels are read where that can be."""
    try:
        stack = open_stack(path, headers_only=True)
    except WedgefillError:
        return Look(UNREADABLE)
    kind, shape = stack_kind(stack), tuple(map(int, stack.pixels.shape))
    if kind == VOLUME:
        return Look(RESULT if is_our_own(stack.labels) else VOLUME, shape, stack.volume_because)
    if kind == IMAGE and stack.n >= MIN_TILTS:
        kind = STACK
    return Look(kind, shape)


def tell_why(path: Path | Address, look: Look) -> str:
    """Say what a file that is passed over is taken for, and what to do if that is wrong."""
    beside = f"{without_compression(Path(path.name)).stem}.tlt"
    if look.kind == STACK:
        return f"no tilt angles were found for it; put them beside it as {beside}, or give --angles"
    if look.kind == VOLUME:
        return (
            f"it is taken for a volume ({look.because}); if it is a tilt series, put its angles "
            f"beside it as {beside}, or name the file itself and give --angles"
        )
    if look.kind == RESULT:
        return "it is a volume that napari-wedgefill wrote"
    return (
        f"it is not taken for a tilt series, for it holds {look.shape[0]} of at least {MIN_TILTS} "
        "images; files of one tilt each must lie in a folder without other stacks"
    )


def tell_passed_over(found: Sequence[PassedOver], folder: Path | Address) -> list[str]:
    """Say in a sentence for each kind what was passed over, and what to do if that is wrong."""
    named = {
        kind: _list_names([one for one in found if one.look.kind == kind], folder)
        for kind in (STACK, VOLUME, IMAGE, RESULT)
    }
    gives = "name the file itself and give --angles"
    if isinstance(folder, Path):  # at addresses, nothing is looked for beside a series
        gives = f"put its angles beside it, in a .tlt of its name, or {gives}"
    notes = {
        STACK: "no tilt angles were found for {}, passed over; give --angles if they fit.",
        VOLUME: f"taken for volumes, and passed over: {{}}; if one is a tilt series, {gives}.",
        IMAGE: (
            f"fewer than {MIN_TILTS} images each, and passed over: {{}}; files of one tilt each "
            "must lie in a folder without other stacks."
        ),
        RESULT: "volumes that napari-wedgefill wrote are passed over: {}.",
    }
    return [notes[kind].format(names) for kind, names in named.items() if names]


def _list_names(found: Sequence[PassedOver], folder: Path | Address) -> str:
    """Name the first files below a folder, and why those that follow each other are volumes."""
    said: list[str] = []
    is_result = bool(found) and found[0].look.kind == RESULT
    shown = found[: MOST_RESULTS if is_result else MOST_NAMED]
    for k, one in enumerate(shown):
        is_last = k + 1 == len(shown) or shown[k + 1].look.because != one.look.because
        why = one.look.because if one.look.kind == VOLUME and is_last else ""
        said.append(name_below(one.path, folder) + (f" ({why})" if why else ""))
    if n_more := len(found) - len(shown):
        said.append(f"and {n_more} more, which wedgefill info {folder} names")
    return ", ".join(said)


def name_below(path: Path | Address, folder: Path | Address) -> str:
    """Return the name of a file from a folder on."""
    if isinstance(path, Path) and isinstance(folder, Path):
        return path.relative_to(folder).as_posix()
    return str(path).removeprefix(f"{folder}/")
