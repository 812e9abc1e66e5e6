"""Follow a folder while the microscope writes a tilt series into it, then fill the series.

With every tilt, DIR/growing/<stem>_wbp.mrc and <stem>_sart.mrc are made anew from all tilts so
far, at most 256 pixels wide. Half-written, renamed and late files are waited for. When the series
is complete, it is filled and checked as by `wedgefill fill`, into a folder of its name below DIR.
"""

from __future__ import annotations

import argparse
import copy
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WedgefillError
from .batch import read_count
from .interrupt import Stopped
from .progress_line import ProgressLine
from .series_arguments import close_ranges, read_positive, read_series
from .series_list import add_series_options, make_series_job

if TYPE_CHECKING:
    from ..batch.watch import Complete
    from ..tilt_series import TiltSeries

SUMMARY = "follow the microscope: a volume that grows with every tilt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, the output, the pace, and the options of the fill that follows."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="where the microscope writes one series"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results"
    )
    parser.add_argument(
        "--tilts",
        type=read_count,
        metavar="N",
        help="the series is complete when so many tilts are there",
    )
    parser.add_argument(
        "--idle",
        type=read_positive,
        default=300.0,
        metavar="SECONDS",
        help="or when nothing has changed for so long (300)",
    )
    parser.add_argument(
        "--poll",
        type=read_positive,
        default=2.0,
        metavar="SECONDS",
        help="how often to look; a file counts once two looks found it the same (2)",
    )
    add_series_options(parser)
    parser.set_defaults(self_check=True)


def run(args: argparse.Namespace) -> None:
    """Follow the folder, then fill the series."""
    from ..batch.watch import Complete, Grown, Pace, iter_watch

    growing = args.output / "growing"
    pace = Pace(args.poll, args.idle, args.tilts)
    complete: Complete | None = None
    n_grown = 0
    with ProgressLine() as line:
        try:
            for event in iter_watch(args.folder, growing, partial(read_files, args), pace):
                if isinstance(event, Grown):
                    n_grown = event.series.n_tilts
                    names = ", ".join(str(path) for path in event.paths.values())
                    line.say(f"{n_grown} tilts: wrote {names}")
                elif isinstance(event, Complete):
                    complete = event
                else:
                    line.show(event.sentence, 0.0)
            assert complete is not None
            for path, why in complete.left_out.items():
                line.say(f"note: {path.name} was left out: {why}")
            fill_complete(args, complete, line)
        except KeyboardInterrupt:
            stays = f"The volumes of {n_grown} tilts stay in {growing}. " if n_grown else ""
            raise Stopped(
                f"{stays}The same command goes on from the images in {args.folder}, or "
                f"'wedgefill fill {args.folder}' fills those that are there."
            ) from None
    shutil.rmtree(growing, ignore_errors=True)


def read_files(args: argparse.Namespace, source: Path | list[Path]) -> TiltSeries:
    """Read a stack, a folder or a list of files as the options say."""
    args = copy.copy(args)
    args.file = source
    return read_series(args)


def fill_complete(args: argparse.Namespace, complete: Complete, line: ProgressLine) -> None:
    """Fill and check the series, and say what came of it."""
    from ..batch.job import FAILED, KEPT
    from ..batch.series import run_series

    args = close_ranges(args, str(args.folder), complete.series.height, complete.series.width)
    args.file = complete.source
    job = make_series_job(args, complete.series.name)
    line.say(f"The series is complete: {complete.series.n_tilts} tilts.")
    ended = run_series(job, args.output, tell=lambda *step: line.show(*step))
    if ended.state == FAILED:
        raise WedgefillError(ended.sentence)
    for verdict in ended.verdicts:
        line.say(verdict)
    verb = "kept" if ended.state == KEPT else "wrote"
    line.say(f"{verb} {args.output / job.name}")
