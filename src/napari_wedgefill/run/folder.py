"""A run whose volumes, tables, picture and report are written into a folder."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import Address
from ..atomic import lock_folder, make_folder, refuse_to_replace, remove_leftovers, write_beside
from ..errors import WedgefillError
from .events import (
    ComparisonPicture,
    Done,
    Finished,
    ResultsTable,
    RunEvent,
    TrustMap,
)
from .options import RunOptions
from .report import compute_sha256, describe_input, write_report

if TYPE_CHECKING:
    from ..io import MrcSink
    from ..pipeline.parts import Kept
    from ..pipeline.session import Session
    from ..tilt_series import TiltSeries


@dataclass(frozen=True, eq=False)
class Recorded:
    """A file that was written.

    Attributes
    ----------
    what : str
        The name of a method, "trust", "results", "png" or "report".
    path : Path or Address
        The file, complete.
    item : Finished, TrustMap, ResultsTable, ComparisonPicture or Done
        What it holds.
    """

    what: str
    path: Path | Address
    item: RunEvent


@dataclass(frozen=True)
class NotWritten:
    """A table, picture or map that could not be written; the volumes and the report are there.

    Attributes
    ----------
    what : str
        As in `Recorded`.
    reason : str
        A sentence: which file, what was found, what to do.
    """

    what: str
    reason: str


@dataclass(frozen=True, eq=False)
class Provenance:
    """Where a series came from and what was asked for, for the report.

    Attributes
    ----------
    source : Path or list of Path
        What the series was read from; recorded with its SHA-256.
    command_line : sequence of str
        The command and its arguments.
    settings : mapping, optional
        All that is needed to repeat the run.
    origin : mapping
        What the report says of the input in place of what lies at `source`, if that is a copy.
    """

    source: Path | list[Path]
    command_line: Sequence[str] = ()
    settings: Mapping[str, Any] | None = None
    origin: Mapping[str, str] = field(default_factory=dict)

    def describe(self, series: TiltSeries) -> dict[str, Any]:
        """Return what the report says of it; `series` is as it was read."""
        found: dict[str, Any] = {
            "command": list(self.command_line),
            "input": describe_input(self.source, series) | dict(self.origin),
        }
        if self.settings is not None:
            found["settings"] = dict(self.settings)
        return found


def iter_run_into(
    folder: Path,
    series: TiltSeries,
    options: RunOptions,
    provenance: Provenance,
    session: Session | None = None,
    *,
    overwrite: bool = False,
    kept: Kept | None = None,
) -> Generator[RunEvent | Recorded | NotWritten, None, None]:
    """Run `iter_run` and write what comes of it; see there.

    Parameters
    ----------
    folder : Path
        Receives ``<name>_<method>.mrc``, ``report.json`` and, where asked for,
        ``<name>_trust.mrc``, ``<name>_results.csv`` and ``<name>_comparison.png``; made if it is
        not there. Each file appears under its name only when it is complete.
    series : TiltSeries
        What to fill, as it was read.
    options : RunOptions
        What to do.
    provenance : Provenance
        Where the series came from; recorded in the report.
    session : Session, optional
        Keeps the networks open for the next run.
    overwrite : bool
        Replace what an earlier run left in the folder; without it a run whose files are there
        already is refused.
    kept : Kept, optional
        What was done of the same run before.

    Yields
    ------
    Progress, Aligned, QuickCheck or SelfCheck
        As `iter_run`.
    Recorded
        For every file, with what it holds.
    NotWritten
        In the place of a table, picture or trust map for which the disk had no place.
    Done
        Last: the report as it was written, with "files" and the "sha256" of the volumes among
        them, and with what was "not_written".

    Raises
    ------
    WedgefillError
        Before anything is computed, for whatever cannot be done, for files that are there already,
        and for a folder that holds the run of another series.
    OSError
        If the folder cannot be written.
    """
    from ..io import MrcSink
    from .run import iter_run

    _refuse_folder_of_others(folder, series.name)
    for path in list_targets(folder, series.name, options):
        refuse_to_replace(path, overwrite=overwrite)
    described = provenance.describe(series)
    sink = MrcSink(folder, overwrite=overwrite)
    files: dict[str, str] = {}
    hashes: dict[str, str] = {}
    missing: dict[str, str] = {}
    # Closed at once when this is interrupted, so that the file in the making is removed.
    with _keep_folder(folder), closing(iter_run(series, options, sink, session, kept)) as events:
        for event in events:
            what = _name_item(event)
            if what is None:
                yield event
                continue
            if isinstance(event, Done):
                event = Done(event.report | described | {"files": files, "sha256": hashes})
                event.report.update({"not_written": missing} if missing else {})
            try:
                path, sha256 = _write_item(folder, series.name, event, sink)
            except (WedgefillError, OSError) as error:
                if isinstance(event, Finished | Done):
                    raise
                missing[what] = str(error)
                yield NotWritten(what, str(error))
                continue
            if not isinstance(event, Done):
                files[what] = path.name
            if sha256 is not None:
                hashes[what] = sha256
            yield Recorded(what, path, event)
            if isinstance(event, Done):
                yield event


def _refuse_folder_of_others(folder: Path, name: str) -> None:
    """Refuse a folder whose report is of another series, which would be left without it."""
    try:
        others = list_files_of_others((folder / "report.json").read_bytes(), name)
    except OSError:
        return  # there is no report
    if left := [file for file in others if (folder / file).exists()]:
        raise WedgefillError(
            f"{folder}: this folder holds the run of another series ({left[0]}), whose report "
            f"would be lost; choose another folder, or remove that run first."
        )


def list_files_of_others(report: bytes, name: str) -> list[str]:
    """List the files that a report tells of and that are not of the series called `name`."""
    try:
        files = json.loads(report)["files"].values()
        return [file for file in map(str, files) if Path(file).stem.rpartition("_")[0] != name]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []  # it tells of no volumes


def list_targets(folder: Path, name: str, options: RunOptions) -> Iterator[Path]:
    """Yield every file that a run will write."""
    for method in options.fill.methods:
        yield folder / f"{name}_{method}.mrc"
    if options.trust:
        yield folder / f"{name}_trust.mrc"
    if options.table:
        yield folder / f"{name}_results.csv"
    if options.picture:
        yield folder / f"{name}_comparison.png"
    yield folder / "report.json"


def _name_item(event: RunEvent) -> str | None:
    """Return what an event is called among the files of a run; None if it is not written."""
    if isinstance(event, Finished):
        return event.method
    names = {TrustMap: "trust", ResultsTable: "results", ComparisonPicture: "png", Done: "report"}
    return names.get(type(event))


def _write_item(folder: Path, name: str, item: RunEvent, sink: MrcSink) -> tuple[Path, str | None]:
    """Write what an event holds, unless the sink has done so already.

    Returns
    -------
    Path
        The file.
    str or None
        SHA-256 of a volume's file, taken while only this run could write to it.
    """
    if isinstance(item, Finished) and item.volume.name in sink.sha256:
        return folder / f"{item.volume.name}.mrc", sink.sha256[item.volume.name]
    if isinstance(item, Finished | TrustMap):
        from ..io import write_volume

        # Of a volume of which only some planes are kept, none is written before it is complete.
        stem = item.volume.name if isinstance(item, Finished) else f"{name}_trust"
        path = folder / f"{stem}.mrc"
        refuse_to_replace(path, overwrite=sink.overwrite)
        with write_beside(path) as beside:
            write_volume(beside, item.volume)
            return path, compute_sha256(beside)
    if isinstance(item, Done):
        path = folder / "report.json"
        write_report(path, item.report)
        return path, None
    if isinstance(item, ResultsTable):
        path = folder / f"{name}_results.csv"
        with write_beside(path) as beside:
            beside.write_text(item.to_csv(), encoding="utf-8")
        return path, None
    assert isinstance(item, ComparisonPicture)
    path = folder / f"{name}_comparison.png"
    with write_beside(path) as beside:
        item.image.save(beside, format="PNG")
    return path, None


@contextmanager
def _keep_folder(folder: Path) -> Iterator[None]:
    """Make `folder` and keep other runs out of it; remove it if it is new and stays empty."""
    is_new = not folder.exists()
    make_folder(folder)
    try:
        with lock_folder(folder):
            remove_leftovers(folder)
            yield
    finally:
        if is_new:
            with suppress(OSError):  # not empty: what a finished run leaves
                folder.rmdir()
