"""Slabs: every slice once, the same bytes under any limit, and no more memory than allowed."""

from __future__ import annotations

import errno
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import MrcSink, read_volume, write_volume
from napari_wedgefill.io.mrc_sink import MrcStream
from napari_wedgefill.methods import METHODS
from napari_wedgefill.pipeline import slabs
from napari_wedgefill.pipeline.behind import read_ahead, write_behind
from napari_wedgefill.pipeline.events import Finished
from napari_wedgefill.pipeline.fill import fill, iter_fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.sinks import ArraySink
from napari_wedgefill.progress import Progress
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume, VolumeOutline

ANGLES_DEG = np.arange(-60.0, 61.0, 15.0)


@pytest.fixture
def series():
    images = np.random.default_rng(0).normal(10, 1, (ANGLES_DEG.size, 150, 16))
    images[:, :, 5:11] += 40
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=0.5, name="noise")


@pytest.mark.parametrize("method", ["wbp", "sart", "tvm", "gan"])
@pytest.mark.parametrize("height", [1, 61, 64, 150, 1000])
@pytest.mark.parametrize("cores", [1, 5])
def test_every_slice_is_kept_once_with_its_neighbours(monkeypatch, method, height, cores):
    monkeypatch.setattr(slabs, "available_cores", lambda: cores)
    reach = 1 if method == "gan" else 0
    found = slabs.cut_slabs(METHODS[method], ParallelBeam(ANGLES_DEG, 16), height, None, reach)
    kept = [i for slab in found for i in range(slab.start, slab.stop)]
    assert kept == list(range(height))
    for slab in found:
        assert slab.first == max(slab.start - reach, 0)
        assert slab.last == min(slab.stop + reach, height)


@pytest.mark.parametrize("width", [16, 1024])
@pytest.mark.parametrize("reach", [3, 9, 40])
def test_a_model_that_looks_far_still_keeps_every_slice(width, reach):
    found = slabs.cut_slabs(METHODS["gan"], ParallelBeam(ANGLES_DEG, width), 100, 1 << 40, reach)
    assert [i for slab in found for i in range(slab.start, slab.stop)] == list(range(100))


def test_less_memory_means_smaller_slabs(monkeypatch):
    monkeypatch.setattr(slabs, "available_cores", lambda: 8)
    monkeypatch.setattr(slabs, "measure_held_bytes", lambda: 0)
    beam = ParallelBeam(ANGLES_DEG, 512)
    lengths = [
        slabs.cut_slabs(METHODS["sart"], beam, 4096, int(limit), 0)[0].stop
        for limit in (1e9, 2e9, 4e9, 64e9)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1] == 512


def test_too_little_memory_is_refused_before_any_work(series):
    with pytest.raises(WedgefillError, match=r"TVM of slices of 16 x 16 takes about .*--max-mem"):
        list(iter_fill(series, FillOptions(methods=("tvm",), max_memory=10_000_000)))


def test_the_memory_that_is_asked_for_is_enough(monkeypatch):
    monkeypatch.setattr(slabs, "measure_held_bytes", lambda: 0)
    beam = ParallelBeam(ANGLES_DEG, 2048)
    with pytest.raises(WedgefillError) as refusal:
        slabs.cut_slabs(METHODS["tvm"], beam, 100, 10**8, 0)
    asked = str(refusal.value).split("about ")[1].split(" ")[0]
    assert slabs.cut_slabs(METHODS["tvm"], beam, 100, slabs_bytes(asked), 0)


def slabs_bytes(text):
    from napari_wedgefill.memory import parse_bytes

    return parse_bytes(text)


@pytest.mark.parametrize("method", ["wbp", "sart", "sirt", "tvm"])
def test_memory_changes_no_byte(monkeypatch, tmp_path, series, method):
    """The same job in slabs of one strip and of two; the last strip is a short one."""
    written = []
    for n_strips in (1, 2):
        monkeypatch.setattr(slabs, "available_cores", lambda n=n_strips: n)
        folder = tmp_path / str(n_strips)
        folder.mkdir()
        events = list(
            iter_fill(series, FillOptions(methods=(method,), preview=True), MrcSink(folder))
        )
        n_slabs = len({e.stage for e in events if isinstance(e, Progress)}) - 1
        assert n_slabs == 4 - n_strips  # 150 slices: 64, 64 and 22
        written.append((folder / f"noise_{method}.mrc").read_bytes())
    assert written[0] == written[1]


