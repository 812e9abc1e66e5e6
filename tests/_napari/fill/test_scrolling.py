"""The dock on a low screen: everything can be reached, and scrolling changes no value."""

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QSpinBox, QVBoxLayout, QWidget

from napari_wedgefill._napari.fill.scrolling import Scrolling

N_LABELS = 40


@pytest.fixture
def low(qtbot):
    """Return a dock of 300 x 200 pixels, and the number box in it."""
    content = QWidget()
    column = QVBoxLayout(content)
    box = QSpinBox()
    box.setValue(7)
    column.addWidget(box)
    for index in range(N_LABELS):
        column.addWidget(QLabel(f"line {index}"))
    area = Scrolling(content)
    qtbot.addWidget(area)
    area.resize(300, 200)
    area.show()
    qtbot.waitExposed(area)
    return area, box


def turn_wheel(widget: QWidget) -> None:
    middle = widget.rect().center()
    QApplication.sendEvent(
        widget,
        QWheelEvent(
            QPointF(middle),
            QPointF(widget.mapToGlobal(middle)),
            QPoint(0, 0),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        ),
    )


def test_what_does_not_fit_is_scrolled_to(low):
    area, _ = low
    assert area.verticalScrollBar().maximum() > 0
    assert area.minimumSizeHint().height() < area.widget().minimumSizeHint().height()
    assert area.viewport().width() >= area.widget().minimumSizeHint().width()


def test_the_wheel_scrolls_and_leaves_the_numbers_alone(low, monkeypatch):
    area, box = low
    turn_wheel(box)
    assert box.value() == 7
    assert area.verticalScrollBar().value() > 0
    monkeypatch.setattr(box, "hasFocus", lambda: True)  # a virtual display has no active window
    turn_wheel(box)
    assert box.value() == 6


def test_a_long_name_does_not_widen_the_dock(qtbot):
    """A box takes the width of what is in it when it is first shown, as in a dock opened anew."""
    widths = []
    for name in ("short", "a tilt series with a name as long as microscopes write them, aligned"):
        content = QWidget()
        box = QComboBox()
        box.addItem(name)
        QVBoxLayout(content).addWidget(box)
        area = Scrolling(content)
        qtbot.addWidget(area)
        area.show()
        qtbot.waitExposed(area)
        widths.append(area.minimumSizeHint().width())
    assert widths[0] == widths[1]
