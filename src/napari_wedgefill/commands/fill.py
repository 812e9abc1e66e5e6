"""Fill the missing wedge of one tilt series and write a volume for every method.

DIR receives <stem>_<method>.mrc, report.json and, where asked for, <stem>_trust.mrc,
<stem>_results.csv and <stem>_comparison.png. The images are never moved unless --align is given.
FILE and DIR may be addresses such as s3://bucket/grid3.zarr; what lies there is OME-Zarr.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import Address, Store, read_place
from ..errors import WedgefillError
from ..memory import parse_bytes
from ..methods import DEFAULT_METHODS, METHODS
from .convert import add_overwrite_argument
from .series_arguments import (
    add_reading_arguments,
    add_shaping_arguments,
    close_ranges,
    read_range,
    read_series,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..pipeline.options import FillOptions
    from ..run.folder import Recorded
    from ..run.options import RunOptions

SUMMARY = "fill the missing wedge of a tilt series"


def read_method_names(text: str) -> tuple[str, ...]:
    """Read `--methods`: names separated by commas, each once, in the order given."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("no method was named")
    return names


def read_amount_of_memory(text: str) -> int:
    """Read `--max-memory`, in bytes."""
    try:
        return parse_bytes(text)
    except WedgefillError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the series, the output, the methods and what they run on."""
    add_reading_arguments(parser, is_optional=True, takes_address=True)
    add_output_argument(parser)
    add_method_arguments(parser)
    add_shaping_arguments(parser)
    add_overwrite_argument(parser)
    add_check_arguments(parser)
    parser.add_argument(
        "--from-report",
        type=Path,
        metavar="REPORT",
        help="repeat the run of a report.json; FILE, --angles and --model say where things lie now",
    )


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    """Add -o."""
    parser.add_argument(
        "-o",
        "--output",
        type=read_place,
        required=True,
        metavar="DIR",
        help="folder for the results, or an address such as s3://bucket/filled",
    )


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is done before and after the fill."""
    parser.add_argument("--align", action="store_true", help="align the images first")
    parser.add_argument(
        "--self-check",
        action="store_true",
        help="also withhold tilts, predict them with every method, and report the errors",
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="also write where the networks' volume can be relied on, 0 to 1 a voxel",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="also measure resolution, elongation and residuals, and write them as CSV",
    )
    parser.add_argument(
        "--png", action="store_true", help="also write a picture that compares the methods"
    )
    parser.add_argument(
        "--no-check",
        action="store_true",
        help="leave out the quick check that says whether to believe the networks' volume",
    )
    parser.add_argument(
        "--planes",
        type=read_range,
        metavar="A:B",
        help="keep only these planes of the volumes along the beam (z); they stay in their place",
    )


