"""What the canvas and the figure really show: pixels."""

import gc
import re
import weakref
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.compare.canvas import CompareCanvas
from napari_wedgefill._napari.compare.columns import VolumeColumn
from napari_wedgefill._napari.compare.figure import PrintedFigure
from napari_wedgefill._napari.compare.layout import PRINT, screen_layout
from napari_wedgefill._napari.compare.model import CompareModel
from napari_wedgefill._napari.compare.pictures import Pictures
from napari_wedgefill._napari.compare.planes import SPECTRUM, XY, XZ, YZ
from napari_wedgefill._napari.compare.theme import DARK
from napari_wedgefill.errors import WedgefillError

N = 32
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def model():
    z, y, x = np.ogrid[:N, :N, :N]
    ball = ((z - 20) ** 2 + (y - 16) ** 2 + (x - 10) ** 2 < 36).astype(np.float32)
    noise = 0.2 * np.random.default_rng(0).random((N, N, N), dtype=np.float32)
    angles = tuple(range(-60, 61, 2))
    model = CompareModel()
    model.set_methods(
        [
            VolumeColumn("WBP", ball + noise, voxel=(2.0,) * 3, angles_deg=angles),
            VolumeColumn("TVM", ball, voxel=(2.0,) * 3, angles_deg=angles),
        ]
    )
    model.fit()
    model.move_to(model.view.centre)
    return model


@pytest.fixture
def canvas(model, qtbot):
    canvas = CompareCanvas(model)
    qtbot.addWidget(canvas)
    canvas.resize(700, 800)
    canvas.show()
    qtbot.waitExposed(canvas)
    settle(canvas, qtbot)
    return canvas


def settle(canvas, qtbot):
    qtbot.waitUntil(lambda: not canvas._later.isActive(), timeout=5000)


