"""The controls above the panels: what is compared, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from psygnal import Signal
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)
from superqt import QFlowLayout

from .contrast_bar import ContrastBar
from .model import CompareModel
from .planes import AXES, ROWS

OTHERS = "other volumes"
NONE, MIXED = "none", "chosen volumes"
PROFILES = ("off", "along x", "along y", "along z", "drawn line")
OFF, DRAWN = PROFILES[0], PROFILES[-1]
ROW_TIPS = {
    "XY": "Slices as seen along the beam at 0 degrees.",
    "XZ": "Slices across the tilt axis: here the missing wedge shows.",
    "YZ": "Slices along the tilt axis and the beam.",
    "Spectrum": "Power spectra of the XZ slices, with the edges of what was measured.",
}


class ControlBar(QWidget):
    """Shows and sets a model's choices.

    Parameters
    ----------
    model : CompareModel
        What the controls set.
    """

    copy_asked = Signal()
    save_asked = Signal()
    line_wanted = Signal()
    run_chosen = Signal(str)

    def __init__(self, model: CompareModel) -> None:
        super().__init__()
        self._model = model
        self.run_box = QComboBox()
        self.layer_menu = LayerMenu()
        self.row_buttons = {row.name: _toggle(row.name, ROW_TIPS[row.name]) for row in ROWS}
        self.minuend_box, self.reference_box, self.profile_box = (QComboBox() for _ in range(3))
        self.profile_box.addItems(PROFILES)
        self.crosshair_check = QCheckBox("Crosshair")
        self.fit_button = QPushButton("Fit")
        self.copy_button = QPushButton("Copy")
        self.save_button = QPushButton("Save figure\N{HORIZONTAL ELLIPSIS}")
        self.contrast = ContrastBar(model)
        self._explain()
        self._lay_out()
        self._connect()
        self.refresh()

    def offer_runs(self, runs: Sequence[str], shown: str) -> None:
        """List the runs, the newest first; `shown` is empty where volumes of several are mixed."""
        with QSignalBlocker(self.run_box):
            _offer(self.run_box, [MIXED, *runs] if not shown else list(runs), shown or MIXED)
        self._run_group.setVisible(bool(runs))

    def _explain(self) -> None:
        self.run_box.setToolTip("Which run to compare: a column for each of its methods.")
        self.minuend_box.setToolTip("Add a column that shows the difference of two volumes.")
        self.reference_box.setToolTip("The reference, which is subtracted.")
        self.profile_box.setToolTip(
            "Intensities of all columns along a line through the crosshair,\n"
            "or along a line that you draw: hold Shift and drag in a panel."
        )
        self.crosshair_check.setToolTip("Show the crosshair, here and in figures.")
        self.fit_button.setToolTip("Show all of every volume (Home).")
        self.copy_button.setToolTip("Copy the figure to the clipboard.")
        self.save_button.setToolTip("Write the figure as PNG or PDF, for print.")

    def _lay_out(self) -> None:
        flow = QFlowLayout()
        flow.setContentsMargins(0, 0, 0, 0)
        self._run_group = _group(QLabel("Run"), self.run_box)
        flow.addWidget(self._run_group)
        for group in (
            (self.layer_menu,),
            (QLabel("Rows"), *self.row_buttons.values()),
            (QLabel("Difference"), self.minuend_box, QLabel("\N{MINUS SIGN}"), self.reference_box),
            (QLabel("Profile"), self.profile_box),
            (self.crosshair_check, self.fit_button, self.copy_button, self.save_button),
        ):
            flow.addWidget(_group(*group))
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 2)
        column.addLayout(flow)
        column.addWidget(self.contrast)

    def _connect(self) -> None:
        model = self._model
        for row in ROWS:
            button = self.row_buttons[row.name]
            button.toggled.connect(lambda shown, row=row: model.show_row(row, shown))
        self.minuend_box.currentTextChanged.connect(self._set_difference)
        self.reference_box.currentTextChanged.connect(self._set_difference)
        self.profile_box.currentTextChanged.connect(self._set_profile)
        self.run_box.currentTextChanged.connect(self.run_chosen.emit)
        self.crosshair_check.toggled.connect(model.set_crosshair_shown)
        self.fit_button.clicked.connect(model.fit)
        self.copy_button.clicked.connect(lambda: self.copy_asked.emit())
        self.save_button.clicked.connect(lambda: self.save_asked.emit())
        model.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show what the model holds."""
        model = self._model
        titles = [method.title for method in model.methods]
        minuend, reference = model.difference or (NONE, self.reference_box.currentText())
        with ExitStack() as quiet:
            for widget in self._inputs():
                quiet.enter_context(QSignalBlocker(widget))
            for row in ROWS:
                self.row_buttons[row.name].setChecked(row in model.rows)
            _offer(self.minuend_box, [NONE, *titles], minuend)
            _offer(self.reference_box, titles, reference)
            if model.drawn_line is not None:
                self.profile_box.setCurrentText(DRAWN)
            elif model.profile_axis is not None:
                self.profile_box.setCurrentText(f"along {AXES[model.profile_axis]}")
            self.crosshair_check.setChecked(model.show_crosshair)
        self.contrast.refresh()
        self.reference_box.setEnabled(minuend != NONE)
        for button in (self.copy_button, self.save_button, self.fit_button):
            button.setEnabled(bool(titles))

    def _inputs(self) -> list[QWidget]:
        return [
            *self.row_buttons.values(),
            self.minuend_box,
            self.reference_box,
            self.profile_box,
            self.crosshair_check,
        ]

    def _set_difference(self) -> None:
        minuend = self.minuend_box.currentText()
        self._model.set_difference(
            None if minuend == NONE else minuend, self.reference_box.currentText()
        )

    def _set_profile(self, choice: str) -> None:
        """Take the direction of the profile; a line is drawn in a panel, not chosen here."""
        if choice == DRAWN:
            self.line_wanted.emit()
        axis = AXES.index(choice[-1]) if choice not in (OFF, DRAWN) else None
        self._model.set_profile_axis(axis)


