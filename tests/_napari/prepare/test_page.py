"""The Prepare page: a first look, a preparation as a layer of its own, and the way back."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import Qt
from superqt.utils import GeneratorWorker

from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layer_kinds import list_series
from napari_wedgefill._napari.layers import LayerMap, series_layer
from napari_wedgefill._napari.prepare.desk import prepare_steps
from napari_wedgefill._napari.prepare.plan import FIND, KEEP, LEAVE
from napari_wedgefill._napari.prepare.region_part import corners_of, spans_of
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io.axis import rotate
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

SIDE = 24
ANGLES_DEG = np.arange(-60.0, 61.0, 10.0)
HOT, BLANK = (3, 5, 6), 9


@pytest.fixture(scope="module")
def particle() -> TiltSeries:
    """A small particle off the tilt axis, with a hot pixel and a blank image."""
    z, x, y = np.meshgrid(*[np.arange(SIDE) - (SIDE - 1) / 2] * 3, indexing="ij")
    volume = ((z**2 + (x - 2) ** 2 + (y + 1) ** 2) < 30).astype(np.float32)
    volume += (z - 2) ** 2 + x**2 + (y - 3) ** 2 < 6
    images = ParallelBeam(ANGLES_DEG, SIDE)(volume).transpose(0, 2, 1)
    images = images + 0.05 * np.random.default_rng(0).standard_normal(images.shape)
    images[HOT] += 500.0
    images[BLANK] = 0.0
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=2.0, name="particle")


@pytest.fixture(scope="module")
def closed():
    """Keep closed windows: Qt's objects must not be collected while a worker runs Python."""
    windows: list[Window] = []
    yield windows
    GeneratorWorker.await_workers(20_000)
    windows.clear()
    gc.collect()


class Window:
    """A viewer without a canvas, its dock, and what a user does with the mouse."""

    def __init__(self, series: TiltSeries, qtbot) -> None:
        self.viewer, self._qtbot = ViewerModel(), qtbot
        self.raw = self.viewer.add_layer(Layer.create(*series_layer(series)))
        self.dock = FillWedge(self.viewer)
        qtbot.addWidget(self.dock.native)
        self.page = self.dock.prepare_page
        self.wait(lambda: self.page.chosen.plan.glance and self.page.chosen.plan.glance.bad)

    @property
    def series(self):
        return self.dock.series.value

    def wait(self, is_true) -> None:
        self._qtbot.waitUntil(lambda: bool(is_true()), timeout=60_000)

    def click(self, button) -> None:
        self._qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def prepare(self, button=None) -> None:
        """Press the button, and wait for the layer or the refusal."""
        self.click(button or self.page.prepare_button)
        bench = self.dock.workbench
        self.wait(lambda: not bench.is_running and bench.turns.is_idle)

    def close(self) -> None:
        self.page.close_down()
        self.dock.native.close()
        self.dock._disconnect()
        GeneratorWorker.await_workers(20_000)
        self._qtbot.wait(10)


@pytest.fixture
def window(particle, qtbot, closed):
    """Return the window with the series in it; its shifts are left alone, which is quick."""
    window = Window(replace(particle, images=particle.images.copy()), qtbot)
    window.dock.shifts.value = LEAVE
    yield window
    window.close()
    closed.append(window)


def test_a_first_look_says_what_is_wrong_and_what_is_proposed(window):
    page = window.page
    assert "contradict each other by" in page.hint.text()
    assert "1 hot, dead or X-ray pixels in 1 images" in page.clean.flaws.text()
    assert f"Image {BLANK} at 30.0 degrees is blank" in page.tilts.proposal.text()
    assert page.tilts.proposal.text().endswith("left out.")
    assert "1 of 13 to be left out" in page.sections["Tilts"].heading.text
    page.tilts.use(BLANK, True)  # refused
    assert page.tilts.proposal.text().endswith("used.")
    assert "all 13 used" in page.sections["Tilts"].heading.text


