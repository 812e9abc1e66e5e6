"""Tilt angles from text: lists in files of many kinds, and ranges that people type."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .mdoc import read_mdoc
from .text import leading_number, read_text, whole_number_text

MAX_TYPED_TILTS = 2000
#: What the heading of a column of angles holds, what speaks for it most first.
_ANGLE_HEADINGS = ("tiltangle", "alpha", "angle", "tilt", "theta", "deg")
#: What a heading with one of those words must not hold: another angle.
_OTHER_ANGLES = ("axis", "beta", "rot", "psi", "step", "error", "index")
_NAME_HEADINGS = ("filename", "file", "image", "path", "name", "frame", "movie")
_RANGE = re.compile(
    r"([-+]?[\d.]{1,20}) *(?:[:/]|to) *([-+]?[\d.]{1,20})"
    r"(?: *(?:[:/]|,? *(?:step|in steps of|by)) *([-+]?[\d.]{1,20}))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AngleList:
    """Angles from one file.

    Attributes
    ----------
    angles_deg : ndarray, (n,)
        Degrees, in the order of the stack.
    file_names : list of str, or None
        Which image file each belongs to, where the list says so, without folders.
    """

    angles_deg: NDArray[np.float64]
    file_names: list[str] | None = None


def read_angles(path: str | Path, n_images: int | None = None) -> NDArray[np.float64]:
    """Read tilt angles in degrees, (n,), in the order of the stack.

    Parameters
    ----------
    path : path
        A column of numbers (.tlt .rawtlt .txt .csv), a table with a heading that names the angles
        (.csv .txt), SerialEM's .mdoc, or AreTomo's .aln.
    n_images : int, optional
        How many images the angles are for; an .aln may be of a stack with or without its dark
        images.

    Raises
    ------
    WedgefillError
        If the file cannot be read, or holds something else than one angle per image.
    """
    return read_angle_list(path, n_images).angles_deg


def read_angle_list(path: str | Path, n_images: int | None = None) -> AngleList:
    """Read tilt angles, and the names of the files they belong to where the list holds them."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _NO_ANGLES:
        raise WedgefillError(f"{path.name}: {_NO_ANGLES[suffix]}")
    reader = _READERS.get(suffix)
    if reader is None:
        raise WedgefillError(
            f"{path.name}: angles are read from {', '.join(ANGLE_SUFFIXES)} files, not from "
            f"'{suffix or 'a file without suffix'}'."
        )
    return reader(path, n_images)


def angles_from_text(text: str, n_images: int | None = None) -> NDArray[np.float64]:
    """Read a range or a list of angles that was typed.

    Parameters
    ----------
    text : str
        ``-60:60:2``, ``-60/60/2``, ``-60 to 60 step 2``; ``-60:60``, whose step follows from the
        number of images; or numbers separated by blanks, commas, semicolons or line ends. The stop
        angle is included.
    n_images : int, optional
        How many images the angles are for; only a range without a step needs it.

    Returns
    -------
    ndarray, float64, (n_tilts,)

    Raises
    ------
    WedgefillError
        If the text is empty or holds something else.
    """
    plain = " ".join(text.replace("\N{MINUS SIGN}", "-").replace("\N{DEGREE SIGN}", " ").split())
    if not plain:
        raise WedgefillError(
            "No tilt angles are known; load an angle file or type start:stop:step, "
            "for example -60:60:2."
        )
    shown = plain if len(plain) <= 40 else plain[:37] + "..."
    try:
        if match := _RANGE.fullmatch(plain):
            start, stop = float(match[1]), float(match[2])
            if match[3] is not None:
                return _step_from_to(start, stop, float(match[3]))
            return _spread(start, stop, n_images, shown)
        angles = np.array([float(word) for word in re.split(r"[ ,;]+", plain) if word])
    except ValueError as error:
        if isinstance(error, WedgefillError):
            raise
        angles = np.array([np.nan])
    if angles.size == 0 or not np.isfinite(angles).all():
        raise WedgefillError(
            f"The tilt angles '{shown}' are not understood; type start:stop:step in degrees, "
            "for example -60:60:2, or a list of numbers."
        )
    return angles