def _toggle(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def _group(*widgets: QWidget) -> QWidget:
    """Keep widgets on one line."""
    group = QWidget()
    row = QHBoxLayout(group)
    row.setContentsMargins(0, 0, 10, 0)
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    return group


def _offer(box: QComboBox, choices: list[str], chosen: str) -> None:
    if [box.itemText(index) for index in range(box.count())] != choices:
        box.clear()
        box.addItems(choices)
    if chosen in choices:
        box.setCurrentText(chosen)


class LayerMenu(QPushButton):
    """A button with a list of layers to tick; the list stays open meanwhile."""

    ticked = Signal()

    def __init__(self) -> None:
        super().__init__("Volumes")
        self.setToolTip("Which volumes to compare.")
        self._menu = QMenu(self)
        self.setMenu(self._menu)
        self.checks: dict[str, QCheckBox] = {}

    def offer(self, groups: Mapping[str, Sequence[str]], ticked: Sequence[str]) -> None:
        """List layers by name, each group under its heading."""
        self._menu.clear()
        self.checks = {}
        for heading, names in groups.items():
            if len(groups) > 1 and heading:
                self._menu.addSection(heading)
            elif len(groups) > 1:
                self._menu.addSection(OTHERS)
            self._add(names, ticked)

    def _add(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        for name in names:
            check = QCheckBox(name)
            check.setChecked(name in ticked)
            check.setStyleSheet("padding: 3px 12px 3px 6px;")
            check.toggled.connect(lambda: self.ticked.emit())
            action = QWidgetAction(self._menu)
            action.setDefaultWidget(check)
            self._menu.addAction(action)
            self.checks[name] = check

    @property
    def chosen(self) -> list[str]:
        """Names of the ticked layers, in the order of the list."""
        return [name for name, check in self.checks.items() if check.isChecked()]