def colours(image: QImage) -> np.ndarray:
    """RGB, (h, w, 3)."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    raw = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return raw.reshape(image.height(), image.width(), 4)[:, :, 2::-1].astype(int)


def panel_of(canvas, plane, column=0):
    return next(p for p in canvas.layout_now().panels if p.plane == plane and p.column == column)


def shot(canvas, plane, column=0) -> np.ndarray:
    rect = panel_of(canvas, plane, column).rect
    whole = colours(canvas.grab().toImage())
    return whole[rect.top : rect.top + rect.height, rect.left : rect.left + rect.width]


def is_mark(pixels: np.ndarray) -> np.ndarray:
    # A virtual display may have only five bits a colour.
    return (np.abs(pixels - DARK.mark.getRgb()[:3]) < 9).all(axis=-1)


def place(canvas, plane, down, across, column=0) -> QPoint:
    x, y = panel_of(canvas, plane, column).place(down, across)
    return QPoint(int(x), int(y))


@pytest.mark.parametrize("plane", [XY, XZ, YZ], ids=lambda plane: plane.name)
def test_a_click_puts_the_crosshair_there_in_every_column(canvas, model, qtbot, plane):
    at = place(canvas, plane, 24.0, 40.0)
    qtbot.mouseClick(canvas, LEFT, pos=at)
    assert model.crosshair[plane.down] == 24.0
    assert model.crosshair[plane.across] == 40.0
    for column in (0, 1):
        panel = panel_of(canvas, plane, column)
        x, y = (int(n) for n in panel.place(24.0, 40.0))
        mark = is_mark(shot(canvas, plane, column))
        assert np.flatnonzero(mark.mean(axis=0) > 0.7).tolist() == [x - panel.rect.left]
        assert np.flatnonzero(mark.mean(axis=1) > 0.7).tolist() == [y - panel.rect.top]


def test_a_drag_goes_on_beyond_the_edge_of_the_volume(canvas, model, qtbot):
    qtbot.mousePress(canvas, LEFT, pos=place(canvas, XZ, 20.0, 20.0))
    qtbot.mouseMove(canvas, place(canvas, XZ, 30.0, 44.0))
    assert (model.crosshair[0], model.crosshair[2]) == (30.0, 44.0)
    qtbot.mouseMove(canvas, place(canvas, XZ, -900.0, 44.0))
    assert model.crosshair[0] == 0.0
    qtbot.mouseRelease(canvas, LEFT)
    qtbot.mouseMove(canvas, place(canvas, XZ, 10.0, 10.0))
    assert model.crosshair[0] == 0.0


def test_a_panel_shows_its_slice_at_the_crosshair(canvas, model):
    model.set_crosshair_shown(False)
    model.set_limits((0.0, 1.0))
    model.move_to((40.0, 32.0, 20.0))
    inside, outside = (40.0, 20.0), (10.0, 50.0)
    panel = panel_of(canvas, XZ, 1)

    def grey(position):
        x, y = panel.place(*position)
        return shot(canvas, XZ, 1)[int(y) - panel.rect.top, int(x) - panel.rect.left].tolist()

    assert grey(inside) == [255] * 3
    assert grey(outside) == [0] * 3
    model.move_to((40.0, 2.0, 20.0))
    assert grey(inside) == [0] * 3


def turn(canvas, at, notches, modifiers=NONE):
    event = QWheelEvent(
        QPointF(at), QPointF(canvas.mapToGlobal(at)), QPoint(), QPoint(0, int(120 * notches)),
        Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)


def test_the_wheel_goes_through_the_slices_of_its_panel(canvas, model):
    before = model.crosshair
    turn(canvas, place(canvas, XY, 20.0, 20.0), 3)
    assert model.crosshair == (before[0] + 6.0, *before[1:])
    turn(canvas, place(canvas, YZ, 20.0, 20.0), -0.5)
    turn(canvas, place(canvas, YZ, 20.0, 20.0), -0.5)
    assert model.crosshair == (before[0] + 6.0, before[1], before[2] - 2.0)


def test_zoom_keeps_what_is_under_the_pointer_in_all_columns(canvas, model):
    at = place(canvas, XZ, 44.0, 16.0)
    before = panel_of(canvas, XZ).position(at.x(), at.y())
    turn(canvas, at, 4, CTRL)
    assert panel_of(canvas, XZ).position(at.x(), at.y()) == pytest.approx(before)
    first, second = (panel_of(canvas, XZ, column) for column in (0, 1))
    assert first.scale == pytest.approx(second.scale)
    assert first.window.top == second.window.top
    assert panel_of(canvas, XY).scale == pytest.approx(first.scale)


def test_a_right_drag_pans_every_panel_and_leaves_the_crosshair(canvas, model, qtbot):
    model.look_at(model.view.centre, 4.0)
    crosshair, before = model.crosshair, panel_of(canvas, XZ, 1).window
    start = place(canvas, XZ, *(model.view.centre[a] for a in (0, 2)))
    qtbot.mousePress(canvas, RIGHT, pos=start)
    qtbot.mouseMove(canvas, start + QPoint(20, 0))
    qtbot.mouseRelease(canvas, RIGHT)
    moved = before.left - panel_of(canvas, XZ, 1).window.left
    assert moved * panel_of(canvas, XZ).scale == pytest.approx(20)
    assert model.crosshair == crosshair


def test_linked_contrast_changes_every_column_and_own_contrast_one(canvas, model):
    before = [shot(canvas, XZ, column) for column in (0, 1)]
    model.set_limits((0.0, 5.0))
    linked = [shot(canvas, XZ, column) for column in (0, 1)]
    assert all(np.any(a != b) for a, b in zip(before, linked, strict=True))
    model.link_contrast(False)
    own = [shot(canvas, XZ, column) for column in (0, 1)]
    model.activate(0)
    model.set_limits((0.0, 2.0))
    assert np.any(shot(canvas, XZ, 0) != own[0])
    assert not np.any(shot(canvas, XZ, 1) != own[1])


def test_the_difference_of_a_volume_with_itself_is_flat(canvas, model):
    model.set_crosshair_shown(False)
    model.set_difference("TVM", "TVM")
    panel = panel_of(canvas, XZ, 2)
    low, high = model.extent
    left, top = panel.place(low[0], low[2])
    right, bottom = panel.place(high[0], high[2])
    inner = shot(canvas, XZ, 2)[
        int(top - panel.rect.top) + 1 : int(bottom - panel.rect.top) - 1,
        int(left - panel.rect.left) + 1 : int(right - panel.rect.left) - 1,
    ]
    assert inner.size > 1000
    assert len(np.unique(inner.reshape(-1, 3), axis=0)) == 1
    assert inner.min() > 230
    model.set_difference("WBP", "TVM")
    assert len(np.unique(shot(canvas, XZ, 2).reshape(-1, 3), axis=0)) > 10


def test_spectra_are_drawn_and_follow_the_slice(canvas, model, qtbot):
    first = shot(canvas, SPECTRUM)
    panel = panel_of(canvas, SPECTRUM)
    x, y = (int(n) for n in panel.place(0.0, 0.0))
    centre = first[y - panel.rect.top - 5 :, x - panel.rect.left - 5 :][:10, :10]
    assert centre.mean() > 2 * np.median(first)
    model.step(1, 5)
    settle(canvas, qtbot)
    assert np.any(shot(canvas, SPECTRUM) != first)


def test_the_spectrum_of_a_trust_map_is_not_black(canvas, model, qtbot):
    trust = replace(model.methods[1], title="trust", has_own_scale=True)
    bright = [replace(method, data=1000 * method.data) for method in model.methods]
    model.set_methods([*bright, replace(trust, data=0.001 * trust.data)])
    settle(canvas, qtbot)
    assert shot(canvas, SPECTRUM, column=2).std() > 10


def test_a_volume_that_is_no_longer_compared_is_let_go(canvas, model, qtbot):
    model.set_difference("WBP", "TVM")
    canvas.grab()
    kept = weakref.ref(model.methods[1].data)
    model.set_methods(model.methods[:1])
    canvas.grab()
    gc.collect()
    assert kept() is None


def test_long_names_stay_within_their_columns(canvas, model):
    whole = colours(canvas.grab().toImage())
    name = "a name that is far too long for one column " * 3
    model.set_methods(
        [replace(method, title=name + str(i)) for i, method in enumerate(model.methods)]
    )
    named = colours(canvas.grab().toImage())
    gutter = canvas.layout_now().titles[0]
    assert not np.any(
        whole[: gutter.height, : gutter.left] != named[: gutter.height, : gutter.left]
    )


def test_the_wedge_is_drawn_on_either_side_of_z(canvas, model):
    """Edges at +-60 degrees of tilt cross the upper border at -+30 degrees from the z axis."""
    panel = panel_of(canvas, SPECTRUM)
    row = shot(canvas, SPECTRUM)[10:40]
    blue = (row[..., 2] - row[..., 0] > 60).any(axis=0)
    across = np.flatnonzero(blue) - panel.rect.width / 2
    height = panel.rect.height / 2
    reach = [height - 40, height - 10]
    expected = np.array(reach) * np.tan(np.deg2rad(30))
    assert np.abs(across).min() > expected[0] - 3
    assert np.abs(across).max() < expected[1] + 3
    assert (across > 0).any()
    assert (across < 0).any()


def test_a_line_drawn_with_shift_gives_the_profile(canvas, model, qtbot):
    before = canvas.layout_now().profile
    qtbot.mousePress(canvas, LEFT, SHIFT, place(canvas, XZ, 40.0, 4.0))
    qtbot.mouseMove(canvas, place(canvas, XZ, 40.0, 60.0))
    qtbot.mouseRelease(canvas, LEFT)
    assert before is None
    assert canvas.layout_now().profile is not None
    values = model.profiles()[1].values
    assert values.max() == pytest.approx(1)
    assert values[0] == values[-1] == 0


def test_arrow_keys_move_in_the_plane_that_was_clicked(canvas, model, qtbot):
    qtbot.mouseClick(canvas, LEFT, pos=place(canvas, XZ, 20.0, 20.0))
    y = model.crosshair[1]
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_PageUp):
        qtbot.keyClick(canvas, key)
    assert model.crosshair == (24.0, y + 2.0, 22.0)


def test_a_difference_reads_no_slice_again(model):
    reads = []

    class Counted(np.ndarray):
        def __getitem__(self, where):
            reads.append(where)
            return np.ndarray.__getitem__(self, where)

    model.set_methods([replace(m, data=m.data.view(Counted)) for m in model.methods])
    model.set_difference("TVM", "WBP")
    pictures = Pictures(model)
    panels = [p for p in screen_layout(model, 700, 800).panels if p.plane == XZ]
    reads.clear()
    seen = [pictures.picture(panel, (60, 60), 0) for panel in panels]
    assert len(reads) == len(model.methods) < len(seen)
    model.move_to((0.0, 20.0, 0.0))
    assert not np.array_equal(pictures.picture(panels[2], (60, 60), 0), seen[2])


def test_words_below_a_figure_stay_off_its_edge(canvas, model):
    model.set_difference("TVM", "WBP")
    pixels = colours(PrintedFigure(model, canvas.layout_now()).image(dpi=300))
    foot = pixels[-round(PRINT.foot * 300 / 72) :]
    assert (foot < 200).any()
    assert (foot[:, -8:] == 255).all()


@pytest.mark.parametrize("crosshair", [False, True])
def test_figure_for_print(canvas, model, tmp_path, crosshair):
    figure = PrintedFigure(model, canvas.layout_now(), crosshair=crosshair)
    image = QImage(str(figure.save(tmp_path / "figure.png", dpi=150)))
    assert image.width() <= 180 / 25.4 * 150 + 1
    assert image.dotsPerMeterX() == pytest.approx(150 / 0.0254, abs=1)
    pixels = colours(image)
    assert (pixels[0] == 255).all()
    assert is_mark(pixels).any() == crosshair
    assert len(np.unique(pixels @ (1 << 16, 1 << 8, 1))) > 100


def test_figure_as_pdf_keeps_words_as_words(canvas, model, tmp_path):
    path = PrintedFigure(model, canvas.layout_now()).save(tmp_path / "figure.pdf", dpi=150)
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/FontFile" in content
    assert b"/DCTDecode" not in content
    width, height = map(float, re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content).groups())
    assert width <= 180 / 25.4 * 72 + 1
    assert height <= 240 / 25.4 * 72 + 1


@pytest.mark.parametrize(
    ("name", "says"), [("figure.jpg", "a .png or a .pdf"), ("missing/figure.png", "does not exist")]
)
def test_figures_that_cannot_be_written_are_told(canvas, model, tmp_path, name, says):
    with pytest.raises(WedgefillError, match=says):
        PrintedFigure(model, canvas.layout_now()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())
