"""A microscope that writes tilt by tilt, simulated by a thread that copies a series."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_wedgefill import FillOptions, WedgefillError, fill
from napari_wedgefill.batch import watch
from napari_wedgefill.batch.watch import Complete, Grown, Pace, Waiting, iter_watch
from napari_wedgefill.cli import main
from napari_wedgefill.io import read_tilt_series, read_volume, write_tilt_series
from napari_wedgefill.tilt_series import MIN_TILTS

QUICK = Pace(poll_s=0.05, idle_s=1.0)


@pytest.fixture
def tilts(make_series, tmp_path: Path) -> list[Path]:
    """A file for each tilt, with its angle beside it, where no one watches."""
    folder = tmp_path / "microscope"
    folder.mkdir()
    series = make_series()
    paths = []
    for k, angle in enumerate(series.angles_deg):
        path = folder / f"tilt_{k:02d}.mrc"
        with mrcfile.new(path) as file:
            file.set_data(np.asarray(series.images)[k : k + 1])
            file.set_image_stack()
            file.voxel_size = 8.0
        path.with_suffix(".tlt").write_text(f"{angle}\n")
        paths.append(path)
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that is watched."""
    path = tmp_path / "watched"
    path.mkdir()
    return path


@contextmanager
def writing(write: Callable[[], None]) -> Iterator[None]:
    """Write in another thread while the block watches."""
    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def copy_tilt(path: Path, folder: Path) -> None:
    shutil.copy(path.with_suffix(".tlt"), folder)
    shutil.copy(path, folder)


def follow(folder: Path, out: Path, pace: Pace = QUICK) -> tuple[list[Grown], Complete]:
    events = list(iter_watch(folder, out, read_tilt_series, pace))
    assert isinstance(events[-1], Complete)
    return [event for event in events if isinstance(event, Grown)], events[-1]


def test_the_volume_grows_and_is_a_fill_of_the_tilts_so_far(tilts, folder, tmp_path):
    grown = threading.Semaphore(0)
    pace = Pace(poll_s=0.05, idle_s=60.0, n_tilts=len(tilts))

    def write() -> None:
        for k, path in enumerate(tilts, start=1):
            copy_tilt(path, folder)
            if k >= MIN_TILTS:
                grown.acquire(timeout=60)  # a slow machine has as many volumes as a quick one

    counts = []
    with writing(write):
        events = iter_watch(folder, tmp_path / "grow", read_tilt_series, pace)
        for event in events:
            if isinstance(event, Grown):
                counts.append(event.series.n_tilts)
                alone = fill(event.series, FillOptions(methods=("wbp", "sart"))).volumes
                for method, path in event.paths.items():
                    np.testing.assert_array_equal(read_volume(path).data, alone[method].data)
                grown.release()
    assert counts == list(range(MIN_TILTS, len(tilts) + 1))
    assert event.source == folder
    assert not event.left_out


def test_an_angle_that_comes_before_its_image_makes_no_volume_anew(tilts, folder, tmp_path):
    for path in tilts[:4]:
        copy_tilt(path, folder)
    grown, came = [], False
    for event in iter_watch(folder, tmp_path / "grow", read_tilt_series, QUICK):
        if isinstance(event, Grown):
            grown.append(event.series.n_tilts)
            if not came:
                shutil.copy(tilts[4].with_suffix(".tlt"), folder)
                came = True
    assert grown == [4]


