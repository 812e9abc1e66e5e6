"""The ten text labels of an MRC header: our own notes, and what others say about the axis."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .mdoc import title_axis_deg
from .notes import SIGNATURE
from .stack import Found

MAX_LABELS, LABEL_CHARS = 10, 80
_SHIFT = re.compile(rf"{SIGNATURE}: tilt axis along y, at ([-+]?[0-9.]{{1,20}}) px from the centre")


def is_our_own(labels: Sequence[str]) -> bool:
    """Tell whether this package wrote the file."""
    return any(label.startswith(SIGNATURE) for label in labels)


def axis_from_labels(labels: Sequence[str]) -> Found[float] | None:
    """Tilt axis, degrees counter-clockwise from vertical, from our own or SerialEM's label."""
    if any(_SHIFT.match(label) for label in labels):
        return Found(0.0, "header label of napari-wedgefill")
    for label in labels:
        axis = title_axis_deg(label)
        if axis is not None:
            return Found(axis, "header label 'Tilt axis angle'")
    return None


def axis_shift_from_labels(labels: Sequence[str]) -> float:
    """Position of the axis along x in pixels from the centre; 0 unless this package noted one."""
    for label in reversed(labels):
        if match := _SHIFT.match(label):
            return float(match[1])
    return 0.0


def label_lines(lines: Sequence[str]) -> list[bytes]:
    """Fit a history into the header: at most ten labels of 80 ASCII characters.

    The first step (where the data came from) and the last ones (what was done to them) are kept.
    """
    lines = [" ".join(line.split()) for line in lines if line.strip()]
    if len(lines) > MAX_LABELS:
        n_last = MAX_LABELS - 2
        n_left_out = len(lines) - 1 - n_last
        lines = [lines[0], f"({n_left_out} steps are left out here)", *lines[-n_last:]]
    return [line.encode("ascii", "replace")[:LABEL_CHARS] for line in lines]