def test_strips_that_overlap_are_joined_and_no_byte_changes(monkeypatch, tmp_path, series):
    """The neighbours that two strips share are computed once."""
    images = series.images[:, :70].copy()
    images[:, 40:, 9:] += 40  # goes on outside the field
    series = replace(series, images=images)
    monkeypatch.setattr(slabs, "choose_strip_lanes", lambda memory, beam: 24)
    written, n_slabs = [], []
    for n_strips in (1, 2, 4):
        monkeypatch.setattr(slabs, "available_cores", lambda: 1)
        monkeypatch.setattr(slabs, "JOINED", n_strips)
        folder = tmp_path / str(n_strips)
        folder.mkdir()
        options = FillOptions(methods=("gan",), device="cpu", preview=True)
        events = list(iter_fill(series, options, MrcSink(folder)))
        stages = (e.stage for e in events if isinstance(e, Progress) and ", slice " in e.stage)
        n_slabs.append(len({stage.split(", slice ")[1] for stage in stages}))
        written.append((folder / "noise_gan.mrc").read_bytes())
    assert n_slabs == [5, 2, 0]  # 16 of 24 slices are kept, 40 of 48, and all
    assert written[0] == written[1] == written[2]


def test_a_streamed_volume_is_the_one_that_is_written_at_once(tmp_path):
    data = np.random.default_rng(0).normal(3, 2, (4, 9, 5)).astype(np.float32)
    outline = VolumeOutline("a", data.shape, (0.5, 0.6, 0.7), ("made of noise",))
    sink = MrcSink(tmp_path)
    with sink.open_writer(outline) as stream:
        for start, stop in ((4, 9), (0, 4)):
            stream.write(start, np.ascontiguousarray(data[:, start:stop].transpose(0, 2, 1)))
        assert not sink.path(outline).exists()
    np.testing.assert_array_equal(sink.fetch(outline), data)
    write_volume(tmp_path / "whole.mrc", Volume(data, (0.5, 0.6, 0.7), history=("made of noise",)))
    streamed, whole = (read_volume(tmp_path / name) for name in ("a.mrc", "whole.mrc"))
    assert (streamed.voxel_nm, streamed.history) == (whole.voxel_nm, whole.history)
    import mrcfile

    with mrcfile.open(tmp_path / "a.mrc") as a, mrcfile.open(tmp_path / "whole.mrc") as b:
        assert a.header.ispg == b.header.ispg == 1
        for field in ("dmin", "dmax", "dmean", "rms"):
            assert float(a.header[field]) == pytest.approx(float(b.header[field]), rel=1e-5)
    assert mrcfile.validate(tmp_path / "a.mrc")


def test_a_stream_that_fails_leaves_the_older_file(tmp_path):
    outline = VolumeOutline("a", (2, 3, 4))
    (tmp_path / "a.mrc").write_text("older")
    sink = MrcSink(tmp_path, overwrite=True)
    with pytest.raises(KeyboardInterrupt), sink.open_writer(outline):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a.mrc"]
    assert (tmp_path / "a.mrc").read_text() == "older"


