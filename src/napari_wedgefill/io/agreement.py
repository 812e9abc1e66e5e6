"""Whether two sources say the same of the same images, and in words what differs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .axis import wrap_degrees

#: Stage read-backs, rounded lists and refined angles differ by less; wrong pairings by more.
SAME_ANGLES_DEG = 1.5
#: A whole list may lie higher or lower, by the offset that an alignment found; more is told.
SAME_OFFSET_DEG = 0.5
#: No lamella is milled and no offset found at a larger angle.
LARGEST_OFFSET_DEG = 20.0
SAME_AXIS_DEG = 1.0
SAME_PIXEL = 0.01


def disagreement_of_angles(a: NDArray[np.float64], b: NDArray[np.float64]) -> str:
    """Say in words how two lists of angles of the same images differ; "" if they agree.

    Both hold the images' order, (n,), degrees.
    """
    difference = a - b
    offset = float(np.median(difference))
    if float(np.abs(difference - offset).max()) <= _tolerance(a):
        if abs(offset) <= SAME_OFFSET_DEG:
            return ""
        return f"they differ by {offset:+.1f} degrees throughout"
    if float(np.abs(a + b).max()) <= SAME_ANGLES_DEG:
        return "their signs are opposite"
    if are_permuted(a, b):
        return "they hold the same angles in another order"
    return f"they differ by up to {float(np.abs(difference).max()):.1f} degrees"


def are_permuted(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Tell whether two lists hold the same angles, but give them to different images."""
    if len(a) != len(b):
        return False
    difference = a - b
    is_in_order = float(np.abs(difference - np.median(difference)).max()) <= _tolerance(a)
    return not is_in_order and same_set(a, b)


def same_set(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Tell whether two lists hold the same angles, in whatever order; a shift of all is allowed."""
    if len(a) != len(b):
        return False
    difference = np.sort(a) - np.sort(b)
    shift = float(np.median(difference))
    return abs(shift) <= LARGEST_OFFSET_DEG and bool(
        np.abs(difference - shift).max(initial=0.0) <= _tolerance(a)
    )


def _tolerance(angles: NDArray[np.float64]) -> float:
    """How far apart two statements of one tilt may lie: less than to the next tilt."""
    steps = np.diff(np.unique(np.round(angles, 2)))
    step = float(np.median(steps)) if steps.size else SAME_ANGLES_DEG
    return float(np.clip(0.75 * step, 0.25, SAME_ANGLES_DEG))


def axes_disagree(a_deg: float, b_deg: float) -> bool:
    """Tell whether two directions of the tilt axis differ; 180 degrees apart is another hand."""
    return abs(wrap_degrees(a_deg - b_deg)) > SAME_AXIS_DEG


def pixels_disagree(a_nm: float, b_nm: float) -> bool:
    """Tell whether two pixel sizes differ by more than rounding."""
    return abs(a_nm - b_nm) > SAME_PIXEL * max(a_nm, b_nm)
