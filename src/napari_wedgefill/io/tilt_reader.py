"""Reading a tilt series: one file, or a folder or list of files with one tilt each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..disk_images import DiskImages
from ..errors import WedgefillError
from ..mapped_files import read_mapped
from ..tilt_series import TiltSeries, check_geometry
from .axis import quarter_turns, rotate, rotate_shape
from .choices import Choices, choose
from .chosen_angles import find_stack_angles
from .doubtful_pixels import find_dark_specimen, find_hot_pixels, note_blank_images
from .file_per_tilt import join_files
from .formats import is_image_file, open_stack
from .stack import Found, Given, Stack

PathLike = str | Path

#: Images that take more than this as float32 stay in their file, where it can be mapped.
IN_MEMORY_BYTES = 64 << 20


def read_tilt_series(
    path: PathLike | Sequence[PathLike],
    *,
    angles: PathLike | ArrayLike | None = None,
    pixel_nm: float | None = None,
    axis: str | float | None = None,
    flip: bool = False,
    signed_bytes: bool | None = None,
    dataset: str | None = None,
) -> TiltSeries:
    """Read a tilt series with its angles, pixel size and tilt axis.

    Parameters
    ----------
    path : path, or sequence of paths
        An MRC or TIFF stack; or a folder or list of files that hold one tilt each, whose frames are
        averaged. A list is taken in the order given, a folder in natural order of the names.
    angles : path, str or array_like, optional
        A file with one angle per image (.tlt .rawtlt .txt .csv .mdoc .aln), a range such as
        "-60:60:2" or "-60:60" (the step follows from the number of images), or the angles in
        degrees in the order of the file. Without it, every source in and beside the file is looked
        at, and contradictions are told.
    pixel_nm : float, optional
        Pixel size in nanometres, in place of the one found.
    axis : "x", "y" or float, optional
        Where the tilt axis lies in the file's images: "y" upright, "x" (the same as 90), or degrees
        counter-clockwise from vertical as 3dmod shows the images. The images are turned to bring it
        along y.
    flip : bool
        The pictures are upside down, because a program turned them over and no file says so. Turns
        the rows over, which mirrors the volume.
    signed_bytes : bool, optional
        Whether 8-bit pixels of an MRC file are signed, in place of what its header says.
    dataset : str, optional
        Which series, where the file holds several.

    Returns
    -------
    TiltSeries
        Images float32 (n_tilts, h, w), sorted by angle; `sources` and `warnings` tell the story.

    Raises
    ------
    WedgefillError
        If the file cannot be read, holds a volume or a montage, has no angles or another number of
        angles than images, or its images hold nothing; the message is one sentence for the user.
    """
    given = Given(angles, pixel_nm, axis, flip, signed_bytes, dataset)
    return make_series(*open_series(path, given))


def make_series(stack: Stack, choices: Choices) -> TiltSeries:
    """Turn an open stack, about which all is decided, into a tilt series with its axis upright.

    Raises
    ------
    WedgefillError
        If its images hold nothing.
    """
    turns, rest_deg = quarter_turns(choices.rotation_deg)
    images: NDArray[Any] | DiskImages
    looked_at = ""
    if stays_on_disk(stack.pixels) and not rest_deg:
        images = DiskImages.of(np.rot90(stack.pixels, turns, axes=(1, 2)))
        n_mended, blank = images.survey.n_mended, images.survey.blank
        if images.survey.n_images < stack.n:
            looked_at = f" in the {images.survey.n_images} images that were looked at"
    else:
        mended, n_mended = _mend_pixels(stack)
        blank = tuple(k for k, image in enumerate(mended) if image.min() == image.max())
        images = rotate(mended, choices.rotation_deg)
    warnings = list(choices.warnings)
    if n_mended:
        warnings.append(
            f"{n_mended} pixels were NaN or infinite{looked_at}; such pixels now hold their "
            f"image's median."
        )
    if rest_deg:
        warnings.append(
            f"The tilt axis lies {choices.rotation_deg:+.1f} degrees from y: the images were "
            f"interpolated to turn it upright."
        )
    series = TiltSeries.from_arrays(
        images,
        choices.angles_deg.value,
        pixel_nm=None if choices.pixel_nm is None else choices.pixel_nm.value,
        name=stack.name,
        axis_shift_px=stack.axis_shift_px,
        axis_deg=choices.rotation_deg,
        sources=choices.sources,
        warnings=tuple(warnings),
        path=stack.path,
    )
    # Of the series, in which they may lie in another order than in the file.
    blank = tuple(int(k) for k in np.flatnonzero(np.isin(np.asarray(series.file_order), blank)))
    noted = [
        *note_blank_images(blank, series.angles_deg),
        *find_dark_specimen(series.images),
        *find_hot_pixels(series.images, series.angles_deg),
    ]
    # What is replaced is checked anew, pixel by pixel.
    return replace(series, warnings=(*series.warnings, *noted)) if noted else series


def open_series(
    path: PathLike | Sequence[PathLike],
    given: Given | None = None,
    *,
    headers_only: bool = False,
) -> tuple[Stack, Choices]:
    """Open the images and decide on their angles, pixel size and axis, without reading pixels.

    `headers_only` is that of `formats.open_stack`.
    """
    given = given or Given()
    paths = image_paths(path)
    if len(paths) > 1:
        joined, settled = join_files(paths, given, in_order=not isinstance(path, (str, Path)))
        return joined, decide(joined, given, settled=settled)
    stack = open_stack(paths[0], given, headers_only=headers_only)
    return stack, decide(stack, given)


def decide(
    stack: Stack,
    given: Given | None = None,
    *,
    settled: Found[NDArray[np.float64]] | None = None,
) -> Choices:
    """Decide on angles, pixel size and axis of an open stack; parameters as for `choices.choose`.

    Raises
    ------
    WedgefillError
        If it is no tilt series.
    """
    if stack.n == 1:
        raise WedgefillError(
            f"{stack.path.name}: this is one image, not a tilt series; give the stack, or the "
            f"folder that holds one file per tilt."
        )
    choices = choose(stack, given, settled=settled)
    found = choices.angles_deg.value
    if np.ptp(found) < 1e-3:
        raise WedgefillError(
            f"{stack.path.name}: its {stack.n} images all have the angle {found[0]:.2f} degrees; "
            f"give the stack of all tilts, or the folder that holds one file per tilt."
        )
    check_geometry(
        stack.name,
        found,
        rotate_shape(stack.pixels.shape, choices.rotation_deg)[2],
        pixel_nm=None if choices.pixel_nm is None else choices.pixel_nm.value,
        axis_shift_px=stack.axis_shift_px,
        axis_deg=choices.rotation_deg,
    )
    return choices


def find_angles(
    path: PathLike, *, dataset: str | None = None
) -> tuple[NDArray[np.float64], str] | None:
    """Look for the tilt angles of an image file, beside it and in its extended header.

    Returns
    -------
    tuple of ndarray and str, or None
        Degrees, (n,), in the file's order, and where they were found; None where nothing fits.
    """
    found = find_stack_angles(open_stack(path, Given(dataset=dataset), headers_only=True), [])
    return None if found is None else (found.value, found.source)


def image_paths(path: PathLike | Sequence[PathLike]) -> list[Path]:
    """Return the image files that a path, a folder or a list of paths stands for.

    Raises
    ------
    WedgefillError
        If a folder or list holds no image file.
    """
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(p) for p in path]
    if len(paths) == 1 and paths[0].is_dir() and not is_image_file(paths[0]):
        folder = paths[0]
        paths = [file for file in folder.iterdir() if is_image_file(file)]
        if not paths:
            raise WedgefillError(f"{folder}: this folder holds no images that can be read.")
    if not paths:
        raise WedgefillError("no file was given; give a tilt series.")
    return paths


def stays_on_disk(pixels: Any) -> bool:
    """Tell whether images are too large to be read whole, and lie where parts can be read."""
    is_lazy = isinstance(pixels, np.memmap) or not isinstance(pixels, np.ndarray)
    return is_lazy and 4 * pixels.size > IN_MEMORY_BYTES


def _mend_pixels(stack: Stack) -> tuple[NDArray[Any], int]:
    """Replace isolated pixels that are no numbers by their image's median; (images, how many)."""
    # A map that is looked through while its file is cut short ends the process.
    is_small = 4 * stack.pixels.size <= IN_MEMORY_BYTES
    images = read_mapped(stack.pixels) if is_small else np.asanyarray(stack.pixels)
    n_mended = 0
    if images.dtype.kind != "f":
        return images, 0
    for i in range(stack.n):
        image = read_mapped(images[i])
        bad = ~np.isfinite(image)
        n_bad = int(np.count_nonzero(bad))
        if n_bad in (0, bad.size):  # an image without any number is refused by TiltSeries
            continue
        if n_mended == 0:
            images = np.array([read_mapped(each) for each in images], dtype=np.float32)
        images[i][bad] = np.median(image[~bad])
        n_mended += n_bad
    return images, n_mended
