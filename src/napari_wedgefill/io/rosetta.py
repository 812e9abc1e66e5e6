"""What rosettasciio reads: DigitalMicrograph, HyperSpy, Bruker, TIA and others.

rosettasciio is under the GPL and comes with the extra ``formats`` only; it is called here and
nowhere else.
"""

from __future__ import annotations

import logging
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..mapped_files import read_mapped
from .arrays import check_unpacked_size
from .hdf5_access import open_hdf5, refuse_sequences
from .lazy_arrays import read_by_chunks, report_as_damage
from .signals import LIKELY_DEG, Axis, number_same_names, stack_of_signal
from .stack import Found, Stack
from .units import nm_per

HYPERSPY = "HyperSpy axes"
#: Suffix -> module of rosettasciio and, for the user, where its values lie.
READERS = {
    ".dm3": ("rsciio.digitalmicrograph", "DM3 tags"),
    ".dm4": ("rsciio.digitalmicrograph", "DM4 tags"),
    ".hspy": ("rsciio.hspy", HYPERSPY),
    ".bcf": ("rsciio.bruker", "Bruker header"),
    ".emi": ("rsciio.tia", "TIA header"),
    ".ser": ("rsciio.tia", "TIA header"),
    ".prz": ("rsciio.pantarhei", "PantaRhei header"),
}
#: Where HyperSpy keeps the tilt of the stage, in degrees.
STAGE = ("Acquisition_instrument", "TEM", "Stage", "tilt_alpha")
#: Gatan's tags, by their last names.
STAGE_ALPHA = "Stage Alpha"
SETUP = ("Minimum tilt angle (deg)", "Maximum tilt angle (deg)", "Tilt angle step (deg)")
#: Metadata are trees; no honest one is deeper.
MAX_DEPTH = 30


def read_signals(path: Path, module: str = "") -> list[Stack]:
    """Open every stack of images of a file that rosettasciio reads, without reading pixels.

    Parameters
    ----------
    path : Path
        The file.
    module : str
        Which module of rosettasciio reads it; by default the suffix says so.

    Raises
    ------
    WedgefillError
        If the file is damaged, or holds no images of grey values.
    """
    own, source = READERS.get(path.suffix.lower(), ("rsciio.hspy", HYPERSPY))
    return stacks_of_signals(path, _read(path, module or own), source)


def stacks_of_signals(path: Path, signals: Sequence[Mapping[str, Any]], source: str) -> list[Stack]:
    """Return the stacks among signals as HyperSpy describes them: data, axes and metadata.

    Parameters
    ----------
    path : Path
        The file.
    signals : sequence of mapping
        As rosettasciio's readers return them.
    source : str
        Where their values lie, for the user.

    Raises
    ------
    WedgefillError
        If none holds images of grey values.
    """
    with report_as_damage(path):
        found = [_stack(path, signal, source) for signal in signals]
    stacks = [stack for stack in found if stack is not None]
    if not stacks:
        raise WedgefillError(
            f"{path.name}: it holds no images of grey values, only {_in_words(signals)}."
        )
    return number_same_names(stacks)


def _read(path: Path, module: str) -> list[dict[str, Any]]:
    with report_as_damage(path), _quiet():
        if module == "rsciio.hspy":
            with open_hdf5(path) as file:
                refuse_sequences(path, file)
        reader = import_module(module).file_reader
        try:
            found: list[dict[str, Any]] = reader(str(path), **_options(path))
        except ValueError as error:
            if "RGB" not in str(error):
                raise
            raise WedgefillError(
                f"{path.name}: this is a colour (RGB) image; convert it to grey values first."
            ) from None
    return found


