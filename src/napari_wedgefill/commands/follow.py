"""Following a piece of work on the terminal: its progress in a line, its results in sentences."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..durations import write_duration
from ..errors import WedgefillError
from .progress_line import ProgressLine

if TYPE_CHECKING:
    from ..run.folder import Recorded
    from ..tilt_series import TiltSeries

Item = TypeVar("Item")


def follow(
    events: Iterator[Any],
    line: ProgressLine,
    kind: type[Item],
    recorded: list[Recorded] | None = None,
) -> Item:
    """Show the progress of a generator, say what it gives, and return its item of a kind.

    The generator is closed at once when this is interrupted; what was written by then is in
    `recorded`.
    """
    from ..prepare import Aligned
    from ..run.events import Field, ImagesCorrected, ImagesOfNothing
    from ..run.folder import NotWritten, Recorded
    from ..trust.verdicts import QuickCheck, SelfCheck

    found: Item | None = None
    try:
        for event in events:
            if isinstance(event, kind):
                found = event
            if isinstance(event, Aligned):
                line.say(event.report.sentence)
            elif isinstance(event, ImagesOfNothing):
                line.say(f"note: {event.sentence}")
            elif isinstance(event, ImagesCorrected):
                line.say(f"{event.corrections.sentence} (--no-gain leaves them as they are.)")
            elif isinstance(event, Field):
                undo = "" if event.box is None else " (--whole-field fills all of it.)"
                line.say(event.sentence + undo)
            elif isinstance(event, QuickCheck | SelfCheck):
                line.say(event.sentence)
            elif isinstance(event, Recorded):
                if recorded is not None:
                    recorded.append(event)
                say_what_was_recorded(event, line)
            elif isinstance(event, NotWritten):
                line.say(f"not written: {event.reason}")
            elif hasattr(event, "seconds_left"):
                line.show(event.stage, event.fraction, event.seconds_left)
    finally:
        if isinstance(events, Generator):
            events.close()
    assert found is not None
    return found


def say_warnings(series: TiltSeries, line: ProgressLine) -> None:
    """Say what a careful user should know of a series that was read."""
    for warning in series.warnings:
        line.say(f"note: {warning}")


def say_what_was_recorded(file: Recorded, line: ProgressLine) -> None:
    """Name a file that was written, and say what is in it where that takes few words."""
    from ..run.events import Finished, ResultsTable, TrustMap

    item = file.item
    if isinstance(item, Finished):
        line.say(f"wrote {file.path} ({write_duration(item.seconds)})")
        return
    if isinstance(item, ResultsTable):
        line.say(item.to_text())
    line.say(f"wrote {file.path}")
    if isinstance(item, TrustMap):
        line.say(item.sentence)


def refuse_to_be_incomplete(report: Mapping[str, Any]) -> None:
    """Raise `WedgefillError` if a run ended, but not all that was asked for could be written."""
    if missing := report.get("not_written"):
        raise WedgefillError(
            f"the volumes and the report are complete, but this could not be written: "
            f"{'; '.join(missing.values())}"
        )
