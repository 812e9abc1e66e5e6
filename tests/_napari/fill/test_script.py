"""The example that drives the dock from a script."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "drive_the_dock.py"


@pytest.mark.slow
def test_the_example_drives_the_dock(make_napari_viewer, qtbot, hands, capsys):
    spec = importlib.util.spec_from_file_location("drive_the_dock", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    viewer = make_napari_viewer()
    dock = example.open_dock(viewer)
    runs = example.fill_some_slices(dock)
    qtbot.waitUntil(lambda: bool(runs), timeout=120_000)
    hands.finish(dock)
    (run,) = runs
    assert list(run.volumes) == ["wbp", "sart"]
    assert run.volumes["sart"].data.shape[1] == 2
    assert "wbp, sart" in capsys.readouterr().out
