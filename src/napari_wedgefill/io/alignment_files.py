"""Alignments as IMOD (.xf, .tlt, .xtilt) and AreTomo (.aln) write them, loaded and saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_beside
from ..errors import WedgefillError
from .text import read_text

Doubles = NDArray[np.float64]

ALN_HEAD = (
    "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT"
)


@dataclass(frozen=True, eq=False)
class ImageTransforms:
    """How each image becomes an aligned one: ``aligned = matrix @ image + shift``.

    Attributes
    ----------
    matrices : ndarray, float64, (n, 2, 2)
        For (x, y) from the images' centre, ``(n - 1) / 2`` in pixels counted from 0.
    shifts_px : ndarray, float64, (n, 2)
        Along (x, y), pixels.
    angles_deg : ndarray, float64, (n,), or None
        Tilt angles, where the file states them.
    images : ndarray of int, (n,), or None
        Which images of the stack these are, where the file leaves some out.
    """

    matrices: Doubles
    shifts_px: Doubles
    angles_deg: Doubles | None = None
    images: NDArray[np.int64] | None = None


def read_alignment(path: str | Path) -> ImageTransforms:
    """Read an IMOD .xf (with the .tlt beside it, if there is one) or an AreTomo .aln file.

    Raises
    ------
    WedgefillError
        If the file cannot be read, is of another kind, or its lines are not what they should be.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".xf":
        return _read_xf(path)
    if suffix == ".aln":
        return _read_aln(path)
    raise WedgefillError(f"{path.name}: alignments are read from .xf and .aln files.")


def read_numbers(path: Path, n_columns: int) -> Doubles:
    """Rows of numbers (n, n_columns); what begins with ``#`` is passed over.

    Raises
    ------
    WedgefillError
        If a line holds something else.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) != n_columns or not np.all(np.isfinite(values)):
            raise WedgefillError(
                f"{path.name}: line {number} reads '{line.strip()[:40]}', where {n_columns} "
                f"numbers were expected; export the alignment again."
            )
        rows.append(values)
    if not rows:
        raise WedgefillError(f"{path.name}: the file holds no numbers; export it again.")
    return np.array(rows, np.float64)


def _read_xf(path: Path) -> ImageTransforms:
    rows = read_numbers(path, 6)
    tlt, xtilt = path.with_suffix(".tlt"), path.with_suffix(".xtilt")
    angles = read_numbers(tlt, 1)[:, 0] if tlt.is_file() else None
    if angles is not None and len(angles) != len(rows):
        raise WedgefillError(
            f"{path.name} has {len(rows)} lines but {tlt.name} has {len(angles)}; they do not "
            f"belong together."
        )
    if xtilt.is_file() and np.abs(read_numbers(xtilt, 1)).max() > 0.05:
        raise WedgefillError(
            f"{xtilt.name}: it tilts images about the x axis, which is not supported; align with "
            f"IMOD's tilt instead."
        )
    return ImageTransforms(rows[:, :4].reshape(-1, 2, 2), rows[:, 4:], angles)


def _read_aln(path: Path) -> ImageTransforms:
    text = read_text(path).partition("# Local Alignment")[0]
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != 10 or not np.all(np.isfinite(rows[-1])):
            raise WedgefillError(
                f"{path.name}: line {number} reads '{line.strip()[:40]}', where the ten numbers "
                f"of an AreTomo alignment were expected."
            )
    if not rows:
        raise WedgefillError(f"{path.name}: no alignment was found in it.")
    table = np.array(rows, np.float64)
    turn = np.deg2rad(table[:, 1])
    matrices = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrices = np.ascontiguousarray(matrices.transpose(2, 0, 1))
    shifts = -np.einsum("nij,nj->ni", matrices, table[:, 3:5])
    images = table[:, 0].astype(np.int64)
    return ImageTransforms(matrices, shifts, table[:, 9], images)


def write_alignment(path: str | Path, transforms: ImageTransforms) -> list[Path]:
    """Write an .xf with .tlt and .xtilt of the same name, or an .aln; returns what was written.

    Raises
    ------
    WedgefillError
        If the name ends in something else, the angles are missing, or the place cannot be written.
    """
    path = Path(path)
    if transforms.angles_deg is None:
        raise WedgefillError(f"{path.name}: an alignment is written with its tilt angles.")
    suffix = path.suffix.lower()
    if suffix == ".xf":
        lines = [
            "".join(f"{v:12.7f}" for v in matrix.ravel()) + "".join(f"{v:12.3f}" for v in shift)
            for matrix, shift in zip(transforms.matrices, transforms.shifts_px, strict=True)
        ]
        angles = [f"{angle:.2f}" for angle in transforms.angles_deg]
        return [
            _write_lines(path, lines),
            _write_lines(path.with_suffix(".tlt"), angles),
            _write_lines(path.with_suffix(".xtilt"), ["0.00"] * len(angles)),
        ]
    if suffix == ".aln":
        return [_write_lines(path, _aln_lines(transforms, transforms.angles_deg))]
    raise WedgefillError(f"{path.name}: alignments are written to .xf and .aln files.")


def _aln_lines(transforms: ImageTransforms, angles_deg: Doubles) -> list[str]:
    n = len(angles_deg)
    images = np.arange(n) if transforms.images is None else transforms.images
    lines = ["# AreTomo Alignment / Priims bprmMn", "# NumPatches = 0", ALN_HEAD]
    for k in range(n):
        matrix = transforms.matrices[k]
        rotation = float(np.rad2deg(np.arctan2(matrix[0, 1], matrix[0, 0])))
        x, y = -np.linalg.solve(matrix, transforms.shifts_px[k])
        lines.append(
            f"{images[k]:5d} {rotation:10.4f} {1.0:10.5f} {x:10.3f} {y:10.3f} "
            f"{1.0:8.2f} {1.0:8.2f} {1.0:8.2f} {0.0:8.2f} {angles_deg[k]:9.2f}"
        )
    return lines


def _write_lines(path: Path, lines: Sequence[str]) -> Path:
    with write_beside(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
