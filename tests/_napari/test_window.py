"""The window that shows finished results."""

import napari
import numpy as np
import pytest

from napari_wedgefill._napari import window
from napari_wedgefill.io import write_tilt_series, write_volume
from napari_wedgefill.volume import Volume


@pytest.fixture
def files(series, tmp_path):
    data = np.random.default_rng(0).random((2, 8, 6, 8), dtype=np.float32)
    paths = [write_tilt_series(tmp_path / "discs.st", series)]
    for method, values in zip(("wbp", "tvm"), data, strict=True):
        volume = Volume(values, voxel_nm=(2.5,) * 3, history=(f"napari-wedgefill: {method}",))
        paths.append(write_volume(tmp_path / f"discs_{method}.mrc", volume))
    return paths


def test_results_of_the_command_line_open_side_by_side(
    files, make_napari_viewer, monkeypatch, hands
):
    monkeypatch.setattr(napari, "Viewer", lambda **_: make_napari_viewer())
    viewer = window.open_results(files)
    hands.rest()
    assert [layer.name for layer in viewer.layers] == ["discs", "discs_wbp", "discs_tvm"]
    assert [layer.visible for layer in viewer.layers] == [False, True, True]
    assert viewer.canvas.grid.enabled
    assert viewer.dims.order == (1, 0, 2)
    assert viewer.layers[1].contrast_limits == viewer.layers[2].contrast_limits
