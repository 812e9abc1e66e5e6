"""Part of the Fill wedge widget that asks how far the volumes can be trusted, and says it."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ...trust.verdicts import SelfCheck, TrustMap
from .form import form_on, row
from .inputs import METHOD_LABELS

HEADINGS = ("withheld tilts", "inside", "outermost")


class TrustPanel(QWidget):
    """Tick boxes for the checks, their verdict in words and figures, and the way to the table."""

    results_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.self_check = QCheckBox("Self-check")
        self.self_check.setToolTip(
            "After the fill: withhold measured tilts, rebuild 16 slices without them,\n"
            "and compare the images that every method predicts with the withheld ones."
        )
        self.trust_map = QCheckBox("Trust map")
        self.trust_map.setToolTip(
            "After the fill: see how the networks' volume moves under mirrored views of the\n"
            "same measurements. Takes three times as long as GAN alone."
        )
        self.results_button = QPushButton("Results\N{HORIZONTAL ELLIPSIS}")
        self.results_button.setToolTip(
            "Measure the volumes of the last fill: residuals, resolution, elongation, volume\n"
            "fraction; shown as a table that can be copied."
        )
        self.results_button.clicked.connect(self.results_wanted.emit)
        self._errors = QWidget()
        self._grid = QGridLayout(self._errors)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(1)
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        form = form_on(self)
        form.addRow("Checks", row(self.self_check, self.trust_map, self.results_button))
        form.addRow(self._errors)
        form.addRow(self.verdict)
        self.clear()
        self.set_ready(False)

    def set_ready(self, ready: bool) -> None:
        """Say whether there are volumes to measure."""
        self.results_button.setEnabled(ready)

    def clear(self) -> None:
        """Forget the last fill's verdict."""
        self._sentences: list[str] = []
        self._say()
        self._errors.hide()

    def show_self_check(self, result: SelfCheck) -> None:
        """Show the errors at withheld tilts, and in words which method is ahead."""
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        for column, heading in enumerate(HEADINGS):
            self._put(0, column, heading)
        for line, (method, inside) in enumerate(result.spread.items(), 1):
            self._put(line, 0, METHOD_LABELS[method])
            self._put(line, 1, f"{100 * inside:.1f} %", result.spread)
            self._put(line, 2, f"{100 * result.outermost[method]:.1f} %", result.outermost)
        self._errors.setToolTip(_in_detail(result))
        self._errors.show()
        self._sentences.append(result.verdict)
        self._say()

    def show_trust(self, result: TrustMap) -> None:
        """Say in words how much of the volume is in doubt."""
        self._sentences.append(result.sentence)
        self._say()

    def _say(self) -> None:
        self.verdict.setText("\n".join(self._sentences))
        self.verdict.setVisible(bool(self._sentences))

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


def _in_detail(result: SelfCheck) -> str:
    """Say what the figures are, and list them by withheld angle."""
    lines = ["Root mean square error of the predicted images over the images themselves."]
    for angle, where, errors in result.by_angle():
        each = ", ".join(f"{METHOD_LABELS[m]} {100 * error:.1f} %" for m, error in errors.items())
        lines.append(f"{angle:+.1f}\N{DEGREE SIGN} ({where}): {each}")
    return "\n".join(lines)
