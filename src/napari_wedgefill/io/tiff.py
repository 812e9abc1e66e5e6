"""Reading TIFF stacks (.tif .tiff), with the pixel size that ImageJ or OME wrote."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .stack import Found, Stack

if TYPE_CHECKING:
    import tifffile

NM_PER_UNIT = {
    "m": 1e9, "cm": 1e7, "mm": 1e6, "um": 1e3, "micron": 1e3, "microns": 1e3, "nm": 1.0, "pm": 1e-3,
    "a": 0.1, "å": 0.1, "angstrom": 0.1, "angstroms": 0.1,
}  # fmt: skip


def read_tiff(path: Path) -> Stack:
    """Open a TIFF stack of grey images.

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
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            axes = _grey_axes(path, series.axes, series.shape)
            pixels = _pixels(path, tiff)
            spacing_nm, pixel_nm = _sizes(tiff)
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
    edges = None
    if pixel_nm is not None:
        edges = (spacing_nm or pixel_nm.value, pixel_nm.value, pixel_nm.value)
    return Stack(
        path,
        pixels,
        path.stem,
        pixel_nm=pixel_nm,
        voxel_nm=edges,
        volume_because="its third axis is z" if "Z" in axes and pixels.shape[0] > 1 else "",
        rows_point_up=False,
    )


def _quiet() -> None:
    """Keep tifffile's log of damaged tags off the user's terminal: we say it in one sentence."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _grey_axes(path: Path, axes: str, shape: tuple[int, ...]) -> str:
    """Return the axes that are longer than one; refuse colours and more than three of them."""
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


def _pixels(path: Path, tiff: tifffile.TiffFile) -> NDArray[Any]:
    series = tiff.series[0]
    h, w = series.shape[-2:]
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
    return np.asarray(series.asarray()).reshape(-1, h, w)


def _sizes(tiff: tifffile.TiffFile) -> tuple[float | None, Found[float] | None]:
    """Distance of slices and pixel size in nanometres, (z, (y and x)), None where not stated."""
    if tiff.ome_metadata:
        return _ome_sizes(tiff.ome_metadata)
    if tiff.imagej_metadata:
        return _imagej_sizes(tiff)
    return None, None


def _imagej_sizes(tiff: tifffile.TiffFile) -> tuple[float | None, Found[float] | None]:
    metadata: dict[str, Any] = tiff.imagej_metadata or {}
    factor = _nm_per(str(metadata.get("unit", "")))
    resolution = tiff.pages.first.tags.get("XResolution")
    if factor is None or resolution is None or 0 in resolution.value:
        return None, None
    per_unit, parts = resolution.value
    spacing = float(metadata.get("spacing", 0.0)) * factor
    pixel_nm = float(f"{parts / per_unit * factor:.7g}")
    return spacing if spacing > 0 else None, Found(pixel_nm, "ImageJ resolution tag")


def _ome_sizes(xml: str) -> tuple[float | None, Found[float] | None]:
    edges: dict[str, float] = {}
    for element in ElementTree.fromstring(xml).iter():
        if element.tag.rpartition("}")[2] != "Pixels":
            continue
        for axis in "XZ":
            factor = _nm_per(element.get(f"PhysicalSize{axis}Unit", "µm"))
            size = float(element.get(f"PhysicalSize{axis}", "0"))
            if factor is not None and size > 0:
                edges.setdefault(axis, size * factor)
    found = Found(edges["X"], "OME PhysicalSizeX") if "X" in edges else None
    return edges.get("Z"), found


def _nm_per(unit: str) -> float | None:
    """Nanometres in one `unit`; ImageJ writes the micro sign as an escape."""
    plain = re.sub(r"\\u00b5|[µμ]", "u", unit.strip(), flags=re.IGNORECASE).lower()
    return NM_PER_UNIT.get(plain)