def _step_from_to(start: float, stop: float, step: float) -> NDArray[np.float64]:
    if step == 0:
        raise WedgefillError("The tilt step is 0 degrees; type the step of the series.")
    count = round(abs(stop - start) / abs(step)) + 1
    if count > MAX_TYPED_TILTS:
        raise WedgefillError(
            f"A step of {step:g} degrees from {start:g} to {stop:g} makes {count} tilts; "
            "type a larger step."
        )
    direction = 1.0 if stop >= start else -1.0
    return np.asarray(start + direction * abs(step) * np.arange(count), dtype=np.float64)


def _spread(start: float, stop: float, n_images: int | None, shown: str) -> NDArray[np.float64]:
    if n_images is None or n_images < 2:
        raise WedgefillError(
            f"The range '{shown}' has no step, and there are no images to count; type "
            f"start:stop:step, for example -60:60:2."
        )
    return np.asarray(np.linspace(start, stop, n_images), dtype=np.float64)


def _mdoc(path: Path, n_images: int | None) -> AngleList:
    mdoc = read_mdoc(path)
    return AngleList(mdoc.angles_deg(), mdoc.file_names())


def _list_or_table(path: Path, n_images: int | None) -> AngleList:
    """Read one column of angles, or a table whose heading names the column of angles."""
    rows = [(n, line) for n, line in enumerate(read_text(path).splitlines(), 1) if _content(line)]
    heading = rows[0][1] if rows else ""
    if rows and leading_number(_content(heading)) is None:
        rows = rows[1:]
        table = _table(path, heading, rows)
        if table is not None:
            return table
    return AngleList(_column(path, rows))


def _content(line: str) -> str:
    """Return what a line holds besides blanks, a remark and signs of degrees."""
    plain = line.split("#")[0].replace("\N{MINUS SIGN}", "-").replace("\N{DEGREE SIGN}", " ")
    return plain.strip()


def _table(path: Path, heading: str, rows: Sequence[tuple[int, str]]) -> AngleList | None:
    """Read a table with a heading; None if the heading names no column of angles."""
    separator = next((mark for mark in ("\t", ";", ",") if mark in heading), None)
    if separator is None:
        return None
    names = ["".join(c for c in cell.lower() if c.isalnum()) for cell in heading.split(separator)]
    column = _column_of_angles(path, names)
    if column is None:
        return None
    of_files = next((names.index(n) for n in _NAME_HEADINGS if n in names), None)
    angles, files = [], []
    for number, line in rows:
        cells = _content(line).split(separator)
        angle = whole_number_text(cells[column]) if column < len(cells) else None
        if angle is None:
            raise WedgefillError(
                f"{path.name}: line {number} has no readable number in the column "
                f"'{heading.split(separator)[column].strip()}'; give one tilt angle per line."
            )
        angles.append(angle)
        if of_files is not None and of_files < len(cells):
            files.append(PureWindowsPath(cells[of_files].strip().strip("\"'")).name)
    if not angles:
        raise WedgefillError(f"{path.name}: no angle was found; give one tilt angle per line.")
    named = files if len(files) == len(angles) and all(files) else None
    return AngleList(np.array(angles, dtype=np.float64), named)


def _column_of_angles(path: Path, names: Sequence[str]) -> int | None:
    for word in _ANGLE_HEADINGS:
        columns = [
            i
            for i, name in enumerate(names)
            if word in name and not any(other in name for other in _OTHER_ANGLES)
        ]
        if len(columns) == 1:
            return columns[0]
        if columns:
            exact = [i for i in columns if names[i] == word]
            if len(exact) == 1:
                return exact[0]
            raise WedgefillError(
                f"{path.name}: columns {', '.join(str(i + 1) for i in columns)} all look like tilt "
                f"angles; leave only one."
            )
    return None


