"""A report that was edited, cut short or made up: repeated as it says, or refused in a sentence."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill import validation
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.json_text import write_json
from napari_wedgefill.run.report import read_report, write_report

SHA = "0" * 64
SOUND: dict[str, Any] = {
    "settings": {
        "file": "/a/b.mrc", "angles": None, "dataset": None, "flip": False, "signed_bytes": None,
        "pixel_nm": 0.5, "axis": 85.3, "axis_shift": None, "bin": 1, "negate_angles": False,
        "align": True, "methods": ["wbp"], "model": "small", "device": "auto", "slices": [0, 4],
        "preview": False, "stop": "sweeps", "whole_field": False, "self_check": False,
        "trust": False, "table": False, "png": False, "no_check": False, "no_gain": False,
    },
    "input": {"path": "/a/b.mrc", "sha256": SHA, "bytes": 8},
    "geometry": {"angles_deg": [-60, 0.0, 60], "pixel_nm": 0.5},
    "versions": {"numpy": "2.0"},
    "sha256": {"wbp": SHA},
    "model": {"sha256": {"sinogram": SHA}, "provider": "CPUExecutionProvider"},
    "frames": {"corrected": True, "sentence": "Some."},
    "gain": {"corrected": False, "factors": None, "uncertainty": None, "sentence": "No."},
}  # fmt: skip


def test_a_sound_report_comes_back_as_it_was_written(tmp_path: Path):
    write_report(tmp_path / "report.json", SOUND)
    assert read_report(tmp_path) == SOUND


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        ("settings.methods", "wbp", r"settings\.methods is 'wbp': should be a valid"),
        ("settings.methods", [], r"settings\.methods is \[\]"),
        ("settings.methods", None, r"settings\.methods is None"),
        ("settings.bin", 0, r"settings\.bin is 0: should be greater"),
        ("settings.bin", "2", r"settings\.bin is '2': should be a valid integer"),
        ("settings.slices", [1], r"settings\.slices\.1 is missing"),
        ("settings.slices", [-1, 4], r"settings\.slices\.0 is -1"),
        ("settings.device", "tpu", r"settings\.device is 'tpu'"),
        ("settings.whole_field", 1, r"settings\.whole_field is 1: should be a valid boolean"),
        ("settings.box", "no", r"settings\.box is 'no': should be a valid boolean"),
        ("settings.trust", 1, r"settings\.trust is 1: should be a valid boolean"),
        ("settings.file", 3, r"settings\.file"),
        ("settings.axis", "z", r"settings\.axis"),
        ("input.sha256", None, r"input\.sha256 is None"),
        ("input.sha256", "abc", r"input\.sha256 is 'abc'"),
        ("geometry.angles_deg", "many", r"geometry\.angles_deg is 'many'"),
        ("geometry.angles_deg", [1, None], r"geometry\.angles_deg\.1 is None"),
        ("geometry.pixel_nm", -1, r"geometry\.pixel_nm is -1"),
        ("versions", [], r"versions is \[\]"),
        ("sha256", {"wbp": 3}, r"sha256\.wbp is 3"),
        ("model", "small", r"model is 'small'"),
        ("model.sha256", None, r"model\.sha256 is None"),
        ("frames", "none", r"frames is 'none'"),
        ("gain.factors", 1, r"gain\.factors is 1"),
        ("gain.factors", [1.0, None], r"gain\.factors\.1 is None"),
    ],
)
def test_a_value_of_another_kind_is_named(tmp_path: Path, where: str, value, sentence: str):
    report = copy.deepcopy(SOUND)
    *parts, last = where.split(".")
    inner = report
    for part in parts:
        inner = inner[part]
    inner[last] = value
    write_report(tmp_path / "report.json", report)
    with pytest.raises(WedgefillError, match=rf"cannot be used \({sentence}") as told:
        read_report(tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("older", "whole_field"), [({}, True), ({"box": False}, True), ({"box": True}, False)]
)
def test_an_older_report_says_in_other_words_whether_the_whole_field_was_filled(
    tmp_path: Path, older: dict[str, bool], whole_field: bool
):
    report = copy.deepcopy(SOUND)
    del report["settings"]["whole_field"]
    report["settings"] |= older
    write_report(tmp_path / "report.json", report)
    report["settings"]["whole_field"] = whole_field
    report["settings"].pop("box", None)
    assert read_report(tmp_path) == report


@pytest.mark.parametrize("name", sorted(SOUND["settings"].keys() - {"whole_field"}))
def test_a_setting_that_is_missing_is_named(tmp_path: Path, name: str):
    report = copy.deepcopy(SOUND)
    del report["settings"][name]
    write_report(tmp_path / "report.json", report)
    with pytest.raises(WedgefillError, match=rf"\(settings\.{name} is missing\); give one") as told:
        read_report(tmp_path)
    assert str(told.value).count(". ") == 0
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, '{"a": NaN', "\x00", "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_json_is_refused(tmp_path: Path, text):
    path = tmp_path / "report.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(WedgefillError, match="is not JSON"):
        read_report(path)


@given(place=st.integers(0, 10**6), raw=st.binary(min_size=1, max_size=5))
def test_damaged_bytes_are_read_or_refused(tmp_path_factory, place: int, raw: bytes):
    path = tmp_path_factory.mktemp("damaged") / "report.json"
    write_report(path, SOUND)
    sound = path.read_bytes()
    at = place % len(sound)
    path.write_bytes(sound[:at] + raw + sound[at + len(raw) :])
    with contextlib.suppress(WedgefillError):
        assert isinstance(read_report(path), dict)


def test_a_file_too_large_to_be_a_report_is_not_read(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(validation, "MOST_BYTES", 10)
    write_report(tmp_path / "report.json", SOUND)
    with pytest.raises(WedgefillError, match="which no report does"):
        read_report(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "report.json")
    with pytest.raises(WedgefillError, match="a device or a pipe"):
        read_report(tmp_path)


def test_json_never_holds_what_json_has_not():
    odd = {"a": math.nan, "b": [math.inf, {"c": (-math.inf, 1.5)}], 3: "x"}
    text = write_json(odd)
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name)) == {
        "a": None,
        "b": [None, {"c": [None, 1.5]}],
        "3": "x",
    }
