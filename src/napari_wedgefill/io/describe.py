"""What a file holds, in plain values for ``wedgefill info --json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import WedgefillError
from ..tilt_series import find_doubts
from .axis import quarter_turns, rotate_shape
from .chosen_angles import find_stack_angles
from .doubtful_pixels import find_dark_specimen, find_hot_pixels, find_no_numbers
from .formats import open_stack
from .notes import planes_from, slices_from
from .stack import Given, Stack
from .tilt_reader import decide, image_paths, open_series
from .volume_reader import stack_kind


def describe(
    path: str | Path | Sequence[str | Path],
    *,
    angles: str | Path | ArrayLike | None = None,
    pixel_nm: float | None = None,
    axis: str | float | None = None,
    flip: bool = False,
    signed_bytes: bool | None = None,
    dataset: str | None = None,
) -> dict[str, Any]:
    """Describe a tilt series, volume or image; of the pixels, a few images at most are read.

    Parameters
    ----------
    path, angles, pixel_nm, axis, flip, signed_bytes, dataset
        As in `read_tilt_series`.

    Returns
    -------
    dict
        JSON-ready. Always "path", "name", "kind", "shape", "dtype" (as in the file) and "warnings".
        A tilt series adds "pixel_nm", "angles_deg" (ascending), "file_order", "tilt_axis_deg" (the
        rotation at load), "axis_shift_px" and "sources", and its shape is (n_tilts, h, w) with the
        axis upright; a volume adds "voxel_nm" (z, y, x), "labels", and of which part of the whole
        it is "first_plane", "whole_depth" (along z; None if it is all of it), "first_slice" and
        "whole_height" (along y; None if it is all of it, or not known); an image adds "pixel_nm".
        What is no tilt series adds "refusal": what a fill says of it.

    Raises
    ------
    WedgefillError
        If the file cannot be read, or is to be a tilt series and cannot be one.
    """
    given = Given(angles, pixel_nm, axis, flip, signed_bytes, dataset)
    paths = image_paths(path)
    if len(paths) == 1 and angles is None:
        stack = open_stack(paths[0], given, headers_only=True)
        kind = stack_kind(stack)
        if kind != "tilt series":
            known = _volume(stack) if kind == "volume" else _image(stack)
            return _common(stack, kind) | known | {"refusal": find_refusal(stack, given)}
    stack, choices = open_series(path, given, headers_only=True)
    angles_deg = choices.angles_deg.value
    order = np.argsort(angles_deg, kind="stable")
    shape = rotate_shape(stack.pixels.shape, choices.rotation_deg)
    pixel = None if choices.pixel_nm is None else choices.pixel_nm.value
    doubtful = [
        *find_dark_specimen(stack.pixels, quarter_turns(choices.rotation_deg)[0]),
        *find_hot_pixels(stack.pixels, angles_deg[order], order),
        *find_no_numbers(stack.pixels, angles_deg[order], order),
    ]
    return _common(stack, "tilt series") | {
        "shape": list(shape),
        "pixel_nm": pixel,
        "angles_deg": angles_deg[order].tolist(),
        "file_order": order.tolist(),
        "tilt_axis_deg": choices.rotation_deg,
        "axis_shift_px": stack.axis_shift_px,
        "sources": choices.sources,
        "warnings": [*choices.warnings, *find_doubts(angles_deg), *doubtful],
    }


def find_refusal(stack: Stack, given: Given | None = None) -> str:
    """Return what a fill of an open file is refused with, word for word; "" if it is not."""
    try:
        decide(stack, given)
    except WedgefillError as error:
        return str(error)
    return ""


def _common(stack: Stack, kind: str) -> dict[str, Any]:
    return {
        "path": str(stack.path),
        "name": stack.name,
        "kind": kind,
        "shape": list(stack.pixels.shape),
        "dtype": stack.pixels.dtype.name,
        "warnings": list(stack.warnings),
    }


def _volume(stack: Stack) -> dict[str, Any]:
    warnings = list(stack.warnings)
    if stack.pixel_doubt:
        warnings.append(f"The voxel size is doubtful: {stack.pixel_doubt}.")
    if any("TILT: Tomographic" in label for label in stack.labels) and not any(
        "rot" in label.lower() or "flip" in label.lower() for label in stack.labels
    ):
        warnings.append("IMOD's tilt wrote its axes as (y, z, x); turn it with 'trimvol -rx'.")
    voxel = None if stack.voxel_nm is None else list(stack.voxel_nm)
    first_plane, whole_depth = planes_from(stack.labels, stack.pixels.shape[0])
    first_slice, whole_height = slices_from(stack.labels, stack.pixels.shape[1])
    return {
        "voxel_nm": voxel,
        "first_plane": first_plane,
        "whole_depth": whole_depth,
        "first_slice": first_slice,
        "whole_height": whole_height,
        "labels": list(stack.labels),
        "warnings": warnings,
    }


def _image(stack: Stack) -> dict[str, Any]:
    """Describe what may be a tilt series whose angles are missing, and why they are."""
    misfits: list[str] = []
    fitting = find_stack_angles(stack, misfits)
    sizes = stack.pixels_found
    return {
        "pixel_nm": sizes[0].value if sizes else None,
        "angles_deg": None if fitting is None else fitting.value.tolist(),
        "labels": list(stack.labels),
        "warnings": [*stack.warnings, *misfits],
    }
