"""Crosshair, contrast, view and layout: plain state, without a display."""

from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill._napari.compare.columns import VolumeColumn
from napari_wedgefill._napari.compare.layer_source import short_titles
from napari_wedgefill._napari.compare.layout import paper_layout, screen_layout
from napari_wedgefill._napari.compare.model import CompareModel
from napari_wedgefill._napari.compare.planes import PLANES, ROWS, SPECTRUM, XY, XZ
from napari_wedgefill._napari.compare.profile import Line

SHAPE = (20, 8, 16)


@pytest.fixture
def model():
    data = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
    model = CompareModel()
    model.set_methods(
        [VolumeColumn(t, d, voxel=(2.0,) * 3) for t, d in zip(("A", "B"), data, strict=True)]
    )
    return model


def test_the_crosshair_stands_on_voxels_of_the_first_volume(model):
    moves = []
    model.moved.connect(lambda: moves.append(model.crosshair))
    model.move_to((7.4, 3.1, 500.0))
    assert model.crosshair == (8.0, 4.0, 30.0)
    model.move_to((8.3, 4.2, 30.4))
    assert len(moves) == 1
    assert model.values() == [float(c.data[4, 2, 15]) for c in model.methods]


def test_moving_in_a_plane_leaves_the_third_axis(model):
    model.move_to((10.0, 4.0, 6.0))
    model.move_within(XZ, down=20.0, across=2.0)
    assert model.crosshair == (20.0, 4.0, 2.0)
    model.step(XZ.cut, -1)
    assert model.crosshair == (20.0, 2.0, 2.0)
    model.step(XZ.cut, -100)
    assert model.crosshair == (20.0, 0.0, 2.0)


def test_slices_are_numbered_as_in_the_tilt_series():
    part = VolumeColumn("A", np.zeros(SHAPE, np.float32), (0.0, 60.0, 0.0), (2.0,) * 3)
    model = CompareModel()
    model.set_methods([part])
    model.move_to((4.0, 64.0, 6.0))
    assert model.slice_numbers() == (2, 32, 3)


def test_linked_contrast_is_one_for_all_and_own_contrast_is_not(model):
    a, b = model.columns
    model.set_limits((0.1, 0.2))
    assert model.contrast.scale(a).limits == model.contrast.scale(b).limits == (0.1, 0.2)
    model.link_contrast(False)
    assert model.contrast.scale(b).limits != (0.1, 0.2)
    model.activate(1)
    model.set_limits((0.3, 0.4))
    assert model.contrast.scale(b).limits == (0.3, 0.4)
    assert model.contrast.scale(a).limits not in ((0.3, 0.4), (0.1, 0.2))
    model.auto_contrast()
    assert model.contrast.scale(b).limits == pytest.approx((0, 1), abs=0.05)


def test_a_difference_keeps_zero_in_the_middle(model):
    model.set_difference("B", "A")
    assert [column.title for column in model.columns] == ["A", "B", "B \N{MINUS SIGN} A"]
    model.activate(2)
    low, high = model.contrast.scale(model.columns[2]).limits
    assert low == -high
    model.set_limits((-0.125, high))
    assert model.contrast.scale(model.columns[2]).limits == (-0.125, 0.125)
    assert model.contrast.scale(model.columns[0]).limits == pytest.approx((0, 1), abs=0.05)


def test_a_trust_map_keeps_its_own_scale_and_leaves_that_of_the_methods_alone(model):
    shared = model.contrast.scale(model.columns[0]).limits
    bright = [replace(method, data=500 * method.data) for method in model.methods]
    trust = VolumeColumn("trust", np.full(SHAPE, 0.9, np.float32), has_own_scale=True)
    model.set_methods([*bright, trust])
    assert model.contrast.scale(model.columns[0]).limits == pytest.approx(
        [500 * limit for limit in shared]
    )
    assert model.contrast.scale(trust).limits[1] < 5
    model.set_limits((0.0, 100.0))
    assert model.contrast.scale(model.columns[1]).limits == (0.0, 100.0)
    assert model.contrast.scale(trust).limits[1] < 5


def test_the_difference_goes_when_one_of_its_methods_does(model):
    model.set_difference("B", "A")
    model.set_methods(model.methods[:1])
    assert model.difference is None
    assert len(model.columns) == 1


def test_contrast_set_by_hand_survives_another_column(model):
    model.set_limits((0.1, 0.2))
    model.set_methods([*model.methods, VolumeColumn("C", np.ones(SHAPE, np.float32))])
    assert model.contrast.scale(model.columns[2]).limits == (0.1, 0.2)


