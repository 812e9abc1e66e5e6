"""What files say is text and nothing else; output that nobody reads ends no run."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_wedgefill import cli
from napari_wedgefill.cli import main
from napari_wedgefill.commands.plain_output import PlainOutput, make_harmless

SRC = Path(cli.__file__).parent.parent
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A tilt series whose name and labels steer a terminal."""
    path = tmp_path / "evil\x1b]0;owned\x07\u202e.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.random.default_rng(0).random((7, 4, 12), dtype=np.float32))
        file.set_image_stack()
        file.header.label[0] = b"\x1b[2Jlabel\r\x9b31m"
        file.header.nlabl = 1
    angles = "".join(f"{a:g}\n" for a in np.linspace(-60, 60, 7))
    path.with_suffix(".tlt").write_text(angles)
    return path


def test_names_and_labels_never_steer_the_terminal(hostile: Path, capsys):
    assert main(["info", str(hostile)]) == 0
    assert main(["info", str(hostile), "--json"]) == 0
    assert main(["info", str(hostile) + "\x1b[1m not there"]) == 1
    out, err = capsys.readouterr()
    assert not CONTROL.search(out)
    assert not CONTROL.search(err)
    assert "\\x1b]0;owned\\x07\\u202e.mrc" in out
    json.loads(out[out.index("{") :])


def test_a_fill_names_hostile_files_harmlessly(hostile: Path, tmp_path: Path, capsys):
    out = tmp_path / "out\x1b[1m"
    assert main(["fill", str(hostile), "-o", str(out), "--methods", "wbp"]) == 0
    assert not CONTROL.search(capsys.readouterr().err)
    assert main(["fill", str(hostile), "-o", str(out), "--methods", "wbp\x1b[1m"]) == 1
    assert not CONTROL.search(capsys.readouterr().err)


@pytest.mark.parametrize("argument", ["--axis=\x1b[1m", "--no\x1b[1m-such"])
def test_complaints_about_the_command_line_are_harmless_too(argument, capsys):
    with pytest.raises(SystemExit):
        main(["info", "x.mrc", argument])
    assert not CONTROL.search(capsys.readouterr().err)


def test_ordinary_text_stays_as_it_is():
    text = "na\u00efve \u017c\u00f3\u0142\u0107 \u00b5m 3.5 \u00c5\n\t2 \u00d7 2\n"
    assert make_harmless(text) == text
    assert make_harmless("\udcb5m") == "\\udcb5m"
    assert make_harmless("\u017c", "cp1252") == "\\u017c"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8:strict"])
def test_letters_that_the_terminal_does_not_have_are_escaped(hostile: Path, encoding: str):
    path = hostile.with_name("\u017c\u00f3\u0142\u0107.mrc")
    hostile.with_suffix(".tlt").rename(path.with_suffix(".tlt"))
    hostile.rename(path)
    ran = subprocess.run(
        [sys.executable, "-m", "napari_wedgefill.cli", "info", str(path)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(SRC)},
    )
    assert ran.returncode == 0, ran.stderr
    assert b"tilt series" in ran.stdout


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_what_is_said_on_a_broken_stderr_is_dropped_and_stdout_tells():
    PlainOutput(Broken(), may_break=True).write("x")
    PlainOutput(Broken(), may_break=True).flush()
    PlainOutput(None).write("x")
    with pytest.raises(BrokenPipeError):
        PlainOutput(Broken()).write("x")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    "closing", ["2>&-", "2>/dev/full", "1>&- 2>&-", "0<&- 1>&- 2>&-", "2>&1 | true"]
)
def test_a_fill_with_nobody_to_talk_to_still_fills(hostile: Path, tmp_path: Path, closing: str):
    plain = hostile.with_name("plain.mrc")
    hostile.with_suffix(".tlt").rename(plain.with_suffix(".tlt"))
    hostile.rename(plain)
    command = (
        f"'{sys.executable}' -m napari_wedgefill.cli fill plain.mrc -o out --methods wbp {closing}"
    )
    subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"plain_wbp.mrc", "report.json"}
    with mrcfile.open(tmp_path / "out" / "plain_wbp.mrc") as file:
        assert np.isfinite(file.data).all()