def add_method_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to compute, where, and on which slices."""
    *others, last = METHODS
    parser.set_defaults(preview=False)  # only a report of the Python API says otherwise
    parser.add_argument(
        "--methods",
        type=read_method_names,
        default=DEFAULT_METHODS,
        metavar="A,B",
        help=f"of {', '.join(others)} and {last}, separated by commas "
        f"({','.join(DEFAULT_METHODS)})",
    )
    parser.add_argument(
        "--model", default="small", metavar="NAME|FOLDER", help="trained model for gan (small)"
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where the networks run; auto takes CUDA where it truly works (auto)",
    )
    parser.add_argument(
        "--stop",
        choices=("sweeps", "discrepancy"),
        default="sweeps",
        help="end sart and sirt after their usual sweeps, or when they reach the noise (sweeps)",
    )
    parser.add_argument(
        "--max-memory",
        type=read_amount_of_memory,
        metavar="SIZE",
        help="memory that may be held, such as 4GB (half of what is free)",
    )
    parser.add_argument(
        "--whole-field",
        action="store_true",
        help="fill the whole field of view; by default only a box around the specimen is filled "
        "where the images show vacuum all around it",
    )
    parser.add_argument(
        "--no-gain",
        action="store_true",
        help="leave the intensities of images as they are: no factor per tilt, no slope of the "
        "background taken away, no frame filled",
    )
    parser.add_argument(
        "--slices",
        type=read_range,
        metavar="A:B",
        help="only these slices along the tilt axis, counted after binning",
    )


def make_fill_options(args: argparse.Namespace) -> FillOptions:
    """Return what the pipeline is asked for."""
    from ..pipeline.options import FillOptions

    return FillOptions(
        methods=args.methods,
        model=args.model,
        device=args.device,
        slices=args.slices,
        preview=args.preview,
        stop=args.stop,
        max_memory=args.max_memory,
        whole_field=args.whole_field,
        gain=not args.no_gain,
    )


def make_run_options(args: argparse.Namespace) -> RunOptions:
    """Return what the run is asked for."""
    from ..run.options import RunOptions

    return RunOptions(
        fill=make_fill_options(args),
        align=args.align,
        self_check=args.self_check,
        trust=args.trust,
        table=args.table,
        picture=args.png,
        check=not args.no_check,
        planes=args.planes,
    )


def tell_what_stays(recorded: Sequence[Recorded], args: argparse.Namespace) -> str:
    """Say what a fill that was stopped has written, and how to go on."""
    from ..run.events import Done, Finished

    place = args.output
    is_replacing = isinstance(place, Path) and (place / "report.json").exists()
    if not recorded:
        earlier = f"; what lies in {place} is of the earlier run" if is_replacing else ""
        return f"No volume was complete{earlier}. To go on, run the same command again."
    said = f"Complete in {place}: {', '.join(one.path.name for one in recorded)}"
    if any(isinstance(one.item, Done) for one in recorded):
        return f"{said}."
    if isinstance(place, Address):
        return f"What was sent to {place} was removed again. To go on, run the same command again."
    if is_replacing:
        return (
            f"{said}; what else lies there, report.json too, is of the earlier run. To go on, run "
            "the same command again."
        )
    done = {one.what for one in recorded if isinstance(one.item, Finished)}
    left = ",".join(name for name in args.methods if name not in done)
    others = f"--methods {left} makes the others, with a report of these alone; " if left else ""
    return (
        f"{said}; there is no report of them yet. To go on, {others}the same command with "
        "--overwrite makes all of them anew, and their report."
    )


def run(args: argparse.Namespace) -> None:
    """Read, align if asked to, fill, and write."""
    from ..run.events import Done
    from ..run.folder import Provenance
    from ..run.repeat import check_input, check_series, find_differences
    from ..run.stored import iter_run_to, stage
    from .follow import follow, refuse_to_be_incomplete, say_warnings
    from .from_report import collect_settings, restore_arguments
    from .interrupt import Stopped
    from .progress_line import ProgressLine

    repeats: dict[str, Any] | None = None
    with ProgressLine() as line:
        if args.from_report is not None:
            args, repeats = restore_arguments(args)
        elif args.file is None:
            raise WedgefillError("No FILE was given; name a tilt series, or give --from-report.")
        if isinstance(args.output, Address):
            Store(args.output).check_writable()
        if isinstance(args.file, Address):
            line.say(f"fetching {args.file}")
        with stage(args.file) as staged:
            if repeats is not None and isinstance(args.file, Address):
                check_input(staged.path, repeats)
            series = read_series(args, staged.path)
            if repeats is not None:
                check_series(series, repeats)
            args = close_ranges(args, series.name, series.height, series.width)
            say_warnings(series, line)
            provenance = Provenance(
                staged.path, args.command_line, collect_settings(args), staged.origin
            )
            events = iter_run_to(
                args.output, series, make_run_options(args), provenance, overwrite=args.overwrite
            )
            recorded: list[Recorded] = []
            try:
                done = follow(events, line, Done, recorded)
            except KeyboardInterrupt:
                raise Stopped(tell_what_stays(recorded, args)) from None
        if repeats is not None:
            for sentence in find_differences(repeats, done.report):
                line.say(sentence)
        refuse_to_be_incomplete(done.report)
