"""Every format: its suffixes, what reads it, and what writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import MIN_TILTS
from .chosen_angles import find_stack_angles
from .compressed import unpack
from .lazy_arrays import make_stand_in
from .notes import scaling_from
from .sidecars import BESIDE_IMAGES, without_compression
from .stack import Given, Stack

#: Suffixes that only stacks of images carry, never volumes.
STACK_SUFFIXES = (".st", ".ali", ".preali", ".mrcs")


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes
    ----------
    name : str
        For the user.
    suffixes : tuple of str
        In lower case.
    reader : str
        Module of this room and function: ``path -> Stack or list of Stack``.
    packages : tuple of str
        What must be installed to read or write it, beyond what this package always brings.
    volume_writer, series_writer : str
        Module and function ``(path, volume or series, mode)``; empty where we do not write it.
    is_folder : bool
        A file of this format is a folder.
    has_angle_file : bool
        A written series gets a .tlt beside it.
    unpacks : bool
        Pixels may lie compressed in it, and its reader takes `headers_only`.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: str
    packages: tuple[str, ...] = ()
    volume_writer: str = ""
    series_writer: str = ""
    is_folder: bool = False
    has_angle_file: bool = False
    unpacks: bool = False

    @property
    def is_written(self) -> bool:
        """Whether volumes and tilt series can be written in it."""
        return bool(self.volume_writer)


FORMATS = (
    Format(
        "MRC",
        (".mrc", ".st", ".ali", ".preali", ".rec", ".map", ".mrcs"),
        "mrc:read_mrc",
        volume_writer="mrc_writer:write_mrc_volume",
        series_writer="mrc_writer:write_mrc_series",
        has_angle_file=True,
        unpacks=True,
    ),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        "tiff:read_tiff",
        volume_writer="tiff_writer:write_tiff_volume",
        series_writer="tiff_writer:write_tiff_series",
        has_angle_file=True,
        unpacks=True,
    ),
    Format("DigitalMicrograph", (".dm3", ".dm4"), "rosetta:read_signals", ("rsciio",)),
    Format(
        "EMD",
        (".emd",),
        "emd:read_emd",
        ("h5py",),
        volume_writer="emd:write_emd_volume",
        series_writer="emd:write_emd_series",
    ),
    Format("HyperSpy", (".hspy",), "rosetta:read_signals", ("rsciio", "h5py")),
    Format("HyperSpy", (".zspy",), "zarr_files:read_zspy", ("zarr",), is_folder=True),
    Format("HDF5", (".h5", ".hdf5", ".hdf", ".nxs"), "hdf5:read_hdf5", ("h5py",)),
    Format("NumPy", (".npy", ".npz"), "arrays:read_numpy", unpacks=True),
    Format("MATLAB", (".mat",), "matlab:read_matlab", unpacks=True),
    Format(
        "Zarr",
        (".zarr",),
        "zarr_files:read_zarr",
        ("zarr",),
        volume_writer="zarr_files:write_zarr_volume",
        series_writer="zarr_files:write_zarr_series",
        is_folder=True,
    ),
    Format("Bruker", (".bcf",), "rosetta:read_signals", ("rsciio",)),
    Format("TIA", (".ser", ".emi"), "rosetta:read_signals", ("rsciio",)),
    Format("PantaRhei", (".prz",), "rosetta:read_signals", ("rsciio",)),
)
BY_SUFFIX = {suffix: form for form in FORMATS for suffix in form.suffixes}
IMAGE_SUFFIXES = tuple(BY_SUFFIX)
MRC_SUFFIXES = FORMATS[0].suffixes


def format_of(path: Path) -> Format | None:
    """Return the format that a name asks for, compressed or not; None for an unknown suffix."""
    return BY_SUFFIX.get(without_compression(path).suffix.lower())


def list_written_suffixes() -> list[str]:
    """Return the suffixes of what can be written."""
    return [suffix for form in FORMATS if form.is_written for suffix in form.suffixes]


def is_image_file(path: Path) -> bool:
    """Tell by its name whether a file (or a folder that is one file to its users) can be opened."""
    return format_of(path) is not None and not path.name.startswith(".")


def open_stack(
    path: str | Path,
    given: Given | None = None,
    *,
    alone: bool = False,
    headers_only: bool = False,
) -> Stack:
    """Open one stack of images, whatever its format; row 0 becomes the bottom of the picture.

    Parameters
    ----------
    path : path
        The file.
    given : Given, optional
        What the user says; `Given.dataset` names the stack where the file holds several,
        `Given.flip` turns the rows over once more.
    alone : bool
        Read only what lies in this very file, even if it says that it belongs to a set of files.
    headers_only : bool
        The pixels will not be looked at, only their shape and type: those of compressed files may
        be zeros, so that nothing is unpacked in vain.

    Raises
    ------
    WedgefillError
        If the file does not exist, its suffix is unknown, its reader refuses it, or it holds
        several stacks that could be meant.
    """
    given = given or Given()
    stacks = open_stacks(path, given, alone=alone, headers_only=headers_only)
    meant = choose_stacks(stacks, given)
    if len(meant) > 1:
        raise WedgefillError(
            f"{meant[0].path.name}: it holds {len(meant)} data sets: {_list(meant)}; say which "
            f"one with --dataset NAME."
        )
    return meant[0]


def open_stacks(
    path: str | Path,
    given: Given | None = None,
    *,
    alone: bool = False,
    headers_only: bool = False,
) -> list[Stack]:
    """Open every stack that a file holds; most hold one. No pixels are read where that can be.

    Parameters
    ----------
    path, given, alone, headers_only
        As for `open_stack`.

    Raises
    ------
    WedgefillError
        If the file does not exist, its suffix is unknown, or its reader refuses it.
    """
    path, given = Path(path), given or Given()
    if not path.exists():
        raise WedgefillError(f"{path}: there is no such file; check the path.")
    if not path.is_file() and not path.is_dir():
        raise WedgefillError(
            f"{path}: this is a pipe or a device; save the images in a file first."
        )
    form = format_of(path)
    if form is None:
        raise WedgefillError(f"{path.name}: {_why_not_images(path)}")
    if path.is_dir() and not form.is_folder:
        raise WedgefillError(f"{path}: this is a folder, not a {form.name} file; check the path.")
    check_installed(path, form)
    options: dict[str, Any] = {"headers_only": headers_only} if form.unpacks else {}
    if form.name == "MRC":
        options["signed_bytes"] = given.signed_bytes
    elif form.name == "TIFF":
        options["alone"] = alone
    opened = load(form.reader)(path if form.name == "MRC" else unpack(path), **options)
    stacks = opened if isinstance(opened, list) else [opened]
    return [_finish(stack, path, given, len(stacks), headers_only) for stack in stacks]


def choose_stacks(stacks: Sequence[Stack], given: Given | None = None) -> list[Stack]:
    """Return the stacks of a file that are meant: one rule for the window and all commands.

    The one that `given.dataset` names; else the only one that has tilt angles, in or beside the
    file, which is told; else all of them.

    Raises
    ------
    WedgefillError
        If not exactly one has the name.
    """
    given = given or Given()
    if given.dataset:
        found = [one for one in stacks if given.dataset in (one.dataset, _last(one.dataset))]
        if len(found) == 1:
            return found
        how = "several data sets are" if found else "no data set is"
        raise WedgefillError(
            f"{stacks[0].path.name}: {how} called '{given.dataset}'; it holds {_list(stacks)}."
        )
    if len(stacks) > 1 and given.angles is None:
        series = [one for one in stacks if has_angles(one)]
        if len(series) == 1:
            return [_note_others(series[0], stacks)]
    return list(stacks)


def has_angles(stack: Stack) -> bool:
    """Tell whether an open stack is a tilt series: tilt angles for it lie in or beside its file."""
    return stack.n >= MIN_TILTS and find_stack_angles(stack, []) is not None


def check_installed(path: Path, form: Format) -> None:
    """Raise `WedgefillError` where a package is missing that this format takes."""
    from importlib.util import find_spec

    missing = [package for package in form.packages if find_spec(package) is None]
    if missing:
        raise WedgefillError(
            f"{path.name}: {form.name} files take the extra packages of this one, which are not "
            f"installed; run: pip install 'napari-wedgefill[formats]'"
        )


def load(function: str) -> Callable[..., Any]:
    """Import ``module:function`` of this room: readers bring packages that take a while to load."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(f".{module}", __package__), name)
    return found


