"""One series on a worker: kept if its results are whole, run otherwise, and never half there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..addresses import Address, Store, measure_state
from ..errors import WedgefillError, write_in_one_line
from ..pipeline.parts import Kept, Part
from ..pipeline.session import Session
from ..progress import Progress
from ..run.events import Done
from ..run.folder import Provenance, list_targets
from ..run.repeat import check_model, check_series
from ..run.report import compute_fingerprint, read_report
from ..run.stored import (
    REPORT,
    Staged,
    is_stored_whole,
    iter_run_to,
    list_stored,
    read_left,
    read_stored_report,
    stage,
)
from ..tilt_series import TiltSeries
from .job import DONE, FAILED, KEPT, NOT_BEGUN, Outcome, SeriesJob
from .parts import PartStore, Plan, describe_run, is_large, iter_plan, iter_solve, take_up
from .superseded import keep_superseded, list_superseded, read_superseded

Item = TypeVar("Item")

#: A run uses all cores of its process, and its session belongs to one run at a time.
_one_at_a_time = threading.Lock()
_own = threading.local()


class StoppedError(Exception):
    """The batch was told to stop while this series was in work."""


def run_series(
    job: SeriesJob,
    folder: Path | Address,
    tell: Callable[[str, float], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Outcome:
    """Run one series into its folder, unless whole results of the same run are there already.

    Parameters
    ----------
    job, folder, tell, is_stopped
        As for `run_or_plan`.

    Returns
    -------
    Outcome
        Failures too: nothing is raised but what ends the process.
    """
    ended = run_or_plan(job, folder, tell, is_stopped)
    assert isinstance(ended, Outcome)
    return ended


def run_or_plan(
    job: SeriesJob,
    folder: Path | Address,
    tell: Callable[[str, float], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
    part_voxels: int | None = None,
) -> Outcome | Plan:
    """Run one series, as `run_series`; or, if it is large, say which parts are to be solved first.

    Parameters
    ----------
    job : SeriesJob
        What to do.
    folder : Path or Address
        Of the batch; the results go into the folder ``job.name`` below it. On a disk they get there
        all at once when they are complete; at an address the report comes last.
    tell : callable, optional
        Is told the stage and the fraction, 0 to 1, of this series.
    is_stopped : callable, optional
        Asked often; when it says True, the run ends and leaves nothing.
    part_voxels : int, optional
        Cut series that are at least twice as large into parts of about so many voxels. Without it,
        none is cut; what was solved of one is taken up all the same.

    Returns
    -------
    Outcome or Plan
        Failures too: nothing is raised but what ends the process.
    """
    started, relay = time.monotonic(), _Relay(tell, is_stopped)

    def end(state: str, sentence: str = "", **more: Any) -> Outcome:
        return Outcome(
            job.name, job.source, state, sentence, round(time.monotonic() - started, 3), **more
        )

    try:
        with _one_at_a_time:
            place = folder / job.name
            if (report := find_unchanged_report(job, place)) is not None:
                return end(KEPT, report=report)
            with stage(job.source) as staged:
                series = job.read(staged.path)
                report = find_whole_report(job, series, place, staged)
                if report is not None:
                    return end(KEPT, report=report)
                refuse_foreign(job, series, place)
                store = PartStore(job.name, place)
                if (is_cut := is_large(job, series, part_voxels)) or store.exists():
                    sha256 = compute_fingerprint(staged.path)["sha256"]
                    key = describe_run(job, series, sha256)
                if is_cut and part_voxels is not None:
                    steps = iter_plan(job, series, store, key, part_voxels, open_session())
                    plan = relay.follow(steps, Plan)
                    if plan.phases:
                        return plan
                kept = take_up(store, key, job) if store.exists() else None
                report = _run(job, series, staged, place, relay, kept)
                store.remove()
                return end(DONE, report=report)
    except StoppedError:
        return end(NOT_BEGUN, "The batch was stopped.")
    except Exception as error:
        return end(FAILED, write_in_one_line(error), disk_is_full=is_disk_full(error))


def find_unchanged_report(job: SeriesJob, place: Path | Address) -> dict[str, Any] | None:
    """Return the report of an earlier run if the store says that its input was not changed.

    Nothing is fetched for that: all that a series at an address can depend on is in the settings
    and at that address.
    """
    if not isinstance(job.source, Address):
        return None
    try:
        report = _read_report_at(place)
        if report["input"].get("state") != measure_state(job.source):
            return None
        check_model(job.options.fill.model, job.options.fill.methods, report)
        return report if _is_whole(job, report, place) else None
    except (WedgefillError, KeyError, TypeError, AttributeError):
        return None


def find_whole_report(
    job: SeriesJob, series: TiltSeries, place: Path | Address, staged: Staged
) -> dict[str, Any] | None:
    """Return the report of an earlier run if doing it again would change nothing.

    That is so if the report has the settings, the input's SHA-256, the angles, the pixel size and
    the model of now, and every file that it names is there: the volumes with their SHA-256, or, at
    an address, with as many files and bytes as were sent.
    """
    try:
        report = _read_report_at(place)
        check_series(series, report)
        check_model(job.options.fill.model, job.options.fill.methods, report)
        if compute_fingerprint(staged.path)["sha256"] != report["input"]["sha256"]:
            return None
        return report if _is_whole(job, report, place) else None
    except (WedgefillError, KeyError, TypeError, AttributeError):
        return None  # there is no report, or it is not one of this kind of run


def _read_report_at(place: Path | Address) -> dict[str, Any]:
    return read_stored_report(Store(place)) if isinstance(place, Address) else read_report(place)


def _is_whole(job: SeriesJob, report: Mapping[str, Any], place: Path | Address) -> bool:
    """Tell whether results of these settings are all there."""
    if _leave_out_place(report["settings"]) != _leave_out_place(to_plain(job.settings)):
        return False
    if isinstance(place, Address):
        return is_stored_whole(Store(place), report)
    files, hashes = report.get("files", {}), report.get("sha256", {})
    if not all((place / name).is_file() for name in files.values()):
        return False
    return all(
        compute_fingerprint(place / files[what])["sha256"] == expected
        for what, expected in hashes.items()
    )


def to_plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they come back from a report."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return plain


def _leave_out_place(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out where the input lies: its SHA-256 says whether it is the same."""
    return {name: value for name, value in settings.items() if name != "file"}


