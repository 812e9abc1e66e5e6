from weakref import ref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_wedgefill._napari.cells import choose_grid_shape
from napari_wedgefill._napari.layers import series_layer, volume_layer
from napari_wedgefill._napari.shared_contrast import share_contrast
from napari_wedgefill._napari.stage import Stage
from napari_wedgefill.volume import Volume


@pytest.mark.parametrize(
    ("n", "size", "canvas", "expected"),
    [
        (4, (1, 1), (800, 800), (2, 2)),
        (3, (1, 1), (400, 1200), (1, 3)),
        (3, (1, 1), (1200, 400), (3, 1)),
        (2, (4, 1), (800, 800), (2, 1)),
        (2, (1, 4), (800, 800), (1, 2)),
        (1, (1, 1), (800, 800), (1, 1)),
    ],
)
def test_grid_shows_the_pictures_largest(n, size, canvas, expected):
    assert choose_grid_shape(n, *size, canvas) == expected


def test_contrast_is_not_set_by_one_outlying_method():
    rng = np.random.default_rng(0)
    alike = [rng.random((20, 3, 20), dtype=np.float32) for _ in range(2)]
    low, high = share_contrast([*alike, 100 * alike[0]])
    assert low == pytest.approx(0, abs=0.05)
    assert high == pytest.approx(1, abs=0.05)


def test_contrast_of_an_empty_volume_is_still_a_range():
    assert share_contrast([np.zeros((4, 4, 4), np.float32)]) == (0.0, 1.0)


def test_contrast_reaches_up_to_the_bright_part_of_a_small_specimen():
    """A dim stem with a bright tip of one voxel in a thousand: both keep their shades."""
    volume = np.zeros((40, 40, 40), np.float32)
    volume[15:25, :, 15:25] = 0.2
    volume[18:22, 10:14, 18:22] = np.linspace(0.8, 1.2, 4)[:, None]
    low, high = share_contrast([volume])
    assert low == 0.0
    assert 1.0 < high <= 1.2


@pytest.fixture
def compared(series):
    viewer = ViewerModel()
    series_shown = viewer.add_layer(Layer.create(*series_layer(series)))
    data = np.random.default_rng(0).random((2, 32, 6, 32), dtype=np.float32)
    volumes = [
        viewer.add_layer(Layer.create(*volume_layer(Volume(d, (2.5,) * 3, name))))
        for d, name in zip(data, ("a", "b"), strict=True)
    ]
    side = Stage(viewer)
    side.show_volumes(volumes)
    return viewer, side, series_shown, volumes


@pytest.mark.parametrize("voxel_nm", [3.36, 0.1, 0.7, 2.5])
@pytest.mark.parametrize("n", [6, 16, 33, 64])
def test_every_slice_can_be_reached(voxel_nm, n):
    """63 steps of 3.36 nm are 62.99999999999999 steps to a computer, and napari cuts."""
    viewer = ViewerModel()
    volume = Volume(np.zeros((3, n, 3), np.float32), (voxel_nm,) * 3, "whole")
    layer = viewer.add_layer(Layer.create(*volume_layer(volume)))
    Stage(viewer).show_volumes([layer])
    assert viewer.dims.nsteps[1] == n
    viewer.dims.set_current_step(1, n - 1)
    assert viewer.dims.current_step[1] == n - 1
    np.testing.assert_allclose(viewer.dims.point[1], (n - 1) * voxel_nm)


def test_results_share_grid_names_contrast_and_slice(compared):
    viewer, _, series_shown, (a, b) = compared
    assert viewer.canvas.grid.enabled
    assert not series_shown.visible
    assert a.visible
    assert b.visible
    assert a.name_overlay.visible
    assert b.name_overlay.visible
    a.contrast_limits = (0.2, 0.4)
    assert b.contrast_limits == [0.2, 0.4]
    assert viewer.dims.order == (1, 0, 2)
    assert viewer.dims.point[1] == pytest.approx(2.5 * 2.5, abs=2.5)


def test_units_stay_common_so_that_the_scale_bar_has_one(compared):
    viewer = compared[0]
    assert [str(unit) for unit in viewer.layers.units] == ["nanometer"] * 3


def test_one_step_of_a_slider_is_one_voxel(compared):
    viewer = compared[0]
    np.testing.assert_allclose([axis.step for axis in viewer.dims.range], 2.5)


@pytest.mark.parametrize(
    ("name", "order"), [("XY", (0, 1, 2)), ("YZ", (2, 0, 1)), ("XZ", (1, 0, 2))]
)
def test_orientations(compared, name, order):
    viewer, side, *_ = compared
    side.orient(name)
    assert viewer.dims.order == order


