"""A widget that scrolls where the screen is too low for it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QWidget,
)

from ..qt_objects import expect

#: Lowest that a dock is pressed to, in pixels.
LEAST_HEIGHT = 260
#: Turn of a wheel by one notch, in Qt's units, and how far it scrolls.
NOTCH, LINES_PER_NOTCH = 120, 3
#: How wide a box for choices would be and is at least, whatever is in it; the latter in pixels.
LEAST_LETTERS, LEAST_WIDTH = 8, 64
ADJUST_TO_LETTERS = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon


class Scrolling(QScrollArea):
    """Shows all of a widget where there is room, and a vertical scroll bar where there is not.

    Without it a dock that grows, such as by the verdict of a check, pushes napari's window beyond
    the lower edge of a small screen.

    Parameters
    ----------
    content : QWidget
        Complete: its boxes are looked for once.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._part: QWidget = content
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(lambda: self.ensureWidgetVisible(self._part))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setWidget(content)
        for box in (*content.findChildren(QComboBox), *content.findChildren(QAbstractSpinBox)):
            # Qt gives them the focus when the wheel turns over them.
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.installEventFilter(self)
            if isinstance(box, QComboBox):
                # Else a long name of a series or a run makes the dock, and napari's window, wider.
                box.setSizeAdjustPolicy(ADJUST_TO_LETTERS)
                box.setMinimumContentsLength(LEAST_LETTERS)
                box.setMinimumWidth(LEAST_WIDTH)  # Qt's own least is that of the longest name

    def reveal(self, part: QWidget) -> None:
        """Scroll to a part, once it has its place."""
        self._part = part
        self._later.start(0)

    def minimumSizeHint(self) -> QSize:
        """As wide as the content needs, so that nothing is cut off at the side."""
        bar = expect(self.verticalScrollBar()).sizeHint().width()
        least = expect(self.widget()).minimumSizeHint()
        return QSize(least.width() + bar, min(LEAST_HEIGHT, least.height()))

    def sizeHint(self) -> QSize:
        """Room for all of it."""
        return expect(self.widget()).sizeHint().expandedTo(self.minimumSizeHint())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Let the wheel scroll the panel, not the value of a box that the pointer passes over."""
        if (
            watched is self.widget()
            and event is not None
            and event.type() == QEvent.Type.LayoutRequest
        ):
            # Qt remembers the hints, and does not ask again when the content changes its width.
            self.updateGeometry()
        if (
            isinstance(watched, QWidget)
            and isinstance(event, QWheelEvent)
            and not watched.hasFocus()
        ):
            bar = expect(self.verticalScrollBar())
            notches = event.angleDelta().y() / NOTCH
            bar.setValue(round(bar.value() - notches * LINES_PER_NOTCH * bar.singleStep()))
            return True
        return bool(super().eventFilter(watched, event))
