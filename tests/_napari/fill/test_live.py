"""The live slice: it follows the slider, never goes black, and takes no memory for slices."""

import numpy as np
import pytest

from napari_wedgefill._napari.compare.layer_source import list_comparable
from napari_wedgefill._napari.fill.live import STALE_OPACITY, repeat_slice
from napari_wedgefill._napari.shared_contrast import share_contrast


@pytest.fixture
def live(docked_quick, qtbot):
    """Return a viewer and a dock whose live slice shows its first result."""
    viewer, dock = docked_quick
    dock.live.value = True
    wait_for(dock, qtbot)
    yield viewer, dock
    dock.live.value = False
    wait_for(dock, qtbot)


def wait_for(dock, qtbot) -> None:
    """Wait until the slice at the slider is there."""
    live = dock.live_slice

    def is_done():
        opacities = [layer.opacity for layer in live.layers.values()]
        n_wanted = len(dock.methods.value) if live.is_on else 0
        assert not live.is_working
        assert opacities == [1.0] * n_wanted
        assert dock.workbench.turns.is_idle

    qtbot.waitUntil(is_done, timeout=60_000)


def test_a_cell_for_each_method_at_the_middle_slice(live):
    viewer, dock = live
    assert [layer.name for layer in viewer.layers if layer.visible] == ["WBP, live", "SART, live"]
    assert viewer.dims.order == (1, 0, 2)
    np.testing.assert_allclose(viewer.dims.range[1], (0, 12.5, 2.5))
    assert viewer.dims.current_step[1] == 3
    for layer in dock.live_slice.layers.values():
        assert layer.data.shape == (32, 6, 32)
        assert layer.data.base.nbytes <= 32 * 32 * 4


def test_black_is_black_in_every_method(live):
    """The first method is WBP, whose undershoots are no grey level for the others."""
    wbp, sart = live[1].live_slice.layers.values()
    shared = share_contrast([wbp.data[:, :1], sart.data[:, :1]])
    for layer in (wbp, sart):
        np.testing.assert_allclose(layer.contrast_limits, shared)


def test_the_slider_moves_and_the_last_slice_stays_dimmed(live, qtbot):
    viewer, dock = live
    before = dock.live_slice.layers["wbp"].data
    viewer.dims.set_current_step(1, 1)
    layer = dock.live_slice.layers["wbp"]
    assert layer.opacity == STALE_OPACITY
    assert np.ptp(layer.data[:, 1]) > 0  # never a black cell
    wait_for(dock, qtbot)
    assert dock.live_slice.layers["wbp"].data is not before
    assert viewer.dims.current_step[1] == 1
    assert list(dock.live_slice.layers) == ["wbp", "sart"]


def test_another_axis_shift_is_seen_at_once(live, qtbot):
    _, dock = live
    before = dock.live_slice.layers["wbp"].data[:, 0].copy()
    dock.axis_shift_px.value = 5.0
    qtbot.waitUntil(
        lambda: not np.allclose(dock.live_slice.layers["wbp"].data[:, 0], before), timeout=60_000
    )
    wait_for(dock, qtbot)


def test_a_fill_takes_over_and_the_slices_go(quick, qtbot, hands):
    """In a window, with all that is drawn."""
    viewer, dock = quick
    dock.live.value = True
    wait_for(dock, qtbot)
    hands.fill(dock)
    assert not dock.live.value
    assert [layer.name for layer in viewer.layers] == ["discs", "discs WBP", "discs SART"]
    assert viewer.layers["discs SART"].visible
    dock.live.value = True
    wait_for(dock, qtbot)
    assert not viewer.layers["discs SART"].visible
    dock.live.value = False
    hands.rest()
    assert [layer.name for layer in viewer.layers if layer.visible] == ["discs WBP", "discs SART"]


def test_switched_off_the_tilts_are_seen_again(live, qtbot):
    viewer, dock = live
    assert list_comparable(viewer) == []  # nothing to compare in one repeated slice
    dock.live.value = False
    wait_for(dock, qtbot)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["discs"]
    assert dock.footer.view_buttons["Tilts"].isChecked()


def test_a_repeated_slice_is_a_view():
    one = np.arange(12, dtype=np.float32).reshape(4, 1, 3)
    shown = repeat_slice(one, 1000)
    assert shown.shape == (4, 1000, 3)
    assert np.shares_memory(shown, one)
