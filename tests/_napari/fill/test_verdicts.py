"""Self-check, trust map and results in the widget: run after the fill, shown, cancelled."""

import time

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.fill import checks as checks_module
from napari_wedgefill._napari.fill import worker as worker_module
from napari_wedgefill._napari.fill.checks import shares, with_checks
from napari_wedgefill._napari.fill.filled import Filled
from napari_wedgefill._napari.layers import TRUST, LayerMap
from napari_wedgefill._napari.results.plots import (
    LEFT,
    RIGHT,
    CurvePlot,
    highest_shown,
    histogram_curves,
)
from napari_wedgefill._napari.results.window import ResultsWindow
from napari_wedgefill.pipeline.events import Done, Finished
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.trust.results_table import ResultsTable
from napari_wedgefill.trust.verdicts import SelfCheck, TrustMap
from napari_wedgefill.volume import Volume


def run(widget, qtbot, press) -> None:
    press()
    qtbot.waitUntil(lambda: not widget.is_running, timeout=60_000)


@pytest.fixture
def quick(loaded):
    """Return the viewer and the widget with two quick methods checked."""
    viewer, widget = loaded
    widget.method_panel.method_checks["tvm"].setChecked(False)
    return viewer, widget


def test_self_check_shows_a_table_and_a_sentence(quick, qtbot):
    viewer, widget = quick
    widget.trust_panel.self_check.setChecked(True)
    run(widget, qtbot, widget.fill)
    panel = widget.trust_panel
    assert panel.verdict.text().startswith("At the withheld outermost tilts")
    cells = [panel._grid.itemAt(i).widget().text() for i in range(panel._grid.count())]
    assert cells[:4] == ["withheld tilts", "inside", "outermost", "WBP"]
    assert sum("%" in cell for cell in cells) == 4
    assert "-60.0\N{DEGREE SIGN} (outermost): WBP" in panel._errors.toolTip()
    assert "discs WBP" in viewer.layers
    assert widget.run_panel.status.text().startswith("Done in")
    widget.trust_panel.self_check.setChecked(False)
    run(widget, qtbot, widget.fill)
    assert panel.verdict.text() == ""


def test_cancelling_a_check_keeps_the_volumes(quick, qtbot, monkeypatch):
    viewer, widget = quick

    def endless(series, options):
        while True:
            time.sleep(0.01)
            yield Progress("checking", 0.5, None)

    monkeypatch.setattr(checks_module, "iter_self_check", endless)
    widget.trust_panel.self_check.setChecked(True)
    widget.fill()
    qtbot.waitUntil(lambda: "Checking" in widget.run_panel.status.text(), timeout=10_000)
    run(widget, qtbot, widget.cancel)
    assert "the volumes stay" in widget.run_panel.status.text()
    assert "discs SART" in viewer.layers
    assert widget.trust_panel.results_button.isEnabled()


def test_the_trust_map_is_a_layer_of_its_own(loaded, qtbot):
    viewer, widget = loaded
    for method, check in widget.method_panel.method_checks.items():
        check.setChecked(method in ("sart", "gan"))
    widget.trust_panel.trust_map.setChecked(True)
    run(widget, qtbot, widget.fill)
    layer = viewer.layers["discs trust"]
    gan = viewer.layers["discs GAN"]
    assert LayerMap.of(layer).kind == TRUST
    assert layer.data.shape == gan.data.shape
    np.testing.assert_allclose(layer.translate, gan.translate)
    assert 0 <= layer.data.min() <= layer.data.max() <= 1
    assert layer.contrast_limits == [0.7, 1.0]
    assert gan.contrast_limits == viewer.layers["discs SART"].contrast_limits
    assert np.asarray(layer.colormap.map(np.array([1.0])))[0, 3] == 0
    assert layer.visible
    assert "Trust map:" in widget.trust_panel.verdict.text()
    box = widget.series_panel.layer_box
    assert [box.itemText(i) for i in range(box.count())] == ["discs"]


def test_trust_without_networks_is_told_before_any_work(quick, qtbot):
    viewer, widget = quick
    widget.trust_panel.trust_map.setChecked(True)
    run(widget, qtbot, widget.fill)
    assert "gan was not chosen" in widget.run_panel.status.text()
    assert len(viewer.layers) == 1


def test_results_open_in_a_window_and_are_copied(quick, qtbot):
    _, widget = quick
    panel = widget.trust_panel
    assert not panel.results_button.isEnabled()
    run(widget, qtbot, widget.fill)
    run(widget, qtbot, panel.results_button.click)
    (window,) = widget.findChildren(ResultsWindow)
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
    assert highest_shown([0.4, 0.05, 0.04]) == pytest.approx(1.05 * 0.15)
    assert highest_shown([0.06, 0.05]) == pytest.approx(1.05 * 0.06)
    assert highest_shown([]) > 0
    assert highest_shown([0.0, 0.0]) > 0


def test_one_bar_over_fill_and_checks(series):
    options = FillOptions(methods=("sart",))
    volume = Volume(np.zeros((32, 6, 32), np.float32))
    fill = [Progress("a", 1.0, None), Finished("sart", volume, 1.0), Done({})]
    events = list(with_checks(fill, series, options, self_check=True, trust=False))
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[0] == pytest.approx(1 / 3)
    assert fractions[-1] == pytest.approx(1)
    kinds = [type(e) for e in events if not isinstance(e, Progress)]
    assert kinds == [Finished, Filled, SelfCheck, Done]
    assert sum(shares(series, options, self_check=True, trust=True)) == pytest.approx(1)


def test_the_verdict_fits_beside_a_small_screen(loaded):
    _, widget = loaded
    figures = {"wbp": 0.5, "sart": 0.1, "tvm": 0.05, "gan": 0.04}
    widget.trust_panel.show_self_check(SelfCheck(figures, figures, (), (60.0,), (0, 6)))
    widget.trust_panel.show_trust(TrustMap(Volume(np.ones((2, 2, 2), np.float32)), 0.1, 0.9))
    widget.run_panel.set_running(True)
    assert widget.minimumSizeHint().height() < 500
    assert widget.minimumSizeHint().width() < 420


def test_the_worker_hands_the_tick_boxes_on(loaded, monkeypatch):
    _, widget = loaded
    seen = {}

    def spy(events, series, options, **wanted):
        seen.update(wanted)
        return iter(())

    monkeypatch.setattr(worker_module, "with_checks", spy)
    widget.trust_panel.self_check.setChecked(True)
    list(worker_module.fill_steps(widget.inputs()))
    assert seen == {"self_check": True, "trust": False}
