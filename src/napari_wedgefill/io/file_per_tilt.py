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
from .angles import read_angles
from .choices import find_stack_angles
from .formats import open_stack
from .stack import Found, Stack

#: Frames of one tilt are exposed at one stage position; read-back wobbles by less than this.
SAME_ANGLE_DEG = 0.1


def join_files(paths: Sequence[Path], angles: str | Path | None = None) -> Stack:
    """Average the frames of each file into one image and stack the images.

    The mean, not the sum, so that tilts with more frames are not brighter.

    Parameters
    ----------
    paths : sequence of Path
        Files of one tilt each, in any order; put into natural order of their names.
    angles : path, optional
        File with one angle per file, in that order.

    Returns
    -------
    Stack
        Images float32 (n_files, h, w); metadata of the first file.

    Raises
    ------
    WedgefillError
        If a file holds several tilts or none that is known, or the files' images differ in shape.
    """
    paths = sorted(paths, key=_natural)
    stacks = [open_stack(path) for path in paths]
    first = stacks[0]
    _check_alike(stacks)
    found = _given(angles, len(paths)) if angles is not None else _own(stacks)
    images = np.stack([stack.pixels.mean(axis=0, dtype=np.float32) for stack in stacks])
    n_frames = sorted({stack.n for stack in stacks})
    warnings = first.warnings
    if n_frames != [1]:
        frames = " or ".join(map(str, n_frames))
        warnings = (*warnings, f"Each image is the mean of {frames} frames of one tilt.")
    return replace(
        first,
        pixels=images,
        name=_common_name(stacks),
        angles_deg=found,
        volume_because="",
        warnings=warnings,
    )


def _check_alike(stacks: Sequence[Stack]) -> None:
    """Refuse montages, and images of different sizes."""
    first = stacks[0]
    for stack in stacks:
        if stack.is_montage:
            raise WedgefillError(
                f"{stack.path.name}: this is a montage of image pieces; blend it into whole images."
            )
        if stack.pixels.shape[1:] != first.pixels.shape[1:]:
            raise WedgefillError(
                f"{stack.path.name}: its images have {_size(stack)} pixels, those of "
                f"{first.path.name} {_size(first)}; give files of one series."
            )


def _given(angles: str | Path, n_files: int) -> Found[NDArray[np.float64]]:
    values = read_angles(angles)
    if len(values) != n_files:
        raise WedgefillError(
            f"{Path(angles).name}: it holds {len(values)} angles for {n_files} files of one tilt "
            f"each; give one angle per file."
        )
    return Found(values, f"{Path(angles).name} (given)")


def _own(stacks: Sequence[Stack]) -> Found[NDArray[np.float64]]:
    """Return the angle of each file, from its sidecar or extended header."""
    angles, source = [], ""
    for stack in stacks:
        found = find_stack_angles(stack, [])
        if found is None:
            raise WedgefillError(
                f"{stack.path.name}: no tilt angle was found for this file of a series with one "
                f"file per tilt; give a file with one angle per image file."
            )
        if np.ptp(found.value) > SAME_ANGLE_DEG:
            raise WedgefillError(
                f"{stack.path.name}: this file of {len(stacks)} holds a whole tilt series; open "
                f"one series at a time."
            )
        angles.append(float(np.mean(found.value)))
        source = source or found.source
    return Found(np.array(angles), f"one file per tilt, such as {source}")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which tilt_2 comes before tilt_10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _common_name(stacks: Sequence[Stack]) -> str:
    """Return what all names begin with, less its number: "test" for test_000, test_001."""
    letters = zip(*(stack.name for stack in stacks), strict=False)
    common = "".join(same[0] for same in takewhile(lambda same: len(set(same)) == 1, letters))
    return common.rstrip("0123456789_-. ") or stacks[0].path.resolve().parent.name


def _size(stack: Stack) -> str:
    return " x ".join(map(str, stack.pixels.shape[1:]))
