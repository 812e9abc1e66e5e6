"""Tilt angles as a line of text that a person can read, type and paste."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import WedgefillError
from ...geometry import median_step_deg, missing_range_deg
from ...io import angles_from_text
from ...tilt_series import MAX_TILT_DEG

#: Angles count as evenly spaced when none is further than this from the even grid, in degrees.
EVEN_WITHIN_DEG = 0.005


def parse_angles(text: str, n_images: int | None = None) -> NDArray[np.float64]:
    """Read a range or a list of tilt angles in degrees; see `io.angles_from_text`.

    Raises
    ------
    WedgefillError
        If the text is empty, holds something else, or an angle that no stage can have.
    """
    angles = angles_from_text(text, n_images)
    wrong = angles[~(np.abs(angles) <= MAX_TILT_DEG)]
    if wrong.size:
        raise WedgefillError(
            f"A tilt angle of {wrong[0]:g} degrees is not possible; angles are degrees between "
            f"-{MAX_TILT_DEG:.0f} and {MAX_TILT_DEG:.0f}."
        )
    return angles


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
