"""Deciding between all lists of tilt angles: given, in the images' file, and beside it.

Where two disagree, a sentence says who won and why.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import MAX_TILT_DEG
from .agreement import are_permuted, disagreement_of_angles
from .angles import angles_from_text, read_angles
from .axis import wrap_degrees
from .fei_log import FeiLog
from .sidecars import ANGLE_SIDECARS, angle_sidecars, log_beside, may_be_something_else
from .stack import Found, Given, Origin, Stack

Angles = NDArray[np.float64]
FULL_TURN_DEG = 360.0


def find_stack_angles(stack: Stack, warnings: list[str]) -> Found[Angles] | None:
    """Choose the angles of a stack from all that lies in and beside its file, or None.

    Sentences about sources that do not fit, cannot be read or contradict the choice are appended
    to `warnings`.
    """
    return _best(stack, _every_angle(stack, log_beside(stack.path), warnings), warnings)


def _every_angle(stack: Stack, log: FeiLog | None, warnings: list[str]) -> list[Found[Angles]]:
    """Collect angles from the sidecars, the file itself and the log, whatever their number."""
    found: list[Found[Angles]] = []
    for sidecar, origin in angle_sidecars(stack.path):
        try:
            angles = read_angles(sidecar, stack.n)
        except WedgefillError as error:
            if not may_be_something_else(sidecar):
                warnings.append(f"{str(error).rstrip('.')}; it was not used.")
            continue
        if may_be_something_else(sidecar) and np.abs(angles).max() > FULL_TURN_DEG:
            continue
        found.append(Found(angles, sidecar.name, origin))
    found += stack.angles_found
    # A log states what was planned; where the acquisition ended otherwise it is of no use.
    if log is not None and log.angles is not None and len(log.angles.value) == stack.n:
        found.append(log.angles)
    return sorted(found, key=lambda one: one.origin)


def _best(stack: Stack, found: list[Found[Angles]], warnings: list[str]) -> Found[Angles] | None:
    """Choose among lists of angles, best first; tell of misfits and contradictions."""
    fitting = []
    for one in found:
        if len(one.value) == stack.n:
            fitting.append(one)
        else:
            holds = f"{one.source} holds {len(one.value)} angles"
            if one.origin is Origin.FILE:
                holds = f"its {holds}"
            warnings.append(f"{holds}, but {stack.path.name} {stack.n} images; it was not used.")
    if not fitting:
        return None
    chosen = fitting[0]
    why = _WHY.get(chosen.origin, "")
    own = next((one for one in fitting if one.origin is Origin.FILE), None)
    if own is not None and chosen.origin is not Origin.FILE:
        is_mdoc = chosen.origin is Origin.MDOC
        differs = bool(disagreement_of_angles(chosen.value, own.value))
        if are_permuted(chosen.value, own.value) or (is_mdoc and differs):
            # Lists are sorted and mdocs are in the order of acquisition, while a header that holds
            # an angle for every image was written, or moved, together with the image.
            chosen, why = own, "they were written with the images"
    for one in fitting:
        if one is chosen:
            continue
        words = disagreement_of_angles(chosen.value, one.value)
        if words:
            warnings.append(
                f"The tilt angles by {chosen.source} and by {one.source} contradict each other: "
                f"{words}. Those by {chosen.source} are used, for {why}."
            )
    return chosen


_WHY = {
    Origin.REFINED: "a .tlt holds the angles that an alignment refined",
    Origin.NOMINAL: "a .rawtlt is kept for this stack",
    Origin.MDOC: "an mdoc is the microscope's own record",
    Origin.LIST: "a list beside the images comes before what their file says",
    Origin.FILE: "they were written with the images",
}


def choose_angles(
    stack: Stack, given: Given, log: FeiLog | None, warnings: list[str]
) -> Found[Angles]:
    """Choose the angles of a stack, given ones before those that are found.

    Sentences about contradictions are appended to `warnings`.

    Raises
    ------
    WedgefillError
        If no angles fit the images, or the file holds a volume or a montage.
    """
    name = stack.path.name
    if given.angles is not None:
        return _given_angles(stack, given, log, warnings)
    if stack.is_montage:
        raise WedgefillError(
            f"{name}: this is a montage of image pieces; blend it into whole images first."
        )
    misfits: list[str] = []
    found = _best(stack, _every_angle(stack, log, misfits), misfits)
    if found is not None:
        warnings += misfits
        return found
    if stack.volume_because:
        beside = f" ({misfits[0].removesuffix('.')})" if misfits else ""
        raise WedgefillError(
            f"{name}: this looks like a volume ({stack.volume_because}), not a tilt series; if it "
            f"is one, give its angles in a file{beside}."
        )
    if misfits:
        told = misfits[0].removesuffix("; it was not used.")
        told = told.removeprefix(f"{name}: ")
        what_to_do = "." if "; " in told else "; give one angle per image."
        raise WedgefillError(f"{name}: {told}{what_to_do}")
    names = ", ".join(stack.path.stem + suffix for suffix in list(ANGLE_SIDECARS)[:3])
    raise WedgefillError(
        f"{name}: no tilt angles were found in the file or beside it ({names}); give a file "
        f"with one angle per image."
    )


def _given_angles(
    stack: Stack, given: Given, log: FeiLog | None, warnings: list[str]
) -> Found[Angles]:
    """Take the angles that the user gave, and tell where what was found says otherwise."""
    angles, source = read_given_angles(given, stack.n)
    if len(angles) != stack.n:
        raise WedgefillError(
            f"{stack.path.name}: it holds {stack.n} images, but {source} {len(angles)} angles; "
            f"give one angle per image."
        )
    chosen = Found(angles, f"{source} (given)", Origin.GIVEN)
    for one in _every_angle(stack, log, []):
        if len(one.value) != stack.n:  # the user chose the list that fits
            continue
        words = disagreement_of_angles(angles, one.value)
        if words:
            warnings.append(
                f"The tilt angles given and those by {one.source} contradict each other: {words}. "
                f"The given ones are used."
            )
    return chosen


def read_given_angles(given: Given, n_images: int) -> tuple[Angles, str]:
    """Read the angles that the user gave: (degrees, where they came from in words)."""
    angles = given.angles
    if isinstance(angles, (str, Path)):
        path = Path(angles)
        if isinstance(angles, Path) or path.suffix.lower().strip(".").isalpha() or path.exists():
            return read_angles(path, n_images), path.name
        return angles_from_text(angles, n_images), f"'{angles.strip()}'"
    try:
        values = np.asarray(angles, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise WedgefillError("The tilt angles given are not all numbers; give degrees.")
    return values, "an array"


def bring_within_half_a_turn(
    stack: Stack, found: Found[Angles], warnings: list[str]
) -> Found[Angles]:
    """Bring angles of a full turn, such as 0 to 350, to -180 to 180: the same directions."""
    largest = float(np.abs(found.value).max(initial=0.0))
    if largest <= MAX_TILT_DEG:
        return found
    span = float(np.ptp(found.value))
    if max(largest, span) > FULL_TURN_DEG:
        what = (
            f"a tilt angle of {largest:.1f} degrees was"
            if largest > FULL_TURN_DEG
            else f"tilt angles that span {span:.1f} degrees, more than one turn, were"
        )
        raise WedgefillError(
            f"{stack.path.name}: {what} found ({found.source}); angles are degrees within one "
            f"turn{_guess_unit(found.value)}."
        )
    warnings.append(
        f"Angles of {found.source} above 180 degrees are counted downwards: "
        f"{largest:g} is {wrap_degrees(largest):g}."
    )
    return Found(
        np.array([wrap_degrees(float(a)) for a in found.value]), found.source, found.origin
    )


def _guess_unit(angles: Angles) -> str:
    """Say what to do with angles beyond one turn: one wrong number, or all in another unit."""
    is_whole = bool(np.all(angles == np.round(angles)))
    size = float(np.abs(angles).max())
    if is_whole and float(np.median(np.abs(angles))) > 90.0 and size <= 100.0 * MAX_TILT_DEG:
        return ", and these look like hundredths of a degree; divide them by 100"
    return "; correct the list, or give another with --angles"
