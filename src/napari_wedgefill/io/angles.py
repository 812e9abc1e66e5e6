"""Tilt angles from text files: .tlt, .rawtlt, .txt, .csv (one column) and .mdoc."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .mdoc import read_mdoc
from .text import read_text

TEXT_SUFFIXES = (".tlt", ".rawtlt", ".txt", ".csv")
ANGLE_SUFFIXES = (*TEXT_SUFFIXES, ".mdoc")


def read_angles(path: str | Path) -> NDArray[np.float64]:
    """Read tilt angles in degrees, (n,), in the file's order (an mdoc: in the order of the stack).

    Text files hold one angle a line; blank lines, lines that begin with ``#`` and one line of
    heading are passed over.

    Raises
    ------
    WedgefillError
        If the file cannot be read, holds more than one column or something that is not a number,
        or is an mdoc of something else than a tilt series.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".mdoc":
        return read_mdoc(path).angles_deg()
    if suffix not in TEXT_SUFFIXES:
        raise WedgefillError(
            f"{path.name}: angles are read from {', '.join(ANGLE_SUFFIXES)} files, not from "
            f"'{suffix or 'a file without suffix'}'."
        )
    return _column(path, read_text(path))


def _column(path: Path, text: str) -> NDArray[np.float64]:
    angles: list[float] = []
    heading_allowed = True
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").replace(";", " ").split()
        if not words:
            continue
        angle = _finite(words[0])
        if angle is None and heading_allowed:
            heading_allowed = False
            continue
        if angle is None or len(words) > 1:
            raise WedgefillError(
                f"{path.name}: line {number} reads '{line.strip()[:40]}'; give one tilt angle in "
                f"degrees per line."
            )
        heading_allowed = False
        angles.append(angle)
    if not angles:
        raise WedgefillError(f"{path.name}: no angle was found; give one tilt angle per line.")
    return np.array(angles, dtype=np.float64)


def _finite(word: str) -> float | None:
    """Return the number that `word` spells, or None ("nan" and "inf" are no angles)."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
