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


def read_range(text: str) -> tuple[int, int]:
    """Read a range such as `--slices A:B`."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match or int(match[1]) >= int(match[2]):
        raise argparse.ArgumentTypeError(f"'{text}' is not A:B with A below B, such as 100:132")
    return int(match[1]), int(match[2])


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
