"""The speed page: every part is rendered, and the benchmarks behind it run."""

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Import a script as it runs: with its own folder on the path."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_a_fill_is_timed_by_method_and_put_into_the_page(benchmark, tmp_path, capsys):
    figures = benchmark("fill").fill(tmp_path, 2, 32)
    assert [row["what"] for row in figures["rows"]] == ["wbp", "sart", "tvm", "gan", "all"]
    parts = [row["wall_s"] for row in figures["rows"]]
    assert 0 < sum(parts[:-1]) <= parts[-1]
    page = tmp_path / "speed.md"
    benchmark("speed_page").record("fill", figures | {"gan_s_of": {"huge": 77.7}}, page)
    assert "| all | " in page.read_text()
    assert "With the huge tier `gan` takes 78 s." in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["fill"]["slices"] == 2


def test_the_page_is_what_its_figures_say(benchmark):
    """docs/speed.md was rendered from docs/speed.json and the notes as they are."""
    page = BENCHMARKS.parent / "docs" / "speed.md"
    figures = json.loads(page.with_suffix(".json").read_text())
    assert page.read_text() == benchmark("speed_page").render(figures)