def _run(
    job: SeriesJob,
    series: TiltSeries,
    staged: Staged,
    place: Path | Address,
    relay: _Relay,
    kept: Kept | None,
) -> dict[str, Any]:
    provenance = Provenance(staged.path, job.command_line, job.settings, staged.origin)
    earlier = _read_earlier_report(place)
    with _make_at(place) as target:
        events = iter_run_to(
            target, series, job.options, provenance, open_session(), overwrite=True, kept=kept
        )
        report = relay.follow(events, Done).report
    if earlier:
        keep_superseded(place, earlier, report)
    return report


def _read_earlier_report(place: Path | Address) -> dict[str, Any]:
    """Return the report that lies at a place; empty if there is none."""
    try:
        return _read_report_at(place)
    except WedgefillError:
        return {}


def _list_own(place: Path | Address) -> set[str]:
    """List the files that the report of an earlier run tells of, itself included."""
    earlier = _read_earlier_report(place)
    return {*earlier["files"].values(), REPORT} if earlier else set()


@dataclass(frozen=True)
class _Relay:
    """Follows work: tells its progress, and ends it when the batch is stopped."""

    tell: Callable[[str, float], None] | None
    is_stopped: Callable[[], bool] | None

    def follow(self, steps: Generator[Any, None, Any], kind: type[Item]) -> Item:
        """Run steps to their end; return the one of a kind."""
        found: Item | None = None
        with closing(steps):
            for step in steps:
                if self.is_stopped is not None and self.is_stopped():
                    raise StoppedError
                if isinstance(step, Progress) and self.tell is not None:
                    self.tell(step.stage, step.fraction)
                elif isinstance(step, kind):
                    found = step
        assert found is not None
        return found


