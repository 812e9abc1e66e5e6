"""Prepare a raw tilt series: crop, clean, leave out bad images, align; write it as MRC.

Beside OUT.mrc are written OUT.tlt (angles) and OUT.json: what was done, the table of tilts, and a
recipe that repeats it (--recipe) or gives another signal of the same tilts its shifts (--like).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ..json_text import write_json
from .series_arguments import (
    add_reading_arguments,
    add_shaping_arguments,
    close_range,
    read_range,
    read_series,
    refuse_to_replace_inputs,
)

if TYPE_CHECKING:
    from ..prepare.options import PrepareOptions, ShiftMethod
    from ..prepare.outcome import Found
    from ..tilt_series import TiltSeries
    from .progress_line import ProgressLine

SUMMARY = "clean and align a raw tilt series"


def read_image_numbers(text: str) -> tuple[int, ...]:
    """Read "3,17" as image numbers."""
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of image numbers") from None


def read_correction(text: str) -> tuple[int, float]:
    """Read "3=-12.5": image 3 was at -12.5 degrees."""
    try:
        tilt, angle = text.split("=")
        return int(tilt), float(angle)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form IMAGE=DEGREES") from None


def read_offset(text: str) -> float | None:
    """Read degrees, or "estimate" as None."""
    if text == "estimate":
        return None
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither degrees nor 'estimate'") from None


def read_shift_method(text: str) -> ShiftMethod:
    """Read `--shifts-by`."""
    from ..prepare.options import ShiftMethod  # its room brings NumPy along

    known: dict[str, ShiftMethod] = {name: name for name in get_args(ShiftMethod)}
    if text not in known:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(known)}")
    return known[text]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the series, the output and what may be done."""
    add_reading_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.mrc", help="file for the images"
    )
    add_shaping_arguments(parser)
    parser.add_argument("--recipe", type=Path, metavar="R.json", help="do what this recipe says")
    parser.add_argument(
        "--like",
        type=Path,
        metavar="FILE",
        help="apply the shifts found on this series (or in its recipe) of the same tilts",
    )
    parser.add_argument(
        "--apply",
        type=Path,
        metavar="FILE",
        help="apply the alignment of another program: IMOD .xf (with its .tlt), AreTomo .aln",
    )
    parser.add_argument(
        "--keep-spikes", action="store_true", help="do not replace hot pixels and X-ray hits"
    )
    parser.add_argument(
        "--plane", action="store_true", help="subtract a plane from each image's empty space"
    )
    parser.add_argument(
        "--bright-field", action="store_true", help="turn bright field into thickness, -log(I/I0)"
    )
    parser.add_argument("--invert", action="store_true", help="make the dark bright")
    parser.add_argument("--even", action="store_true", help="even out a beam current that drifts")
    parser.add_argument(
        "--leave-out",
        type=read_image_numbers,
        metavar="N,N",
        help="leave out these images (0: lowest angle)",
    )
    parser.add_argument(
        "--leave-out-worse", action="store_true", help="leave out blurred and dim images as well"
    )
    parser.add_argument(
        "--keep-bad", action="store_true", help="keep images that show nothing of the specimen"
    )
    parser.add_argument(
        "--correct",
        type=read_correction,
        action="append",
        metavar="N=DEG",
        help="image N was at DEG degrees; may be given several times",
    )
    parser.add_argument(
        "--tilt-offset",
        type=read_offset,
        default=0.0,
        metavar="DEG|estimate",
        help="add DEG to every angle (pre-tilt), or estimate it from a film's intensity",
    )
    parser.add_argument("--rows", type=read_range, metavar="A:B", help="keep only these rows")
    parser.add_argument("--columns", type=read_range, metavar="A:B", help="keep only these columns")
    parser.add_argument("--no-shifts", action="store_true", help="do not align")
    parser.add_argument(
        "--shifts-by",
        type=read_shift_method,
        metavar="METHOD",
        help="guess the shifts by cross-correlation, phase-correlation, centre-of-mass or "
        "common-line alone, and not by the best; reprojection refines them in any case",
    )
    parser.add_argument(
        "--transforms",
        type=Path,
        metavar="FILE",
        help="write the alignment too: IMOD .xf (with .tlt, .xtilt) or AreTomo .aln",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(args: argparse.Namespace) -> None:
    """Read, prepare, write."""
    from ..io import write_tilt_series
    from ..io.alignment_files import write_alignment
    from ..prepare.outcome import Prepared
    from ..prepare.preparing import drop_mended_notes, iter_prepare
    from ..prepare.recipe import write_recipe
    from ..prepare.transforms import make_transforms
    from .follow import follow, say_warnings
    from .interrupt import list_series_files, tell_which_are_complete
    from .progress_line import ProgressLine

    beside = args.output.with_suffix(".json")
    written = [args.output, args.output.with_suffix(".tlt"), beside]
    if args.transforms is not None:
        endings = (".xf", ".tlt", ".xtilt") if args.transforms.suffix.lower() == ".xf" else ("",)
        written += [args.transforms.with_suffix(end) if end else args.transforms for end in endings]
    _refuse_to_write(args, written)
    files = dict.fromkeys([*list_series_files(args.output), *written])
    with ProgressLine() as progress, tell_which_are_complete(*files):
        series = read_series(args)
        options = _choose_options(_close_region(args, series))
        series = drop_mended_notes(series, options.clean)
        say_warnings(series, progress)
        like = _find_shifts(args, series, options, progress)
        done = follow(iter_prepare(series, options, like), progress, Prepared)
        for sentence in done.report.history:
            progress.say(sentence)
        progress.say(f"wrote {write_tilt_series(args.output, done.series, overwrite=True)}")
        report = done.report.to_dict()
        write_recipe(beside, report)
        if args.transforms is not None:
            for path in write_alignment(args.transforms, make_transforms(done.report.found)):
                progress.say(f"wrote {path}")
    if args.json:
        print(write_json(report))


def _refuse_to_write(args: argparse.Namespace, written: list[Path]) -> None:
    """Refuse outputs that are inputs, or are there already, before anything is computed."""
    from ..atomic import refuse_to_replace
    from ..io import check_target

    refuse_to_replace_inputs(args, *written)
    check_target(args.output, overwrite=args.overwrite)
    for path in written:
        refuse_to_replace(path, overwrite=args.overwrite)


def _close_region(args: argparse.Namespace, series: TiltSeries) -> argparse.Namespace:
    """Put the ends into --rows and --columns that were given without."""
    closed = {
        "rows": close_range(series.name, "rows", args.rows, series.height),
        "columns": close_range(series.name, "columns", args.columns, series.width),
    }
    return argparse.Namespace(**{**vars(args), **closed})


def _choose_options(args: argparse.Namespace) -> PrepareOptions:
    """Take the options of the recipe, if there is one, and those of the command line on top."""
    from ..prepare.options import PrepareOptions
    from ..prepare.recipe import read_recipe

    options = PrepareOptions() if args.recipe is None else read_recipe(args.recipe).options
    clean, tilts, region = options.clean, options.tilts, options.region
    clean = replace(
        clean,
        spikes=clean.spikes and not args.keep_spikes,
        plane=clean.plane or args.plane,
        bright_field=clean.bright_field or args.bright_field,
        invert=clean.invert or args.invert,
        even_intensity=clean.even_intensity or args.even,
    )
    tilts = replace(
        tilts,
        leave_out=tilts.leave_out if args.leave_out is None else args.leave_out,
        leave_out_useless=tilts.leave_out_useless and not args.keep_bad,
        leave_out_worse=tilts.leave_out_worse or args.leave_out_worse,
        corrected_deg=tilts.corrected_deg if not args.correct else tuple(args.correct),
        offset_deg=args.tilt_offset or tilts.offset_deg,
        estimate_offset=tilts.estimate_offset or args.tilt_offset is None,
    )
    region = replace(region, rows=args.rows or region.rows, columns=args.columns or region.columns)
    return PrepareOptions(
        region,
        clean,
        tilts,
        options.align and not args.no_shifts,
        args.shifts_by or options.shifts_by,
    )


def _find_shifts(
    args: argparse.Namespace, series: TiltSeries, options: PrepareOptions, progress: ProgressLine
) -> Found | None:
    """Take shifts from another series, its recipe, or another program; None to find them."""
    from ..io.alignment_files import read_alignment
    from ..prepare.options import CleanOptions
    from ..prepare.outcome import Prepared
    from ..prepare.preparing import iter_prepare
    from ..prepare.recipe import read_found
    from ..prepare.transforms import take_found_from
    from .follow import follow

    if args.apply is not None:
        return take_found_from(read_alignment(args.apply), series, args.apply.name)
    if args.like is None:
        return None
    if args.like.suffix.lower() == ".json":
        return read_found(args.like)
    other = read_series(argparse.Namespace(**{**vars(args), "file": args.like}))
    # Only the intensities of the other signal differ: its own cleaning is the usual one.
    options = replace(options, clean=CleanOptions(), align=True)
    done = follow(iter_prepare(other, options), progress, Prepared)
    if done.report.alignment is not None:
        progress.say(f"{args.like.name}: {done.report.alignment.sentence}")
    return done.report.found