def test_other_angles_make_other_images_and_another_look(window):
    page = window.page
    page.tilts.use(3, False)
    page.tilts.correct(4, -21.0)
    window.dock.angles.value = "48:-48:-8"  # the same images, in the other order
    assert page.chosen.plan.left_out == set()
    assert page.hint.text().startswith("Looking")
    window.wait(lambda: page.chosen.plan.glance and page.chosen.plan.glance.bad)
    assert page.chosen.plan.left_out == {12 - BLANK}
    assert page.chosen.place_of(12 - BLANK) == BLANK
    assert page.chosen.plan.corrected_deg == {}


def test_images_that_cannot_be_looked_at_are_told(window):
    window.raw.data = np.full_like(window.raw.data, np.nan)
    window.page.renew()
    window.wait(lambda: "NaN" in window.page.hint.text())


def test_the_canvas_says_the_angle_of_the_image(window):
    text = window.viewer.canvas.overlays.text
    window.viewer.dims.set_point(0, 2)
    assert (text.visible, text.text) == (True, "tilt -40.0\N{DEGREE SIGN}")
    window.viewer.dims.set_point(0, 11)
    assert text.text == "tilt +50.0\N{DEGREE SIGN}"
    assert window.page.tilts.table.currentRow() == 11


def test_a_preparation_is_a_layer_of_its_own_and_undo_goes_back(window):
    before = window.raw.data.copy()
    window.dock.slices.value = (4, 9)
    window.prepare()
    made = window.series
    assert window.dock.slices.value == (4, 9)
    assert made.name == "particle 1 left out"
    assert made.data.shape == (12, SIDE, SIDE)
    assert made.data[HOT] < 20
    np.testing.assert_array_equal(window.raw.data, before)
    assert [layer.visible for layer in (window.raw, made)] == [False, True]
    fields = LayerMap.of(made).fields
    assert fields["preparation"]["recipe"]["tilts"]["leave_out"] == (BLANK,)
    assert "replaced by the median" in "".join(fields["history"])
    assert "replaced by the median" in window.page.history.text()
    assert window.dock.inputs().series().n_tilts == 12  # Fill uses it
    assert window.dock.shifts.value == KEEP
    window.dock.slices.value = (5, 9)
    window.click(window.page.undo_button)
    assert window.series is window.raw
    assert window.dock.slices.value == (5, 9)
    assert not window.page.undo_button.isEnabled()
    window.click(window.page.redo_button)
    assert window.series is made


def test_every_step_begins_with_the_series_as_it_was_opened(window):
    window.prepare()
    window.dock.invert.value = True
    window.prepare()
    assert window.series.name == "particle inverted, 1 left out"
    assert window.page.desk.steps.base_of(window.series) is window.raw
    window.dock.invert.value = False
    window.prepare()
    np.testing.assert_allclose(window.series.data[0], window.raw.data[0])


def test_shifts_are_found_and_kept(window):
    moved = window.raw.data.copy()
    for tilt in (2, 5, 7):
        moved[tilt] = np.roll(moved[tilt], 3, axis=1)
    window.raw.data = moved
    window.dock.shifts.value = FIND
    window.prepare()
    across = [line.shift_px[0] for line in window.page.tilts.table.lines if line.shift_px]
    for tilt in (2, 5, 7):
        assert across[tilt] - across[tilt - 1] == pytest.approx(-3.0, abs=0.5)
    assert window.page.tilts.table.item(2, 4).text().endswith("%")
    first = window.page.chosen.found
    window.dock.plane.value = True
    window.prepare()
    assert window.page.chosen.found.pose.offsets_px.tolist() == first.pose.offsets_px.tolist()
    assert window.series.name.startswith("particle evened")


def test_the_table_leaves_out_takes_back_and_corrects_angles(window):
    table = window.page.tilts.table
    table.item(2, 0).setCheckState(Qt.CheckState.Unchecked)
    table.item(BLANK, 0).setCheckState(Qt.CheckState.Checked)
    table.item(4, 1).setText("-21,5")
    table.item(5, 1).setText("steep")
    assert table.item(5, 1).text() == "-10.00"
    window.dock.offset_deg.value = 2.0
    window.prepare()
    kept = np.delete(ANGLES_DEG, 2)
    kept[3] = -21.5
    np.testing.assert_allclose(LayerMap.of(window.series).angles_deg, kept + 2.0)
    assert [line.use for line in window.page.tilts.table.lines].count(False) == 1
    window.page.tilts.use(2, True)
    window.prepare()
    assert "image 2 was not used" in window.dock.footer.status.text()


