"""Large series in parts: the same bytes, and a worker that dies costs its part."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill import FillOptions, RunOptions, Session, TiltSeries, WedgefillError, fill
from napari_wedgefill.addresses import Address, Store
from napari_wedgefill.batch.cluster import open_client
from napari_wedgefill.batch.job import DONE, NOT_BEGUN, Outcome, make_job
from napari_wedgefill.batch.many import iter_many
from napari_wedgefill.batch.parts import PartStore
from napari_wedgefill.batch.series import run_series
from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.pipeline import slabs
from napari_wedgefill.pipeline.parts import Part, cut_parts, iter_part
from napari_wedgefill.projector import ParallelBeam

ANGLES_DEG = np.arange(-60.0, 61.0, 15.0)
WIDTH, N_SLICES = 16, 150
#: So few that there are strips of 64, 64 and 22 slices, each a part.
PART_VOXELS = WIDTH * WIDTH * 64
QUICK = FillOptions(methods=("wbp", "sart", "tvm"), preview=True)


@pytest.fixture(scope="module")
def series() -> TiltSeries:
    """A cone with a little noise, taller than a strip."""
    z, x, y = np.mgrid[:WIDTH, :WIDTH, :N_SLICES].astype(np.float32)
    radius = 2 + 4 * y / N_SLICES
    cone = np.hypot(z - (WIDTH - 1) / 2, x - (WIDTH - 1) / 2) < radius
    images = ParallelBeam(ANGLES_DEG, WIDTH)(cone.astype(np.float32)).transpose(0, 2, 1)
    noise = np.random.default_rng(0).normal(0, 0.1, images.shape)
    return TiltSeries.from_arrays(images + noise, ANGLES_DEG, pixel_nm=1.0, name="cone")


@pytest.fixture
def path(series, tmp_path) -> Path:
    return write_tilt_series(tmp_path / "cone.mrc", series)


def run_in_parts(job, folder, client) -> list[Outcome]:
    """Run a batch of one, and return what became of it."""
    events = iter_many([job], folder, client, PART_VOXELS)
    return [event for event in events if isinstance(event, Outcome)]


def volumes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.mrc")}


def solve_all(series, options, store, strip) -> int:
    """Solve the parts of a series one after the other, and return how many there are."""
    store.prepare({})
    session = Session()
    phases = cut_parts(series, options, session, strip * WIDTH * WIDTH)
    for part in (part for phase in phases for part in phase):
        steps = iter_part(series, options, part, session, store)
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                store.write(part, ended.value)
                break
    return sum(len(phase) for phase in phases)


@pytest.mark.parametrize("methods", [("wbp", "sart", "tvm"), ("gan", "sart", "tvm"), ("gan",)])
def test_parts_are_those_of_a_fill_to_the_byte(series, methods, tmp_path, monkeypatch):
    """GAN looks at neighbouring slices, and starts from what SART and TVM made of them."""
    options, small, strip = replace(QUICK, methods=methods, device="cpu"), series, 64
    if "gan" in methods:
        small, strip = replace(series, images=series.images[:, :20]), 8
        monkeypatch.setattr(slabs, "choose_strip_lanes", lambda *_: strip)
    whole = fill(small, options).volumes
    store = PartStore("cone", tmp_path / "cone")
    assert solve_all(small, options, store, strip) > len(methods)
    for method in methods:
        found = store.find(method, 0, small.height).planes.transpose(0, 2, 1)
        np.testing.assert_array_equal(found, whole[method].data)
        middle = store.find(method, 3, strip + 5).planes.transpose(0, 2, 1)
        np.testing.assert_array_equal(middle, whole[method].data[:, 3 : strip + 5])
    assert store.find("wbp", 0, small.height + 1) is None


def test_parts_of_uneven_images_are_corrected_as_in_a_fill(series, tmp_path):
    """A report that says so would be wrong otherwise."""
    gains = np.random.default_rng(5).uniform(0.6, 1.3, ANGLES_DEG.size).astype(np.float32)
    uneven = replace(series, images=series.images * gains[:, None, None])
    options = replace(QUICK, methods=("wbp", "sart"))
    whole = fill(uneven, options)
    assert whole.report["gain"]["corrected"]
    store = PartStore("cone", tmp_path / "cone")
    solve_all(uneven, options, store, 64)
    for method in options.methods:
        found = store.find(method, 0, N_SLICES).planes.transpose(0, 2, 1)
        np.testing.assert_array_equal(found, whole.volumes[method].data)


def make_rod() -> TiltSeries:
    """A short rod in the middle of a wide field of vacuum."""
    width, n_slices = 96, 64
    z, x, y = np.ogrid[:width, :width, :n_slices]
    middle = (width - 1) / 2
    rod = (np.hypot(z - middle - 3, x - middle + 5) < 9) & (abs(y - 50) < 5)
    images = ParallelBeam(ANGLES_DEG, width)(rod.astype(np.float32)).transpose(0, 2, 1)
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=1.0, name="rod")


def test_parts_lie_in_the_box_of_the_specimen(tmp_path, client, written, monkeypatch):
    """The box is that of the whole series, and its parts make the same bytes as one fill."""
    monkeypatch.setattr(slabs, "choose_strip_lanes", lambda *_: 8)
    path = write_tilt_series(tmp_path / "rod.mrc", make_rod())
    job = make_job(path, RunOptions(replace(QUICK, slices=(4, 64))))
    alone = run_series(job, tmp_path / "alone")
    events = iter_many([job], tmp_path / "out", client, 8 * 96 * 96)
    (ended,) = [event for event in events if isinstance(event, Outcome)]
    assert ended.state == DONE, ended.sentence
    assert ended.report["box"] == alone.report["box"]
    assert ended.report["field"].startswith("Filled in the box of the specimen, 64 x ")
    assert volumes(tmp_path / "out" / "rod") == volumes(tmp_path / "alone" / "rod")
    starts = [part.start for part in written if part.method == "tvm"]
    assert min(starts) == alone.report["box"]["y"][0] - 4 > 0
    assert 1 < len(starts) < sum(part.method == "wbp" for part in written)


@pytest.fixture
def written(monkeypatch) -> list[Part]:
    """Parts that workers in this process keep."""
    parts, write = [], PartStore.write

    def note_and_write(self, part, solved):
        parts.append(part)
        write(self, part, solved)

    monkeypatch.setattr(PartStore, "write", note_and_write)
    return parts


def test_a_series_in_parts_is_that_of_a_fill_with_its_checks(path, tmp_path, client, written):
    job = make_job(path, RunOptions(QUICK, align=True, self_check=True))
    alone = run_series(job, tmp_path / "alone")
    (ended,) = run_in_parts(job, tmp_path / "out", client)
    assert ended.state == DONE, ended.sentence
    assert len(set(written)) == len(written) == 9
    assert volumes(tmp_path / "out" / "cone") == volumes(tmp_path / "alone" / "cone")
    assert ended.report["self_check"] == alone.report["self_check"]
    assert ended.report["alignment"]["shifts_px"] == alone.report["alignment"]["shifts_px"]
    assert not list((tmp_path / "out").glob(".*"))


def test_parts_may_lie_at_an_address(path, tmp_path, client, written):
    job, out = make_job(path, RunOptions(QUICK)), Address("memory://parts")
    alone = run_series(job, tmp_path / "alone")
    (ended,) = run_in_parts(job, out, client)
    assert ended.report["sha256"] == alone.report["sha256"]
    assert len(written) == 9
    assert not [name for name in Store(out).list_objects() if ".wedgefill" in name]


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_the_part_that_it_had_in_work(path, tmp_path):
    job = make_job(path, RunOptions(replace(QUICK, methods=("wbp", "sart"))))
    out, store = tmp_path / "out", PartStore("cone", tmp_path / "out" / "cone")
    folder, solved_at, ended = out / ".cone.parts", {}, []
    with open_client(n_workers=1) as client:
        (worker,) = client.run(os.getpid).values()
        for event in iter_many([job], out, client, PART_VOXELS):
            if isinstance(event, Outcome):
                ended.append(event)
                continue
            for part in store.list_parts():
                written = folder / f"{part.method}-{part.start}-{part.stop}.npy"
                with suppress(FileNotFoundError):  # the series is complete, and its parts go
                    now = written.stat().st_mtime_ns
                    assert solved_at.setdefault(part, now) == now, f"{part} was solved again"
            if solved_at and worker:
                os.kill(worker, signal.SIGKILL)
                worker = 0
    assert not worker
    assert ended[0].state == DONE
    run_series(job, tmp_path / "alone")
    assert volumes(out / "cone") == volumes(tmp_path / "alone" / "cone")


def test_a_batch_that_was_stopped_goes_on_with_the_parts_that_are_there(path, tmp_path, client):
    job, out = make_job(path, RunOptions(QUICK)), tmp_path / "out"
    store = PartStore("cone", out / "cone")
    steps = iter_many([job], out, client, PART_VOXELS)
    for _ in steps:
        if store.list_parts():
            break
    steps.close()
    there = store.list_parts()
    assert there
    assert not (out / "cone").exists()
    times = {file: file.stat().st_mtime_ns for file in (out / ".cone.parts").glob("*.npy")}
    steps = iter_many([job], out, client, PART_VOXELS)
    for _ in steps:
        for file, time in times.items():
            with suppress(FileNotFoundError):
                assert file.stat().st_mtime_ns == time, f"{file.name} was solved again"
    run_series(job, tmp_path / "alone")
    assert volumes(out / "cone") == volumes(tmp_path / "alone" / "cone")


def test_parts_of_another_run_are_not_taken(path, series, tmp_path, client):
    out = tmp_path / "out"
    store = PartStore("cone", out / "cone")
    steps = iter_many([make_job(path, RunOptions(QUICK))], out, client, PART_VOXELS)
    for _ in steps:
        if store.list_parts():
            break
    steps.close()
    brighter = replace(series, images=2 * series.images)
    write_tilt_series(path, brighter, overwrite=True)
    job = make_job(path, RunOptions(QUICK))
    (ended,) = run_in_parts(job, out, client)
    alone = run_series(job, tmp_path / "alone")
    assert ended.report["sha256"] == alone.report["sha256"]
    assert not store.exists()


def test_a_part_that_fails_ends_its_series_with_the_reason(path, tmp_path, client, monkeypatch):
    from napari_wedgefill.batch import parts

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts.PartStore, "write", fail)
    (ended,) = run_in_parts(make_job(path, RunOptions(QUICK)), tmp_path / "out", client)
    assert ended.disk_is_full
    assert ended.state != NOT_BEGUN


def test_small_series_stay_whole(path, tmp_path, client, written):
    steps = iter_many([make_job(path, RunOptions(QUICK))], tmp_path / "out", client)
    assert [step.state for step in steps if isinstance(step, Outcome)] == [DONE]
    assert not written


def test_what_an_alignment_gave_runs_no_code_of_somebody_else(tmp_path):
    store = PartStore("cone", tmp_path / "cone")
    store.write_aligned(Path.cwd)
    with pytest.raises(WedgefillError, match="which no alignment does"):
        store.read_aligned()
