"""Files beside a tilt series that know more than it does: .tlt, .rawtlt, .mdoc, logs."""

from __future__ import annotations

import re
from pathlib import Path

from .mdoc import NUMBER, Mdoc, read_mdoc
from .stack import Found
from .text import read_text

COMPRESSED = (".gz", ".bz2")
#: Endings that IMOD gives to stacks derived from a raw one, whose angle files keep the raw name.
DERIVED = ("_preali", "_ali")
#: A .tlt comes first, for in IMOD it holds the angles refined by the alignment; a .rawtlt holds the
#: nominal ones, extracted and perhaps corrected by hand; an mdoc is the microscope's own record.
#: All are younger or better kept than the extended header, which programs copy without looking.
ANGLE_SIDECARS = (".tlt", ".rawtlt", ".mdoc")
_LOG_AXIS = re.compile(rf"Tilt Axis Angle\s*\[[^]]*\]\s*:\s*({NUMBER})", re.IGNORECASE)
_LOG_PIXEL = re.compile(rf"Image pixel size\s*\[nm\]\s*:\s*({NUMBER})", re.IGNORECASE)


def without_compression(path: Path) -> Path:
    """Return the path without a final .gz or .bz2."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


def is_aligned_stack(path: Path) -> bool:
    """Tell whether IMOD's naming says that the axis has been brought upright already."""
    bare = without_compression(path)
    return bare.suffix.lower() == ".ali" or bare.stem.lower().endswith("_ali")


def beside(path: Path, suffix: str) -> Path | None:
    """Find the sidecar of an image file, or None.

    For ``x.mrc`` and ``.mdoc``: ``x.mrc.mdoc`` (SerialEM's own way) before ``x.mdoc``; for the
    derived ``x_ali.mrc`` also ``x.mdoc``.
    """
    bare = without_compression(path)
    names = [bare.name + suffix, bare.stem + suffix]
    names += [bare.stem[: -len(end)] + suffix for end in DERIVED if bare.stem.endswith(end)]
    for name in names:
        candidate = path.with_name(name)
        if candidate != path and candidate.is_file():
            return candidate
    return None


def angle_sidecars(path: Path) -> list[Path]:
    """Every file beside the images that may hold their angles, best first."""
    found = (beside(path, suffix) for suffix in ANGLE_SIDECARS)
    return [sidecar for sidecar in found if sidecar is not None]


def mdoc_beside(path: Path) -> Mdoc | None:
    """Return the parsed mdoc of an image file, if it has one."""
    sidecar = beside(path, ".mdoc")
    return None if sidecar is None else read_mdoc(sidecar)


def axis_from_sidecars(path: Path, mdoc: Mdoc | None) -> Found[float] | None:
    """Tilt axis in degrees counter-clockwise from vertical, from the mdoc or FEI's ``x.txt``."""
    if mdoc is not None and mdoc.axis_deg is not None:
        return Found(mdoc.axis_deg, mdoc.path.name)
    return _from_log(path, _LOG_AXIS)


def pixel_from_sidecars(path: Path, mdoc: Mdoc | None) -> Found[float] | None:
    """Pixel size in nanometres from the mdoc or FEI's acquisition log."""
    if mdoc is not None and mdoc.pixel_nm is not None:
        return Found(mdoc.pixel_nm, mdoc.path.name)
    found = _from_log(path, _LOG_PIXEL)
    return found if found is not None and found.value > 0 else None


def _from_log(path: Path, pattern: re.Pattern[str]) -> Found[float] | None:
    log = beside(path, ".txt")
    match = pattern.search(read_text(log)) if log is not None else None
    return Found(float(match[1]), log.name) if log is not None and match is not None else None