def _options(path: Path) -> dict[str, Any]:
    """Say how rosettasciio must be asked for a file: lazily, wherever it does that rightly."""
    suffix = path.suffix.lower()
    if suffix != ".prz":
        return {"lazy": True}
    if path.suffix != suffix:
        raise WedgefillError(f"{path.name}: rename it to end in '{suffix}', in small letters.")
    check_unpacked_size(path)
    # It maps the data of this format as if they were never compressed, which they may be.
    with zipfile.ZipFile(path) as archive:
        return {"lazy": archive.getinfo("data.npy").compress_type == zipfile.ZIP_STORED}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep rosettasciio's own messages off the user's terminal; what matters is said by us."""
    logger = logging.getLogger("rsciio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _stack(path: Path, signal: Mapping[str, Any], source: str) -> Stack | None:
    data = signal["data"]
    metadata = signal.get("metadata") or {}
    original = signal.get("original_metadata") or {}
    axes = [_axis(axis, n) for axis, n in zip(_in_order(signal["axes"]), data.shape, strict=False)]
    if len(axes) == 3 and "DM" in source and axes[0].letter == "z":
        axes[0] = _third_axis(axes[0])
    if len(axes) != data.ndim or data.dtype.kind not in "biuf":
        return None
    title = str(_at(metadata, ("General", "title")) or "")
    n_images = _n_images(axes)
    if not isinstance(data, np.ndarray):
        data = read_by_chunks(path, data, data.chunks)
    return stack_of_signal(
        path,
        data,
        axes,
        source=source,
        dataset=title or str(_at(metadata, ("Signal", "signal_type")) or "image"),
        angles=_angles(metadata, original, n_images, source),
    )


def _third_axis(axis: Axis) -> Axis:
    """Understand the third axis of a Gatan stack, which has no name, and may count tilts.

    rosettasciio calls it z, whatever it counts. A value is ``(index - origin) * scale``; programs
    that write the first angle itself for an origin give themselves away by angles out of reach.
    """
    unnamed = replace(axis, name="")
    if nm_per(axis.unit) is not None or axis.scale == 0:
        return unnamed
    as_first = replace(unnamed, offset=-axis.offset / axis.scale)
    is_out_of_reach = np.abs(unnamed.coordinates).max() > LIKELY_DEG
    is_within = np.abs(as_first.coordinates).max() <= LIKELY_DEG
    return as_first if is_out_of_reach and is_within else unnamed


def _in_order(axes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return (
        sorted(axes, key=lambda axis: int(axis.get("index_in_array") or 0))
        if all(axis.get("index_in_array") is not None for axis in axes)
        else list(axes)
    )


def _axis(axis: Mapping[str, Any], n: int) -> Axis:
    name, unit = _word(axis.get("name")), _word(axis.get("units"))
    values = axis.get("axis")
    if values is not None and np.size(values) == n:
        return Axis(name, unit, n, values=_read_numbers(values))
    scale, offset = _number(axis.get("scale"), 1.0), _number(axis.get("offset"), 0.0)
    return Axis(name, unit, n, scale, offset)


def _read_numbers(values: Any) -> NDArray[np.float64]:
    """Read an array of the metadata, which is as lazy as the images."""
    return np.asarray(read_mapped(values), dtype=np.float64).ravel()


def _word(value: Any) -> str:
    """Return a name or unit; HyperSpy spells an absent one in many ways."""
    text = str(value or "")
    return "" if text in ("<undefined>", "None", "_None_") else text


def _number(value: Any, otherwise: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return otherwise
    return number if math.isfinite(number) else otherwise


def _n_images(axes: Sequence[Axis]) -> int:
    flat = [axis for axis in axes if not axis.is_energy]
    return flat[0].n if len(flat) == 3 else 1


def _angles(
    metadata: Mapping[str, Any], original: Mapping[str, Any], n: int, source: str
) -> list[Found[NDArray[np.float64]]]:
    """Return the angles that the metadata hold for `n` images, best first."""
    found: list[Found[NDArray[np.float64]]] = []
    tilts = _at(metadata, ("Tomography", "tilts"))
    degrees = _read_numbers([] if tilts is None else tilts)
    if degrees.size == n:
        found.append(Found(degrees, "HyperSpy metadata, Tomography.tilts"))
    if n == 1:
        alpha = _number(_at(metadata, STAGE), np.nan)
        for tag in _tags(original, STAGE_ALPHA):
            alpha = _number(tag, alpha)
        if math.isfinite(alpha):
            found.append(Found(np.array([alpha]), f"{source}, stage alpha"))
    elif (planned := _plan_angles(original, n)) is not None:
        found.append(Found(planned, f"{source}, tomography setup"))
    return found


def _plan_angles(original: Mapping[str, Any], n: int) -> NDArray[np.float64] | None:
    """Return Gatan's equal steps from the smallest to the largest angle, if they are n."""
    low, high, step = (_number(next(iter(_tags(original, name)), None), np.nan) for name in SETUP)
    if not (math.isfinite(low + high + step) and step > 0 and low < high):
        return None
    return np.linspace(low, high, n) if round((high - low) / step) + 1 == n else None


def _at(tree: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def _tags(tree: Any, name: str, depth: int = MAX_DEPTH) -> Iterator[Any]:
    """Yield the values of every tag of this name, wherever it lies."""
    if depth and isinstance(tree, Mapping):
        for key, value in tree.items():
            if key == name:
                yield value
            else:
                yield from _tags(value, name, depth - 1)


def _in_words(signals: Sequence[Mapping[str, Any]]) -> str:
    parts = [
        f"{signal['data'].dtype} {' x '.join(map(str, signal['data'].shape))}" for signal in signals
    ]
    return ", ".join(parts) or "nothing"
