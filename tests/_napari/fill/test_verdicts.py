"""Self-check, trust map and results in the dock: run after the fill, shown, cancelled."""

import re
import time

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.compare.layer_source import choose_at_first, list_comparable
from napari_wedgefill._napari.fill import worker as worker_module
from napari_wedgefill._napari.fill.verdict import Verdict
from napari_wedgefill._napari.layers import TRUST, LayerMap
from napari_wedgefill._napari.results.plots import (
    LEFT,
    RIGHT,
    CurvePlot,
    choose_top,
    histogram_curves,
)
from napari_wedgefill._napari.results.window import ResultsWindow
from napari_wedgefill._napari.runs import Run
from napari_wedgefill.methods import METHODS
from napari_wedgefill.pipeline.events import Done, Finished
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.run.run import iter_run
from napari_wedgefill.trust.results_table import ResultsTable
from napari_wedgefill.trust.verdicts import QuickCheck, SelfCheck, TrustMap
from napari_wedgefill.volume import Volume


def test_self_check_shows_a_table_and_a_sentence(docked_quick, hands):
    viewer, dock = docked_quick
    dock.update(self_check=True, whole_field=True)
    hands.fill(dock)
    words = dock.verdict.words.text()
    assert words.startswith("At the withheld outermost tilts")
    assert words.endswith("Filled over the whole field of view: that was asked for.")
    assert dock.workbench.runs.runs[-1].name.endswith("whole field")
    cells = dock.verdict.cells()
    assert cells[:4] == ["withheld tilts", "inside", "outermost", "WBP"]
    assert sum("%" in cell for cell in cells) == 4
    assert "-60.0\N{DEGREE SIGN} (outermost): WBP" in dock.verdict.errors.toolTip()
    assert "discs WBP" in viewer.layers
    assert dock.footer.status.text().startswith("Done in")


@pytest.mark.parametrize(
    ("errors", "words", "name"),
    [
        ({"tvm": 0.05, "gan": 0.067}, "Do not use GAN here", "discs GAN (doubtful)"),
        ({"tvm": 0.08, "gan": 0.060}, "Trust GAN here", "discs GAN"),
    ],
)
def test_the_quick_check_is_read_beside_the_volumes_and_marks_what_to_doubt(
    docked, monkeypatch, hands, errors, words, name
):
    """Where TVM is better, its column is the first in Compare."""
    viewer, dock = docked
    volume = Volume(np.random.default_rng(0).random((32, 6, 32), np.float32), name="discs")

    def fill_and_check(series, options, session):
        for method in options.fill.methods:
            yield Finished(method, volume, 1.0)
        yield QuickCheck("gan", 0.1, 25, errors, 0.01, {"tvm": 0.02, "gan": 0.02})
        yield Done({})

    monkeypatch.setattr(worker_module, "iter_run", fill_and_check)
    dock.update(methods=("wbp", "tvm", "gan"))
    hands.fill(dock)
    assert dock.verdict.words.text().startswith(words)
    told = dock.footer.status.text()
    assert re.search(rf"check\xa0\d+\xa0s\. {words}", told)
    assert told.endswith("%).")
    assert name in viewer.layers
    first = "TVM" if "doubtful" in name else "WBP"
    assert choose_at_first(list_comparable(viewer))[0].name == f"discs {first}"


def test_a_series_without_runs_shows_no_verdict_of_another(docked, other, hands):
    viewer, dock = docked
    dock.methods.value = ("wbp",)
    hands.fill(dock)
    run = dock.run_box.value
    assert dock.verdict.words.text()
    viewer.add_layer(other)
    assert dock.series.value is other
    assert dock.run_box.value is None
    assert dock.verdict.words.text() == ""
    assert not dock.footer.results_button.isEnabled()
    dock.run_box.value = run  # it can still be looked at
    assert dock.verdict.words.text()
    assert dock.footer.results_button.isEnabled()
    dock.series.value = viewer.layers["discs"]
    assert dock.run_box.value is run


def test_cancelling_a_check_keeps_the_volumes(docked_quick, qtbot, monkeypatch, hands):
    viewer, dock = docked_quick

    def run_and_check_for_ever(series, options, session):
        yield from iter_run(series, options, session=session)
        while True:
            time.sleep(0.01)
            yield Progress("checking", 0.5, None)

    monkeypatch.setattr(worker_module, "iter_run", run_and_check_for_ever)
    hands.click(dock.footer.fill_button)
    qtbot.waitUntil(lambda: "Checking" in dock.footer.status.text(), timeout=60_000)
    hands.click(dock.footer.cancel_button)
    hands.finish(dock)
    said = dock.footer.status.text()
    assert "the volumes stay among the layers (WBP, SART)" in said
    assert "To go on" not in said
    assert "discs SART" in viewer.layers
    assert dock.footer.results_button.isEnabled()


