"""`wedgefill demo`, on a tiny series in place of the needle."""

from __future__ import annotations

import pytest

from napari_wedgefill import doctor, methods, samples
from napari_wedgefill.commands import demo


@pytest.fixture
def opened(monkeypatch, tiny_path):
    """Replace the needle, leave out the networks, and catch the command that opens the window."""
    commands = []
    monkeypatch.setattr(samples, "needle_path", lambda: tiny_path)
    monkeypatch.setattr(methods, "DEFAULT_METHODS", ("wbp", "sart"))
    monkeypatch.setattr(demo, "find_spec", lambda name: object())
    monkeypatch.setattr(demo.subprocess, "run", lambda command, check: commands.append(command))
    return commands


def test_without_a_display_it_says_where_the_picture_is(wedgefill, opened, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "has_display", lambda: False)
    ran = wedgefill("demo", "-o", tmp_path / "out")
    assert ran.code == 0
    picture = tmp_path / "out" / "tiny_comparison.png"
    assert str(picture) in ran.out
    assert picture.exists()
    assert (tmp_path / "out" / "report.json").exists()
    assert not opened


def test_with_a_display_napari_gets_the_series_and_every_volume(
    wedgefill, opened, monkeypatch, tmp_path, tiny_path
):
    monkeypatch.setattr(doctor, "has_display", lambda: True)
    assert wedgefill("demo", "-o", tmp_path / "out").code == 0
    (command,) = opened
    assert command[1:3] == ["-m", "napari_wedgefill._napari.window"]
    volumes = [str(tmp_path / "out" / f"tiny_{method}.mrc") for method in ("wbp", "sart")]
    assert command[3:] == [str(tiny_path), *volumes]


def test_no_window_is_obeyed(wedgefill, opened, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "has_display", lambda: True)
    wedgefill("demo", "-o", tmp_path / "out", "--no-window")
    assert not opened