def test_a_row_of_the_table_shows_its_image(window):
    window.prepare()
    window.page.tilts.table.chosen.emit(11)  # the tenth is the blank one's
    assert window.viewer.dims.point[0] == 10
    assert window.page.chosen.tilt_at(10) == 11


def test_angles_changed_after_a_step_are_not_lost_silently(window):
    window.prepare()
    window.dock.angles.value = "-55:55:10"
    window.prepare()
    assert "angles were changed after it was prepared" in window.dock.footer.status.text()


def test_the_cleaned_image_is_laid_over_the_one_that_is_seen(window):
    page, (tilt, y, x) = window.page, HOT
    window.viewer.dims.set_point(0, tilt)
    page.clean.preview.value = True
    window.wait(lambda: page.clean.layer is not None)
    assert page.clean.layer.data[0, y, x] < 20
    assert "1 hot, dead or X-ray pixels in this image" in page.clean.told.text()
    assert list_series(window.viewer) == [window.raw]
    shown = page.clean.layer.data
    window.dock.invert.value = True
    window.wait(lambda: page.clean.layer.data is not shown)
    assert page.clean.layer.data[0, 0, 0] > page.clean.layer.data[0, 12, 12]
    page.clean.preview.value = False
    assert [layer.name for layer in window.viewer.layers] == ["particle"]


def test_one_slice_follows_the_sliders_of_the_axis(window):
    page, axis = window.page, window.page.axis
    assert not axis.apply_button.isEnabled()
    window.dock.follow.value = True
    window.wait(lambda: axis.layer is not None and not axis.is_working)
    seen = axis.layer.data
    assert seen.shape == (SIDE, SIDE, SIDE)
    assert window.dock.workbench.stage.shown == [axis.layer]
    window.dock.move_px.value = 3.0
    window.dock.turn_deg.value = 4.0
    window.wait(lambda: axis.layer.data is not seen and not axis.is_working)
    assert np.ptp(axis.layer.data) > 0
    assert "+4.0" in page.sections["Tilt axis"].heading.text
    window.dock.shifts.value = FIND
    window.prepare()
    assert "would lose the tilt axis" in window.dock.footer.status.text()
    window.prepare(axis.apply_button)
    assert window.series.name == "particle 1 left out, aligned"
    assert "by hand" in page.history.text()
    assert (page.chosen.found.pose.axis_shift_px, page.chosen.found.pose.axis_deg) == (3.0, 4.0)
    assert window.dock.move_px.value == 0.0  # the axis is in the middle now
    assert window.dock.follow.value  # the slice goes on with the new series
    window.wait(lambda: axis.layer is not None and not axis.is_working)
    window.dock.follow.value = False
    assert axis.layer is None


def test_a_rectangle_on_the_images_is_the_region(window):
    region = window.page.region
    window.click(region.draw_button)
    window.wait(lambda: region.layer is not None)
    shapes = region.layer
    assert shapes.visible
    shapes.data = [np.array([[2.5, 3.5], [2.5, 19.5], [20.5, 19.5], [20.5, 3.5]])]
    assert (window.dock.rows.value, window.dock.columns.value) == ((3, 21), (4, 20))
    window.dock.columns.value = (4, 18)
    assert shapes.data[0][:, 1].max() == 17.5
    window.dock.get_widget("bin").value = 2
    assert "14 x 18 px, bin 2" in window.page.sections["Region"].heading.text
    window.prepare()
    assert shapes not in window.viewer.layers
    assert window.series.data.shape == (12, 9, 7)
    np.testing.assert_allclose(window.series.scale, (1, 4.0, 4.0))
    window.click(region.all_button)
    assert window.page.chosen.plan.region.rows is None


