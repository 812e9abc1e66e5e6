"""Run the pipeline on one series and put its volumes, report and picture into a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.atomic import written_beside
from .aligning import align_with_progress
from .checking import self_check_with_progress
from .progress_line import ProgressLine, duration
from .provenance import merged, provenance

if TYPE_CHECKING:
    from ..inference.pipeline import FillOptions
    from ..tilt_series import TiltSeries
    from ..volume import Volume


def fill_into(
    folder: Path,
    series: TiltSeries,
    options: FillOptions,
    *,
    source: Path,
    progress: ProgressLine,
    align_first: bool = False,
    self_check: bool = False,
    png: bool = False,
    command_line: Sequence[str] = (),
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
    png : bool
        Write the comparison of orthoslices too.
    command_line : sequence of str
        Recorded in the report.

    Returns
    -------
    dict of str to Path
        What was written: a volume for each method, "report", and "png" where asked for.

    Raises
    ------
    WedgefillError
        If the options cannot be met or the series cannot be used.
    OSError
        If the folder cannot be written.
    """
    report = provenance(source, series, command_line)
    with removed_if_left_empty(folder):
        if align_first:
            refuse_early(series, options)
            series, report["alignment"] = align_with_progress(series, progress)
        written, volumes, done = _fill_and_write(folder, series, options, progress)
    report = merged(done, report)
    if self_check:
        report["self_check"] = self_check_with_progress(series, options, progress)
    if png:
        from ..comparison import compare  # loads Pillow

        written["png"] = folder / f"{series.name}_comparison.png"
        with written_beside(written["png"]) as beside:
            compare(volumes, title=series.name).save(beside, format="PNG")
        progress.say(f"wrote {written['png']}")
    report["files"] = {what: path.name for what, path in written.items()}
    written["report"] = folder / "report.json"
    with written_beside(written["report"]) as beside:
        beside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    progress.say(f"wrote {written['report']}")
    return written


def refuse_early(series: TiltSeries, options: FillOptions) -> None:
    """Raise what filling would raise at once, before time is spent on aligning."""
    from ..inference.joint_model import JointModel
    from ..inference.pipeline import check_methods
    from ..inference.registry import load

    check_methods(options.methods)
    if options.slices is not None:
        series.rows(*options.slices)
    if "gan" in options.methods:
        JointModel(load(options.model), options.device).open()


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
    """Write each volume as soon as it is finished; return the paths, volumes and the report."""
    from ..inference.pipeline import Done, Finished, Progress, iter_fill
    from ..io import write_volume

    written: dict[str, Path] = {}
    volumes: dict[str, Volume] = {}
    report: dict[str, Any] = {}
    for event in iter_fill(series, options):
        if isinstance(event, Progress):
            progress.show(event.stage, event.fraction, event.seconds_left)
        elif isinstance(event, Finished):
            path = folder / f"{series.name}_{event.method}.mrc"
            volumes[event.method] = event.volume
            written[event.method] = write_volume(path, event.volume)
            progress.say(f"wrote {path} ({duration(event.seconds)})")
        elif isinstance(event, Done):
            report = event.report
    return written, volumes, report
