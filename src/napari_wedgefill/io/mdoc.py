"""SerialEM's .mdoc files, which Thermo's Tomography writes too: angles, pixel size, tilt axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .axis import wrap_degrees
from .stack import Found, Origin
from .text import number_after, read_text, whole_number_text

#: SerialEM's "Tilt axis angle = 85.3" and Tomography's "TiltAxisAngle = 85.3", blanks aside.
AXIS_WORDS = "tiltaxisangle"
#: Two statements of one direction differ by no more than this: both are rounded.
SAME_AXIS_DEG = 1.0


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
        angle = whole_number_text(self.images[z].get("TiltAngle", ""))
        if angle is None:
            raise WedgefillError(
                f"{self.path.name}: section [ZValue = {z}] has no readable TiltAngle; correct the "
                f"mdoc or give a .tlt file with one angle per image."
            )
        return angle

    def file_names(self) -> list[str] | None:
        """Name of the file that holds each tilt, in the order of `angles_deg`, or None.

        From ``SubFramePath``, without its folder, which is one of the microscope's own computer.
        """
        paths = [self.images[z].get("SubFramePath", "") for z in sorted(self.images)]
        return [PureWindowsPath(path).name for path in paths] if paths and all(paths) else None

    @property
    def pixel_nm(self) -> float | None:
        """Pixel size in nanometres (the file holds angstroms)."""
        sizes = self._numbers("PixelSpacing")
        return next((size / 10.0 for size in sizes if size > 0), None)

    def axis(self) -> tuple[Found[float] | None, str]:
        """Tilt axis, degrees counter-clockwise from vertical in the picture, and a warning or "".

        SerialEM states it in a title, and a ``RotationAngle`` that is 90 degrees larger. Thermo's
        Tomography states a ``TiltAxisAngle`` in the title whose meaning changed over the years.
        IMOD's rule tells which, from title T and rotation R: where T = -(R + 90) the axis is R,
        where T = R - 90 it is T, where T = -(R - 90) it is -T.
        """
        in_title = next((t for t in map(title_axis_deg, self.titles) if t is not None), None)
        rotation = next(iter(self._numbers("RotationAngle")), None)
        is_serialem = any("SerialEM" in title for title in self.titles)
        is_tomography = any(
            "".join(title.split()).lower().startswith(("tomography:", AXIS_WORDS))
            for title in self.titles
        )
        if in_title is None:
            if rotation is None or not (is_serialem or is_tomography):
                return None, ""
            axis = rotation - 90.0 if is_serialem else rotation
            return self._found(axis, "RotationAngle"), ""
        if rotation is None:
            return self._found(in_title, "title"), ""
        if is_tomography and not is_serialem:
            return self._tomography_axis(in_title, rotation)
        if _same_axis(in_title, rotation - 90.0):
            return self._found(in_title, "title"), ""
        return self._found(in_title, "title"), (
            f"{self.path.name}: its title says {in_title:g} degrees for the tilt axis, its "
            f"RotationAngle of {rotation:g} means "
            f"{wrap_degrees(rotation - 90.0):g}; the title is used."
        )

    def _tomography_axis(self, title: float, rotation: float) -> tuple[Found[float], str]:
        """Apply IMOD's rule; a pair that fits it is ordinary, and only the source tells of it."""
        if _same_axis(title, -(rotation + 90.0)):
            axis, source = rotation, f"RotationAngle, by IMOD's rule; the title says {title:g}"
        elif _same_axis(title, rotation - 90.0):
            axis, source = title, "title"
        elif _same_axis(title, -(rotation - 90.0)):
            axis, source = -title, "title with its sign changed, by IMOD's rule"
        else:
            return self._found(rotation, "RotationAngle"), (
                f"{self.path.name}: its title says {title:g} degrees for the tilt axis and its "
                f"RotationAngle {rotation:g}, which fit no known rule; RotationAngle is used, so "
                f"check the volume or give the axis."
            )
        return self._found(axis, source), ""

    def _found(self, axis_deg: float, source: str) -> Found[float]:
        return Found(round(wrap_degrees(axis_deg), 6), f"{self.path.name}, {source}", Origin.MDOC)

    def _numbers(self, key: str) -> Iterable[float]:
        """Every readable number under `key`, the settings' first, then in the order of sections."""
        for entries in (self.settings, *self.images.values()):
            number = whole_number_text(entries.get(key, ""))
            if number is not None:
                yield number


def title_axis_deg(title: str) -> float | None:
    """Return the tilt axis that a title or header label states, in its own sense, or None."""
    return number_after(title, AXIS_WORDS, "=")


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
        is_header = line.startswith("[") and line.endswith("]")
        key, equals, value = (line[1:-1] if is_header else line).partition("=")
        key, value = key.strip(), value.strip()
        if not equals:
            continue
        if key == "T":
            titles.append(value)
        elif is_header:
            has_frame_sets |= key == "FrameSet"
            entries = {}
            if key == "ZValue" and value.isdecimal() and len(value) <= 9:
                images[int(value)] = entries
        else:
            entries[key] = value
    return Mdoc(path, settings, titles, images, has_frame_sets)


def _same_axis(a_deg: float, b_deg: float) -> bool:
    return abs(wrap_degrees(a_deg - b_deg)) <= SAME_AXIS_DEG
