"""Fill many tilt series, on the cores and GPUs of this machine or on a Dask cluster.

SERIES is a list (.csv), a folder that is looked through, or tilt series. The first line of a list
names its columns: file, name (of the folder for the results) and any option of the series, such as
angles or axis, without the dashes. DIR receives a folder for every series with what `wedgefill
fill` writes, a picture included, and summary.csv and index.html. A series that fails is reported
and the rest is filled. Run the same command again to go on after a stop: what is whole is kept.
"""

from __future__ import annotations

import argparse
import copy
import shutil
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import Address, Store, read_place
from ..errors import WedgefillError
from .fill import add_output_argument
from .interrupt import Stopped
from .progress_line import ProgressLine
from .series_list import add_series_options, read_jobs

if TYPE_CHECKING:
    from ..batch.job import Outcome, SeriesJob

SUMMARY = "fill many tilt series, on one machine or a cluster"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the series, the output, the workers, and the options of a fill."""
    parser.add_argument(
        "series",
        type=read_place,
        metavar="SERIES",
        nargs="+",
        help="a list (.csv), a folder, or tilt series; folders and series may be addresses",
    )
    add_output_argument(parser)
    add_cluster_arguments(parser)
    add_series_options(parser)
    parser.set_defaults(png=True)  # for index.html


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --scheduler and --workers."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS|FILE",
        help="a Dask scheduler, such as tcp://node7:8786, or its scheduler file; its workers must "
        "see the same files (by default workers are started on this machine)",
    )
    where.add_argument(
        "--workers",
        type=read_count,
        metavar="N",
        help="workers on this machine (one a GPU, or one for every four cores)",
    )


def read_count(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above zero")
    return int(text)


def run(args: argparse.Namespace) -> None:
    """Read and check the list, fill the series, and say what became of them."""
    from ..batch.cluster import count_workers, open_client, share_memory
    from ..batch.many import hold_place, iter_many

    if args.scheduler is None and args.max_memory is None:
        args = copy.copy(args)
        args.max_memory = share_memory(args.workers or count_workers())
    with ProgressLine() as line:
        jobs = read_jobs(args, line.show, line.say)
        line.say(f"{len(jobs)} series")
        if isinstance(args.output, Address):
            Store(args.output).check_writable()
        # The folder is kept until our own workers have ended and what they left is removed.
        with ExitStack() as held, open_client(args.scheduler, args.workers) as client:
            place = held.enter_context(hold_place(args.output))
            if args.scheduler is None and isinstance(place, Path):
                held.callback(remove_partial, jobs, place)
            if link := find_dashboard(client, args.scheduler):
                line.say(f"dashboard: {link}")
            outcomes: list[Outcome] = []
            try:
                follow_batch(iter_many(jobs, place, client), line, outcomes)
            except KeyboardInterrupt:
                raise Stopped(tell_what_stays(outcomes, len(jobs), args.output)) from None
        report_batch(outcomes, args.output, line)


def find_dashboard(client: Any, scheduler: str | None) -> str:
    """Return the address of Dask's dashboard; empty if there is none."""
    from importlib.util import find_spec

    has_dashboard = scheduler is not None or find_spec("bokeh") is not None
    return str(client.dashboard_link or "") if has_dashboard else ""


def tell_what_stays(outcomes: list[Outcome], n_series: int, folder: Path | Address) -> str:
    """Say what a batch that was stopped has done, and how to go on."""
    from ..batch.job import DONE, KEPT, count_states

    counts = count_states(outcomes)
    return (
        f"Complete in {folder}: {counts[DONE] + counts[KEPT]} of {n_series} series, which stay; "
        f"{folder / 'index.html'} says which. The same command goes on with the others."
    )


def follow_batch(steps: Any, line: ProgressLine, outcomes: list[Outcome]) -> None:
    """Show the progress, say what became of each series, and add it to `outcomes`."""
    from ..batch.job import DONE, FAILED, KEPT, Outcome
    from ..durations import write_duration

    with closing(steps):
        for step in steps:
            if not isinstance(step, Outcome):
                line.show(step.stage, step.fraction, step.seconds_left)
                continue
            outcomes.append(step)
            if step.state == DONE:
                line.say(f"{step.name}: done ({write_duration(step.seconds)})")
                for verdict in step.verdicts:
                    line.say(f"{step.name}: {verdict}")
            elif step.state == KEPT:
                line.say(f"{step.name}: kept, its results are whole")
            elif step.state == FAILED:
                line.say(f"{step.name}: failed: {step.sentence}")


def report_batch(outcomes: list[Outcome], folder: Path | Address, line: ProgressLine) -> None:
    """Say how the batch ended, with an error if not every series has its results."""
    from ..batch.job import DONE, FAILED, KEPT, NOT_BEGUN, count_states

    counts = count_states(outcomes)
    line.say(f"wrote {folder / 'summary.csv'}")
    line.say(f"wrote {folder / 'index.html'}")
    line.say(f"{counts[DONE]} done, {counts[KEPT]} kept, {counts[FAILED]} failed")
    if any(one.disk_is_full for one in outcomes):
        raise WedgefillError(
            f"{folder}: the disk is full, so {counts[NOT_BEGUN]} of {len(outcomes)} series were "
            "not begun; free some room and run the same command again: what is whole is kept."
        )
    if counts[FAILED]:
        raise WedgefillError(
            f"{counts[FAILED]} of {len(outcomes)} series failed; {folder / 'index.html'} says why, "
            "and the same command tries them again."
        )


def remove_partial(jobs: list[SeriesJob], folder: Path) -> None:
    """Remove what workers that were killed left half-made."""
    from ..batch.series import name_partial

    for job in jobs:
        shutil.rmtree(name_partial(folder / job.name), ignore_errors=True)
