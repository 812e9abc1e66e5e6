"""The table of methods: complete, in order, and open for one more."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill import FillOptions, TiltSeries, fill, iter_fill
from napari_wedgefill.cli import main
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import read_volume, write_tilt_series
from napari_wedgefill.methods import (
    METHODS,
    Memory,
    Method,
    Solution,
    check_methods,
    label_of,
    sort_by_dependence,
)
from napari_wedgefill.pipeline.events import Finished

ANGLES_DEG = np.linspace(-60, 60, 25)


@pytest.fixture(scope="module")
def series():
    images = np.random.default_rng(0).normal(10, 0.1, (ANGLES_DEG.size, 4, 24))
    images[:, 1:3, 8:15] += 40
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=0.5, name="block")


def sharpen(problem):
    """Solve by a sixth method: half as much again of what SART found."""
    sart = problem.starts["sart"]
    yield "SHARP", 0.5
    return Solution(sart * np.float32(1.5))


@pytest.fixture
def sixth(monkeypatch):
    """Add a method to the table: nothing else is touched."""
    method = Method(
        name="sharp",
        label="Sharp",
        tip="Half as much again.",
        colour="#123456",
        cost=1.0,
        memory=Memory(volumes=2.0, sinograms=1.0),
        solve=sharpen,
        uses=("sart",),
    )
    monkeypatch.setitem(METHODS, method.name, method)
    return method


def test_a_sixth_method_runs_in_a_fill(series, sixth):
    """Asked for before the method that it uses, it still starts from its result."""
    result = fill(series, FillOptions(methods=("sharp", "sart")))
    assert list(result.volumes) == ["sharp", "sart"]
    np.testing.assert_allclose(
        result.volumes["sharp"].data, 1.5 * result.volumes["sart"].data, rtol=1e-5
    )
    assert result.report["methods"] == ["sharp", "sart"]
    assert result.report["seconds"]["sharp"] >= 0


def test_a_sixth_method_runs_on_the_command_line(series, sixth, tmp_path, capsys):
    path = write_tilt_series(tmp_path / "block.mrc", series)
    out = tmp_path / "out"
    words = [str(path), "-o", str(out), "--methods", "sart,sharp", "--png", "--table"]
    assert main(["fill", *words, "--self-check"]) == 0
    volumes = [read_volume(out / f"block_{name}.mrc").data for name in ("sart", "sharp")]
    np.testing.assert_allclose(volumes[1], 1.5 * volumes[0], rtol=1e-5)
    report = json.loads((out / "report.json").read_text())
    assert set(report["self_check"]["outermost"]) == {"sart", "sharp"}
    assert "sharp" in report["results"]["shell_correlation"]["methods"]
    assert "block_sharp.mrc" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["fill", "--help"])
    assert "of wbp, sart, sirt, tvm, gan and sharp" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_method_stands_below_those_that_it_uses():
    names = list(METHODS)
    for name, method in METHODS.items():
        assert name == method.name
        for used in method.uses:
            assert names.index(used) < names.index(name)


def test_every_method_can_be_told_apart():
    for field in ("label", "tip", "colour"):
        assert len({getattr(method, field) for method in METHODS.values()}) == len(METHODS)
    for method in METHODS.values():
        assert re.fullmatch("#[0-9a-f]{6}", method.colour)
        assert method.cost > 0
    assert label_of("tvm") == "TVM"
    assert label_of("other") == "OTHER"


def test_the_order_of_the_request_changes_no_byte(series):
    """What a method starts from does not depend on which was named first."""
    orders = ("sart", "tvm", "gan"), ("gan", "tvm", "sart")
    results = [fill(series, FillOptions(methods=names, device="cpu")) for names in orders]
    for name in orders[0]:
        np.testing.assert_array_equal(*(result.volumes[name].data for result in results))
    events = iter_fill(series, FillOptions(methods=orders[1], device="cpu"))
    assert [e.method for e in events if isinstance(e, Finished)] == list(orders[0])


def test_names_are_sorted_and_checked():
    assert [m.name for m in sort_by_dependence(["gan", "wbp", "gan"])] == ["wbp", "gan"]
    with pytest.raises(WedgefillError, match="no method 'wpb'; choose from wbp, sart, sirt, tvm"):
        check_methods(["wbp", "wpb"])


def test_a_result_that_does_not_suit_is_not_used(series, monkeypatch):
    """SART of another effort than the networks were trained on is computed anew."""
    sart = METHODS["sart"]
    alone = fill(series, FillOptions(methods=("gan",), device="cpu")).volumes["gan"].data
    longer = replace(sart, effort=replace(sart.effort, usual=20))
    monkeypatch.setitem(METHODS, "sart", longer)
    beside = fill(series, FillOptions(methods=("sart", "tvm", "gan"), device="cpu"))
    np.testing.assert_array_equal(beside.volumes["gan"].data, alone)


def test_the_table_loads_no_solver():
    script = (
        "import sys, napari_wedgefill.methods, napari_wedgefill.run.options\n"
        "print(*(m for m in ('numba', 'scipy', 'onnxruntime', 'torch') if m in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
