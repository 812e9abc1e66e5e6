"""Reading TIFF stacks (.tif .tiff), with the pixel size that ImageJ or OME wrote."""

from __future__ import annotations

import logging
import math
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .lazy_arrays import make_stand_in
from .mrc_labels import axis_from_labels, axis_shift_from_labels, is_our_own
from .notes import angles_from
from .stack import Found, Stack

if TYPE_CHECKING:
    import tifffile

#: Every spelling that was seen, as `nm_per_unit` makes them plain.
NM_PER_UNIT = {
    "m": 1e9, "metre": 1e9, "cm": 1e7, "centimetre": 1e7, "mm": 1e6, "millimetre": 1e6,
    "um": 1e3, "micron": 1e3, "micrometre": 1e3, "nm": 1.0, "nanometre": 1.0,
    "a": 0.1, "angstrom": 0.1, "pm": 1e-3, "picometre": 1e-3,
}  # fmt: skip


def read_tiff(path: Path, *, alone: bool = False, headers_only: bool = False) -> Stack:
    """Open a TIFF stack of grey images.

    Parameters
    ----------
    path : Path
        The file.
    alone : bool
        Read the pages of this file only. Each file of an OME data set describes the whole set, and
        reading one otherwise reads all of them.
    headers_only : bool
        The pixels will not be looked at: they need not be decoded.

    Returns
    -------
    Stack
        Mapped from disk where the pages are uncompressed and contiguous.

    Raises
    ------
    WedgefillError
        If the file is not TIFF, is damaged, holds colours, or more than one stack of images.
    """
    import tifffile  # slow to import, and most files are MRC

    _quiet()
    try:
        _check_directories(path)
        with tifffile.TiffFile(path) as tiff:
            spacing_nm, height_nm, pixel_nm = _sizes(tiff)
            notes = _notes(tiff)
            members = _members(tiff.ome_metadata)
        is_member = len(members) > 1
        if is_member and not alone:
            _check_all_there(path, members)
        with tifffile.TiffFile(path, is_ome=False if is_member and alone else None) as tiff:
            series = tiff.series[0]
            axes = _grey_axes(path, series)
            pixels = _pixels(path, tiff, headers_only=headers_only)
    except WedgefillError:
        raise
    except OSError as error:
        raise WedgefillError(
            f"{path.name}: this file cannot be read ({error.strerror or error}); check the path."
        ) from None
    except Exception as error:  # tifffile and its codecs raise whatever their decoding meets
        raise WedgefillError(
            f"{path.name}: this TIFF cannot be decoded ({_first_line(error)}); "
            f"save it again without compression."
        ) from None
    angles, axis = angles_from(notes), axis_from_labels(notes)
    edges = None
    if pixel_nm is not None:
        edges = (spacing_nm or pixel_nm.value, height_nm or pixel_nm.value, pixel_nm.value)
    return Stack(
        path,
        pixels,
        path.stem,
        angles_found=() if angles is None else (Found(angles, "note of napari-wedgefill"),),
        pixels_found=() if pixel_nm is None else (pixel_nm,),
        voxel_nm=edges,
        axes_found=() if axis is None else (axis,),
        axis_shift_px=axis_shift_from_labels(notes),
        volume_because="its third axis is z" if "Z" in axes and pixels.shape[0] > 1 else "",
        row_0_on_top=True,
        labels=notes,
    )


def _quiet() -> None:
    """Keep tifffile's log of damaged tags off the user's terminal: we say it in one sentence."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def _check_directories(path: Path) -> None:
    """Refuse pages that lead back to earlier ones, which tifffile would follow for minutes.

    Each page has a directory of tags, which ends with the place of the next. Sound ones lie side by
    side, so that all of them together are no longer than the file.
    """
    n_bytes, total = path.stat().st_size, 0
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            return  # no TIFF, as tifffile will say
        is_big = struct.unpack(f"{order}H", head[2:4]) == (43,)
        count, entry, offset = ("Q", 20, "Q") if is_big else ("H", 12, "I")
        n_count, n_offset = struct.calcsize(f"={count}"), struct.calcsize(f"={offset}")
        start = 8 if is_big else 4
        (at,) = struct.unpack(f"{order}{offset}", head[start : start + n_offset])
        while 0 < at < n_bytes:
            file.seek(at)
            raw = file.read(n_count)
            if len(raw) < n_count:
                return
            (n_tags,) = struct.unpack(f"{order}{count}", raw)
            total += n_count + entry * n_tags + n_offset
            if total > n_bytes:
                raise WedgefillError(
                    f"{path.name}: its pages lead back to each other, or beyond its end; it is "
                    f"damaged, so copy or export it again."
                )
            file.seek(at + n_count + entry * n_tags)
            raw = file.read(n_offset)
            if len(raw) < n_offset:
                return
            (at,) = struct.unpack(f"{order}{offset}", raw)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _notes(tiff: tifffile.TiffFile) -> tuple[str, ...]:
    """Return the lines that this package left in ImageJ's info; those of others say nothing."""
    info = (tiff.imagej_metadata or {}).get("Info", "")
    lines = tuple(str(info).splitlines())
    return lines if is_our_own(lines) else ()


def _grey_axes(path: Path, series: tifffile.TiffPageSeries) -> str:
    """Return the axes that are longer than one; refuse colours and more than three of them."""
    axes, shape = series.axes, series.shape
    if series.dtype.kind == "f" and axes.startswith("S"):
        # tifffile writes three or four images as the planes of a picture unless told otherwise;
        # pictures are not made of real numbers.
        axes = axes.replace("S", "Q")
    if "S" in axes:
        raise WedgefillError(
            f"{path.name}: this is a colour (RGB) image; convert it to grey values first."
        )
    long_axes = "".join(axis for axis, n in zip(axes, shape, strict=True) if n > 1)
    if len(long_axes) > 3:
        raise WedgefillError(
            f"{path.name}: this TIFF has the axes {long_axes}; save one stack (tilt, y, x) alone."
        )
    return long_axes