def solve_part(
    job: SeriesJob,
    part: Part,
    folder: Path | Address,
    tell: Callable[[str, float], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Outcome | Part:
    """Solve a part of a large series and keep it.

    Parameters
    ----------
    job, folder, tell, is_stopped
        As for `run_or_plan`.
    part : Part
        What to solve.

    Returns
    -------
    Part or Outcome
        The part; or what became of the series if it failed, or the batch was stopped.
    """
    relay = _Relay(tell, is_stopped)
    try:
        with _one_at_a_time:
            return relay.follow(iter_solve(job, part, folder / job.name, open_session()), Part)
    except StoppedError:
        return Outcome(job.name, job.source, NOT_BEGUN, "The batch was stopped.")
    except Exception as error:
        sentence, is_full = write_in_one_line(error), is_disk_full(error)
        return Outcome(job.name, job.source, FAILED, sentence, disk_is_full=is_full)


def refuse_foreign(job: SeriesJob, series: TiltSeries, place: Path | Address) -> None:
    """Raise `WedgefillError` if files are in the way that no earlier run of the batch wrote."""
    if isinstance(place, Address):
        refuse_foreign_objects(Store(place), list_stored(series.name, job.options))
    else:
        refuse_foreign_files(place, list_targets(place, series.name, job.options))


def open_session() -> Session:
    """Return the session of this thread, which keeps the networks open from series to series."""
    if not hasattr(_own, "session"):
        _own.session = Session()
    session: Session = _own.session
    return session


def refuse_foreign_files(target: Path, paths: Iterable[Path]) -> None:
    """Raise `WedgefillError` if files are in the way that no earlier run of the batch wrote."""
    if target.exists() and not target.is_dir():
        raise WedgefillError(
            f"{target}: this is a file, and the results need a folder of this name; move it, or "
            "choose another folder with -o."
        )
    own = _list_own(target) | list_superseded(target)
    for path in paths:
        if path.name not in own and path.exists():
            raise WedgefillError(
                f"{path}: this file is not from an earlier run of a batch, so it is not "
                "replaced; move it, or choose another folder with -o."
            )


def refuse_foreign_objects(store: Store, names: Iterable[str]) -> None:
    """Raise `WedgefillError` if files at an address are in the way that no batch wrote."""
    own = _list_own(store.address) | {*read_left(store), *read_superseded(store.address)}
    there = {name.partition("/")[0] for name in store.list_objects()}
    for name in names:
        if name in there and name not in own:
            raise WedgefillError(
                f"{store.address / name}: this is not from an earlier run of a batch, so it is not "
                "replaced; move it, or choose another address with -o."
            )


def _make_at(place: Path | Address) -> AbstractContextManager[Path | Address]:
    """Give where results are made: beside their folder, or at the address itself."""
    return nullcontext(place) if isinstance(place, Address) else make_in_place(place)


@contextmanager
def make_in_place(target: Path) -> Iterator[Path]:
    """Give a hidden folder beside `target`, and put what is in it into `target` if all went well.

    A folder that a killed worker left is emptied first.
    """
    partial = name_partial(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
        _put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def name_partial(target: Path) -> Path:
    """Name the hidden folder in which results are made."""
    return target.with_name(f".{target.name}.partial")


def _put_in_place(partial: Path, target: Path) -> None:
    if not target.exists():
        partial.rename(target)
        return
    # The report first: if this is cut off, its hashes tell that the rest does not belong to it.
    for path in sorted(partial.iterdir(), key=lambda path: path.name != "report.json"):
        os.replace(path, target / path.name)


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error, or one that caused it, is a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False
