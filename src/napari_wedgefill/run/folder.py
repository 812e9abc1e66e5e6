"""A run whose volumes, tables, picture and report are written into a folder."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import refuse_to_replace, write_beside
from .events import (
    ComparisonPicture,
    Done,
    Finished,
    ResultsTable,
    RunEvent,
    TrustMap,
)
from .options import RunOptions
from .report import compute_fingerprint, describe_input, write_report

if TYPE_CHECKING:
    from ..pipeline.session import Session
    from ..tilt_series import TiltSeries


@dataclass(frozen=True, eq=False)
class Recorded:
    """A file that was written.

    Attributes
    ----------
    what : str
        The name of a method, "trust", "results", "png" or "report".
    path : Path
        The file, complete.
    item : Finished, TrustMap, ResultsTable, ComparisonPicture or Done
        What it holds.
    """

    what: str
    path: Path
    item: RunEvent


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
    """

    source: Path | list[Path]
    command_line: Sequence[str] = ()
    settings: Mapping[str, Any] | None = None

    def describe(self, series: TiltSeries) -> dict[str, Any]:
        """Return what the report says of it; `series` is as it was read."""
        found: dict[str, Any] = {
            "command": list(self.command_line),
            "input": describe_input(self.source, series),
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
) -> Generator[RunEvent | Recorded, None, None]:
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

    Yields
    ------
    Progress, Aligned or SelfCheck
        As `iter_run`.
    Recorded
        For every file, with what it holds.
    Done
        Last: the report as it was written, with "files" and their "sha256".

    Raises
    ------
    WedgefillError
        Before anything is computed, for whatever cannot be done, and for files that are there
        already.
    OSError
        If the folder cannot be written.
    """
    from ..io import MrcSink
    from .run import iter_run

    for path in _list_targets(folder, series.name, options):
        refuse_to_replace(path, overwrite=overwrite)
    described = provenance.describe(series)
    written: dict[str, Path] = {}
    # Closed at once when this is interrupted, so that the file in the making is removed.
    with (
        _make_folder(folder),
        closing(iter_run(series, options, MrcSink(folder, overwrite=overwrite), session)) as events,
    ):
        for event in events:
            if isinstance(event, Done):
                files = {"files": _list_names(written), "sha256": _hash(written)}
                event = Done(event.report | described | files)
            if (what := _name_item(event)) is not None:
                written[what] = _write_item(folder, series.name, event, overwrite)
                yield Recorded(what, written[what], event)
            if what is None or isinstance(event, Done):
                yield event


def _list_targets(folder: Path, name: str, options: RunOptions) -> Iterator[Path]:
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


def _write_item(folder: Path, name: str, item: RunEvent, overwrite: bool) -> Path:
    """Write what an event holds, unless the sink has done so already; return the file."""
    if isinstance(item, Finished):
        return folder / f"{item.volume.name}.mrc"
    if isinstance(item, TrustMap):
        from ..io import write_volume

        return write_volume(folder / f"{name}_trust.mrc", item.volume, overwrite=overwrite)
    if isinstance(item, Done):
        path = folder / "report.json"
        write_report(path, item.report)
        return path
    if isinstance(item, ResultsTable):
        path = folder / f"{name}_results.csv"
        with write_beside(path) as beside:
            beside.write_text(item.to_csv(), encoding="utf-8")
        return path
    assert isinstance(item, ComparisonPicture)
    path = folder / f"{name}_comparison.png"
    with write_beside(path) as beside:
        item.image.save(beside, format="PNG")
    return path


def _list_names(written: Mapping[str, Path]) -> dict[str, str]:
    return {what: path.name for what, path in written.items()}


def _hash(written: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of the volumes among the files."""
    return {
        what: compute_fingerprint(path)["sha256"]
        for what, path in written.items()
        if path.suffix == ".mrc"
    }


@contextmanager
def _make_folder(folder: Path) -> Iterator[None]:
    """Make `folder`; take it away again if what follows fails before it holds a file."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
        raise