def _pixels(path: Path, tiff: tifffile.TiffFile, *, headers_only: bool) -> NDArray[Any]:
    series = tiff.series[0]
    h, w = series.keyframe.imagelength, series.keyframe.imagewidth
    if series.dataoffset is not None:
        n_bytes = series.dataoffset + series.size * series.dtype.itemsize
        if path.stat().st_size < n_bytes:
            raise WedgefillError(
                f"{path.name}: its pages promise {n_bytes:,} bytes, but the file holds "
                f"{path.stat().st_size:,}; it is cut short, so copy or export it again."
            )
        dtype = np.dtype(tiff.byteorder + series.dtype.char)
        mapped = np.memmap(path, dtype, "r", series.dataoffset, tuple(series.shape))
        return mapped.reshape(-1, h, w)
    n_pieces, n_there = math.prod(series.keyframe.chunked), len(series.keyframe.dataoffsets)
    if n_there < n_pieces:  # tifffile would take every missing piece for zeros, one by one
        raise WedgefillError(
            f"{path.name}: an image of it consists of {n_pieces:,} pieces, of which the file lists "
            f"{n_there:,}; it is damaged, so copy or export it again."
        )
    if headers_only:
        return make_stand_in((series.size // (h * w), h, w), series.dtype)
    return np.asarray(series.asarray()).reshape(-1, h, w)


def _members(xml: str | None) -> set[str]:
    """Return the names of the files that an OME data set is spread over."""
    if not xml:
        return set()
    elements = ElementTree.fromstring(xml).iter()
    names = (element.get("FileName") for element in elements if _tag(element) == "UUID")
    return {name for name in names if name}


def _check_all_there(path: Path, members: set[str]) -> None:
    """Refuse a set with gaps, which would be filled with black images without a word."""
    missing = sorted(name for name in members if not path.with_name(name).is_file())
    if missing:
        raise WedgefillError(
            f"{path.name}: it is one of {len(members)} files of an OME data set, and "
            f"{len(missing)} of them, such as {missing[0]}, do not lie beside it; copy them there, "
            f"or open the folder as one file per tilt."
        )


Sizes = tuple[float | None, float | None, Found[float] | None]


def _sizes(tiff: tifffile.TiffFile) -> Sizes:
    """Distance of slices, height and width of a pixel in nanometres, None where not stated."""
    if tiff.ome_metadata:
        return _ome_sizes(tiff.ome_metadata)
    if tiff.imagej_metadata:
        return _imagej_sizes(tiff)
    return None, None, None


def _imagej_sizes(tiff: tifffile.TiffFile) -> Sizes:
    metadata: dict[str, Any] = tiff.imagej_metadata or {}
    factor = nm_per_unit(str(metadata.get("unit", "")))
    if factor is None:
        return None, None, None
    width, height = (_length_of_pixel(tiff, tag, factor) for tag in ("XResolution", "YResolution"))
    other = nm_per_unit(str(metadata.get("yunit", "")))
    if height is not None and other is not None:
        height *= other / factor
    spacing = _positive(metadata.get("spacing")) * (
        nm_per_unit(str(metadata.get("zunit", ""))) or factor
    )
    found = None if width is None else Found(width, "ImageJ resolution tag")
    return spacing or None, height, found


def _length_of_pixel(tiff: tifffile.TiffFile, tag: str, factor: float) -> float | None:
    resolution = tiff.pages.first.tags.get(tag)
    if resolution is None or 0 in resolution.value:
        return None
    per_unit, parts = resolution.value
    return float(f"{parts / per_unit * factor:.7g}")


def _ome_sizes(xml: str) -> Sizes:
    edges: dict[str, float] = {}
    for element in ElementTree.fromstring(xml).iter():
        if _tag(element) != "Pixels":
            continue
        for axis in "XYZ":
            factor = nm_per_unit(element.get(f"PhysicalSize{axis}Unit", "µm"))
            size = _positive(element.get(f"PhysicalSize{axis}"))
            if factor is not None and size > 0:
                edges.setdefault(axis, float(f"{size * factor:.7g}"))
    found = Found(edges["X"], "OME PhysicalSizeX") if "X" in edges else None
    return edges.get("Z"), edges.get("Y"), found


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _positive(value: object) -> float:
    """Return a positive number, or 0 for anything else that stands in its place."""
    try:
        number = float(str(value))
    except ValueError:
        return 0.0
    return number if 0.0 < number < float("inf") else 0.0


def nm_per_unit(unit: str) -> float | None:
    r"""Nanometres in one `unit`, in any of its spellings, or None for what is no length.

    ImageJ writes the micro sign and the ring of the angstrom as escapes (``\u00B5m``), and
    spelling, plural and capitals differ between programs.
    """
    plain = unit.strip()
    plain = re.sub(r"\\u00b5|[µμ]", "u", plain, flags=re.IGNORECASE)
    plain = re.sub(r"\\u00c5|\\u212b|[åÅ\u212b]", "a", plain, flags=re.IGNORECASE).lower()
    if len(plain) > 2:
        plain = plain.removesuffix("s").replace("meter", "metre").replace("ö", "o").rstrip(".")
    return NM_PER_UNIT.get(plain)
