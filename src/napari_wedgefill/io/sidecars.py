"""Files beside a tilt series that know more than it does: .tlt, .rawtlt, .mdoc, .xf, logs."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from ..errors import WedgefillError
from .axis import wrap_degrees
from .fei_log import FeiLog
from .mdoc import Mdoc, read_mdoc
from .stack import Found, Origin
from .text import leading_number, read_note

COMPRESSED = (".gz", ".bz2")
#: Endings that IMOD gives to stacks derived from a raw one, whose angle files keep the raw name.
DERIVED = ("_preali", "_ali")
#: Every kind of list that may lie beside the images, best first. All are younger or better kept
#: than what the image file holds, which programs copy without looking.
ANGLE_SIDECARS = {
    ".tlt": Origin.REFINED,
    ".rawtlt": Origin.NOMINAL,
    ".mdoc": Origin.MDOC,
    ".aln": Origin.LIST,
    ".csv": Origin.LIST,
    ".txt": Origin.LIST,
}
#: Every kind of file that lies beside images and holds none.
BESIDE_IMAGES = (*ANGLE_SIDECARS, ".xf", ".tltxf", ".prexf", ".prexg", ".xtilt", ".log", ".com")
#: These hold anything under the sun; one that is no list of angles is not worth a word.
_PERHAPS_ANGLES = (".csv", ".txt")


def without_compression(path: Path) -> Path:
    """Return the path without a final .gz or .bz2."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


def is_aligned_stack(path: Path) -> bool:
    """Tell whether IMOD's naming says that the axis has been brought upright already."""
    bare = without_compression(path)
    return bare.suffix.lower() == ".ali" or bare.stem.lower().endswith("_ali")


def beside(path: Path, suffix: str) -> Path | None:
    """Find the sidecar of an image file, or None; the suffix may be in capitals.

    For ``x.mrc`` and ``.mdoc``: ``x.mrc.mdoc`` (SerialEM's own way) before ``x.mdoc``; for the
    derived ``x_ali.mrc`` also ``x.mdoc``, and so for ``x.ome.tif``.
    """
    bare = without_compression(path)
    stems = [bare.name, bare.stem]
    stems += [bare.stem[: -len(".ome")]] if bare.stem.lower().endswith(".ome") else []
    stems += [bare.stem[: -len(end)] for end in DERIVED if bare.stem.lower().endswith(end)]
    folder = os.path.dirname(path)
    for stem in stems:
        for spelling in (suffix, suffix.upper(), f".{suffix[1:].capitalize()}"):
            candidate = os.path.join(
                folder, stem + spelling
            )  # pathlib is slow where all is looked up
            if stem + spelling != path.name and os.path.isfile(candidate):
                return Path(candidate)
    return None


def angle_sidecars(path: Path) -> list[tuple[Path, Origin]]:
    """Every file beside the images that may hold their angles, best first, and its kind."""
    found = ((beside(path, suffix), origin) for suffix, origin in ANGLE_SIDECARS.items())
    return [(sidecar, origin) for sidecar, origin in found if sidecar is not None]


def may_be_something_else(sidecar: Path) -> bool:
    """Tell whether files of this kind often hold no angles at all."""
    return sidecar.suffix.lower() in _PERHAPS_ANGLES


def mdoc_beside(path: Path) -> Mdoc | None:
    """Return the parsed mdoc of an image file, if it has one that can be read."""
    sidecar = beside(path, ".mdoc")
    try:
        return None if sidecar is None else read_mdoc(sidecar)
    except WedgefillError:
        return None


def log_beside(path: Path) -> FeiLog | None:
    """Return FEI's acquisition log of an image file; any other note has nothing to say."""
    sidecar = beside(path, ".txt")
    return None if sidecar is None else FeiLog(sidecar)


def axis_from_aretomo(path: Path) -> Found[float] | None:
    """Tilt axis from AreTomo's ``x.aln``, whose second column holds it in SerialEM's sense."""
    sidecar = beside(path, ".aln")
    if sidecar is None:
        return None
    rows = [line.split() for line in read_note(sidecar).partition("# Local")[0].splitlines()]
    found = [leading_number(row[1]) for row in rows if len(row) == 10 and row[0] != "#"]
    turns = [turn for turn in found if turn is not None]
    return _mean_turn(turns, sidecar.name) if turns and len(turns) == len(found) else None


def axis_from_transforms(path: Path) -> Found[float] | None:
    """Tilt axis from IMOD's ``x.xf``: it turns every image so that the axis becomes vertical."""
    sidecar = beside(path, ".xf") or beside(path, ".tltxf")
    if sidecar is None:
        return None
    turns = []
    for line in read_note(sidecar).splitlines():
        try:
            a11, a12, a21, a22, _, _ = (float(word) for word in line.split())
        except ValueError:
            return None
        turns.append(math.degrees(math.atan2(a12 - a21, a11 + a22)))
    return _mean_turn(turns, sidecar.name) if turns else None


def _mean_turn(turns: Sequence[float], source: str) -> Found[float]:
    first = turns[0]
    # Angles near +-180 jump; counted from the first of them they do not.
    mean = first + statistics.fmean(wrap_degrees(turn - first) for turn in turns)
    return Found(wrap_degrees(round(mean, 2)), source, Origin.LIST)
