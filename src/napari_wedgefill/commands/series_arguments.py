"""The options that say how a file becomes a tilt series, shared by every command that reads one."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WedgefillError

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries


def read_axis(text: str) -> str | float:
    """Read `--axis`: "x", "y" or degrees."""
    if text.lower() in ("x", "y"):
        return text.lower()
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither x, y nor degrees") from None


def read_positive(text: str) -> float:
    """Read a number above zero."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not above zero")
    return value


def add_reading_arguments(parser: argparse.ArgumentParser, *, is_optional: bool = False) -> None:
    """Add FILE (which may be left out if `is_optional`), --angles, --pixel-nm and --axis."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        nargs="?" if is_optional else None,
        help="tilt series (MRC or TIFF)",
    )
    add_reading_options(parser)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add what overrides the values of a file, all of them options."""
    parser.add_argument(
        "--angles",
        type=Path,
        metavar="FILE",
        help="tilt angles (.tlt, .rawtlt or .mdoc) instead of those found in or beside FILE",
    )
    parser.add_argument(
        "--pixel-nm", type=read_positive, metavar="X", help="pixel size in nm instead of the file's"
    )
    parser.add_argument(
        "--axis",
        type=read_axis,
        metavar="x|y|DEG",
        help="direction of the tilt axis in the images instead of the file's",
    )


def add_shaping_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --axis-shift, --bin and --negate-angles."""
    parser.add_argument(
        "--axis-shift",
        type=float,
        metavar="PX",
        help="position of the tilt axis along x, in unbinned pixels from the images' centre",
    )
    parser.add_argument(
        "--bin", type=int, default=1, metavar="N", help="average N x N pixels first"
    )
    parser.add_argument(
        "--negate-angles",
        action="store_true",
        help="change the sign of every angle, which mirrors the volume along z (handedness)",
    )


def describe_series(args: argparse.Namespace) -> dict[str, Any]:
    """Describe the tilt series that `args` name without reading its pixels, see `io.describe`.

    Raises
    ------
    WedgefillError
        If it is no tilt series, or its angles cannot be used.
    """
    from ..io import describe

    found = describe(args.file, angles=args.angles, pixel_nm=args.pixel_nm, axis=args.axis)
    if found["kind"] != "tilt series":
        raise WedgefillError(
            f"{args.file}: this is not a tilt series with angles but {_name_kind(found['kind'])}; "
            "leave it out, or say with --angles where its angles are."
        )
    return found


def _name_kind(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def read_series(args: argparse.Namespace) -> TiltSeries:
    """Read the tilt series that `args` describe; shift its axis, bin it, negate its angles.

    Raises
    ------
    WedgefillError
        If the file, its angles or the binning cannot be used.
    """
    from ..io import read_tilt_series

    series = read_tilt_series(args.file, angles=args.angles, pixel_nm=args.pixel_nm, axis=args.axis)
    if args.axis_shift is not None:
        series = replace(series, axis_shift_px=args.axis_shift)
    if args.negate_angles:
        series = series.negated()
    return series.binned(args.bin)
