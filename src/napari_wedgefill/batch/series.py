"""One series on a worker: kept if its results are whole, run otherwise, and never half there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..errors import WedgefillError, write_in_one_line
from ..pipeline.session import Session
from ..progress import Progress
from ..run.events import Done
from ..run.folder import Provenance, iter_run_into, list_targets
from ..run.repeat import check_model, check_series
from ..run.report import compute_fingerprint, read_report
from ..tilt_series import TiltSeries
from .job import DONE, FAILED, KEPT, NOT_BEGUN, Outcome, SeriesJob

#: A run uses all cores of its process, and its session belongs to one run at a time.
_one_at_a_time = threading.Lock()
_own = threading.local()


class StoppedError(Exception):
    """The batch was told to stop while this series was in work."""


def run_series(
    job: SeriesJob,
    folder: Path,
    tell: Callable[[str, float], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> Outcome:
    """Run one series into its folder, unless whole results of the same run are there already.

    Parameters
    ----------
    job : SeriesJob
        What to do.
    folder : Path
        Of the batch; the results go into the folder ``job.name`` below it, all at once when they
        are complete.
    tell : callable, optional
        Is told the stage and the fraction, 0 to 1, of this series.
    is_stopped : callable, optional
        Asked often; when it says True, the run ends and leaves nothing.

    Returns
    -------
    Outcome
        Failures too: nothing is raised but what ends the process.
    """
    started = time.monotonic()

    def end(state: str, sentence: str = "", **more: Any) -> Outcome:
        return Outcome(
            job.name, job.source, state, sentence, round(time.monotonic() - started, 3), **more
        )

    try:
        with _one_at_a_time:
            series = job.read()
            report = find_whole_report(job, series, folder / job.name)
            if report is not None:
                return end(KEPT, report=report)
            report = _run(job, series, folder / job.name, tell, is_stopped or _never)
            return end(DONE, report=report)
    except StoppedError:
        return end(NOT_BEGUN, "The batch was stopped.")
    except Exception as error:
        return end(FAILED, write_in_one_line(error), disk_is_full=is_disk_full(error))


def find_whole_report(job: SeriesJob, series: TiltSeries, target: Path) -> dict[str, Any] | None:
    """Return the report of an earlier run if doing it again would change nothing.

    That is so if the report has the settings, the input's SHA-256, the angles, the pixel size and
    the model of now, and every file that it names is there, the volumes with their SHA-256.
    """
    try:
        report = read_report(target)
        if _leave_out_place(report["settings"]) != _leave_out_place(to_plain(job.settings)):
            return None
        files, hashes = report.get("files", {}), report.get("sha256", {})
        if not all((target / name).is_file() for name in files.values()):
            return None
        check_series(series, report)
        check_model(job.options.fill.model, job.options.fill.methods, report)
        if compute_fingerprint(job.source)["sha256"] != report["input"]["sha256"]:
            return None
        for what, expected in hashes.items():
            if compute_fingerprint(target / files[what])["sha256"] != expected:
                return None
    except (WedgefillError, KeyError, TypeError, AttributeError):
        return None  # there is no report, or it is not one of this kind of run
    return report


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
    target: Path,
    tell: Callable[[str, float], None] | None,
    is_stopped: Callable[[], bool],
) -> dict[str, Any]:
    refuse_foreign_files(target, list_targets(target, series.name, job.options))
    provenance = Provenance(job.source, job.command_line, job.settings)
    report: dict[str, Any] = {}
    with make_in_place(target) as partial:
        events = iter_run_into(partial, series, job.options, provenance, open_session())
        with closing(events):
            for event in events:
                if is_stopped():
                    raise StoppedError
                if isinstance(event, Progress) and tell is not None:
                    tell(event.stage, event.fraction)
                elif isinstance(event, Done):
                    report = event.report
    return report


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
    try:
        own = {*read_report(target).get("files", {}).values(), "report.json"}
    except WedgefillError:
        own = set()
    for path in paths:
        if path.name not in own and path.exists():
            raise WedgefillError(
                f"{path}: this file is not from an earlier run of a batch, so it is not "
                "replaced; move it, or choose another folder with -o."
            )


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


def _never() -> bool:
    return False