def _column(path: Path, rows: Sequence[tuple[int, str]]) -> NDArray[np.float64]:
    """Read one number a line; decimal commas are understood where they can mean nothing else."""
    cells = [_content(line) for _, line in rows]
    has_commas = _are_decimal_commas(cells)
    angles = []
    for (number, line), cell in zip(rows, cells, strict=True):
        words = (cell.replace(",", ".") if has_commas else cell.replace(",", " ")).replace(";", " ")
        parts = words.split()
        angle = whole_number_text(parts[0]) if parts else None
        if angle is None or len(parts) > 1:
            raise WedgefillError(
                f"{path.name}: line {number} reads '{line.strip()[:40]}'; give one tilt angle in "
                f"degrees per line."
            )
        angles.append(angle)
    if not angles:
        raise WedgefillError(f"{path.name}: no angle was found; give one tilt angle per line.")
    return np.array(angles, dtype=np.float64)


def _are_decimal_commas(cells: Sequence[str]) -> bool:
    """Tell "-60,00" from "1,-60", an index and an angle."""
    halves = [cell.split(",") for cell in cells]
    if len(cells) < 3 or not all(len(pair) == 2 and pair[1].isdecimal() for pair in halves):
        return False
    whole = [whole_number_text(pair[0]) for pair in halves]
    counts = [float(whole[0] or 0) + i for i in range(len(cells))]
    return None not in whole and whole != counts


def _aretomo(path: Path, n_images: int | None) -> AngleList:
    """Read AreTomo's alignment: a row a tilt, sorted, with the section of the raw stack in front.

    Dark images are left out of its rows and stand in remarks of their own, so a list fits either
    the raw stack or the one that AreTomo wrote, whichever has as many images.
    """
    kept: list[tuple[int, float]] = []
    dark: list[tuple[int, float]] = []
    for line in read_text(path).splitlines():
        words = line.replace("=", " ").split()
        if line.startswith("# DarkFrame") and len(words) == 5:
            numbers, into = words[3:], dark
        elif line.startswith("# Local"):
            break
        elif len(words) == 10 and not line.startswith("#"):
            numbers, into = [words[0], words[9]], kept
        else:
            continue
        section, angle = (whole_number_text(word) for word in numbers)
        if section is None or angle is None:
            raise WedgefillError(f"{path.name}: the row '{line.strip()[:40]}' is not AreTomo's.")
        into.append((int(section), angle))
    if not kept:
        raise WedgefillError(f"{path.name}: no row of an AreTomo alignment was found in it.")
    if n_images == len(kept) and dark:
        return AngleList(np.array([angle for _, angle in kept]))
    rows = sorted(kept + dark)
    sections = [section for section, _ in rows]
    if sections not in (list(range(len(rows))), list(range(1, len(rows) + 1))):
        raise WedgefillError(
            f"{path.name}: its sections are not numbered without gaps, so the order of the images "
            f"is unknown; give a .tlt file with one angle per image."
        )
    return AngleList(np.array([angle for _, angle in rows]))


_READERS: dict[str, Callable[[Path, int | None], AngleList]] = {
    ".tlt": _list_or_table,
    ".rawtlt": _list_or_table,
    ".txt": _list_or_table,
    ".csv": _list_or_table,
    ".mdoc": _mdoc,
    ".aln": _aretomo,
}
ANGLE_SUFFIXES = tuple(_READERS)
_XF = (
    "this file holds how each image was moved and turned, not its tilt angle; give the .tlt file "
    "beside it."
)
#: Files of IMOD that lie where angles do and hold something else, and what they hold.
_NO_ANGLES = {
    ".xf": _XF,
    ".tltxf": _XF,
    ".prexf": _XF,
    ".prexg": _XF,
    ".xtilt": "this file holds tilts about the x axis, not about the tilt axis; give the .tlt file "
    "beside it.",
}