def test_profiles_follow_the_crosshair_or_the_drawn_line(model):
    assert model.profiles() == []
    model.set_profile_axis(2)
    model.move_to((4.0, 2.0, 0.0))
    for found, column in zip(model.profiles(), model.columns, strict=True):
        np.testing.assert_allclose(found.values, column.data[2, 1], rtol=1e-6)
    model.draw_line(Line(XY, (4.0, 0.0, 8.0), (4.0, 14.0, 8.0)))
    np.testing.assert_allclose(
        model.profiles()[1].values, model.columns[1].data[2, :, 4], rtol=1e-6
    )
    model.step(XY.cut, 3)
    np.testing.assert_allclose(
        model.profiles()[1].values, model.columns[1].data[5, :, 4], rtol=1e-6
    )


def test_the_last_row_stays(model):
    for row in ROWS:
        model.show_row(row, False)
    assert len(model.rows) == 1


def test_pan_and_zoom_keep_the_volumes_in_sight(model):
    model.look_at((-1e6, 0.0, 1e6), 1e9)
    low, high = model.extent
    assert all(a <= c <= b for a, c, b in zip(low, model.view.centre, high, strict=True))
    assert model.view.magnification < 1e3


def test_every_panel_shows_all_of_the_volumes_at_first(model):
    layout = screen_layout(model, 900, 700)
    low, high = model.extent
    assert len(layout.panels) == 8
    for panel in layout.panels:
        if panel.plane != SPECTRUM:
            window, plane = panel.window, panel.plane
            assert window.top <= low[plane.down] < high[plane.down] <= window.bottom
            assert window.left <= low[plane.across] < high[plane.across] <= window.right
    scales = {round(panel.scale, 9) for panel in layout.panels if panel.plane != SPECTRUM}
    assert len(scales) == 1


def test_panels_neither_overlap_nor_leave_the_window(model):
    model.set_profile_axis(0)
    layout = screen_layout(model, 803, 601)
    taken = np.zeros((601, 803), int)
    for panel in layout.panels:
        r = panel.rect
        assert r.left == int(r.left)
        assert r.top == int(r.top)
        taken[r.top : r.top + r.height, r.left : r.left + r.width] += 1
    assert taken.max() == 1
    assert taken.sum() == sum(p.rect.width * p.rect.height for p in layout.panels)
    assert layout.profile.top >= max(p.rect.top + p.rect.height for p in layout.panels)


def test_places_and_positions_are_inverse(model):
    model.look_at((10.0, 4.0, 6.0), 3.0)
    for panel in screen_layout(model, 900, 700).panels:
        assert panel.position(*panel.place(0.25, 0.125)) == pytest.approx((0.25, 0.125))


def test_a_thin_volume_still_has_a_row_to_look_at():
    model = CompareModel()
    model.set_methods([VolumeColumn("A", np.zeros((64, 1, 64), np.float32))])
    heights = [panel.rect.height for panel in screen_layout(model, 500, 600).panels]
    assert min(heights) > 0.15 * max(heights)


def test_a_figure_hugs_the_volumes_and_fits_the_page(model):
    screen = screen_layout(model, 1600, 700)
    paper = paper_layout(model, screen, 510.0, 680.0)
    assert paper.width <= 510
    assert paper.height <= 680
    low, high = model.extent
    panels = {p.plane: p for p in paper.panels if p.column == 0}
    for plane in PLANES:
        window = panels[plane].window
        assert window.top == low[plane.down]
        assert window.right == high[plane.across]
        aspect = (window.bottom - window.top) / (window.right - window.left)
        rect = panels[plane].rect
        assert rect.height / rect.width == pytest.approx(aspect)


def test_a_figure_shows_the_part_that_the_window_is_zoomed_to(model):
    model.look_at((20.0, 8.0, 16.0), 8.0)
    screen = screen_layout(model, 900, 700)
    paper = paper_layout(model, screen, 510.0, 680.0)
    seen = {(p.plane, p.column): p.window for p in screen.panels}
    for panel in paper.panels:
        if panel.plane == XZ and panel.column == 0:
            assert panel.window == seen[panel.plane, 0]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["needle WBP", "needle GAN"], ["WBP", "GAN"]),
        (["HAADF_wbp", "HAADF_gan"], ["WBP", "GAN"]),
        (["WBP", "truth"], ["WBP", "truth"]),
        (["needle", "needle GAN"], ["needle", "needle GAN"]),
        (["alone TVM"], ["alone TVM"]),
    ],
)
def test_titles_leave_out_what_all_names_share(names, short):
    assert short_titles(names) == short


def test_it_opens_on_the_object_and_fit_shows_everything():
    data = np.zeros((40, 2, 40), np.float32)
    data[24:30, :, 6:12] = 1.0
    model = CompareModel()
    model.set_methods([VolumeColumn("A", data, voxel=(2.0,) * 3)])
    z, _, x = model.view.centre
    assert (z, x) == pytest.approx((53, 17), abs=2)
    assert 3 < model.view.magnification < 8
    panel = next(p for p in screen_layout(model, 600, 700).panels if p.plane == XZ)
    assert panel.window.top < 48
    assert panel.window.bottom > 58
    model.fit()
    assert model.view.magnification == 1.0
