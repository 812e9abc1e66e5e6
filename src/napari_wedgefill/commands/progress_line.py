"""One line on the terminal that says what runs, how far it is and how long it will take."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

from ..durations import write_duration
from .interrupt import raise_if_interrupted

REFRESH_SECONDS = 0.1


class ProgressLine:
    """Progress on a terminal; silent where the stream is a file or a pipe.

    Parameters
    ----------
    stream : TextIO, optional
        Where to write; stderr by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self._last = -float("inf")
        self._width = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, stage: str, fraction: float, seconds_left: float | None = None) -> None:
        """Show a stage, the whole job's fraction done (0 to 1) and the seconds left, if known.

        Raises KeyboardInterrupt if Ctrl-C was pressed and lost.
        """
        raise_if_interrupted()
        now = time.monotonic()
        if not self.live or (now - self._last < REFRESH_SECONDS and fraction < 1):
            return
        self._last = now
        left = "" if seconds_left is None else f"  {write_duration(seconds_left)} left"
        self._write(f"{fraction:4.0%}  {stage}{left}")

    def say(self, text: str) -> None:
        """Print a line that stays, above the progress."""
        self.clear()
        print(text, file=self.stream, flush=True)

    def clear(self) -> None:
        """Wipe the progress from the terminal."""
        if self._width:
            self._write("")
            self.stream.write("\r")
            self.stream.flush()
            self._width = 0

    def _write(self, text: str) -> None:
        text = text[: max(shutil.get_terminal_size().columns - 1, 20)]
        self.stream.write("\r" + text.ljust(self._width))
        self.stream.flush()
        self._width = len(text)
