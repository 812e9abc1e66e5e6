"""`wedgefill fill` with --trust and --table, and repeating a run from its report."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from napari_wedgefill.cli import main
from napari_wedgefill.io import read_volume, write_tilt_series
from napari_wedgefill.run.report import write_report


@pytest.fixture
def refused(wedgefill, tmp_path):
    """Run fill into a folder that must not come to be, and return the complaint."""

    def run(*arguments):
        folder = tmp_path / "refused"
        ran = wedgefill("fill", *arguments, "-o", folder)
        assert not folder.exists()
        return ran.complaint

    return run


def test_the_trust_map_is_a_volume_of_shares(wedgefill, tiny_path, tmp_path):
    words = ["--methods", "gan", "--trust", "--slices", "2:4"]
    ran = wedgefill("fill", tiny_path, "-o", tmp_path, *words)
    assert ran.code == 0, ran.err
    trust = read_volume(tmp_path / "tiny_trust.mrc")
    assert trust.data.shape == (32, 2, 32)
    assert trust.voxel_nm == pytest.approx((0.8, 0.8, 0.8))
    assert 0 <= trust.data.min() < trust.data.max() <= 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["files"]["trust"] == "tiny_trust.mrc"
    assert report["trust"]["sentence"] in ran.err


def test_trust_without_networks_is_refused_before_any_work(refused, tiny_path):
    assert "gan was not chosen" in refused(tiny_path, "--methods", "sart", "--trust")


def test_the_table_holds_every_method_and_every_tilt(wedgefill, tiny_path, tmp_path):
    ran = wedgefill(
        "fill", tiny_path, "-o", tmp_path, "--methods", "wbp,sart", "--table", "--self-check"
    )
    assert ran.code == 0, ran.err
    with (tmp_path / "tiny_results.csv").open(newline="") as file:
        rows = {row["figure"]: row for row in csv.DictReader(file)}
    assert rows["missing wedge"]["series"] == "60"
    assert rows["resolution, half series, FSC 0.143"]["unit"] == "nm"
    for name in ("residual at the measured tilts", "error at withheld tilts, outermost"):
        assert float(rows[name]["sart"]) < float(rows[name]["wbp"])
    assert sum(name.startswith("residual at") for name in rows) == 1 + 25
    assert float(rows["error at withheld -60.00"]["sart"]) > 0
    assert float(rows["elongation found"]["sart"]) > 0
    report = json.loads((tmp_path / "report.json").read_text())["results"]
    assert set(report["histogram"]) == {"wbp", "sart"}
    assert "missing wedge" in ran.err


class TestRepeating:
    """A report suffices to run again, on the very same things."""

    @pytest.fixture(scope="class")
    def made(self, tiny_series, tmp_path_factory):
        """A series and its fill, from which every test begins."""
        folder = tmp_path_factory.mktemp("made")
        path = write_tilt_series(folder / "tiny.mrc", tiny_series)
        words = [
            "fill", path, "-o", folder / "first", "--methods", "wbp,tvm,gan", "--align",
            "--slices", "1:5", "--axis-shift", "0.3", "--no-check",
        ]  # fmt: skip
        assert main([str(word) for word in words]) == 0
        return folder

    @pytest.fixture
    def first(self, made, tiny_path, tmp_path):
        """Results of a fill of `tiny_path`."""
        folder = shutil.copytree(made / "first", tmp_path / "first")
        shutil.copy(made / "tiny.mrc", tiny_path)
        self.change(folder, "settings", "file", to=str(tiny_path))
        return folder

    def read(self, folder):
        return json.loads((folder / "report.json").read_text())

    def change(self, folder, *keys, to):
        report = self.read(folder)
        inner = report
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        write_report(folder / "report.json", report)

    def test_the_same_bytes(self, wedgefill, first, tmp_path):
        again = tmp_path / "again"
        ran = wedgefill("fill", "--from-report", first / "report.json", "-o", again)
        assert ran.code == 0, ran.err
        volumes = sorted(path.name for path in first.glob("*.mrc"))
        assert len(volumes) >= 2
        for name in volumes:
            assert (again / name).read_bytes() == (first / name).read_bytes()
        assert f"all {len(volumes)} volumes have the same bytes" in ran.err

    def test_a_moved_input_is_named(self, wedgefill, first, refused, tiny_path, tmp_path):
        moved = tmp_path / "elsewhere"
        moved.mkdir()
        for path in (tiny_path, tiny_path.with_suffix(".tlt")):
            shutil.move(path, moved / path.name)
        self.change(first, "settings", "methods", to=["wbp"])
        self.change(first, "sha256", to={"wbp": self.read(first)["sha256"]["wbp"]})
        assert "is not there" in refused("--from-report", first / "report.json")
        ran = wedgefill(
            "fill", moved / "tiny.mrc", "--from-report", first, "-o", tmp_path / "again"
        )
        assert ran.code == 0, ran.err
        assert "same bytes" in ran.err

    def test_another_input_is_refused(self, first, refused, tiny_path):
        with tiny_path.open("r+b") as file:
            file.seek(2000)
            file.write(b"\1\2\3\4")
        assert "this is another file" in refused("--from-report", first)

    def test_other_angles_are_refused(self, wedgefill, first, refused, tiny_path):
        angles = np.loadtxt(tiny_path.with_suffix(".tlt")) + 0.5
        tiny_path.with_suffix(".tlt").write_text("\n".join(f"{a:.2f}" for a in angles))
        assert "angles are not those of the report" in refused("--from-report", first)

    def test_another_model_is_refused(self, first, refused):
        self.change(first, "model", "sha256", "tomogram", to="0" * 64)
        assert "tomogram network" in refused("--from-report", first)

    def test_what_differs_is_told(self, wedgefill, first, tmp_path):
        self.change(first, "versions", "numpy", to="0.9")
        self.change(first, "settings", "methods", to=["wbp"])
        self.change(first, "sha256", to={"wbp": "0" * 64})
        ran = wedgefill("fill", "--from-report", first, "-o", tmp_path / "again")
        assert ran.code == 0
        assert "numpy was 0.9" in ran.err
        assert "Not the same bytes as in the report: wbp." in ran.err

    def test_a_setting_beside_the_report_is_refused(self, first, refused):
        assert "--bin" in refused("--from-report", first, "--bin", "2")

    def test_a_report_that_is_none_is_refused(self, refused, tmp_path):
        (tmp_path / "report.json").write_text("{}")
        assert "cannot be used" in refused("--from-report", tmp_path)
        (tmp_path / "report.json").write_text("not JSON")
        assert "not JSON" in refused("--from-report", tmp_path)

    def test_neither_file_nor_report_is_refused(self, refused):
        assert "No FILE" in refused()
