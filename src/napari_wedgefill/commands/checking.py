"""What is looked at after a fill, with progress on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..atomic import written_beside
from ..pipeline.events import Progress
from .progress_line import ProgressLine

if TYPE_CHECKING:
    from ..pipeline.pipeline import FillOptions
    from ..tilt_series import TiltSeries
    from ..trust.results_table import ResultsTable
    from ..trust.verdicts import SelfCheck, TrustMap
    from ..volume import Volume

Result = TypeVar("Result")


@dataclass(frozen=True)
class Checks:
    """What is looked at after a fill.

    Attributes
    ----------
    self_check : bool
        Withhold tilts and predict them.
    trust : bool
        Write the trust map.
    table : bool
        Write the results table.
    png : bool
        Write the comparison of orthoslices.
    """

    self_check: bool = False
    trust: bool = False
    table: bool = False
    png: bool = False

    def refuse_early(self, series: TiltSeries, options: FillOptions) -> None:
        """Raise `WedgefillError` for what could not be done after the fill."""
        from ..trust.self_check import withheld_tilts
        from ..trust.trust_map import check_trust

        if self.self_check:
            withheld_tilts(series.angles_deg)
        if self.trust:
            check_trust(options)

    def run_into(
        self,
        folder: Path,
        series: TiltSeries,
        options: FillOptions,
        volumes: Mapping[str, Volume],
        done: Mapping[str, Any],
        progress: ProgressLine,
    ) -> tuple[dict[str, Path], dict[str, Any]]:
        """Check what a fill gave; return what was written, and the figures for the report.

        `done` is the report of the pipeline.
        """
        written: dict[str, Path] = {}
        report: dict[str, Any] = {}
        checked = None
        if self.self_check:
            checked = self_check_with_progress(series, options, progress)
            report["self_check"] = checked.to_dict()
        if self.trust:
            filled = volumes.get("gan")
            written["trust"], trust = trust_map_into(folder, series, options, filled, progress)
            report["trust"] = trust.to_dict()
        if self.table:
            from ..trust.results import iter_results

            seconds = {method: float(done["seconds"][method]) for method in volumes}
            events = iter_results(series, options, volumes, seconds=seconds, self_check=checked)
            written["results"], table = results_into(folder, series.name, events, progress)
            report["results"] = table.to_dict()
        if self.png:
            written["png"] = comparison_into(folder, series.name, volumes, progress)
        return written, report


def last_with_progress(events: Iterable[Progress | Result], progress: ProgressLine) -> Result:
    """Show the progress of a generator and return what it yields last."""
    result: Result | None = None
    for event in events:
        if isinstance(event, Progress):
            progress.show(event.stage, event.fraction, event.seconds_left)
        else:
            result = event
    assert result is not None
    return result


def self_check_with_progress(
    series: TiltSeries, options: FillOptions, progress: ProgressLine
) -> SelfCheck:
    """Withhold tilts, rebuild, predict them, and print the verdict."""
    from ..trust.self_check import iter_self_check

    result = last_with_progress(iter_self_check(series, options), progress)
    progress.say(result.sentence)
    return result


def trust_map_into(
    folder: Path,
    series: TiltSeries,
    options: FillOptions,
    filled: Volume | None,
    progress: ProgressLine,
) -> tuple[Path, TrustMap]:
    """Write the trust map as ``DIR/<stem>_trust.mrc``."""
    from ..io import write_volume
    from ..trust.trust_map import iter_trust_map

    result = last_with_progress(iter_trust_map(series, options, filled), progress)
    path = write_volume(folder / f"{series.name}_trust.mrc", result.volume)
    progress.say(f"wrote {path}")
    progress.say(result.sentence)
    return path, result


def results_into(
    folder: Path, name: str, events: Iterable[Progress | ResultsTable], progress: ProgressLine
) -> tuple[Path, ResultsTable]:
    """Print the results table and write it as ``DIR/<stem>_results.csv``."""
    table = last_with_progress(events, progress)
    path = folder / f"{name}_results.csv"
    with written_beside(path) as beside:
        beside.write_text(table.to_csv(), encoding="utf-8")
    progress.say(table.to_text())
    progress.say(f"wrote {path}")
    return path, table


def comparison_into(
    folder: Path, name: str, volumes: Mapping[str, Volume], progress: ProgressLine
) -> Path:
    """Write the picture of orthoslices as ``DIR/<stem>_comparison.png``."""
    from ..comparison import compare  # loads Pillow

    path = folder / f"{name}_comparison.png"
    with written_beside(path) as beside:
        compare(volumes, title=name).save(beside, format="PNG")
    progress.say(f"wrote {path}")
    return path
