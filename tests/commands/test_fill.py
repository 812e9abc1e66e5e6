"""`wedgefill fill`: what it writes, what it refuses, and what it leaves when it is stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from PIL import Image

from napari_wedgefill.io import read_volume, write_tilt_series
from napari_wedgefill.joint_model import onnx_session as session
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries

CLASSICAL = "wbp,sart,sirt,tvm"


def test_every_classical_method_becomes_a_volume(wedgefill, tiny_path, tmp_path):
    out = tmp_path / "filled"
    ran = wedgefill("fill", tiny_path, "-o", out, "--methods", CLASSICAL, "--png")
    assert ran.code == 0
    for method in CLASSICAL.split(","):
        volume = read_volume(out / f"tiny_{method}.mrc")
        assert volume.data.shape == (32, 6, 32)
        assert volume.voxel_nm == pytest.approx((0.8, 0.8, 0.8))
        with mrcfile.open(out / f"tiny_{method}.mrc") as file:
            assert file.data.dtype == np.float32
    with Image.open(out / "tiny_comparison.png") as picture:
        assert picture.width > 4 * 300
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(f"tiny_{m}.mrc" for m in CLASSICAL.split(",")), "tiny_comparison.png", "report.json"]
    )


def test_the_report_says_where_the_result_came_from(wedgefill, tiny_path, tmp_path):
    wedgefill("fill", tiny_path, "-o", tmp_path / "out", "--methods", "wbp")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["command"][:2] == ["wedgefill", "fill"]
    assert report["input"]["sha256"] == hashlib.sha256(tiny_path.read_bytes()).hexdigest()
    assert report["versions"]["napari-wedgefill"]
    assert report["files"] == {"wbp": "tiny_wbp.mrc"}
    assert "alignment" not in report


def test_a_folder_counts_with_all_its_files(wedgefill, tmp_path, write_stack):
    folder = tmp_path / "series"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, angle in enumerate((-20.0, 0.0, 20.0)):
        image = rng.normal(size=(1, 4, 16)).astype(np.float32)
        write_stack(folder / f"tilt_{i}.mrc", image, np.array([angle]))
    ran = wedgefill("fill", folder, "-o", tmp_path / "out", "--methods", "wbp")
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "out" / "report.json").read_text())["input"]
    whole = b"".join(path.read_bytes() for path in sorted(folder.glob("*.mrc")))
    assert (found["path"], found["bytes"]) == (str(folder), len(whole))
    assert found["sha256"] == hashlib.sha256(whole).hexdigest()


def test_a_few_slices_and_bins(wedgefill, tiny_path, tmp_path):
    wedgefill("fill", tiny_path, "-o", tmp_path, "--methods", "wbp", "--bin", 2, "--slices", "1:3")
    volume = read_volume(tmp_path / "tiny_wbp.mrc")
    assert volume.data.shape == (16, 2, 16)
    assert volume.voxel_nm == pytest.approx((1.6, 1.6, 1.6))


def test_align_is_done_only_when_asked_for(wedgefill, tiny_path, tmp_path):
    ran = wedgefill("fill", tiny_path, "-o", tmp_path, "--methods", "wbp", "--align")
    assert ran.code == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["alignment"]["shifts_px"]) == 25


def test_the_networks_fill_a_tiny_series(wedgefill, tiny_path, tmp_path):
    ran = wedgefill("fill", tiny_path, "-o", tmp_path, "--methods", "gan", "--device", "cpu")
    assert ran.code == 0
    assert np.isfinite(read_volume(tmp_path / "tiny_gan.mrc").data).all()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["check"]["sentence"] in ran.err
    assert report["recommended"] in ("gan", "tvm")
    report = json.loads((tmp_path / "report.json").read_text())
    assert "CPUExecutionProvider" in json.dumps(report)


def test_an_older_result_is_replaced_only_when_asked_for(wedgefill, tiny_path, tmp_path):
    (tmp_path / "report.json").write_text("old")
    ran = wedgefill("fill", tiny_path, "-o", tmp_path, "--methods", "wbp")
    assert "there already" in ran.complaint
    assert (tmp_path / "report.json").read_text() == "old"
    assert not list(tmp_path.glob("*_wbp.mrc"))
    wedgefill("fill", tiny_path, "-o", tmp_path, "--methods", "wbp", "--overwrite")
    assert json.loads((tmp_path / "report.json").read_text())["files"]


class TestRefusals:
    """Each is one sentence that names the file, and nothing is written."""

    @pytest.fixture
    def refuse(self, wedgefill, tmp_path):
        def run(path, *options, words):
            folder = tmp_path / "out"
            ran = wedgefill("fill", path, "-o", folder, "--methods", "wbp", *options)
            assert words in ran.complaint
            assert not folder.exists()
            return ran.complaint

        return run

    def images(self, n=9):
        return np.random.default_rng(0).normal(size=(n, 4, 16)).astype(np.float32)

    def test_another_number_of_angles(self, refuse, write_stack, tmp_path):
        path = write_stack(tmp_path / "a.mrc", self.images(), None)
        (tmp_path / "five.tlt").write_text("-20\n-10\n0\n10\n20\n")
        text = refuse(path, "--angles", tmp_path / "five.tlt", words="5 angles")
        assert "9" in text

    def test_a_volume(self, refuse, tiny_path, wedgefill, tmp_path):
        wedgefill("fill", tiny_path, "-o", tmp_path / "first", "--methods", "wbp")
        refuse(tmp_path / "first" / "tiny_wbp.mrc", words="volume")

    def test_a_file_that_is_not_there(self, refuse, tmp_path):
        refuse(tmp_path / "nowhere.mrc", words="nowhere.mrc")

    def test_a_file_that_is_no_image(self, refuse, tmp_path):
        (tmp_path / "text.mrc").write_text("not an image\n" * 200)
        refuse(tmp_path / "text.mrc", words="text.mrc")

    def test_a_truncated_file(self, refuse, tmp_path, tiny_path):
        whole = tiny_path.read_bytes()
        cut = tmp_path / "cut.mrc"
        cut.write_bytes(whole[: len(whole) // 2])
        shutil.copy(tiny_path.with_suffix(".tlt"), tmp_path / "cut.tlt")
        refuse(cut, words="cut.mrc")

    @pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (3.0, "same value")])
    def test_images_without_signal(self, refuse, write_stack, tmp_path, value, words):
        images = np.full((9, 4, 16), value, np.float32)
        refuse(write_stack(tmp_path / "a.mrc", images, np.arange(9) * 10.0 - 40), words=words)

    def test_no_angles(self, refuse, write_stack, tmp_path):
        refuse(write_stack(tmp_path / "a.mrc", self.images(), None), words="angles")

    def test_two_tilts(self, refuse, write_stack, tmp_path):
        path = write_stack(tmp_path / "a.mrc", self.images(2), np.array([-10.0, 10.0]))
        refuse(path, words="at least 3")

    def test_an_unknown_method(self, refuse, tiny_path):
        refuse(tiny_path, "--methods", "magic", words="magic")

    def test_an_unknown_model(self, refuse, tiny_path):
        refuse(tiny_path, "--methods", "gan", "--model", "enormous", words="enormous")

    def test_a_model_whose_hash_is_wrong(self, refuse, tiny_path, tmp_path):
        copy = tmp_path / "tampered"
        shutil.copytree(load("small").folder, copy)
        with (copy / "tomogram.onnx").open("ab") as file:
            file.write(b"\0")
        refuse(tiny_path, "--methods", "gan", "--model", copy, words="tomogram.onnx")

    def test_cuda_where_there_is_none(self, refuse, tiny_path, monkeypatch):
        monkeypatch.setattr(session, "find_cuda_obstacle", lambda: "no NVIDIA driver was found")
        found = refuse(tiny_path, "--methods", "gan", "--device", "cuda", words="CUDA")
        assert "no NVIDIA driver was found" in found

    def test_slices_that_do_not_exist(self, refuse, tiny_path):
        refuse(tiny_path, "--slices", "4:40", words="4:40")

    def test_a_bin_that_leaves_nothing(self, refuse, tiny_path):
        refuse(tiny_path, "--bin", "64", words="bin")

    def test_an_output_that_is_a_file(self, wedgefill, tiny_path, tmp_path):
        (tmp_path / "taken").write_text("")
        ran = wedgefill("fill", tiny_path, "-o", tmp_path / "taken", "--methods", "wbp")
        assert "taken" in ran.complaint


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "napari_wedgefill.cli", "fill", str(needle_path())]
    started = subprocess.Popen(
        [*command, "-o", str(out), "--methods", "sart,tvm"],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    started.send_signal(signal.SIGINT)
    _, complaint = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "stopped" in complaint
    assert "Traceback" not in complaint
    assert not list(out.glob(".*"))
    for path in out.glob("*.mrc"):
        read_volume(path)
    assert not (out / "report.json").exists()


def test_a_ctrl_c_that_was_dropped_stops_the_job_all_the_same(wedgefill, tiny_path, tmp_path):
    """A callback of a compiled library swallows the exception; the request must survive it."""
    from napari_wedgefill.run import folder

    def swallow(*_: object) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "describe_input", lambda *a: swallow() or {})
        ran = wedgefill("fill", tiny_path, "-o", tmp_path / "out", "--methods", "sart")
    assert ran.code == 130
    assert not (tmp_path / "out").exists()


def test_the_self_check_is_reported(wedgefill, tiny_path, tmp_path):
    out = tmp_path / "out"
    ran = wedgefill("fill", tiny_path, "-o", out, "--methods", "wbp,sart", "--self-check")
    assert ran.code == 0
    check = json.loads((out / "report.json").read_text())["self_check"]
    assert check["outermost"]["sart"] < check["outermost"]["wbp"]
    assert check["sentence"] in ran.err


def test_the_self_check_command_prints_a_table(wedgefill, tiny_path):
    ran = wedgefill("self-check", tiny_path, "--methods", "wbp,sart")
    assert ran.code == 0
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[0] == ["withheld", "wbp", "sart"]
    assert rows[1][:2] == ["-60.00", "outermost"]
    assert [row[:2] for row in rows[-2:]] == [["all", "inside"], ["all", "outermost"]]
    assert all(figure.endswith("%") for row in rows[1:] for figure in row[2:])


def test_the_box_is_said_undone_and_repeated_as_it_was(wedgefill, tmp_path):
    """Reports of before the box, which do not say what was filled, mean the whole field."""
    u, angles = np.arange(160) - 79.5, np.arange(-60.0, 61.0, 15.0)
    rows = np.sqrt(np.clip(144 - (u - 9 * np.cos(np.deg2rad(angles))[:, None]) ** 2, 0, None))
    series = TiltSeries.from_arrays(np.stack([rows, rows], axis=1), angles, pixel_nm=1.0)
    path = write_tilt_series(tmp_path / "rod.mrc", series)
    outputs, reports = {}, {}
    for name, options in (("box", ()), ("whole", ("--whole-field",))):
        ran = wedgefill("fill", path, "-o", tmp_path / name, "--methods", "sart", *options)
        outputs[name] = ran.out + ran.err
        reports[name] = json.loads((tmp_path / name / "report.json").read_text())
    assert (
        "Filled in the box of the specimen, 128 x 2 x 128 of 160 x 2 x 160 voxels" in outputs["box"]
    )
    assert "--whole-field" in outputs["box"]
    assert "Filled over the whole field of view: that was asked for." in outputs["whole"]
    assert reports["box"]["box"]["z"] == [16, 144]
    assert reports["whole"]["box"] is None
    assert reports["box"]["sha256"] != reports["whole"]["sha256"]
    del reports["whole"]["settings"]["whole_field"], reports["whole"]["settings"]["planes"]
    (tmp_path / "older.json").write_text(json.dumps(reports["whole"]))
    for report in (tmp_path / "box", tmp_path / "older.json"):
        again = tmp_path / f"{report.stem} again"
        ran = wedgefill("fill", "--from-report", report, "-o", again)
        assert "Repeated: all 1 volumes" in ran.out + ran.err


def test_planes_are_kept_in_their_place_and_repeated(wedgefill, tiny_path, tmp_path):
    whole, thin, again = (tmp_path / name for name in ("whole", "thin", "again"))
    assert wedgefill("fill", tiny_path, "-o", whole, "--methods", "wbp").code == 0
    ran = wedgefill("fill", tiny_path, "-o", thin, "--methods", "wbp", "--planes", "10:25")
    assert ran.code == 0
    volumes = [read_volume(folder / "tiny_wbp.mrc") for folder in (whole, thin)]
    np.testing.assert_array_equal(volumes[1].data, volumes[0].data[10:25])
    assert volumes[1].first_plane == 10
    ran = wedgefill("fill", "--from-report", thin, "-o", again)
    assert "Repeated: all 1 volumes" in ran.err
    ran = wedgefill("fill", tiny_path, "-o", tmp_path / "none", "--planes", "30:40")
    assert "planes 30:40 were asked for, but it has 32 along the beam" in ran.complaint
    assert not (tmp_path / "none").exists()


def test_ranges_with_an_open_end_go_to_the_end(wedgefill, tiny_path, tmp_path):
    whole, some = tmp_path / "whole", tmp_path / "some"
    assert wedgefill("fill", tiny_path, "-o", whole, "--methods", "wbp").code == 0
    ran = wedgefill(
        "fill", tiny_path, "-o", some, "--methods", "wbp", "--planes", "20:", "--slices", ":2"
    )
    assert ran.code == 0, ran.err
    volumes = [read_volume(folder / "tiny_wbp.mrc").data for folder in (whole, some)]
    np.testing.assert_allclose(volumes[1], volumes[0][20:, :2], atol=1e-5)
    settings = json.loads((some / "report.json").read_text())["settings"]
    assert settings["planes"] == [20, 32]
    assert settings["slices"] == [0, 2]
    ran = wedgefill("fill", tiny_path, "-o", tmp_path / "none", "--planes", "32:")
    assert "planes 32: were asked for, but there are 32" in ran.complaint
    assert not (tmp_path / "none").exists()
