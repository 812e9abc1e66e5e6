"""The foot of the Fill wedge dock, always in sight: run, progress, what is said, views, results."""

from __future__ import annotations

from psygnal import Signal
from qtpy.QtWidgets import (
    QApplication,
    QBoxLayout,
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...durations import write_rough_duration
from ...progress import Progress
from ..cells import ORIENTATIONS, SOLID, TILTS
from ..messages import Message
from ..qt_objects import expect

STEPS = 1000
#: Of the button that matters most, in pixels.
FILL_HEIGHT = 32
#: Room for the name of a view, in pixels.
VIEW_WIDTH = 36
MORE = "\N{HORIZONTAL ELLIPSIS}"
VIEW_TIPS = {
    TILTS: "The images of the tilt series.",
    "XZ": "Slices across the tilt axis: here the missing wedge shows.",
    "XY": "Slices as seen along the beam at 0 degrees.",
    "YZ": "Slices along the tilt axis and the beam.",
    SOLID: "Surfaces in three dimensions; all methods turn in step.",
}


class Footer(QWidget):
    """Buttons, progress bar and status line; it says what was pressed and knows nothing else."""

    view_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._report = ""
        self.fill_button = _button("Fill wedge", "Run every checked method and show the volumes.")
        self.fill_button.setStyleSheet("font-weight: bold;")
        self.fill_button.setMinimumHeight(FILL_HEIGHT)
        self.cancel_button = _button(
            "Cancel", "Stop at the next step; volumes that are complete stay."
        )
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setFormat("%p%")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.report_button = _button(
            "Copy report", "Copy the error with versions to the clipboard."
        )
        self.report_button.clicked.connect(self._copy_report)
        self.compare_button = _button(
            f"Compare{MORE}", "Orthoslices, power spectra and profiles of all methods."
        )
        self.results_button = _button(
            f"Results{MORE}",
            "Residuals, resolution, elongation and volume fraction, as a table to copy.",
        )
        self.export_button = _button(
            f"Export{MORE}", "Write volumes as MRC, with their voxel size and history."
        )
        self.session_button = _button("Session", "Save all that is open, or open it again.")
        menu = QMenu(self.session_button)
        self.save_action = expect(menu.addAction(f"Save session{MORE}"))
        self.open_action = expect(menu.addAction(f"Open session{MORE}"))
        self.session_button.setMenu(menu)
        self._lay_out()
        self.set_running(False, ready=False)
        self.show_message(Message(""))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 6)
        column.setSpacing(5)
        column.addWidget(self.bar)
        column.addWidget(self.status)
        column.addWidget(self.report_button)
        column.addLayout(_row((self.fill_button, 3), (self.cancel_button, 1)))
        results = (
            self.compare_button,
            self.results_button,
            self.export_button,
            self.session_button,
        )
        column.addLayout(_row(*((button, 1) for button in results)))
        column.addLayout(self._view_row())

    def _view_row(self) -> QBoxLayout:
        self._views = QButtonGroup(self)
        self.view_buttons = {}
        for name in (TILTS, *ORIENTATIONS, SOLID):
            button = _button(name, VIEW_TIPS[name])
            button.setCheckable(True)
            button.setMinimumWidth(VIEW_WIDTH)
            button.clicked.connect(lambda _=False, name=name: self.view_chosen.emit(name))
            self._views.addButton(button)
            self.view_buttons[name] = button
        row = _row(*((button, 1) for button in self.view_buttons.values()))
        row.insertWidget(0, QLabel("View"))
        self.trust_button = _button("Trust", "The trust map over the networks' volume.")
        self.trust_button.setCheckable(True)
        self.trust_button.setMinimumWidth(VIEW_WIDTH)
        row.addWidget(self.trust_button, stretch=1)
        return row

    def mark_trust(self, *, offered: bool, shown: bool) -> None:
        """Offer the trust map where a run has one, and light its button while it is seen."""
        self.trust_button.setVisible(offered)
        self.trust_button.setChecked(shown)

    def mark_view(self, shown: str) -> None:
        """Light the button of the view that the canvas shows, and none for any other."""
        self._views.setExclusive(False)
        for name, button in self.view_buttons.items():
            button.setChecked(name == shown)
        self._views.setExclusive(True)

    def set_running(self, running: bool, *, ready: bool) -> None:
        """Switch between idle and running; `ready` says whether there is a series to run on."""
        self.fill_button.setEnabled(ready and not running)
        self.cancel_button.setEnabled(running)
        self.bar.setVisible(running)

    def show_progress(self, progress: Progress) -> None:
        """Move the bar and say what is going on, and how long all of it will take."""
        self.bar.setValue(round(STEPS * progress.fraction))
        left = progress.seconds_left
        told = "" if left is None else f", {write_rough_duration(left)} left"
        self.show_message(Message(f"{progress.stage[:1].upper()}{progress.stage[1:]}{told}"))

    def show_message(self, message: Message) -> None:
        """Show a sentence, and the button that copies the report where there is one."""
        self.status.setText(message.sentence)
        self.status.setVisible(bool(message.sentence))
        self._report = message.report
        self.report_button.setVisible(bool(message.report))

    def _copy_report(self) -> None:
        expect(QApplication.clipboard()).setText(self._report)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    # Before the theme reaches them, buttons ask for twice the room, and the window grows.
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return button


def _row(*widgets: tuple[QWidget, int]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget, stretch in widgets:
        row.addWidget(widget, stretch=stretch)
    return row
