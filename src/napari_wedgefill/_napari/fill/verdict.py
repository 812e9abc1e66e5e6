"""The verdict on a run: errors at withheld tilts, what is in doubt, and where it was filled."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ...methods import label_of
from ...trust.verdicts import SelfCheck
from ..qt_objects import expect
from ..runs import Run

HEADINGS = ("withheld tilts", "inside", "outermost")
UNCHECKED = "Not checked: no method with networks was chosen."


class Verdict(QWidget):
    """What the checks of one run found."""

    def __init__(self) -> None:
        super().__init__()
        self.errors = QWidget()
        self._labels: list[QLabel] = []
        self._grid = QGridLayout(self.errors)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(1)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.errors)
        column.addWidget(self.words)

    def show_run(self, run: Run | None) -> None:
        """Show the verdict on a run; nothing where there is none."""
        self._clear()
        found = None if run is None else run.self_check
        if found is not None:
            self._show_errors(found)
        quick = None if run is None else run.quick_check
        sentences = [] if quick is None else [quick.sentence]
        if found is not None:
            sentences.append(found.verdict)
        if run is not None and run.trust_map is not None:
            sentences.append(run.trust_map.sentence)
        if run is not None:
            sentences = sentences or [UNCHECKED]
            sentences += [run.report["field"]] if "field" in run.report else []
        self.errors.setVisible(found is not None)
        self.words.setText("\n".join(sentences))

    def cells(self) -> list[str]:
        """Return the texts of the table, row by row."""
        return [label.text() for label in self._labels]

    def _clear(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            expect(item.widget()).deleteLater()
        self._labels = []

    def _show_errors(self, found: SelfCheck) -> None:
        for column, heading in enumerate(HEADINGS):
            self._put(0, column, heading)
        for line, (method, inside) in enumerate(found.spread.items(), 1):
            self._put(line, 0, label_of(method))
            self._put(line, 1, f"{100 * inside:.1f} %", found.spread)
            self._put(line, 2, f"{100 * found.outermost[method]:.1f} %", found.outermost)
        self.errors.setToolTip(_list_errors(found))

    def _put(
        self, line: int, column: int, text: str, errors: dict[str, float] | None = None
    ) -> None:
        """Fill one cell of the small table; the least error of a column is bold."""
        if errors is not None and text == f"{100 * min(errors.values()):.1f} %":
            text = f"<b>{text}</b>"
        label = QLabel(text)
        side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
        label.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self._grid.addWidget(label, line, column)
        self._labels.append(label)


def _list_errors(found: SelfCheck) -> str:
    """Say what the figures are, and list them by withheld angle."""
    lines = ["Root mean square error of the predicted images over the images themselves."]
    for angle, where, errors in found.by_angle():
        each = ", ".join(f"{label_of(m)} {100 * error:.1f} %" for m, error in errors.items())
        lines.append(f"{angle:+.1f}\N{DEGREE SIGN} ({where}): {each}")
    return "\n".join(lines)
