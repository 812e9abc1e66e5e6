"""Align the images of a tilt series and write the result, with its angles beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..json_text import write_json
from .convert import add_overwrite_argument
from .series_arguments import (
    add_reading_arguments,
    add_shaping_arguments,
    read_series,
    refuse_to_replace_inputs,
)

SUMMARY = "align the images of a tilt series"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the series, the output and --json."""
    add_reading_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.mrc", help="file for the images"
    )
    add_shaping_arguments(parser)
    add_overwrite_argument(parser)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(args: argparse.Namespace) -> None:
    """Read, align, write."""
    from ..io import check_target, write_tilt_series
    from ..prepare import Aligned, iter_align
    from .follow import follow, say_warnings
    from .interrupt import list_series_files, tell_which_are_complete
    from .progress_line import ProgressLine

    refuse_to_replace_inputs(args, args.output, args.output.with_suffix(".tlt"))
    check_target(args.output, overwrite=args.overwrite)
    files = list_series_files(args.output)
    with ProgressLine() as line, tell_which_are_complete(*files):
        series = read_series(args)
        say_warnings(series, line)
        aligned = follow(iter_align(series), line, Aligned)
        written = write_tilt_series(args.output, aligned.series, overwrite=args.overwrite)
        line.say(f"wrote {written}")
    if args.json:
        print(write_json(aligned.report.to_dict()))
