"""The measurement of alignments goes on where it stopped, and says what it did not measure."""

import json

import pytest

from benchmarks.quality import alignment
from benchmarks.quality.alignment import OURS, describe_all, measure, measure_again, render

GOOD = {"shift_px": 0.1, "axis_px": 0.1, "axis_deg": 0.1}
BAD = {"shift_px": 1.0, "axis_px": 1.0, "axis_deg": 1.0}


@pytest.fixture
def measured(monkeypatch):
    """Let every measurement take no time; lists who measured which object and seed."""
    calls = []

    def of_ours(series, truth):
        calls.append((OURS, series))
        return GOOD

    def of_peer(peer, python, series, truth):
        calls.append((peer, series))
        return {"method": BAD}

    monkeypatch.setattr(alignment, "simulate", lambda name, seed, noise: ((name, seed), None))
    monkeypatch.setattr(alignment, "without_bad_images", lambda series, truth: (series, truth))
    monkeypatch.setattr(alignment, "ours", of_ours)
    monkeypatch.setattr(alignment, "of_peer", of_peer)
    return calls


def test_a_measured_series_is_kept_and_only_a_new_peer_measures_it_again(measured, tmp_path):
    data, asked = tmp_path / "a.json", describe_all(["needle"], [0])
    measure({"etspy": "python"}, data, asked, 1.0)
    assert measured == [(OURS, ("needle", 0)), ("etspy", ("needle", 0))] * 4
    measured.clear()
    measure({"etspy": "python", "tiltxcorr": "python"}, data, asked, 1.0)
    assert measured == [("tiltxcorr", ("needle", 0))] * 4
    assert len(json.loads(data.read_text())["rows"]) == 4


def test_no_series_is_begun_when_the_time_is_up(measured, tmp_path, capsys):
    measure({"etspy": "python"}, tmp_path / "a.json", describe_all(), -1.0)
    assert measured == []
    assert "the next call goes on from here" in capsys.readouterr().out


def test_the_page_says_which_series_were_measured(measured, tmp_path):
    data = tmp_path / "a.json"
    measure({"etspy": "python"}, data, describe_all(["needle"], [0])[:3], 1.0)
    page = render(json.loads(data.read_text()))
    assert "| needle | 100 electrons | yes | 0 | 0.10 | 0.10 | 0.10 | 1.00 | 1.00 | 1.00 |" in page
    assert "3 of 48 series were measured." in page
    assert "needle, noise none, without bad images" in page
    assert "needle, noise none, with bad images" not in page


def test_what_another_version_aligned_is_aligned_again_and_the_peers_are_kept(
    measured, tmp_path, monkeypatch
):
    data, asked = tmp_path / "a.json", describe_all(["needle"], [0])[:2]
    measure({"etspy": "python"}, data, asked, 1.0)
    measured.clear()
    measure_again(data, asked, 1.0)
    assert measured == []
    monkeypatch.setattr(alignment, "find_version", lambda: "another")
    measure_again(data, asked[:1], 1.0)
    assert measured == [(OURS, ("needle", 0))]
    rows = json.loads(data.read_text())["rows"]
    assert [row["etspy"] for row in rows] == [{"method": BAD}] * 2
    assert rows[0]["version"] == "another"
