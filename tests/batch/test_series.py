"""One series of a batch: run, kept, run again, refused, and never half there."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from napari_wedgefill import FillOptions, RunOptions, memory
from napari_wedgefill.batch.job import DONE, FAILED, KEPT, NOT_BEGUN, make_job
from napari_wedgefill.batch.series import run_series
from napari_wedgefill.cli import main
from napari_wedgefill.io import mrc_sink
from napari_wedgefill.run.report import read_report
from napari_wedgefill.run.report_schema import Settings

WBP = RunOptions(FillOptions(methods=("wbp",)))


@pytest.fixture
def path(write_series) -> Path:
    return write_series("tiny")


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_results_appear_all_at_once_and_are_kept_the_second_time(path, out):
    assert run_series(make_job(path, WBP), out).state == DONE
    assert names(out) == ["report.json", "tiny", "tiny_wbp.mrc"]
    again = run_series(make_job(path, WBP), out)
    assert (again.state, again.report["files"]["wbp"]) == (KEPT, "tiny_wbp.mrc")


def test_other_memory_changes_nothing(path, out):
    run_series(make_job(path, WBP), out)
    less = RunOptions(FillOptions(methods=("wbp",), max_memory=1 << 30))
    assert run_series(make_job(path, less), out).state == KEPT


def change_options(path: Path, out: Path) -> RunOptions:
    return RunOptions(FillOptions(methods=("wbp", "sart")))


def change_images(path: Path, out: Path) -> RunOptions:
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\0\0\x80?")
    return WBP


def change_angles(path: Path, out: Path) -> RunOptions:
    angles = path.with_suffix(".tlt")
    angles.write_text(angles.read_text().replace("60", "59"))
    return WBP


def damage_volume(path: Path, out: Path) -> RunOptions:
    with (out / "tiny" / "tiny_wbp.mrc").open("r+b") as file:
        file.seek(2000)
        file.write(b"\1\2\3\4")
    return WBP


def remove_volume(path: Path, out: Path) -> RunOptions:
    (out / "tiny" / "tiny_wbp.mrc").unlink()
    return WBP


@pytest.mark.parametrize(
    "change", [change_options, change_images, change_angles, damage_volume, remove_volume]
)
def test_what_changed_is_done_again(path, out, change):
    run_series(make_job(path, WBP), out)
    options = change(path, out)
    assert run_series(make_job(path, options), out).state == DONE
    assert run_series(make_job(path, options), out).state == KEPT


def test_volumes_of_other_methods_stay_and_are_replaced_by_the_batch_only(path, out):
    """They took hours; and they are not in the way of a third run."""
    both = RunOptions(FillOptions(methods=("wbp", "sart")))
    for options in (both, WBP, WBP, both):
        assert run_series(make_job(path, options), out).state in (DONE, KEPT)
        assert len(list((out / "tiny").glob("*.mrc"))) == 2
    assert {*read_report(out / "tiny")["files"]} >= {"wbp", "sart"}


def test_volumes_of_an_earlier_run_that_were_changed_since_are_not_replaced(path, out):
    both = RunOptions(FillOptions(methods=("wbp", "sart")))
    run_series(make_job(path, both), out)
    assert run_series(make_job(path, WBP), out).state == DONE
    (out / "tiny" / "tiny_sart.mrc").write_text("mine")
    assert run_series(make_job(path, both), out).state == FAILED
    assert (out / "tiny" / "tiny_sart.mrc").read_text() == "mine"


def test_a_file_of_the_user_is_not_replaced(path, out):
    (out / "tiny").mkdir(parents=True)
    (out / "tiny" / "tiny_wbp.mrc").write_text("mine")
    ended = run_series(make_job(path, WBP), out)
    assert ended.state == FAILED
    assert "tiny_wbp.mrc: this file is not from an earlier run" in ended.sentence
    assert (out / "tiny" / "tiny_wbp.mrc").read_text() == "mine"


def test_volumes_beside_a_report_that_cannot_be_read_are_not_replaced(path, out):
    run_series(make_job(path, WBP), out)
    (out / "tiny" / "report.json").write_text("{")
    assert run_series(make_job(path, WBP), out).state == FAILED
    assert (out / "tiny" / "report.json").read_text() == "{"


def test_a_file_where_the_folder_should_be(path, out):
    out.mkdir()
    (out / "tiny").write_text("mine")
    assert "this is a file" in run_series(make_job(path, WBP), out).sentence


def test_what_a_killed_worker_left_is_cleared_away(path, out):
    (out / ".tiny.partial").mkdir(parents=True)
    (out / ".tiny.partial" / ".tiny_sart.mrc.99.part").write_text("half")
    assert run_series(make_job(path, WBP), out).state == DONE
    assert names(out) == ["report.json", "tiny", "tiny_wbp.mrc"]


def test_a_run_that_is_stopped_leaves_nothing(path, out):
    ended = run_series(make_job(path, WBP), out, is_stopped=lambda: True)
    assert ended.state == NOT_BEGUN
    assert names(out) == []


def test_a_run_that_cannot_be_done_leaves_the_older_results(path, out):
    run_series(make_job(path, WBP), out)
    before = (out / "tiny" / "report.json").read_bytes()
    wrong = RunOptions(FillOptions(methods=("wbp",), slices=(0, 99)))
    ended = run_series(make_job(path, wrong), out)
    assert (ended.state, ended.disk_is_full) == (FAILED, False)
    assert "99" in ended.sentence
    assert (out / "tiny" / "report.json").read_bytes() == before


def test_a_disk_that_fills_up_in_the_middle(path, out, monkeypatch):
    def fill_up(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mrc_sink, "_write_all", fill_up)
    ended = run_series(make_job(path, WBP), out)
    assert (ended.state, ended.disk_is_full) == (FAILED, True)
    assert "no room left on the disk" in ended.sentence
    assert names(out) == []


def test_a_disk_with_too_little_room_for_a_volume(path, out, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: usage)
    ended = run_series(make_job(path, WBP), out)
    assert (ended.state, ended.disk_is_full) == (FAILED, True)


def test_progress_is_told(path, out):
    told: list[tuple[str, float]] = []
    run_series(make_job(path, WBP), out, tell=lambda *step: told.append(step))
    assert told
    assert all(0 <= fraction <= 1 for _, fraction in told)


def test_the_report_of_a_job_repeats_with_fill(path, out, tmp_path, capsys):
    angles = path.with_suffix(".tlt")
    quick = RunOptions(FillOptions(methods=("wbp", "sart"), preview=True))
    job = make_job(path, quick, angles=angles.rename(tmp_path / "given.tlt"), pixel_nm=0.5)
    # What is only read, from reports of older versions, is not written.
    fields = Settings.model_fields.items()
    assert set(job.settings) == {name for name, field in fields if not field.exclude}
    assert run_series(job, out).state == DONE
    report = out / "tiny" / "report.json"
    assert main(["fill", "--from-report", str(report), "-o", str(tmp_path / "again")]) == 0
    assert "have the same bytes" in capsys.readouterr().err


def test_angles_that_were_given_as_numbers_are_kept_in_the_report(path, out, make_series):
    job = make_job(path, WBP, angles=make_series().angles_deg)
    assert run_series(job, out).state == DONE
    assert run_series(job, out).state == KEPT