@pytest.mark.slow
def test_the_trust_map_is_a_layer_of_its_own(loaded, hands):
    viewer, dock = loaded
    dock.update(methods=("sart", "gan"), trust_map=True, slices=(2, 4))
    hands.fill(dock)
    layer = viewer.layers["trust 2:4 discs"]
    assert layer not in viewer.layers.selection  # the controls are those of what is seen
    gan = dock.workbench.runs.runs[-1].volumes["gan"]
    assert LayerMap.of(layer).kind == TRUST
    assert layer.data.shape == gan.data.shape
    np.testing.assert_allclose(layer.translate, gan.translate)
    assert 0 <= layer.data.min() <= layer.data.max() <= 1
    assert layer.contrast_limits == [0.7, 1.0]
    assert gan.contrast_limits == viewer.layers["SART 2:4 discs"].contrast_limits
    assert np.asarray(layer.colormap.map(np.array([1.0])))[0, 3] == 0
    assert not layer.visible
    hands.click(dock.footer.trust_button)
    assert [shown.name for shown in viewer.layers if shown.visible] == [gan.name, layer.name]
    assert not viewer.canvas.grid.enabled  # one over the other
    hands.click(dock.footer.view_buttons["YZ"])
    assert layer.visible
    hands.click(dock.footer.trust_button)
    assert not layer.visible
    assert viewer.canvas.grid.enabled
    assert "Trust map:" in dock.verdict.words.text()
    (run,) = dock.workbench.runs.runs
    assert run.trust is layer
    assert [str(c) for c in dock.series.choices if c is not None] == ["discs"]


def test_trust_without_networks_is_told_before_any_work(docked_quick, hands):
    viewer, dock = docked_quick
    dock.trust_map.value = True
    hands.fill(dock)
    assert "gan" in dock.footer.status.text().lower()
    assert len(viewer.layers) == 1


def test_results_open_in_a_window_and_are_copied(quick, hands):
    viewer, dock = quick
    assert not dock.footer.results_button.isEnabled()
    hands.fill(dock)
    hands.click(dock.footer.results_button)
    hands.finish(dock)
    (window,) = viewer.window._qt_window.findChildren(ResultsWindow)
    assert window.grid.columnCount() == 5
    assert window.grid.item(0, 0).text() == "tilts"
    window.copy_button.click()
    copied = QApplication.clipboard().text().splitlines()
    assert copied[0] == "figure,unit,series,wbp,sart"
    assert any(line.startswith("residual at -60.00,") for line in copied)
    plots = {plot.shown.name: plot.shown for plot in window.findChildren(CurvePlot)}
    assert set(plots) == {
        "residual by tilt",
        "FSC of half series",
        "histogram",
    }
    for shown in plots.values():
        assert set(shown.curves) == {"wbp", "sart"}
        if shown.name != "residual by tilt":  # where one bad method may leave the plot
            assert max(max(values) for _, values in shown.curves.values()) <= shown.top
    for plot in window.findChildren(CurvePlot):  # the words below the axis stay apart
        words = plot.fontMetrics().horizontalAdvance("  ".join((*plot.shown.ends, plot.shown.name)))
        assert words < plot.minimumWidth() - LEFT - RIGHT
    window.grab()
    window.close()


def test_densities_in_detector_units_are_written_out():
    counts = {"sart": {"range": [-31000.0, 1013.4], "counts": [3, 200, 5]}}
    table = ResultsTable("needle", ("sart",), (), curves={"histogram": counts})
    shown = histogram_curves(table)
    assert [len(end) <= 6 and "e" not in end for end in shown.ends] == [True, True]


def test_one_bad_method_does_not_press_the_others_flat():
    assert choose_top([0.4, 0.05, 0.04]) == pytest.approx(1.05 * 0.15)
    assert choose_top([0.06, 0.05]) == pytest.approx(1.05 * 0.06)
    assert choose_top([]) > 0
    assert choose_top([0.0, 0.0]) > 0


@pytest.fixture
def verdict(qtbot):
    widget = Verdict()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def checked(series):
    figures = {"wbp": 0.5, "sart": 0.1, "tvm": 0.05, "gan": 0.04}
    run = Run("standard", series, FillOptions())
    run.self_check = SelfCheck(figures, figures, (), (60.0,), (0, 6))
    run.trust_map = TrustMap(Volume(np.ones((2, 2, 2), np.float32)), 0.1, 0.9)
    return run


def test_the_least_error_is_bold(verdict, checked):
    verdict.show_run(checked)
    bold = [cell for cell in verdict.cells() if "<b>" in cell]
    assert bold == ["<b>4.0 %</b>"] * 2
    verdict.show_run(None)
    assert verdict.cells() == []
    assert verdict.words.text() == ""


def test_the_verdict_fits_beside_a_small_screen(loaded, checked):
    _, dock = loaded
    dock.verdict.show_run(checked)
    assert dock.native.minimumSizeHint().height() < 560
    assert dock.native.minimumSizeHint().width() < 420


def test_a_method_has_one_colour_in_every_window(qtbot):
    from napari_wedgefill._napari.compare.theme import line_colours
    from napari_wedgefill._napari.results.plots import find_colour

    names = list(METHODS)
    compared = line_colours([METHODS[name].colour for name in names])
    assert [colour.name() for colour in compared] == [find_colour(name).name() for name in names]
    assert [colour.name() for colour in compared] == [METHODS[name].colour for name in names]


def test_two_runs_of_one_method_are_told_apart_in_a_plot():
    from napari_wedgefill._napari.compare.theme import line_colours

    colours = line_colours(["#fabe50", "#fabe50", "", "#fabe50"])
    assert len({colour.name() for colour in colours}) == 4
