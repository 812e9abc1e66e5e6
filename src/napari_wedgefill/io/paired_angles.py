"""Which angle belongs to which file of a series with one file per tilt.

An mdoc or table may name the files; else the files say it themselves, in their headers or names,
and a bare list of angles is matched to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import MIN_TILTS
from .agreement import disagreement_of_angles, same_set
from .angles import AngleList, read_angle_list
from .chosen_angles import read_given_angles
from .file_names import MAX_STAGE_DEG
from .sidecars import ANGLE_SIDECARS
from .stack import Found, Given, Origin, Stack

#: Frames of one tilt are exposed at one stage position; read-back wobbles by less than this.
SAME_ANGLE_DEG = 0.1
BY_ORDER = (
    "Nothing but the order of the files says which tilt angle belongs to which: {first} is taken "
    "for {angle:g} degrees, the first of {source}."
)


@dataclass
class Tilt:
    """One file of one tilt, and what it says of itself.

    Attributes
    ----------
    stack : Stack
    image : ndarray, float32, (h, w)
        The mean of its frames.
    own_deg : float or None
        The angle by its own header or sidecar.
    own_source : str
    named_deg : float or None
        The angle by its name.
    is_blank : bool
        Every pixel has the same value: the exposure failed.
    """

    stack: Stack
    image: NDArray[np.float32]
    own_deg: float | None
    own_source: str
    named_deg: float | None = None
    is_blank: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.stack.path


Assigned = tuple[list[Tilt], Found[NDArray[np.float64]]]
#: A list of angles, its name in words, and its file.
Listing = tuple[AngleList | None, str, Path | None]


def assign_angles(
    tilts: list[Tilt], given: Given, in_order: bool, warnings: list[str]
) -> tuple[list[Tilt], Found[NDArray[np.float64]], Path | None]:
    """Decide which angle belongs to which file; files that turn out to be foreign are left out.

    The third value is the mdoc that names the files, if one does.
    """
    listed, source, path = _listing(tilts, given)
    if listed is None or listed.file_names is not None or len(listed.angles_deg) != len(tilts):
        tilts = [tilt for tilt in tilts if not tilt.is_blank]  # else the list has their angles
    if listed is not None and listed.file_names is not None:
        matched = _by_file_names(tilts, listed, source, warnings)
        if matched is not None:
            is_mdoc = path is not None and path.suffix.lower() == ".mdoc"
            return *matched, path if is_mdoc else None
        warnings.append(f"{source} names no file of this series; its angles are taken in order.")
    tilts = _without_foreign(tilts, in_order, warnings)
    if listed is not None and (given.angles is not None or not _are_known(tilts)):
        return tilts, _by_list(tilts, listed.angles_deg, source, warnings), None
    return tilts, _by_themselves(tilts, warnings), None


def _are_known(tilts: Sequence[Tilt]) -> bool:
    return all(t.own_deg is not None for t in tilts) or all(t.named_deg is not None for t in tilts)


def _listing(tilts: Sequence[Tilt], given: Given) -> Listing:
    """Read the list of angles that was given, or find one in the folder."""
    if given.angles is not None:
        if isinstance(given.angles, (str, Path)) and Path(given.angles).is_file():
            path = Path(given.angles)
            return read_angle_list(path, len(tilts)), f"{path.name} (given)", path
        values, source = read_given_angles(given, len(tilts))
        return AngleList(values), f"{source} (given)", None
    folders = {tilt.path.parent for tilt in tilts}
    if len(folders) != 1:
        return None, "", None
    stems = _stems([tilt.path.name for tilt in tilts])
    bare: list[Listing] = []
    for path in sorted(folders.pop().iterdir()):
        if path.suffix.lower() not in ANGLE_SIDECARS:
            continue
        try:
            one = read_angle_list(path, len(tilts))
        except WedgefillError:
            continue  # anything may lie in a folder
        if one.file_names is not None:
            if len(stems & _stems(one.file_names)) >= MIN_TILTS:
                return one, path.name, path
        elif len(one.angles_deg) == len(tilts) and len(tilts) >= MIN_TILTS:
            bare.append((one, path.name, path))
    return bare[0] if len(bare) == 1 else (None, "", None)


def _stems(names: Sequence[str]) -> set[str]:
    return {Path(name).stem.lower() for name in names}


def _by_file_names(
    tilts: Sequence[Tilt], listed: AngleList, source: str, warnings: list[str]
) -> Assigned | None:
    """Give each file the angle of the entry that names it, whatever its ending; None if too few."""
    names = listed.file_names or []
    angle_of = {name.lower(): float(a) for name, a in zip(names, listed.angles_deg, strict=True)}
    # Movies are often aligned and saved under another ending than the mdoc's.
    angle_of |= {Path(name).stem.lower(): angle for name, angle in angle_of.items()}
    found = [
        angle_of.get(tilt.path.name.lower(), angle_of.get(tilt.path.stem.lower())) for tilt in tilts
    ]
    kept = [(tilt, angle) for tilt, angle in zip(tilts, found, strict=True) if angle is not None]
    if len(kept) < MIN_TILTS:
        return None
    left_out = [tilt.path.name for tilt, angle in zip(tilts, found, strict=True) if angle is None]
    if left_out:
        warnings.append(f"{_some(left_out)} left out: {source} names no such file.")
    if len(kept) < len(names):
        warnings.append(
            f"{source} names {len(names)} files, of which {len(kept)} are here; those were used."
        )
    chosen = [tilt for tilt, _ in kept]
    angles = np.array([angle for _, angle in kept])
    _tell_contradictions(chosen, angles, source, warnings)
    return chosen, Found(angles, f"{source}, by the names of the files", Origin.MDOC)


def _without_foreign(tilts: list[Tilt], in_order: bool, warnings: list[str]) -> list[Tilt]:
    """Leave out files whose names show that they are no tilts; what was given one by one stays."""
    named = [tilt for tilt in tilts if tilt.named_deg is not None]
    if in_order or len(named) < MIN_TILTS:
        return tilts
    kept = []
    for tilt in tilts:
        if tilt.named_deg is None and tilt.own_deg is None:
            warnings.append(
                f"{tilt.path.name} was left out: it has no tilt angle in its name, while "
                f"{named[0].path.name} and others have."
            )
        elif tilt.named_deg is not None and abs(tilt.named_deg) > MAX_STAGE_DEG:
            warnings.append(
                f"{tilt.path.name} was left out: {tilt.named_deg:g} degrees is no tilt of this "
                f"series; give the files one by one if it is."
            )
        else:
            kept.append(tilt)
    return kept


def _by_list(
    tilts: Sequence[Tilt], angles: NDArray[np.float64], source: str, warnings: list[str]
) -> Found[NDArray[np.float64]]:
    """Match a bare list to the angles that the files or their names hold; else go by order."""
    if len(angles) != len(tilts):
        raise WedgefillError(
            f"{source.removesuffix(' (given)')}: it holds {len(angles)} angles for {len(tilts)} "
            f"files of one tilt each; give one angle per file."
        )
    known, what = _known(tilts)
    if known is None:
        warnings.append(
            BY_ORDER.format(
                first=tilts[0].path.name, angle=angles[0], source=source.removesuffix(" (given)")
            )
        )
        return Found(angles, source, Origin.GIVEN)
    if not disagreement_of_angles(angles, known):
        return Found(angles, source, Origin.GIVEN)
    if same_set(angles, known):
        paired = np.empty_like(angles)
        paired[np.argsort(known, kind="stable")] = np.sort(angles)
        warnings.append(
            f"{source.removesuffix(' (given)')} is not in the order of the files; each file has "
            f"the angle that {what} {'says' if what.endswith('name') else 'say'}."
        )
        return Found(paired, f"{source}, by the angles of the files", Origin.GIVEN)
    words = disagreement_of_angles(angles, known)
    warnings.append(
        f"The tilt angles of {source.removesuffix(' (given)')} and those by {what} contradict each "
        f"other: {words}. The list is used, in the order of the files."
    )
    return Found(angles, source, Origin.GIVEN)


def _known(tilts: Sequence[Tilt]) -> tuple[NDArray[np.float64] | None, str]:
    """Return the angles that every file states, in itself or in its name, and where."""
    own = [tilt.own_deg for tilt in tilts if tilt.own_deg is not None]
    named = [tilt.named_deg for tilt in tilts if tilt.named_deg is not None]
    is_named = len(named) == len(tilts)
    # Programs that know no angle leave the same one, 0, in every header.
    if len(own) == len(tilts) and not (is_named and np.ptp(own) < SAME_ANGLE_DEG):
        return np.array(own), "its header or sidecar"
    if is_named:
        return np.array(named), "its name"
    return None, ""


def _by_themselves(tilts: Sequence[Tilt], warnings: list[str]) -> Found[NDArray[np.float64]]:
    """Take the angle of each file from its sidecar or header, else from its name."""
    angles, what = _known(tilts)
    if angles is None:
        unknown = next(tilt for tilt in tilts if tilt.own_deg is None)
        raise WedgefillError(
            f"{unknown.path.name}: no tilt angle was found for this file of a series with one "
            f"file per tilt; give a file with one angle per image file."
        )
    if what.endswith("name"):
        return Found(angles, f"names of the files, such as {tilts[0].path.name}", Origin.NAMES)
    _tell_contradictions(tilts, angles, "the files themselves", warnings)
    source = f"one file per tilt, such as {tilts[0].own_source}"
    return Found(angles, source, Origin.FILE)


def _tell_contradictions(
    tilts: Sequence[Tilt], angles: NDArray[np.float64], source: str, warnings: list[str]
) -> None:
    """Compare angles with every other source that has one for each file."""
    others = (
        ("their names", [tilt.named_deg for tilt in tilts]),
        ("their headers or sidecars", [tilt.own_deg for tilt in tilts]),
    )
    for what, values in others:
        other = [value for value in values if value is not None]
        if len(other) != len(angles):
            continue
        words = disagreement_of_angles(angles, np.array(other))
        if words:
            warnings.append(
                f"The tilt angles of {source} and of {what} contradict each other: {words}. "
                f"Those of {source} are used."
            )


def _some(names: Sequence[str]) -> str:
    """Name one or two files and count the rest, ready for a verb."""
    if len(names) == 1:
        return f"{names[0]} was"
    rest = "" if len(names) == 2 else f" and {len(names) - 2} more"
    return f"{', '.join(names[:2])}{rest} were"
