"""Align the images of a tilt series and write the result, with its angles beside it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .convert import add_overwrite_argument
from .series_arguments import add_reading_arguments, add_shaping_arguments, read_series

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
    from .follow import follow
    from .progress_line import ProgressLine

    check_target(args.output, overwrite=args.overwrite)
    with ProgressLine() as line:
        aligned = follow(iter_align(read_series(args)), line, Aligned)
        written = write_tilt_series(args.output, aligned.series, overwrite=args.overwrite)
        line.say(f"wrote {written}")
    if args.json:
        print(json.dumps(aligned.report.to_dict(), indent=2))