def _why_not_images(path: Path) -> str:
    """Say what to do with a file whose suffix is none of images."""
    suffix = path.suffix.lower()
    if suffix in BESIDE_IMAGES:
        return (
            "this file belongs to images, and holds none itself; open the images, beside which it "
            "is found by its name, or give a file of angles with --angles."
        )
    if not suffix:
        return (
            f"it has no suffix, so its format is unknown; rename it to end in one of "
            f"{' '.join(IMAGE_SUFFIXES)}."
        )
    return (
        f"files ending in '{path.suffix}' cannot be read; convert it to one of "
        f"{' '.join(list_written_suffixes())}."
    )


def _note_others(stack: Stack, stacks: Sequence[Stack]) -> Stack:
    others = _list([other for other in stacks if other is not stack])
    note = (
        f"Of the data sets in the file, '{stack.dataset}' is used, for only that one has tilt "
        f"angles; the others are {others}."
    )
    return replace(stack, warnings=(*stack.warnings, note))


def _finish(stack: Stack, path: Path, given: Given, n_stacks: int, headers_only: bool) -> Stack:
    """Put the bottom row first, undo a scaling of ours, and name the stack for its user."""
    scaling = scaling_from(stack.labels)
    pixels = stack.pixels
    if scaling is not None and pixels.dtype != np.float32:
        pixels = (
            make_stand_in(pixels.shape, np.float32) if headers_only else _unscale(pixels, *scaling)
        )
    if stack.row_0_on_top != given.flip:
        pixels = pixels[:, ::-1]
    dataset, name = (stack.dataset, f"{stack.name} {_last(stack.dataset)}")
    if n_stacks == 1:
        dataset, name = "", stack.name
    return replace(stack, path=path, pixels=pixels, row_0_on_top=False, dataset=dataset, name=name)


def _unscale(stored: Any, scale: float, offset: float) -> NDArray[np.float32]:
    pixels = np.empty(stored.shape, np.float32)
    for image, numbers in zip(pixels, stored, strict=True):
        image[:] = np.asarray(numbers).astype(np.float64) * scale + offset
    return pixels


def _list(stacks: Sequence[Stack]) -> str:
    return ", ".join(_in_words(stack) for stack in stacks)


def _in_words(stack: Stack) -> str:
    return f"'{stack.dataset}' ({' x '.join(map(str, stack.pixels.shape))})"


def _last(dataset: str) -> str:
    return dataset.rpartition("/")[2]
