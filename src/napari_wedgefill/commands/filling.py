"""Run the pipeline on one series and put its volumes, report and picture into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..durations import duration
from .aligning import align_with_progress
from .checking import Checks
from .progress_line import ProgressLine
from .provenance import fingerprint, merged, provenance
from .report_file import write_report

if TYPE_CHECKING:
    from ..pipeline.pipeline import FillOptions
    from ..tilt_series import TiltSeries
    from ..volume import Volume


def fill_into(
    folder: Path,
    series: TiltSeries,
    options: FillOptions,
    *,
    source: Path | list[Path],
    progress: ProgressLine,
    align_first: bool = False,
    self_check: bool = False,
    trust: bool = False,
    table: bool = False,
    png: bool = False,
    command_line: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Fill `series` and write what comes of it.

    Parameters
    ----------
    folder : Path
        Receives ``<name>_<method>.mrc``, ``report.json`` and ``<name>_comparison.png``; made if it
        is not there. Each file appears under its name only when it is complete.
    series : TiltSeries
        What to fill.
    options : FillOptions
        Methods, model, device and slices.
    source : Path
        What `series` was read from; recorded in the report with its SHA-256.
    progress : ProgressLine
        Where to show how far it is.
    align_first : bool
        Align the images before filling; without it they are never moved.
    self_check : bool
        Withhold tilts and report how well every method predicts them.
    trust : bool
        Write the trust map too.
    table : bool
        Write the results table too.
    png : bool
        Write the comparison of orthoslices too.
    command_line : sequence of str
        Recorded in the report.
    settings : mapping, optional
        All that is needed to repeat the run; recorded in the report.

    Returns
    -------
    dict of str to Path
        What was written: a volume for each method, "report", and "trust", "results" and "png"
        where asked for.

    Raises
    ------
    WedgefillError
        If the options cannot be met or the series cannot be used.
    OSError
        If the folder cannot be written.
    """
    checks = Checks(self_check, trust, table, png)
    checks.refuse_early(series, options)
    report = provenance(source, series, command_line)
    if settings is not None:
        report["settings"] = dict(settings)
    with removed_if_left_empty(folder):
        if align_first:
            refuse_early(series, options)
            series, report["alignment"] = align_with_progress(series, progress)
        written, volumes, done = _fill_and_write(folder, series, options, progress)
    report = merged(done, report)
    more, figures = checks.run_into(folder, series, options, volumes, done, progress)
    written |= more
    report |= figures
    report["files"] = {what: path.name for what, path in written.items()}
    report["sha256"] = {
        what: fingerprint(path)["sha256"] for what, path in written.items() if path.suffix == ".mrc"
    }
    written["report"] = folder / "report.json"
    write_report(written["report"], report)
    progress.say(f"wrote {written['report']}")
    return written


def refuse_early(series: TiltSeries, options: FillOptions) -> None:
    """Raise what filling would raise at once, before time is spent on aligning."""
    from ..pipeline.pipeline import check_methods, open_model

    check_methods(options.methods)
    if options.slices is not None:
        series.rows(*options.slices)
    if "gan" in options.methods:
        open_model(options, series.width)


@contextmanager
def removed_if_left_empty(folder: Path) -> Iterator[None]:
    """Make `folder`; take it away again if what follows fails before it holds a file."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
        raise


def _fill_and_write(
    folder: Path, series: TiltSeries, options: FillOptions, progress: ProgressLine
) -> tuple[dict[str, Path], dict[str, Volume], dict[str, Any]]:
    """Write each volume while it is computed; return the paths, volumes and the report."""
    from ..io import MrcSink
    from ..pipeline.pipeline import Done, Finished, Progress, iter_fill

    written: dict[str, Path] = {}
    volumes: dict[str, Volume] = {}
    report: dict[str, Any] = {}
    # Closed at once when this is interrupted, so that the file in the making is removed.
    with closing(iter_fill(series, options, MrcSink(folder))) as events:
        for event in events:
            if isinstance(event, Progress):
                progress.show(event.stage, event.fraction, event.seconds_left)
            elif isinstance(event, Finished):
                path = folder / f"{event.volume.name}.mrc"
                volumes[event.method], written[event.method] = event.volume, path
                progress.say(f"wrote {path} ({duration(event.seconds)})")
            elif isinstance(event, Done):
                report = event.report
    return written, volumes, report
