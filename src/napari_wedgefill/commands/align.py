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
    from .aligning import align_with_progress
    from .progress_line import ProgressLine

    check_target(args.output, overwrite=args.overwrite)
    with ProgressLine() as progress:
        aligned, report = align_with_progress(read_series(args), progress)
        written = write_tilt_series(args.output, aligned, overwrite=args.overwrite)
        progress.say(f"wrote {written}")
    if args.json:
        print(json.dumps(report, indent=2))