def test_the_grid_follows_the_size_of_the_canvas(compared):
    viewer = compared[0]
    viewer.canvas.size = (400, 1200)
    assert viewer.canvas.grid.shape == (1, 2)
    wide = viewer.scene.camera.zoom
    viewer.canvas.size = (1200, 400)
    assert viewer.canvas.grid.shape == (2, 1)
    assert viewer.scene.camera.zoom == pytest.approx(wide)


def test_a_zoomed_view_is_left_alone(compared):
    viewer = compared[0]
    viewer.canvas.size = (400, 1200)
    viewer.scene.camera.zoom *= 3
    zoomed = viewer.scene.camera.zoom
    viewer.canvas.size = (1200, 400)
    assert viewer.scene.camera.zoom == zoomed


def test_to_the_images_and_back(compared):
    viewer, side, series_shown, (a, b) = compared
    side.show_series(series_shown)
    assert [layer.visible for layer in (series_shown, a, b)] == [True, False, False]
    assert viewer.dims.order == (0, 1, 2)
    assert not viewer.canvas.grid.enabled
    side.orient("XZ")
    assert [layer.visible for layer in (series_shown, a, b)] == [False, True, True]
    assert viewer.canvas.grid.enabled


def test_deleted_results_are_forgotten(compared):
    viewer, side, series_shown, (a, b) = compared
    viewer.layers.remove(a)
    side.orient("YZ")
    assert b.visible
    assert not viewer.canvas.grid.enabled
    viewer.layers.remove(b)
    side.orient("XY")
    assert not series_shown.visible or viewer.dims.ndim == 3


class Waiting(list):
    """Turns that are taken when the test says so."""

    def add_first(self, steps):
        self.insert(0, steps)

    def take_all(self):
        while self:
            for _ in self.pop(0):
                pass


def test_what_is_asked_for_last_is_what_is_shown(compared):
    _, side, series_shown, (a, b) = compared
    side.arranger.turns = turns = Waiting()
    side.show_series(series_shown)
    next(turns[0])
    side.orient("XZ")  # given up before it began
    side.orient("YZ")
    assert side.is_arranging
    turns.take_all()
    assert not side.is_arranging
    assert side.view == "YZ"
    assert [layer.visible for layer in (series_shown, a, b)] == [False, True, True]


class Canvas:
    """Stands for a window whose canvas may be held."""

    def __init__(self):
        self.is_drawn = True

    def centralWidget(self):
        return self

    def findChild(self, kind):
        return None

    def updatesEnabled(self):
        return self.is_drawn

    def setUpdatesEnabled(self, on):
        self.is_drawn = on


def test_the_canvas_is_drawn_in_turns_of_its_own(compared):
    """What is new takes as long to draw as to make: both in one turn would block for twice that."""
    viewer, side, series_shown, (a, b) = compared
    side.show_series(series_shown)
    canvas, turns = Canvas(), Waiting()
    side.arranger.window, side.arranger.turns = ref(canvas), turns
    side.show_volumes([a, b])
    (steps,) = turns
    before, drawn = [layer.visible for layer in viewer.layers], []
    for _ in steps:
        now = [layer.visible for layer in viewer.layers]
        assert now == before or not canvas.is_drawn
        if canvas.is_drawn:
            drawn.append(now)
        before = now
    assert drawn == [[False, True, False], [False, True, True]]
    assert canvas.is_drawn


def test_napari_builds_the_cells_once(compared):
    viewer, side, series_shown, _ = compared
    events, seen = viewer.canvas.grid.events, []
    for event in (events.shape, events.stride, events.enabled):
        event.connect(lambda e: seen.append(e.type))
    side.show_series(series_shown)
    assert seen == ["enabled"]
    side.orient("XZ")
    assert seen == ["enabled", "enabled"]


def test_cells_open_on_the_object():
    viewer = ViewerModel()
    data = np.zeros((64, 6, 64), np.float32)
    data[40:50, :, 8:18] = 1.0
    layer = viewer.add_layer(Layer.create(*volume_layer(Volume(data, (2.0,) * 3, "a"))))
    side = Stage(viewer)
    side.show_volumes([layer])
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (89, 25), atol=2)
    height, width = viewer.canvas.size
    assert viewer.scene.camera.zoom > 2 * min(height, width) / 128
    assert viewer.dims.point[1] == pytest.approx(5, abs=2)
