"""Lower part of the Fill wedge widget: run, progress, status, view and export."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QApplication,
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...durations import roughly
from ..messages import Message
from ..side_by_side import ORIENTATIONS

STEPS = 1000
TILTS = "Tilts"
#: Room for the name of a view, in pixels.
VIEW_WIDTH = 44
VIEW_TIPS = {
    TILTS: "The images of the tilt series.",
    "XZ": "Slices across the tilt axis: here the missing wedge shows.",
    "XY": "Slices as seen along the beam at 0 degrees.",
    "YZ": "Slices along the tilt axis and the beam.",
}


class RunPanel(QWidget):
    """Buttons, progress bar and status line; it says what was pressed and knows nothing else."""

    view_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._report = ""
        self.preview_button = QPushButton("Preview slice")
        self.preview_button.setToolTip("Run the checked methods on this one slice.")
        self.slice_box = QSpinBox()
        self.slice_box.setMaximum(0)
        self.slice_box.setToolTip("Slice along the tilt axis (y) to preview.")
        self.fill_button = QPushButton("Fill wedge")
        self.fill_button.setToolTip("Run every checked method and show the volumes.")
        self.fill_button.setMinimumHeight(38)
        self.fill_button.setStyleSheet("font-weight: bold; font-size: 15px;")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop at the next step; no volume is added.")
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(True)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.report_button = QPushButton("Copy report")
        self.report_button.setToolTip("Copy the error with versions to the clipboard.")
        self.report_button.clicked.connect(self._copy_report)
        self.export_button = QPushButton("Export MRC\N{HORIZONTAL ELLIPSIS}")
        self.export_button.setToolTip("Write volumes with their voxel size and history.")
        menu = QMenu(self.export_button)
        self.export_all = menu.addAction("All volumes\N{HORIZONTAL ELLIPSIS}")
        self.export_selected = menu.addAction("Selected volumes\N{HORIZONTAL ELLIPSIS}")
        self.export_button.setMenu(menu)
        self._lay_out()
        self.set_running(False)
        self.say("")

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(_row(self.preview_button, self.slice_box))
        column.addWidget(self.fill_button)
        column.addLayout(_row(self.bar, self.cancel_button))
        column.addWidget(self.status)
        column.addWidget(self.report_button)
        column.addLayout(self._view_row())
        column.addWidget(self.export_button)

    def _view_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("View"))
        self._views = QButtonGroup(self)
        self.view_buttons = {}
        for name in (TILTS, *ORIENTATIONS):
            button = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(VIEW_TIPS[name])
            # Before the theme reaches them, buttons ask for twice the room, and the window grows.
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(VIEW_WIDTH)
            button.clicked.connect(lambda _=False, name=name: self.view_chosen.emit(name))
            self._views.addButton(button)
            self.view_buttons[name] = button
            row.addWidget(button, stretch=1)
        self.view_buttons[TILTS].setChecked(True)
        return row

    def set_n_slices(self, n_slices: int) -> None:
        """Offer the slices of a series, the middle one at first; keep a choice that still fits."""
        if self.slice_box.maximum() == n_slices - 1:
            return
        self.slice_box.setRange(0, n_slices - 1)
        self.slice_box.setValue(n_slices // 2)

    def set_running(self, running: bool, *, ready: bool = True) -> None:
        """Switch between idle and running; `ready` says whether there is a series to run on."""
        self.fill_button.setEnabled(ready and not running)
        self.preview_button.setEnabled(ready and not running)
        self.export_button.setEnabled(not running)
        self.cancel_button.setVisible(running)
        self.bar.setVisible(running)

    def show_progress(self, stage: str, fraction: float, seconds_left: float | None) -> None:
        """Move the bar and say what is going on and for how long."""
        self.bar.setValue(round(STEPS * fraction))
        self.bar.setFormat("%p%")
        left = "" if seconds_left is None else f", {roughly(seconds_left)} left"
        self.say(f"{stage[:1].upper()}{stage[1:]}{left}")

    def say(self, text: str) -> None:
        """Put a sentence into the status line."""
        self.show_message(Message(text))

    def show_message(self, message: Message) -> None:
        """Show a sentence, and the button that copies the report where there is one."""
        self.status.setText(message.sentence)
        self._report = message.report
        self.report_button.setVisible(bool(message.report))

    def _copy_report(self) -> None:
        QApplication.clipboard().setText(self._report)


def _row(wide: QWidget, narrow: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(wide, stretch=1)
    row.addWidget(narrow)
    return row
