"""The part of the window with the panels: draws them, and turns the mouse into moves."""

from __future__ import annotations

import time
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPointF, QSize, Qt, QTimer
from qtpy.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from .layout import Layout, Panel, screen_layout
from .model import CompareModel
from .painting import Painting, Style
from .pictures import Pictures
from .planes import PLANES, SPECTRUM
from .profile import Line
from .theme import DARK, Theme

#: Turn of a wheel by one notch, in Qt's units.
NOTCH = 120
ZOOM_PER_NOTCH = 1.2
#: Time for spectra between two frames; where one takes longer, all wait until the mouse rests.
QUICK_S = 0.004
REST_MS = 120

_KEYS = {
    Qt.Key.Key_Left: ("across", -1),
    Qt.Key.Key_Right: ("across", 1),
    Qt.Key.Key_Up: ("down", -1),
    Qt.Key.Key_Down: ("down", 1),
    Qt.Key.Key_PageUp: ("cut", 1),
    Qt.Key.Key_PageDown: ("cut", -1),
}


@dataclass
class Drag:
    """A pressed button: where, and what its movement does."""

    panel: Panel
    what: str
    start: QPointF
    centre: tuple[float, float, float]


class CompareCanvas(QWidget):
    """Draws the panels of a model; click, drag and wheel change it.

    Parameters
    ----------
    model : CompareModel
        What to show.
    """

    def __init__(self, model: CompareModel) -> None:
        super().__init__()
        self._model = model
        self._pictures = Pictures(model)
        self._drag: Drag | None = None
        self._plane = PLANES[1]
        self._turned = 0.0
        self._spectrum_s = 0.0
        self.theme: Theme = DARK
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        # Every pixel is painted every time.
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._refresh_spectra)
        model.changed.connect(self._redraw)
        model.moved.connect(self._redraw)
        self._redraw()

    def sizeHint(self) -> QSize:
        """Room for four columns."""
        return QSize(1100, 760)

    def minimumSizeHint(self) -> QSize:
        """Small enough for a dock."""
        return QSize(320, 240)

    def layout_now(self) -> Layout:
        """Return where everything lies at present."""
        return screen_layout(self._model, self.width(), self.height())

    def _redraw(self) -> None:
        self.update()
        self._later.start(0 if self._spectrum_s < QUICK_S else REST_MS)

    def _refresh_spectra(self) -> None:
        """Compute a few spectra at a time, so that a drag goes on in between."""
        started = before = time.perf_counter()
        while self._pictures.refresh_one_spectrum():
            now = time.perf_counter()
            self._spectrum_s, before = now - before, now
            self.update()
            if now - started > QUICK_S:
                self._later.start(0)
                break

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw everything."""
        painter = QPainter(self)
        style = Style(self.theme, self.devicePixelRatioF(), self._model.show_crosshair, values=True)
        Painting(painter, self._model, self.layout_now(), style).draw(self._pictures)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Begin to move the crosshair, to pan, or to draw a line."""
        if event is None:
            return
        place = event.position()
        layout = self.layout_now()
        for index, title in enumerate(layout.titles):
            if title.contains(place.x(), place.y()):
                self._model.activate(index)
        panel = layout.panel_at(place.x(), place.y())
        if panel is None:
            return
        self._model.activate(panel.column)
        if panel.plane == SPECTRUM:
            return
        self._plane = panel.plane
        self._drag = Drag(panel, _what(event), place, self._model.view.centre)
        self._move(place)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Go on with what the button began."""
        if event is not None and self._drag is not None:
            self._move(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """End it."""
        self._drag = None

    def _move(self, place: QPointF) -> None:
        assert self._drag is not None
        drag, model = self._drag, self._model
        plane, panel = drag.panel.plane, drag.panel
        if drag.what == "crosshair":
            model.move_within(plane, *panel.position(place.x(), place.y()))
            return
        start = panel.position(drag.start.x(), drag.start.y())
        stop = panel.position(place.x(), place.y())
        if drag.what == "pan":
            centre = list(drag.centre)
            centre[plane.down] -= stop[0] - start[0]
            centre[plane.across] -= stop[1] - start[1]
            model.look_at((centre[0], centre[1], centre[2]))
        else:
            ends = [model.point_in(plane, *where) for where in (start, stop)]
            model.draw_line(Line(plane, *ends))

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Go through the slices; with Ctrl, zoom about the pointer."""
        if event is None:
            return
        place = event.position()
        panel = self.layout_now().panel_at(place.x(), place.y())
        if panel is None:
            return
        event.accept()
        turn = event.angleDelta().y() / NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom(panel, place, ZOOM_PER_NOTCH**turn)
            return
        self._turned += turn
        whole = int(self._turned)
        self._turned -= whole
        if whole:
            self._model.step(panel.plane.cut, whole)

    def _zoom(self, panel: Panel, place: QPointF, factor: float) -> None:
        """Zoom so that what is under the pointer stays there."""
        model, plane = self._model, panel.plane
        if plane == SPECTRUM:
            model.zoom_spectrum(factor)
            return
        before = model.view.magnification
        target = model.clip_magnification(before * factor)
        down, across = panel.position(place.x(), place.y())
        centre = list(model.view.centre)
        for axis, fixed in ((plane.down, down), (plane.across, across)):
            centre[axis] = fixed + (centre[axis] - fixed) * before / target
        model.look_at((centre[0], centre[1], centre[2]), target)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows move the crosshair, Page Up and Page Down go through the slices, Home fits."""
        if event is None:
            return
        key = Qt.Key(event.key())
        if key in _KEYS:
            direction, voxels = _KEYS[key]
            self._model.step(getattr(self._plane, direction), voxels)
        elif key == Qt.Key.Key_Home:
            self._model.fit()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        """Draw again in the colours of another screen or font."""
        super().changeEvent(event)
        self.update()


def _what(event: QMouseEvent) -> str:
    if event.button() != Qt.MouseButton.LeftButton:
        return "pan"
    shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
    return "line" if shift else "crosshair"