def test_tilts_may_come_out_of_order_under_other_names_and_in_pieces(tilts, folder, tmp_path):
    def write() -> None:
        # From the middle outwards, as microscopes do, each first under a passing name.
        for path in sorted(tilts, key=lambda path: abs(tilts.index(path) - len(tilts) // 2)):
            whole = path.read_bytes()
            passing = folder / f"{path.name}.tmp"
            passing.write_bytes(whole[:1200])
            time.sleep(0.02)
            passing.write_bytes(whole)
            passing.rename(folder / path.name)
            time.sleep(0.02)
            shutil.copy(path.with_suffix(".tlt"), folder)  # the angle comes last
        half = folder / "tilt_00.mrc"
        half.write_bytes(tilts[0].read_bytes()[:1200])  # written anew, and slowly
        time.sleep(0.3)
        half.write_bytes(tilts[0].read_bytes())

    with writing(write):
        _, complete = follow(folder, tmp_path / "grow")
    expected = read_tilt_series(tilts[0].parent)
    np.testing.assert_array_equal(complete.series.angles_deg, expected.angles_deg)
    np.testing.assert_array_equal(complete.series.images, expected.images)
    assert not complete.left_out


def test_a_stack_that_grows(make_series, folder, tmp_path):
    series, passing = make_series(), tmp_path / "passing"
    passing.mkdir()

    def write() -> None:
        for n in range(3, len(series.angles_deg) + 1, 2):
            part = type(series).from_arrays(
                np.asarray(series.images)[:n], series.angles_deg[:n], pixel_nm=0.8, name="live"
            )
            shutil.rmtree(passing)
            passing.mkdir()
            path = write_tilt_series(passing / "live.mrc", part)
            shutil.copy(path.with_suffix(".tlt"), folder)
            shutil.copy(path, folder)
            time.sleep(0.3)

    with writing(write):
        grown, complete = follow(folder, tmp_path / "grow")
    assert [event.series.n_tilts for event in grown][-1] == len(series.angles_deg)
    assert complete.source == folder / "live.mrc"
    np.testing.assert_array_equal(complete.series.images, series.images)


def test_the_number_of_tilts_ends_the_wait_at_once(tilts, folder, tmp_path):
    for path in tilts:
        copy_tilt(path, folder)
    started = time.monotonic()
    follow(folder, tmp_path / "grow", Pace(poll_s=0.05, idle_s=600, n_tilts=len(tilts)))
    assert time.monotonic() - started < 300


def test_a_tilt_that_never_becomes_whole_is_named(tilts, folder, tmp_path):
    for path in tilts:
        copy_tilt(path, folder)
    (folder / "tilt_05.mrc").write_bytes(tilts[5].read_bytes()[:1200])
    grown, complete = follow(folder, tmp_path / "grow")
    assert [path.name for path in complete.left_out] == ["tilt_05.mrc"]
    assert complete.series.n_tilts == len(tilts) - 1
    assert len(grown) == 1


def test_two_series_in_one_folder(write_series, tmp_path):
    folder = write_series("a").parent
    write_series("b")
    with pytest.raises(WedgefillError, match="which are two series"):
        follow(folder, tmp_path / "grow")


def test_a_stack_that_counts_as_a_volume_is_named_or_takes_the_angles_that_are_given(
    write_series, folder, make_series, tmp_path
):
    with mrcfile.new(folder / "bare.mrc") as file:  # space group 1, as mrcfile writes it
        file.set_data(np.asarray(make_series().images))
    with pytest.raises(WedgefillError, match=r"bare.mrc: this looks like a volume .* give its"):
        follow(folder, tmp_path / "grow", Pace(poll_s=0.05, idle_s=0.3))
    events = iter_watch(
        folder, tmp_path / "grow", lambda path: read_tilt_series(path, angles="-36:36"), QUICK
    )
    assert list(events)[-1].source == folder / "bare.mrc"
    (folder / "known.mrc").write_bytes(write_series("known").read_bytes())
    _, complete = follow(folder, tmp_path / "grow")
    assert complete.source == folder / "known.mrc"
    assert "it is taken for a volume (its header says" in complete.left_out[folder / "bare.mrc"]


def test_a_folder_into_which_nothing_comes(folder, tmp_path):
    with pytest.raises(WedgefillError, match=r"nothing changed for 0\.1 s"):
        follow(folder, tmp_path / "grow", Pace(poll_s=0.05, idle_s=0.1))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(WedgefillError, match="nowhere: there is no such folder"):
        follow(tmp_path / "nowhere", tmp_path / "grow")


def test_what_is_waited_for_is_said(tilts, folder, tmp_path):
    copy_tilt(tilts[0], folder)
    events = iter_watch(folder, tmp_path / "grow", read_tilt_series, Pace(0.01, 600))
    sentences = {event.sentence for event, _ in zip(events, range(5), strict=False)}
    events.close()
    assert any("1 whole tilts" in sentence for sentence in sentences)
    assert isinstance(next(iter_watch(folder, folder, read_tilt_series, QUICK)), Waiting)


def test_wide_images_are_binned(make_series, monkeypatch, tmp_path, folder):
    monkeypatch.setattr(watch, "GROWING_WIDTH", 10)
    write_tilt_series(folder / "wide.mrc", make_series())
    grown, complete = follow(folder, tmp_path / "grow")
    assert grown[0].series.width == 8
    assert complete.series.width == 24


def test_the_command_fills_and_checks_the_complete_series(tilts, folder, tmp_path, capsys):
    for path in tilts:
        copy_tilt(path, folder)
    out = tmp_path / "out"
    command = ["watch", str(folder), "-o", str(out), "--poll", "0.05", "--tilts", str(len(tilts))]
    assert main([*command, "--methods", "wbp,sart", "--planes", "20:"]) == 0
    said = capsys.readouterr().err
    assert f"{len(tilts)} tilts: wrote" in said
    assert "At the withheld outermost tilts" in said
    assert sorted(os.listdir(out)) == ["tilt"]
    assert len(read_volume(out / "tilt" / "tilt_sart.mrc").data) == 4


def test_tilts_that_settle_while_a_slow_volume_is_made_are_not_left_out(
    tilts, folder, tmp_path, monkeypatch
):
    sleep, make, late = time.sleep, watch._fill_growing, list(tilts[3:5])

    def deliver_two_and_sleep(seconds: float) -> None:
        while late:
            copy_tilt(late.pop(), folder)
        sleep(seconds)

    def make_slowly(*arguments):
        sleep(0.5)
        return make(*arguments)

    for path in tilts[:3]:
        copy_tilt(path, folder)
    monkeypatch.setattr(watch.time, "sleep", deliver_two_and_sleep)
    monkeypatch.setattr(watch, "_fill_growing", make_slowly)
    _, complete = follow(folder, tmp_path / "grow", Pace(poll_s=0.05, idle_s=0.4))
    assert complete.series.n_tilts == 5
    assert not complete.left_out