def test_a_disk_that_is_too_small_is_told_at_once(tmp_path):
    outline = VolumeOutline("a", (10**6, 10**5, 10**5))
    with (
        pytest.raises(WedgefillError, match="are left on the disk"),
        MrcSink(tmp_path).open_writer(outline),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_closing_removes_the_file_in_the_making(tmp_path, series):
    job = iter_fill(series, FillOptions(methods=("sirt",)), MrcSink(tmp_path))
    while not list(tmp_path.iterdir()):
        next(job)
    job.close()
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_into_memory_is_mapped_and_the_same(series):
    options = FillOptions(methods=("wbp", "sart"), preview=True, slices=(0, 8))
    n_bytes = 4 * 16 * 8 * 16
    volumes = {
        e.method: e.volume.data
        for e in iter_fill(series, options, ArraySink(n_bytes))
        if isinstance(e, Finished)
    }
    assert not isinstance(volumes["wbp"], np.memmap)
    assert isinstance(volumes["sart"], np.memmap)
    expected = fill(series, options).volumes
    for method, data in volumes.items():
        np.testing.assert_array_equal(data, expected[method].data)


def test_networks_do_not_see_where_memory_cut(monkeypatch, series):
    """Strips of the networks overlap; narrower ones agree to rounding."""
    options = FillOptions(methods=("gan",), device="cpu", slices=(0, 40))
    wide = fill(series, options).volumes["gan"].data
    small = replace(METHODS["gan"], memory=replace(METHODS["gan"].memory, strip_bytes=0))
    monkeypatch.setitem(METHODS, "gan", small)
    narrow = fill(series, replace(options)).volumes["gan"].data
    np.testing.assert_allclose(narrow, wide, atol=1e-4 * np.abs(wide).max())


def test_reading_runs_one_ahead_and_errors_arrive():
    read = []

    def reader(item):
        if item == 3:
            raise WedgefillError("the file is gone")
        read.append(item)
        return item * 10

    ahead = read_ahead([1, 2, 3], reader)
    assert next(ahead) == (1, 10)
    deadline = time.monotonic() + 5
    while read != [1, 2] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert read == [1, 2]
    assert next(ahead) == (2, 20)
    with pytest.raises(WedgefillError, match="gone"):
        next(ahead)


def test_writing_is_in_order_in_the_background_and_errors_arrive():
    written, main = [], threading.get_ident()

    def write(item):
        if item == 2:
            raise OSError("no room")
        written.append((item, threading.get_ident() != main))

    def write_five():
        with write_behind() as behind:
            for item in range(5):
                behind.write(partial(write, item))

    with pytest.raises(OSError, match="no room"):
        write_five()
    assert written == [(0, True), (1, True)]


class SlowSink(MrcSink):
    """Completes the first volume only when it is told to, or fails to do so."""

    def __init__(self, folder, error=None):
        super().__init__(folder)
        self.go, self.error = threading.Event(), error

    @contextmanager
    def open_writer(self, outline):
        with super().open_writer(outline) as stream:
            if outline.name.endswith("_wbp"):
                self._delay(stream)
            yield stream

    def _delay(self, stream):
        seal = stream.seal

        def wait():
            assert self.go.wait(10)
            if self.error is not None:
                raise self.error
            seal()

        stream.seal = wait


def test_the_next_method_runs_while_a_volume_is_completed(tmp_path, series):
    sink, seen = SlowSink(tmp_path), []
    for event in iter_fill(series, FillOptions(methods=("wbp", "sart")), sink):
        if isinstance(event, Progress) and event.stage.startswith("SART"):
            seen.append("SART runs")
            sink.go.set()
        elif isinstance(event, Finished):
            seen.append(event.method)
            assert sink.path(VolumeOutline(event.volume.name, (1, 1, 1))).exists()
    assert seen[0] == "SART runs"
    assert [what for what in seen if what != "SART runs"] == ["wbp", "sart"]
    assert set(sink.sha256) == {"noise_wbp", "noise_sart"}


def test_a_volume_that_was_not_told_of_is_not_left_behind(tmp_path, series):
    """Whoever cancels knows of each volume that stays."""
    sink = SlowSink(tmp_path)
    job = iter_fill(series, FillOptions(methods=("wbp", "sart")), sink)
    while not next(job).stage.startswith("SART"):
        pass
    sink.go.set()
    job.close()
    assert not list(tmp_path.iterdir())


def test_a_volume_that_cannot_be_completed_is_the_one_that_is_named(tmp_path, series):
    sink = SlowSink(tmp_path, OSError(errno.ENOSPC, "full"))
    sink.go.set()
    with pytest.raises(WedgefillError, match=r"noise_wbp\.mrc: there is no room left"):
        list(iter_fill(series, FillOptions(methods=("wbp", "sart")), sink))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("methods", [("wbp",), ("wbp", "sart")])
def test_a_disk_that_fills_up_in_a_volume_is_told(tmp_path, series, methods, monkeypatch):
    """Whichever thread finds it, and whatever was to follow: the first sentence is the one."""

    def write(self, start, planes):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(MrcStream, "write", write)
    with pytest.raises(WedgefillError, match=r"noise_wbp\.mrc: there is no room left"):
        list(iter_fill(series, FillOptions(methods=methods), MrcSink(tmp_path)))
    assert not list(tmp_path.iterdir())
