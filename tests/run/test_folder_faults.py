"""A run into a folder whose disk, neighbours and luck are bad."""

from __future__ import annotations

import hashlib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill import FillOptions, RunOptions, TiltSeries, memory
from napari_wedgefill.atomic import lock_folder
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.run.folder import NotWritten, Provenance, Recorded, iter_run_into
from napari_wedgefill.trust.results_table import ResultsTable

ANGLES_DEG = np.linspace(-60, 60, 25)


@pytest.fixture(scope="module")
def series():
    images = np.random.default_rng(0).normal(10, 0.1, (ANGLES_DEG.size, 4, 24))
    images[:, 1:3, 8:15] += 40
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=0.5, name="block")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "block.mrc"
    path.write_bytes(b"anything")
    return path


def options(*methods: str, **more: bool) -> RunOptions:
    return RunOptions(FillOptions(methods=methods, device="cpu"), **more)


def test_a_table_that_cannot_be_written_costs_neither_volumes_nor_report(
    series, source, tmp_path, monkeypatch
):
    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ResultsTable, "to_csv", fail)
    out = tmp_path / "out"
    asked = options("wbp", "sart", table=True, picture=True)
    events = list(iter_run_into(out, series, asked, Provenance(source)))
    (lost,) = (event for event in events if isinstance(event, NotWritten))
    assert lost.what == "results"
    assert "block_results.csv: there is no room left on the disk" in lost.reason
    report = events[-1].report
    assert report["not_written"] == {"results": lost.reason}
    assert set(report["files"]) == {"wbp", "sart", "png"}
    names = {path.name for path in out.iterdir()}
    assert names == {*report["files"].values(), "report.json"}


def test_the_report_certifies_what_this_run_wrote(series, source, tmp_path, monkeypatch):
    """Another run that replaces a volume at once must not get this one's blessing."""
    out, seen = tmp_path / "out", {}
    for event in iter_run_into(out, series, options("wbp", "sart"), Provenance(source)):
        if isinstance(event, Recorded) and event.path.suffix == ".mrc":
            seen[event.what] = hashlib.sha256(event.path.read_bytes()).hexdigest()
            if event.what == "sart":  # the last: nothing starts from it
                event.path.write_bytes(b"another run's")
    assert event.report["sha256"] == seen


def test_a_folder_that_another_run_writes_into_is_refused_before_anything_is_computed(
    series, source, tmp_path
):
    run = iter_run_into(tmp_path, series, options("wbp"), Provenance(source))
    with lock_folder(tmp_path), pytest.raises(WedgefillError, match="another run is writing"):
        next(run)
    assert [path.name for path in tmp_path.iterdir()] == ["block.mrc"]


def test_what_a_killed_run_left_is_gone_after_the_next(series, source, tmp_path):
    left = tmp_path / ".wedgefill-left.part"
    left.mkdir()
    (left / ".wedgefill-lock").touch()
    (left / "block_wbp.mrc").write_bytes(b"half")
    list(iter_run_into(tmp_path, series, options("wbp"), Provenance(source)))
    assert not left.exists()


@pytest.mark.parametrize(("n_methods", "fits"), [(2, True), (3, False)])
def test_room_for_all_methods_is_checked_before_the_first(
    series, source, tmp_path, monkeypatch, n_methods, fits
):
    each = 1024 + 4 * 24 * 4 * 24
    usage = namedtuple("usage", "free")(2 * each + 100)
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: usage)
    run = iter_run_into(
        tmp_path / "out",
        series,
        options(*("wbp", "sart", "sirt")[:n_methods], align=True),
        Provenance(source),
    )
    if fits:
        assert next(run)
        run.close()
    else:
        with pytest.raises(WedgefillError, match=r"volumes will take .* are left on the disk"):
            next(run)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told(series, source, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises((WedgefillError, OSError), match="file"):
        next(iter_run_into(tmp_path / "file" / "out", series, options("wbp"), Provenance(source)))
