"""`wedgefill batch`: what a list may say, and what is wrong with it before anything is computed."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_wedgefill.batch import cluster, find_series
from napari_wedgefill.io import read_volume
from napari_wedgefill.io.tilt_reader import image_paths


@pytest.fixture
def in_process(monkeypatch):
    """Workers that are threads of this process, which start at once."""
    from distributed import Client

    @contextmanager
    def start(n_workers: int):
        with Client(
            processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0",
            set_as_default=False,
        ) as client:  # fmt: skip
            yield client

    monkeypatch.setattr(cluster, "_start_cluster", start)


@pytest.fixture
def no_cluster(monkeypatch):
    """Fail if workers are started."""

    def start(n_workers: int):
        raise AssertionError("workers were started")

    monkeypatch.setattr(cluster, "_start_cluster", start)


@pytest.fixture
def batch(wedgefill, tmp_path):
    """Run a batch of a list, or of something else."""

    def run(listed: str | Path, *options: object):
        if isinstance(listed, str):
            path = tmp_path / "list.csv"
            path.write_text(listed)
            listed = path
        return wedgefill("batch", listed, "-o", tmp_path / "out", "--methods", "wbp", *options)

    return run


def test_a_list_sets_anything_per_series(batch, in_process, tiny_path, tmp_path):
    (tmp_path / "other.tlt").write_text("\n".join(f"{a}" for a in range(-36, 37, 3)))
    ran = batch(
        "File, name, methods, angles, bin, slices, pixel_nm, negate angles\n"
        "# the first is as it is\n"
        "tiny.mrc\n"
        '\ntiny.mrc, day2/b, "wbp,sart", other.tlt, 2, 0:2, 0.5, yes\n'
    )
    assert ran.code == 0, ran.err
    first = json.loads((tmp_path / "out" / "tiny" / "report.json").read_text())
    other = json.loads((tmp_path / "out" / "day2" / "b" / "report.json").read_text())
    assert (list(first["files"]), list(other["files"])) == (["wbp", "png"], ["wbp", "sart", "png"])
    assert other["geometry"]["angles_deg"][0] == -36
    assert read_volume(tmp_path / "out" / "day2" / "b" / "tiny_sart.mrc").data.shape == (16, 2, 16)
    assert (first["settings"]["pixel_nm"], other["settings"]["pixel_nm"]) == (None, 0.5)
    assert (first["settings"]["negate_angles"], other["settings"]["negate_angles"]) == (False, True)


def test_a_row_wins_over_the_command_line(batch, in_process, tiny_path, tmp_path):
    shutil.copytree(tiny_path.parent, tmp_path / "two", ignore=lambda *_: ["list.csv", "out"])
    ran = batch("file,name,bin,align\ntiny.mrc,a,1,no\ntiny.mrc,b,,\n", "--bin", 2, "--align")
    assert ran.code == 0, ran.err
    settings = [
        json.loads((tmp_path / "out" / name / "report.json").read_text())["settings"]
        for name in "ab"
    ]
    assert [(one["bin"], one["align"]) for one in settings] == [(1, False), (2, True)]


def test_a_report_of_a_batch_repeats_with_fill(batch, in_process, wedgefill, tiny_path, tmp_path):
    batch("file\ntiny.mrc\n")
    ran = wedgefill(
        "fill", "--from-report", tmp_path / "out" / "tiny" / "report.json", "-o", tmp_path / "again"
    )
    assert ran.code == 0
    assert "have the same bytes" in ran.err


def test_semicolons_and_a_byte_order_mark_of_a_spreadsheet(batch, in_process, tiny_path, tmp_path):
    assert batch("\ufefffile;pixel_nm\r\ntiny.mrc;0.5\r\n").code == 0
    assert (tmp_path / "out" / "tiny" / "report.json").exists()


def test_decimal_commas_of_a_spreadsheet(batch, in_process, tiny_path, tmp_path):
    ran = batch("file;pixel_nm;axis-shift;angles\ntiny.mrc;0,5;-1,25;\n", "--methods", "wbp")
    assert ran.code == 0, ran.err
    settings = json.loads((tmp_path / "out" / "tiny" / "report.json").read_text())["settings"]
    assert (settings["pixel_nm"], settings["axis_shift"]) == (0.5, -1.25)


def test_a_folder_is_looked_through(batch, in_process, wedgefill, tiny_path, tmp_path):
    folder = tmp_path / "in"
    for name in ("a.mrc", "deep/a.mrc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_path, folder / name)
        shutil.copy(tiny_path.with_suffix(".tlt"), (folder / name).with_suffix(".tlt"))
    (folder / "broken.mrc").write_text("junk")
    wedgefill("fill", tiny_path, "-o", folder, "--methods", "wbp")  # a volume is passed over
    ran = batch(folder)
    assert ran.code == 1
    assert "2 done, 0 kept, 1 failed" in ran.err
    assert (tmp_path / "out" / "deep" / "a" / "a_wbp.mrc").exists()
    assert "broken.mrc" in (tmp_path / "out" / "summary.csv").read_text()


def test_ranges_with_an_open_end_are_those_of_each_series(
    batch, in_process, wedgefill, tiny_path, tmp_path
):
    listed = "file,name,planes,slices\ntiny.mrc,a,20:,4:\ntiny.mrc,b,:5,\n"
    assert batch(listed, "--methods", "wbp").code == 0
    shapes = [read_volume(tmp_path / "out" / n / "tiny_wbp.mrc").data.shape for n in "ab"]
    assert shapes == [(12, 2, 32), (5, 6, 32)]
    (tmp_path / "list.csv").unlink()
    tiny_path.with_name("bad.mrc").write_bytes(b"no picture")
    found = tmp_path / "found"
    ran = wedgefill("batch", tmp_path, "-o", found, "--methods", "wbp", "--planes", "20:")
    assert "1 done" in ran.err
    assert "1 failed" in ran.err
    assert len(read_volume(found / "tiny" / "tiny_wbp.mrc").data) == 12


def test_stacks_without_angles_in_a_folder_are_told_and_filled_with_angles(
    wedgefill, in_process, write_stack, tmp_path
):
    images = np.random.default_rng(0).random((9, 6, 8), dtype=np.float32)
    folder, out = tmp_path / "in", tmp_path / "out"
    write_stack(folder / "bare.mrc", images, None)
    write_stack(folder / "known.mrc", images, np.linspace(-40, 40, 9))
    ran = wedgefill("batch", folder, "-o", out, "--methods", "wbp")
    assert "note: no tilt angles were found for bare.mrc, passed over" in ran.err
    assert "1 done" in ran.err
    ran = wedgefill("batch", folder, "-o", out, "--methods", "wbp", "--angles", "-40:40")
    assert "2 done" in ran.err
    assert (out / "bare" / "bare_wbp.mrc").exists()


def test_whatever_a_folder_holds_beside_series_is_named(
    batch, in_process, wedgefill, write_stack, tiny_path, tmp_path
):
    """A forgotten .tlt must not look like a finished batch."""
    images = np.random.default_rng(0).random((9, 6, 8), dtype=np.float32)
    folder = tmp_path / "in"
    write_stack(folder / "known.mrc", images, np.linspace(-40, 40, 9))
    with mrcfile.new(folder / "forgotten.mrc") as file:  # space group 1, as mrcfile writes it
        file.set_data(images)
    (folder / "x.rec").write_bytes((folder / "forgotten.mrc").read_bytes())
    write_stack(folder / "overview.mrc", images[:1], None)
    for k in range(2):
        wedgefill("fill", tiny_path, "-o", folder / f"old{k}", "--methods", "wbp,sart")
    ran = batch(folder, "--methods", "wbp")
    assert "1 done, 0 kept, 0 failed" in ran.err
    assert (
        "note: taken for volumes, and passed over: forgotten.mrc (its header says space group 1, "
        "which means a volume), x.rec (its name ends in .rec); if one is a tilt series, put its "
        "angles beside it, in a .tlt of its name, or name the file itself and give --angles."
    ) in ran.err
    assert "note: fewer than 3 images each, and passed over: overview.mrc;" in ran.err
    assert (
        "note: volumes that napari-wedgefill wrote are passed over: old0/tiny_sart.mrc, "
        f"old0/tiny_wbp.mrc, old1/tiny_sart.mrc, and 1 more, which wedgefill info {folder} names."
    ) in ran.err
    (folder / "known.mrc").unlink()
    ran = batch(folder, "--methods", "wbp")
    assert "forgotten.mrc" in ran.err
    assert "no tilt series was found" in ran.err
    ran = batch(folder / "forgotten.mrc", "--angles", "-40:40", "--methods", "wbp")
    assert "1 done" in ran.err  # what was advised


def test_a_folder_that_must_not_be_looked_into_is_one_that_fails(tiny_path, monkeypatch):
    """Such as lost+found; the rest of the disk is filled all the same."""
    (tiny_path.parent / "lost+found").mkdir()

    def look(place):
        if place.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(place))
        return image_paths(place)

    monkeypatch.setattr(find_series, "image_paths", look)
    found = [name for name, _ in find_series.find_series(tiny_path.parent)]
    assert found == ["tiny", "lost+found"]


def test_a_folder_that_holds_its_own_results_is_looked_through_without_them(
    wedgefill, in_process, tiny_path, tmp_path
):
    for said in ("1 done, 0 kept", "0 done, 1 kept"):
        ran = wedgefill("batch", tmp_path, "-o", tmp_path / "out", "--methods", "wbp")
        assert said in ran.err


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ("file,angels\ntiny.mrc,x.tlt\n", "no column 'angels'; did you mean 'angles'?"),
        ("name\ntiny\n", "no column 'file'"),
        ("file,bin,bin\ntiny.mrc,1,2\n", "a column is there twice"),
        ("", "names no series"),
        ("file\n", "names no series"),
        ("file\ntiny.mrc\n\nnowhere.mrc\n", "line 4: "),
        ("file,bin\ntiny.mrc,1\ntiny.mrc,two\n", "line 3: argument --bin"),
        ("file,align\ntiny.mrc,perhaps\n", "line 2: column align: 'perhaps' is neither yes nor no"),
        ("file,bin\ntiny.mrc,64\n", "line 2: "),
        ("file,slices\ntiny.mrc,0:99\n", "line 2: "),
        ("file,planes\ntiny.mrc,0:99\n", "line 2: "),
        ("file,methods\ntiny.mrc,magic\n", "line 2: "),
        ("file,methods,model\ntiny.mrc,gan,enormous\n", "line 2: "),
        ("file,angles\ntiny.mrc,nowhere.tlt\n", "line 2: "),
        ("file,bin\ntiny.mrc,1,2,3\n", "line 2: it has more cells"),
        ("file,name\ntiny.mrc,a\n,b\n", "line 3: no file is named"),
        ("file\ntiny.mrc\ntiny.mrc\n", "line 3: "),
        ("file,bin\ntiny.mrc,1\ntiny.mrc,2\n", "column 'name'"),
        ("file,name\ntiny.mrc,../up\n", "line 2: '../up'"),
    ],
)
def test_a_mistake_in_a_list_is_told_before_anything_is_computed(
    batch, no_cluster, tiny_path, tmp_path, listed, words
):
    ran = batch(listed)
    assert words in ran.complaint
    assert not (tmp_path / "out").exists()


def test_all_lines_are_looked_at_before_the_first_mistake_is_told(batch, no_cluster, tiny_path):
    rows = ["file,name", *(f"tiny.mrc,s{k}" for k in range(38)), "none.mrc,x", "nil.mrc,y"]
    complaint = batch("\n".join(rows)).complaint
    assert "line 40: " in complaint
    assert "line 41: " in complaint


def test_an_empty_folder(batch, no_cluster, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no tilt series was found" in batch(tmp_path / "empty").complaint


def test_a_list_that_is_no_text(batch, no_cluster, tmp_path):
    (tmp_path / "list.csv").write_bytes(b"file\n\xff\xfe\x80.mrc\n")
    assert "it is not text in UTF-8" in batch(tmp_path / "list.csv").complaint
