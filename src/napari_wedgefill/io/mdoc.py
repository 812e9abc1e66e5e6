"""SerialEM's .mdoc files: tilt angles, pixel size and tilt axis of a stack."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .text import read_text

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
#: SerialEM writes "Tilt axis angle = 85.3", Thermo's Tomography 5 "TiltAxisAngle = 85.3".
AXIS_PATTERN = re.compile(rf"tilt\s*axis\s*angle\s*=\s*({NUMBER})", re.IGNORECASE)
_HEADER = re.compile(r"^\[\s*(\w+)\s*=\s*(.*?)\s*\]$")
_ITEM = re.compile(r"^(\w+)\s*=\s*(.*)$")


@dataclass(frozen=True)
class Mdoc:
    """An .mdoc file, split into its sections.

    Attributes
    ----------
    path : Path
    settings : dict of str to str
        The entries before any section.
    titles : list of str
        The free-text ``[T = ...]`` lines.
    images : dict of int to dict
        The entries of each ``[ZValue = n]`` section, by n: the index of the image in the stack.
        The sections' order is that of acquisition, which need not be the order of anything else.
    has_frame_sets : bool
        There are ``[FrameSet = n]`` sections: the file describes the frames of one movie.
    """

    path: Path
    settings: dict[str, str] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    images: dict[int, dict[str, str]] = field(default_factory=dict)
    has_frame_sets: bool = False

    @property
    def is_montage(self) -> bool:
        """True if the images are overlapping pieces of larger ones."""
        if self.settings.get("Montage", "0") not in ("", "0"):
            return True
        return any("PieceCoordinates" in image for image in self.images.values())

    def angles_deg(self) -> NDArray[np.float64]:
        """Tilt angles in the order of the images in the stack, degrees, (n,).

        Raises
        ------
        WedgefillError
            If the file describes a montage or a movie, or lacks the angle of an image.
        """
        if self.has_frame_sets:
            raise WedgefillError(
                f"{self.path.name}: this mdoc describes the frames of one movie (FrameSet), not a "
                f"tilt series; give the mdoc of the stack, or a .tlt file."
            )
        if self.is_montage:
            raise WedgefillError(
                f"{self.path.name}: this mdoc describes a montage of image pieces, not a tilt "
                f"series; blend the montage first, or give a .tlt file."
            )
        if not self.images:
            raise WedgefillError(
                f"{self.path.name}: no [ZValue = n] section was found in this mdoc; give a .tlt "
                f"file with one angle per image."
            )
        return np.array([self._angle_deg(z) for z in sorted(self.images)], dtype=np.float64)

    def _angle_deg(self, z: int) -> float:
        try:
            return float(self.images[z]["TiltAngle"])
        except (KeyError, ValueError):
            raise WedgefillError(
                f"{self.path.name}: section [ZValue = {z}] has no readable TiltAngle; correct the "
                f"mdoc or give a .tlt file with one angle per image."
            ) from None

    @property
    def pixel_nm(self) -> float | None:
        """Pixel size in nanometres (the file holds angstroms)."""
        entries = [self.settings, *self.images.values()]
        for text in (entry["PixelSpacing"] for entry in entries if "PixelSpacing" in entry):
            if re.fullmatch(NUMBER, text) and float(text) > 0:
                return float(text) / 10.0
        return None

    @property
    def axis_deg(self) -> float | None:
        """Tilt axis, degrees counter-clockwise from vertical as 3dmod shows the images."""
        for title in self.titles:
            if match := AXIS_PATTERN.search(title):
                return float(match[1])
        # RotationAngle is where stage x, the tilt axis, lies in the image plus 90 degrees in every
        # SerialEM file seen (175.3 beside 85.3, 0 beside -90); other programs mean other things.
        if any("SerialEM" in title for title in self.titles):
            for image in self.images.values():
                if re.fullmatch(NUMBER, image.get("RotationAngle", "")):
                    return float(image["RotationAngle"]) - 90.0
        return None


def read_mdoc(path: str | Path) -> Mdoc:
    """Parse an .mdoc file; nothing is judged until a value is asked for.

    Raises
    ------
    WedgefillError
        If the file cannot be opened or is not text.
    """
    path = Path(path)
    settings: dict[str, str] = {}
    titles: list[str] = []
    images: dict[int, dict[str, str]] = {}
    has_frame_sets = False
    entries = settings
    for line in map(str.strip, read_text(path).splitlines()):
        if header := _HEADER.match(line):
            kind, value = header.groups()
            if kind == "T":
                titles.append(value)
                continue
            has_frame_sets |= kind == "FrameSet"
            entries = {}
            if kind == "ZValue" and value.isdecimal():
                images[int(value)] = entries
        elif item := _ITEM.match(line):
            if item[1] == "T":
                titles.append(item[2])
            else:
                entries[item[1]] = item[2].strip()
    return Mdoc(path, settings, titles, images, has_frame_sets)
