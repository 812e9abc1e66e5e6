"""Tilt angles as a line of text that a person can read, type and paste."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import WedgefillError
from ...geometry import median_step_deg, missing_range_deg
from ...tilt_series import MAX_TILT_DEG

#: Angles count as evenly spaced when none is further than this from the even grid, in degrees.
EVEN_WITHIN_DEG = 0.005
MAX_TYPED_TILTS = 2000

_RANGE = re.compile(
    r"^\s*(?P<start>[-+]?[\d.]+)\s*(?:[:/]|to)\s*(?P<stop>[-+]?[\d.]+)"
    r"\s*(?:[:/]|,?\s*(?:step|in steps of|by))\s*(?P<step>[-+]?[\d.]+)\s*$",
    re.IGNORECASE,
)


def parse_angles(text: str) -> NDArray[np.float64]:
    """Read ``start:stop:step`` or a list of angles in degrees.

    Parameters
    ----------
    text : str
        ``-60:60:2``, ``-60/60/2``, ``-60 to 60 step 2``, or numbers separated by blanks, commas,
        semicolons or line ends. The stop angle is included.

    Returns
    -------
    ndarray, float64, (n_tilts,)

    Raises
    ------
    WedgefillError
        If the text is empty, holds something else, or an angle that no stage can have.
    """
    angles = _read_angles(text)
    wrong = angles[~(np.abs(angles) <= MAX_TILT_DEG)]
    if wrong.size:
        raise WedgefillError(
            f"A tilt angle of {wrong[0]:g} degrees is not possible; angles are degrees between "
            f"-{MAX_TILT_DEG:.0f} and {MAX_TILT_DEG:.0f}."
        )
    return angles


def _read_angles(text: str) -> NDArray[np.float64]:
    plain = text.replace("\N{MINUS SIGN}", "-").replace("\N{DEGREE SIGN}", " ").strip()
    if not plain:
        raise WedgefillError(
            "No tilt angles are known; load an angle file or type start:stop:step, "
            "for example -60:60:2."
        )
    try:
        if match := _RANGE.match(plain):
            return _even_angles(*(float(match[part]) for part in ("start", "stop", "step")))
        return np.array([float(word) for word in re.split(r"[\s,;]+", plain) if word])
    except ValueError as error:
        if isinstance(error, WedgefillError):
            raise
        shown = plain if len(plain) <= 40 else plain[:37] + "..."
        raise WedgefillError(
            f"The tilt angles '{shown}' are not understood; type start:stop:step in degrees, "
            "for example -60:60:2, or a list of numbers."
        ) from error


def _even_angles(start: float, stop: float, step: float) -> NDArray[np.float64]:
    if step == 0:
        raise WedgefillError("The tilt step is 0 degrees; type the step of the series.")
    count = round(abs(stop - start) / abs(step)) + 1
    if count > MAX_TYPED_TILTS:
        raise WedgefillError(
            f"A step of {step:g} degrees from {start:g} to {stop:g} makes {count} tilts; "
            "type a larger step."
        )
    direction = 1.0 if stop >= start else -1.0
    return start + direction * abs(step) * np.arange(count, dtype=np.float64)


def format_angles(angles_deg: ArrayLike) -> str:
    """Write angles as ``start:stop:step`` where they are evenly spaced, else as a list."""
    angles = np.asarray(angles_deg, dtype=np.float64)
    if angles.size > 2:
        even = np.linspace(angles[0], angles[-1], angles.size)
        step = round(float(even[1] - even[0]), 4)
        rebuilt = angles[0] + step * np.arange(angles.size)
        if step > 0 and np.abs(angles - rebuilt).max() <= EVEN_WITHIN_DEG:
            return f"{angles[0]:.6g}:{rebuilt[-1]:.6g}:{step:.6g}"
    return ", ".join(f"{angle:.6g}" for angle in angles)


def describe_angles(angles_deg: ArrayLike, source: str = "") -> str:
    """Say what a tilt scheme covers, for example ``77 tilts, -76 to 76 deg, step 2, ...``."""
    angles = np.asarray(angles_deg, dtype=np.float64)
    words = [
        f"{angles.size} tilts, {angles.min():.4g} to {angles.max():.4g}\N{DEGREE SIGN}",
        f"step {median_step_deg(angles):.3g}\N{DEGREE SIGN}",
        f"{missing_range_deg(angles):.3g}\N{DEGREE SIGN} missing",
    ]
    if source:
        words.append(f"from {source}")
    return ", ".join(words)
