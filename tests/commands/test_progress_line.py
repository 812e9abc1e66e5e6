"""The progress line: alive on a terminal, silent elsewhere."""

from __future__ import annotations

import io

import pytest

from napari_wedgefill.commands.progress_line import ProgressLine
from napari_wedgefill.durations import write_duration, write_rough_duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_stage_percentage_and_time_left():
    terminal = Terminal()
    with ProgressLine(terminal) as progress:
        progress.show("TVM", 0.25, 90)
        assert "25%  TVM  1 min 30 s left" in terminal.getvalue()


def test_lines_that_stay_come_out_whole():
    terminal = Terminal()
    with ProgressLine(terminal) as progress:
        progress.show("a stage with a long name", 0.5)
        progress.say("wrote x.mrc")
    seen = [line.rsplit("\r", 1)[-1] for line in terminal.getvalue().split("\n")]
    assert seen == ["wrote x.mrc", ""]


def test_a_pipe_sees_no_progress():
    pipe = io.StringIO()
    with ProgressLine(pipe) as progress:
        progress.show("TVM", 0.25, 90)
        progress.say("wrote x.mrc")
    assert pipe.getvalue() == "wrote x.mrc\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (8.4, "8 s"), (60, "1 min 00 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")],
)
def test_times_read_the_way_people_say_them(seconds, text):
    assert write_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (89, "89 s"), (125, "2 min"), (6000, "1 h 40 min")]
)
def test_guessed_times_promise_no_seconds(seconds, text):
    assert write_rough_duration(seconds) == text
