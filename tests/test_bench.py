"""The speed of this machine, told in a table."""

from __future__ import annotations

import json

import pytest

from napari_wedgefill import bench
from napari_wedgefill.cli import main


def test_every_operation_is_measured_beside_its_limit():
    found = {row["operation"]: row for row in bench.compare_quickly(width=16, repeats=1)}
    assert list(found) == ["forward projection", "back projection", "WBP", "SIRT", "SART", "TVM"]
    for row in found.values():
        assert row["ours_ms"] > 0
        assert 0 < row["share_of_limit"] < 1


def test_the_peer_is_measured_only_where_it_is_installed(monkeypatch):
    def absent(*_):
        raise ImportError

    monkeypatch.setattr(bench, "Astra", absent)
    assert all("ratio" not in row for row in bench.compare_quickly(width=16, repeats=1))


def test_the_command_prints_a_table_and_json(capsys, monkeypatch):
    operation = {"operation": "WBP", "ours_ms": 1.0, "giga_updates": 5.0, "share_of_limit": 0.2}
    networks = {"provider": "CPUExecutionProvider", "sinogram_s": 0.1, "tomogram_s": 0.2}
    monkeypatch.setattr(bench, "compare_quickly", lambda width: [operation])
    monkeypatch.setattr(bench, "time_networks", lambda width: networks)
    assert main(["bench"]) == 0
    printed = capsys.readouterr().out
    assert "WBP" in printed
    assert "networks on CPU: sinogram 0.10 s" in printed
    assert main(["bench", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["operations"] == [operation]


@pytest.mark.parametrize("width", ["4", "99999"])
def test_absurd_widths_are_refused(capsys, width):
    assert main(["bench", "--width", width]) == 1
    assert "between 16 and 2048" in capsys.readouterr().err


def test_the_networks_are_timed_where_they_run():
    found = bench.time_networks(width=32)
    assert found["provider"].endswith("ExecutionProvider")
    assert found["sinogram_s"] > 0
    assert found["tomogram_s"] > 0
