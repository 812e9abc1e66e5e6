"""The options that say how a file becomes a tilt series, shared by every command that reads one."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import Address, read_place
from ..errors import WedgefillError

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries

#: First, and past the last; None where all the rest is meant.
Range = tuple[int, int | None]


def read_range(text: str) -> Range:
    """Read a range such as `--slices A:B`; an end left out, as in ``A:``, is None."""
    match = re.fullmatch(r"(\d*):(\d*)", text.strip(), re.ASCII)
    start = int(match[1] or 0) if match else 0
    stop = int(match[2]) if match and match[2] else None
    if not match or (stop is not None and start >= stop):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not A:B, A: or :B, counted from 0, with A below B, such as 100:132"
        )
    return start, stop


def close_range(name: str, what: str, asked: Range | None, n: int) -> tuple[int, int] | None:
    """Put the end into a range that was given without one, see `read_range`.

    Parameters
    ----------
    name : str
        What the range is of, for the sentence of the error.
    what : str
        What is counted: "slices", "planes".
    asked : tuple of int and (int or None), or None
        As it was given. One with an end is left to whoever reads it.
    n : int
        How many there are.

    Raises
    ------
    WedgefillError
        If the range begins behind the last.
    """
    if asked is None:
        return None
    start, stop = asked
    if stop is not None:
        return start, stop
    if start >= n:
        raise WedgefillError(
            f"{name}: {what} {start}: were asked for, but there are {n}, counted from 0; begin "
            f"before {n}."
        )
    return start, n


def close_ranges(
    args: argparse.Namespace, name: str, height: int, width: int
) -> argparse.Namespace:
    """Return `args` with the ends of `--slices` and `--planes` put in, for images as binned."""
    closed = {
        "slices": close_range(name, "slices", args.slices, height),
        "planes": close_range(name, "planes", args.planes, width),
    }
    return argparse.Namespace(**{**vars(args), **closed})


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


def angles(text: str) -> str | Path:
    """Read `--angles`: a file, or angles typed as a range or a list."""
    from ..errors import WedgefillError
    from ..io import angles_from_text

    path = Path(text)
    if path.exists() or path.suffix.strip(".").isalpha():
        return path
    try:
        angles_from_text(text, n_images=2)
    except WedgefillError:
        return path  # reading it will say what is wrong with it
    return text


class OneOrMore(argparse.Action):
    """Keep one path as it is and several as a list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store what was given; nothing given leaves the default."""
        if values:
            setattr(namespace, self.dest, values[0] if len(values) == 1 else list(values))


def add_reading_arguments(
    parser: argparse.ArgumentParser, *, is_optional: bool = False, takes_address: bool = False
) -> None:
    """Add FILE (which may be left out if `is_optional`) and what overrides its own values."""
    parser.add_argument(
        "file",
        type=read_place if takes_address else Path,
        metavar="FILE",
        nargs="*" if is_optional else "+",
        action=OneOrMore,
        help="tilt series: MRC, TIFF, DM3/DM4, EMD, HSPY, MATLAB and more; or a folder, or several "
        "files in order, with one tilt each",
    )
    add_reading_options(parser)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add what overrides the values of a file, all of them options."""
    parser.add_argument(
        "--angles",
        type=angles,
        metavar="FILE|RANGE",
        help="tilt angles instead of those found in or beside FILE: a file (.tlt, .rawtlt, .mdoc, "
        ".csv, .aln), or a range such as -60:60:2, or -60:60, whose step follows from the images",
    )
    parser.add_argument(
        "--dataset", metavar="NAME", help="which series of a file that holds several"
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
    parser.add_argument(
        "--flip",
        action="store_true",
        help="turn the rows of the images over: they are upside down, which mirrors the volume",
    )
    signs = parser.add_mutually_exclusive_group()
    signs.add_argument(
        "--signed",
        dest="signed_bytes",
        action="store_true",
        default=None,
        help="8-bit pixels of an MRC file are signed, whatever its header says",
    )
    signs.add_argument(
        "--unsigned",
        dest="signed_bytes",
        action="store_false",
        default=None,
        help="8-bit pixels of an MRC file are unsigned, whatever its header says",
    )


def refuse_to_replace_inputs(args: argparse.Namespace, *outputs: Path) -> None:
    """Raise `WedgefillError` if a command would write over what it reads, told to or not."""
    given = getattr(args, "file", [])
    files = given if isinstance(given, list) else [given]
    names = ("angles", "like", "recipe", "apply", "volume")
    others = [getattr(args, name, None) for name in names]
    inputs = {path.resolve() for path in (*files, *others) if isinstance(path, Path)}
    for path in outputs:
        if path.resolve() in inputs:
            raise WedgefillError(f"{path}: this is an input; choose another name for the output.")


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_reading_arguments` added, less FILE, as keywords of the readers."""
    names = ("angles", "pixel_nm", "axis", "flip", "signed_bytes", "dataset")
    return {name: getattr(args, name) for name in names}


def paths_to_json(value: Any) -> Any:
    """Turn a path or a list of paths into absolute names; typed angles stay as they are."""
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, Address):
        return str(value)
    return [paths_to_json(one) for one in value] if isinstance(value, list) else value


def paths_from_json(value: Any, name: str) -> Any:
    """Undo `paths_to_json` for the argument called `name`."""
    if isinstance(value, list):
        return [Path(one) for one in value]
    if name == "angles" and isinstance(value, str):
        return angles(value)
    return None if value is None else read_place(str(value))


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
    from ..run.stored import stage

    with stage(args.file, only_outline=True) as staged:
        found = describe(staged.path, **reading_options(args))
    if found["kind"] != "tilt series":
        raise WedgefillError(found["refusal"])
    return found


def read_series(args: argparse.Namespace, source: Path | list[Path] | None = None) -> TiltSeries:
    """Read the tilt series that `args` describe; shift its axis, bin it, negate its angles.

    Parameters
    ----------
    args : Namespace
        What `add_reading_arguments` and `add_shaping_arguments` added.
    source : Path or list of Path, optional
        Where the series lies if that is not what `args` say.

    Raises
    ------
    WedgefillError
        If the file, its angles or the binning cannot be used.
    """
    from ..io import read_tilt_series

    series = read_tilt_series(args.file if source is None else source, **reading_options(args))
    if args.axis_shift is not None:
        series = replace(series, axis_shift_px=args.axis_shift)
    if args.negate_angles:
        series = series.negated()
    return series.binned(args.bin)
