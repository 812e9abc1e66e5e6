"""Surfaces in step, objects as labels with their figures, a turn; and one method at a time."""

import numpy as np
import pytest
from napari.layers import Labels
from PIL import Image

from napari_wedgefill._napari.runs import Run
from napari_wedgefill._napari.solid import turning
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.volume import Volume


@pytest.fixture
def brought(loaded, hands):
    """Return the viewer and the dock with a run of two volumes: two cubes on noise."""
    viewer, dock = loaded
    data = np.random.default_rng(0).normal(0, 0.02, (2, 32, 6, 32)).astype(np.float32)
    data[:, 4:10, 1:5, 20:26] += 1.0
    data[:, 20:24, 1:5, 22:26] += 1.0
    run = Run("cubes", dock.inputs().series(), FillOptions(("wbp", "tvm")), dock.series.value)
    volumes = {m: Volume(d, (2.5,) * 3, m) for m, d in zip(("wbp", "tvm"), data, strict=True)}
    dock.workbench.turns.add(dock.workbench.iter_bring(run, volumes))
    hands.rest()
    return viewer, dock, run


# napari's own colours of labels.
@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_surfaces_and_objects(brought, hands, qtbot, tmp_path):
    viewer, dock, run = brought
    layers = list(run.volumes.values())
    # The cells open on the object, which lies in one half of the field.
    assert viewer.scene.camera.center[-1] > 32 * 2.5 / 2

    hands.click(dock.footer.view_buttons["3-D"])
    assert viewer.dims.ndisplay == 3
    assert dock.footer.view_buttons["3-D"].isChecked()
    assert [layer.rendering for layer in layers] == ["iso", "iso"]
    otsu = dock.solid.threshold.value
    assert otsu == pytest.approx(0.5, abs=0.2)
    dock.solid.threshold.value = 0.6
    assert [layer.iso_threshold for layer in layers] == pytest.approx([0.6, 0.6], abs=0.01)

    hands.click(dock.solid.count_button.native)
    qtbot.waitUntil(lambda: not dock.solid.is_working, timeout=60_000)
    hands.rest()
    labels = next(layer for layer in viewer.layers if isinstance(layer, Labels))
    assert list(np.bincount(labels.data.ravel())[1:]) == [6 * 4 * 6, 4 * 4 * 4]
    np.testing.assert_allclose(labels.scale, 2.5)
    assert dock.solid.line.value.startswith("2 objects, 3250 nm")
    dock.solid.save_table(tmp_path / "objects.csv")
    heading, first, *_ = (tmp_path / "objects.csv").read_text().splitlines()
    assert heading.startswith("label,voxels,volume_nm3,surface_nm2")
    assert first.startswith("1,144,2250,")

    hands.click(dock.footer.view_buttons["XZ"])
    assert viewer.dims.ndisplay == 2


def test_a_turn_is_an_animated_picture(make_napari_viewer, qtbot, monkeypatch, tmp_path):
    viewer = make_napari_viewer(show=True)  # a hidden canvas is not drawn anew
    viewer.window.resize(500, 400)  # without a GPU, every pixel takes its time
    data = np.zeros((16, 16, 16), np.float32)
    data[2:6, 4:12, 9:14] = 1.0
    viewer.add_image(data, contrast_limits=(0, 1), rendering="iso", iso_threshold=0.5)
    viewer.dims.ndisplay = 3
    qtbot.wait(50)
    monkeypatch.setattr(turning, "N_FRAMES", 3)
    before, said, taken = viewer.scene.camera.angles, [], []
    for _ in turning.iter_turn(viewer, said.append, taken.extend):
        qtbot.wait(5)
    assert said == ["Turning, 33 %", "Turning, 66 %", "Turning, 100 %"]
    assert viewer.scene.camera.angles == before
    assert list(turning.write_steps(taken, tmp_path / "turn.gif")) == [tmp_path / "turn.gif"]
    with Image.open(tmp_path / "turn.gif") as gif:
        assert gif.n_frames == 3
        assert gif.info["duration"] == turning.FRAME_MS
        seen = [np.asarray(gif.convert("L"), float) for k in range(3) if gif.seek(k) is None]
    assert all(picture.max() > 50 for picture in seen)
    assert np.abs(seen[1] - seen[0]).mean() > 1


# imageio leaves the pipes to ffmpeg to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_film_is_written_where_imageio_can(tmp_path):
    iio = pytest.importorskip("imageio.v3")
    pytest.importorskip("imageio_ffmpeg")
    frames = [np.full((51, 81, 3), grey, np.uint8) for grey in (0, 120, 240)]
    list(turning.write_steps(frames, tmp_path / "turn.mp4"))
    film = iio.imread(tmp_path / "turn.mp4", plugin="FFMPEG")
    assert film.shape == (3, 50, 80, 3)
    np.testing.assert_allclose(film.mean(axis=(1, 2, 3)), (0, 120, 240), atol=3)


def test_without_ffmpeg_it_is_said_how_to_get_it(brought, monkeypatch, tmp_path):
    _, dock, _ = brought
    monkeypatch.setattr(turning, "can_film", lambda: False)
    dock.solid.save_turn(tmp_path / "turn.mp4")
    assert "save the turn as .gif, or run: pip install 'imageio[ffmpeg]'" in (
        dock.footer.status.text()
    )
    dock.solid.save_turn(tmp_path / "turn.png")
    assert dock.footer.status.text().endswith("written as .gif or .mp4; name the file so.")
    assert dock.workbench.turns.is_idle


def test_one_method_after_the_other_and_one_view_after_the_other(brought, hands):
    viewer, dock, _ = brought
    seen = []
    for _ in range(3):
        dock.views.show_next_method()
        hands.rest()
        seen.append([layer.name for layer in viewer.layers if layer.visible])
    assert seen == [["discs WBP"], ["discs TVM"], ["discs WBP", "discs TVM"]]
    dock.views.show_next()
    hands.rest()
    assert dock.footer.view_buttons["XY"].isChecked()
