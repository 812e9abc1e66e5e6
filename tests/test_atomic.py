"""Files appear complete or not at all, whoever else writes, and whatever was killed before."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from napari_wedgefill import atomic
from napari_wedgefill.atomic import (
    lock_folder,
    make_folder,
    refuse_to_replace,
    remove_leftovers,
    write_beside,
)
from napari_wedgefill.errors import WedgefillError

SRC = Path(atomic.__file__).parent.parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs the modes and links of POSIX")


def test_nothing_but_the_file_is_left(tmp_path: Path):
    with write_beside(tmp_path / "a.txt") as beside:
        beside.write_text("whole")
        assert not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_goes_wrong_leaves_the_older_file(tmp_path: Path, error):
    def fail() -> None:
        with write_beside(tmp_path / "a.txt") as beside:
            beside.write_text("half")
            raise error

    (tmp_path / "a.txt").write_text("older")
    with pytest.raises(error):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "older"


@posix
def test_the_place_of_what_is_written_cannot_be_guessed_nor_entered_by_others(tmp_path: Path):
    places = []
    for _ in range(2):
        with write_beside(tmp_path / "a.txt") as beside:
            beside.write_text("x")
            places.append(beside.parent)
            assert beside.parent.stat().st_mode & 0o077 == 0
    assert places[0] != places[1]


@posix
def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "precious").write_text("raw data")
    (tmp_path / "a.txt").symlink_to(tmp_path / "precious")
    with write_beside(tmp_path / "a.txt") as beside:
        beside.write_text("result")
    assert (tmp_path / "precious").read_text() == "raw data"
    assert not (tmp_path / "a.txt").is_symlink()


@posix
def test_a_new_file_may_be_read_by_whom_the_user_lets_read(tmp_path: Path):
    (tmp_path / "plain").write_text("x")
    with write_beside(tmp_path / "a.txt") as beside:
        beside.write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_two_that_write_the_same_name_both_end_well(tmp_path: Path):
    meeting = threading.Barrier(2)

    def write(text: str) -> None:
        with write_beside(tmp_path / "a.txt") as beside:
            beside.write_text(text)
            meeting.wait(10)

    threads = [threading.Thread(target=write, args=(text * 1000,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a.txt").read_text() in ("a" * 1000, "b" * 1000)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_that_is_too_long_is_refused_before_anything_is_computed(tmp_path: Path):
    refuse_to_replace(tmp_path / "new" / ("n" * 246 + ".txt"))
    with pytest.raises(WedgefillError, match="name is too long"):
        refuse_to_replace(tmp_path / "new" / ("n" * 252 + ".txt"), overwrite=True)


def test_a_name_as_long_as_the_disk_takes(tmp_path: Path):
    path = tmp_path / ("n" * 246 + ".txt")
    with write_beside(path) as beside:
        beside.write_text("x")
    assert path.read_text() == "x"
    with (
        pytest.raises(WedgefillError, match="name is too long"),
        write_beside(tmp_path / ("n" * 300)) as beside,
    ):
        beside.write_text("x")


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_takes_the_place_of_a_folder(tmp_path: Path, exists: bool):
    path = tmp_path / "a.zarr"
    if exists:
        path.mkdir()
        (path / "old").write_text("old")
    with write_beside(path, as_folder=True) as beside:
        (beside / "inner").mkdir(parents=True)
        (beside / "inner" / "0").write_text("new")
    assert [file.name for file in path.rglob("*")] == ["inner", "0"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch):
    events = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("sync"), real_sync(fd))[1])
    monkeypatch.setattr(
        os, "replace", lambda *names: (events.append("rename"), real_replace(*names))[1]
    )
    with write_beside(tmp_path / "a.txt") as beside:
        beside.write_text("x")
    assert events[:2] == ["sync", "rename"]


KILLED = """
import os, signal, sys
from pathlib import Path
from napari_wedgefill.atomic import lock_folder, write_beside
folder = Path(sys.argv[1])
with lock_folder(folder), write_beside(folder / "a.txt") as beside:
    beside.write_text("half")
    print("ready", flush=True)
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def start(folder: Path, what: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@posix
def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path):
    killed = start(tmp_path, "die")
    killed.communicate()
    assert len(list(tmp_path.glob(".wedgefill-*.part"))) == 1
    with lock_folder(tmp_path), write_beside(tmp_path / "b.txt") as beside:
        beside.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


@posix
def test_what_a_living_run_writes_is_left_alone_and_its_folder_refused(tmp_path: Path):
    living = start(tmp_path, "wait")
    remove_leftovers(tmp_path)
    (hidden,) = tmp_path.glob(".wedgefill-*.part")
    assert (hidden / "a.txt").read_text() == "half"
    with pytest.raises(WedgefillError, match="another run is writing"), lock_folder(tmp_path):
        pass
    living.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    with lock_folder(tmp_path):
        pass


def test_a_hidden_folder_in_the_making_is_left_and_an_old_one_removed(tmp_path: Path):
    made = tmp_path / ".wedgefill-abc.part"
    made.mkdir()
    remove_leftovers(tmp_path)
    assert made.exists()
    os.utime(made, (1.0, 1.0))
    remove_leftovers(tmp_path)
    assert not made.exists()


@posix
def test_a_link_that_looks_like_a_leftover_is_not_followed(tmp_path: Path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "raw").write_text("x")
    os.utime(tmp_path / "precious", (1.0, 1.0))
    (tmp_path / ".wedgefill-abc.part").symlink_to(tmp_path / "precious")
    remove_leftovers(tmp_path)
    assert (tmp_path / "precious" / "raw").exists()


def test_a_missing_folder_is_told(tmp_path: Path):
    with (
        pytest.raises(WedgefillError, match="does not exist; make it first"),
        write_beside(tmp_path / "none" / "a.txt"),
    ):
        pass


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path, name: str):
    (tmp_path / "file").touch()
    with pytest.raises(WedgefillError, match=rf"{name}: .* a file is in the way"):
        make_folder(tmp_path / name)


def test_a_folder_is_made_with_those_above_it(tmp_path: Path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