@pytest.mark.parametrize("begins_at_top", [False, True])
@pytest.mark.parametrize("is_turned", [False, True])
def test_a_rectangle_encloses_the_same_pixels_in_layer_and_series(begins_at_top, is_turned):
    layer = np.zeros((1, 7, 11), np.float32)
    layer[0, 2:5, 6:10] = 1.0
    series = layer[:, ::-1] if begins_at_top else layer
    series = np.asarray(rotate(series, 90.0) if is_turned else series)[0]
    corners = np.array([[1.5, 5.5], [4.5, 9.5]])
    rows, columns = spans_of(corners, series.shape, begins_at_top, is_turned)
    inside = series[slice(*rows), slice(*columns)]
    assert inside.size == inside.sum() == 12
    back = corners_of(rows, columns, series.shape, begins_at_top, is_turned)
    np.testing.assert_array_equal([back.min(axis=0), back.max(axis=0)], corners)


def test_another_signal_takes_the_shifts_of_this_one(window, particle):
    window.dock.move_px.value = 2.0
    window.prepare(window.page.axis.apply_button)
    made = window.series
    counts = replace(particle, images=particle.images * 0.1 + 1.0, name="EDS")
    other = window.viewer.add_layer(Layer.create(*series_layer(counts)))
    assert window.series is other
    offered = dict(zip(window.dock.shifts.choices, window.dock.shifts.choices, strict=True))
    assert made in offered
    window.dock.shifts.value = made
    window.prepare()
    assert window.series.name == "EDS 1 left out, aligned"
    assert window.page.chosen.found.pose.axis_shift_px == 2.0


def test_recipes_and_shifts_are_saved_and_loaded(window, tmp_path):
    page, recipe = window.page, tmp_path / "made.json"
    assert not page.recipe.save_recipe_button.isEnabled()
    window.dock.plane.value = True
    window.dock.move_px.value = 2.0
    window.prepare(page.axis.apply_button)
    made = window.series
    page.recipe.save_recipe(recipe)
    page.recipe.save_shifts(tmp_path / "made.xf")
    assert {path.name for path in tmp_path.iterdir()} == {
        "made.json",
        "made.xf",
        "made.tlt",
        "made.xtilt",
    }
    page.recipe.save_shifts(tmp_path / "made.xf")
    assert "made.tlt" in window.dock.footer.status.text()  # an angle file is never replaced
    window.click(page.undo_button)
    window.dock.plane.value = False
    page.recipe.load_recipe(recipe)
    assert window.dock.plane.value
    page.recipe.load_shifts(recipe)
    window.prepare()
    np.testing.assert_allclose(window.series.data, made.data, atol=1e-4)
    page.recipe.load_recipe(tmp_path / "none.json")
    assert "none.json" in window.dock.footer.status.text()


def test_a_cancelled_preparation_leaves_nothing(window, monkeypatch):
    from napari_wedgefill._napari.prepare import desk
    from napari_wedgefill.progress import Progress

    def count(*_):
        while True:
            yield Progress("counting", 0.5)

    monkeypatch.setattr(desk, "prepare_steps", count)
    window.click(window.page.prepare_button)
    assert not window.page.prepare_button.isEnabled()
    window.click(window.dock.footer.cancel_button)
    window.wait(lambda: not window.dock.workbench.is_running)
    assert [layer.name for layer in window.viewer.layers] == ["particle"]
    assert window.page.prepare_button.isEnabled()


def test_a_series_that_cannot_be_prepared_says_why(window):
    for tilt in range(11):
        window.page.tilts.use(tilt, False)
    window.prepare()
    assert "at least 3 are needed" in window.dock.footer.status.text()
    assert window.series is window.raw
    with pytest.raises(WedgefillError, match="at least 3"):
        list(prepare_steps(window.dock.inputs(), window.page.chosen.plan.options(), lambda s: None))


def test_how_shifts_are_found_is_chosen_and_taken_from_a_recipe(window):
    page = window.page
    form = page.forms["shifts"]
    assert page.chosen.plan.options().shifts_by == "best"
    form.shifts_by.value = "phase-correlation"
    assert page.chosen.plan.options().shifts_by == "phase-correlation"
    page.chosen.plan.take_options(replace(page.chosen.plan.options(), shifts_by="common-line"))
    page._fill_in()
    assert form.shifts_by.value == "common-line"
    assert page.chosen.plan.options().shifts_by == "common-line"
