"""Reading volumes, and telling them from tilt series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..mapped_files import read_mapped
from ..memory import measure_free_bytes
from ..tilt_series import MIN_TILTS
from ..volume import Volume
from .formats import STACK_SUFFIXES, has_angles, open_stack, open_stacks
from .notes import planes_from, slices_from, tilt_range_from
from .sidecars import without_compression
from .stack import Given, Stack
from .tilt_reader import image_paths


def read_volume(
    path: str | Path,
    *,
    dataset: str | None = None,
    flip: bool = False,
    signed_bytes: bool | None = None,
) -> Volume:
    """Read a volume, float32 (z, y, x), with its voxel size in nanometres.

    A little-endian float32 file that would take more than a quarter of the free memory stays on
    disk and is mapped. `dataset`, `flip` and `signed_bytes` are those of `read_tilt_series`.

    Raises
    ------
    WedgefillError
        If the file cannot be read.
    """
    given = Given(dataset=dataset, flip=flip, signed_bytes=signed_bytes)
    stacks = open_stacks(path, given)
    volumes = [stack for stack in stacks if stack.volume_because]
    is_clear = len(volumes) == 1 and not dataset
    return make_volume(volumes[0] if is_clear else open_stack(path, given))


def make_volume(stack: Stack) -> Volume:
    """Turn an open stack of sections into a volume."""
    first_plane, whole_depth = planes_from(stack.labels, stack.pixels.shape[0])
    first_slice, whole_height = slices_from(stack.labels, stack.pixels.shape[1])
    return Volume(
        np.ascontiguousarray(_read_or_map(stack.pixels), dtype=np.float32),
        voxel_nm=stack.voxel_nm,
        name=stack.name,
        history=stack.labels,
        path=stack.path,
        first_slice=first_slice,
        tilt_range=tilt_range_from(stack.labels),
        first_plane=first_plane,
        whole_depth=whole_depth,
        whole_height=whole_height,
    )


def _read_or_map(pixels: Any) -> Any:
    """Read what fits into memory: whoever looks through a map at a file that shrinks dies."""
    return read_mapped(pixels) if 4 * pixels.size <= measure_free_bytes() // 4 else pixels


def kind_of(path: str | Path | Sequence[str | Path], *, dataset: str | None = None) -> str:
    """Tell what a file is: "tilt series", "volume" or "image".

    Angles make a tilt series; so do a folder or list of files, and suffixes that only stacks carry.
    A stack without angles and without signs of a volume is an "image", good for looking at.

    Raises
    ------
    WedgefillError
        If it cannot be read.
    """
    paths = image_paths(path)
    return (
        "tilt series"
        if len(paths) > 1
        else stack_kind(open_stack(paths[0], Given(dataset=dataset), headers_only=True))
    )


def stack_kind(stack: Stack) -> str:
    """Tell what an open file is; see `kind_of`."""
    if has_angles(stack):
        return "tilt series"
    if stack.volume_because:
        return "volume"
    is_named_stack = without_compression(stack.path).suffix.lower() in STACK_SUFFIXES
    return "tilt series" if is_named_stack and stack.n >= MIN_TILTS else "image"
