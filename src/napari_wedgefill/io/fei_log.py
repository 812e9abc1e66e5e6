"""FEI's acquisition log, ``x.txt`` beside ``x.mrc``: tilt axis, pixel size and tilt scheme."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .axis import wrap_degrees
from .stack import Found, Origin
from .text import number_after, read_note

#: Longer files are no logs of ours, and nobody wants to wait for them.
MAX_CHARS = 2_000_000
MAX_TILTS = 2000


class FeiLog:
    """The settings that an acquisition log states, each None where it does not.

    Attributes
    ----------
    axis : Found of float, or None
        Tilt axis, degrees counter-clockwise from vertical in the picture. The log counts clockwise,
        as FEI's headers do, so its sign is changed.
    pixel : Found of float, or None
        Nanometres.
    angles : Found of ndarray, or None
        The angles of a scheme that starts at the high tilt and runs through, degrees. Schemes that
        start in the middle leave the order of the images open and are not used.
    """

    def __init__(self, path: Path) -> None:
        self._source = path.name
        self._values: dict[str, float] = {}
        text = read_note(path)[:MAX_CHARS]
        for line in text.splitlines():
            for words in _WORDS:
                value = number_after(line, words, ":")
                if value is not None:
                    self._values.setdefault(words, value)
        self._runs_through = "starts at high angle" in text.lower()
        axis = self._values.get("tiltaxisangle")
        self.axis = None if axis is None else self._found(wrap_degrees(-axis))
        pixel = self._values.get("imagepixelsize[nm]")
        self.pixel = self._found(pixel) if pixel is not None and pixel > 0 else None
        angles = self._scheme()
        self.angles = None if angles is None else Found(angles, self._source, Origin.LOG)

    def _found(self, value: float) -> Found[float]:
        return Found(value, self._source, Origin.LOG)

    def _scheme(self) -> NDArray[np.float64] | None:
        """Follow the tilt scheme from its start to its other end."""
        start, low, high, switch_deg = (
            self._values.get(words)
            for words in ("starttilt", "lowtiltstep", "hightiltstep", "hightiltswitch")
        )
        ends = self._values.get("maxnegativetilt"), self._values.get("maxpositivetilt")
        if start is None or not low or None in ends or not self._runs_through:
            return None
        negative, positive = -abs(ends[0] or 0.0), abs(ends[1] or 0.0)
        stop, direction = (positive, 1.0) if start <= 0 else (negative, -1.0)
        angles = [start]
        while len(angles) < MAX_TILTS:
            at = angles[-1]
            is_high = switch_deg is not None and high and abs(at) > switch_deg
            step = abs((high if is_high else low) or low)
            following = at + direction * step
            if direction * (following - stop) > 1e-3 * step:
                return np.array(angles)
            angles.append(following)
        return None


_WORDS = (
    "tiltaxisangle",
    "imagepixelsize[nm]",
    "maxnegativetilt",
    "maxpositivetilt",
    "starttilt",
    "lowtiltstep",
    "hightiltstep",
    "hightiltswitch",
)
