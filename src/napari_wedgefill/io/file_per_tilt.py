"""A tilt series spread over many files, one tilt each, perhaps with several frames a tilt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..mapped_files import read_mapped
from ..tilt_series import MIN_TILTS
from .chosen_angles import find_stack_angles
from .file_names import angles_in_names
from .formats import open_stack
from .paired_angles import SAME_ANGLE_DEG, Tilt, assign_angles
from .stack import Found, Given, Stack


def join_files(
    paths: Sequence[Path], given: Given | None = None, *, in_order: bool = False
) -> tuple[Stack, Found[NDArray[np.float64]]]:
    """Average the frames of each file into one image and stack the images.

    The mean, not the sum, so that tilts with more frames are not brighter. Angles come from an mdoc
    or table that names the files (``SubFramePath``), else from the files themselves, else from
    their names; a list of angles alone is matched to the angles in the names, and goes by
    order only where nothing else says which angle belongs to which file.

    Parameters
    ----------
    paths : sequence of Path
        Files of one tilt each.
    given : Given, optional
        What the user says; `Given.angles` may hold one angle per file.
    in_order : bool
        The user gave the files one by one: their order is kept. Otherwise they are put into
        natural order of their names.

    Returns
    -------
    Stack
        Images float32 (n_files, h, w); metadata of the first file.
    Found of ndarray, (n_files,)
        Their angles.

    Raises
    ------
    WedgefillError
        If a file holds several tilts or none that is known, or the files' images differ in shape.
    """
    given = given or Given()
    paths = list(paths) if in_order else sorted(paths, key=_natural)
    warnings: list[str] = []
    tilts = _open_all(paths, given, in_order, warnings)
    tilts, found, mdoc_path = assign_angles(tilts, given, in_order, warnings)
    is_good = np.array([not tilt.is_blank for tilt in tilts])
    tilts = [tilt for tilt in tilts if not tilt.is_blank]
    found = replace(found, value=found.value[is_good])
    first = tilts[0].stack
    n_frames = sorted({tilt.stack.n for tilt in tilts})
    if n_frames != [1]:
        frames = " or ".join(map(str, n_frames))
        warnings.append(f"Each image is the mean of {frames} frames of one tilt.")
    stack = replace(
        first,
        pixels=np.stack([tilt.image for tilt in tilts]),
        name=_common_name([tilt.stack for tilt in tilts]),
        angles_found=(found,),
        mdoc_path=mdoc_path,
        volume_because="",
        warnings=(*first.warnings, *warnings),
    )
    return stack, found


def _open_all(
    paths: Sequence[Path], given: Given, in_order: bool, warnings: list[str]
) -> list[Tilt]:
    """Open every file; leave out those that cannot be a tilt of the others' series, and say so."""
    stacks = _open_stacks(paths, given, in_order)
    shapes = [stack.pixels.shape[1:] for stack in stacks]
    usual = max(shapes, key=shapes.count)
    named = angles_in_names([path.name for path in paths]) or [None] * len(paths)
    tilts = []
    for stack, name_deg in zip(stacks, named, strict=True):
        if stack.is_montage:
            raise WedgefillError(
                f"{stack.path.name}: this is a montage of image pieces; blend it into whole images."
            )
        if stack.pixels.shape[1:] != usual:
            if not in_order and name_deg is None and len(named) - named.count(None) >= MIN_TILTS:
                warnings.append(
                    f"{stack.path.name} was left out: its images have {_size(stack)} pixels, and "
                    f"it has no tilt angle in its name, as the others have."
                )
                continue
            other = next(one for one in stacks if one.pixels.shape[1:] == usual)
            raise WedgefillError(
                f"{stack.path.name}: its images have {_size(stack)} pixels, those of "
                f"{other.path.name} {_size(other)}; give files of one series."
            )
        image = np.asarray(read_mapped(stack.pixels.mean(axis=0, dtype=np.float32)), np.float32)
        is_blank = float(image.min()) == float(image.max())
        own = find_stack_angles(stack, [])
        if own is not None and np.ptp(own.value) > SAME_ANGLE_DEG:
            raise WedgefillError(
                f"{stack.path.name}: this file of {len(stacks)} holds a whole tilt series; open "
                f"one series at a time."
            )
        own_deg = None if own is None else float(np.mean(own.value))
        source = "" if own is None else own.source
        tilts.append(Tilt(stack, image, own_deg, source, name_deg, is_blank))
    if all(tilt.is_blank for tilt in tilts):
        warnings.append("In each of the files, every pixel has the same value.")
        return [replace(tilt, is_blank=False) for tilt in tilts]
    warnings += [
        f"{tilt.path.name} was left out: every pixel has the same value ({tilt.image.min():g})."
        for tilt in tilts
        if tilt.is_blank
    ]
    return tilts


def _open_stacks(paths: Sequence[Path], given: Given, in_order: bool) -> list[Stack]:
    """Open every file; of a folder of whole series say that, before what is wrong with one."""
    stacks: list[Stack] = []
    refusals: list[WedgefillError] = []
    for path in paths:
        try:
            stacks.append(open_stack(path, given, alone=True))
        except WedgefillError as error:
            refusals.append(error)
            if in_order:
                break
    whole = [] if in_order else [one.path.name for one in stacks if _is_whole_series(one)]
    if whole and len(whole) + len(refusals) > 1:
        named = ", ".join(whole[:3]) + ("" if len(whole) <= 3 else ", ...")
        raise WedgefillError(
            f"{paths[0].parent}: this folder holds several stacks, not one file per tilt; open one "
            f"series at a time, and name it ({named})."
        )
    if refusals:
        raise refusals[0]
    return stacks


def _is_whole_series(stack: Stack) -> bool:
    found = find_stack_angles(stack, []) if stack.n >= MIN_TILTS else None
    return found is not None and float(np.ptp(found.value)) > SAME_ANGLE_DEG


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which tilt_2 comes before tilt_10."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _common_name(stacks: Sequence[Stack]) -> str:
    """Return what all names begin with, less its number: "test" for test_000, test_001."""
    letters = zip(*(stack.name for stack in stacks), strict=False)
    common = "".join(same[0] for same in takewhile(lambda same: len(set(same)) == 1, letters))
    return common.rstrip("0123456789_-+. ") or stacks[0].path.resolve().parent.name


def _size(stack: Stack) -> str:
    return " x ".join(map(str, stack.pixels.shape[1:]))
