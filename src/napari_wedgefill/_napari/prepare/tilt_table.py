"""The table of tilts: angle, shift, residual, and whether an image is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ..qt_objects import expect
from .plan import Plan
from .steps import Step

USE, ANGLE, ALONG_X, ALONG_Y, RESIDUAL = range(5)
HEADINGS = ("Use", "Angle \N{DEGREE SIGN}", "Shift x", "Shift y", "Residual")
TIPS = (
    "Whether the image is used. Take the tick away to leave it out.",
    "Tilt angle in degrees; a double click corrects it. The tilt offset is not yet added.",
    "By how much the image was moved across the tilt axis, in pixels.",
    "By how much the image was moved along the tilt axis, in pixels.",
    "Share of the image that the other tilts fail to predict.",
)
#: Rows that are seen at once, and the height of one in pixels.
SEEN_ROWS, ROW_PX = 8, 22
DOUBTFUL = QColor(230, 150, 40)
#: A residual stands out from so many times the middle one.
STANDS_OUT = 1.6


@dataclass(frozen=True)
class Line:
    """One row of the table.

    Attributes
    ----------
    tilt : int
        Number of the image in the series as it was opened.
    angle_deg : float
        Angle as read, or corrected.
    shift_px : tuple of float, or None
        Along x and y; None before anything was moved.
    residual : float or None
        Share that the other tilts fail to predict.
    use : bool
        Whether the image is used.
    reason : str
        What is said against it; empty for a good one.
    """

    tilt: int
    angle_deg: float
    shift_px: tuple[float, float] | None
    residual: float | None
    use: bool
    reason: str


def make_lines(plan: Plan, angles_deg: NDArray[np.float64], step: Step | None) -> list[Line]:
    """Make the rows: what the plan says, and what the step that made the series found."""
    said = {bad.tilt: bad.reason for bad in (plan.glance.bad or ())} if plan.glance else {}
    rows = {} if step is None else {row.tilt: row for row in step.report.tilts}
    lines = []
    for tilt, angle in enumerate(angles_deg):
        row = rows.get(tilt)
        is_placed = row is not None and row.use
        lines.append(
            Line(
                tilt,
                plan.corrected_deg.get(tilt, float(angle)),
                (row.shift_across_px, row.shift_along_px) if row and is_placed else None,
                row.residual if row else None,
                tilt not in plan.left_out,
                row.reason if row and row.reason else said.get(tilt, ""),
            )
        )
    return lines


class TiltTable(QTableWidget):
    """Shows lines, and tells what is ticked, typed and clicked.

    Attributes
    ----------
    use_changed : Signal
        Number of an image, and whether it is used.
    angle_changed : Signal
        Number of an image, and its angle in degrees.
    chosen : Signal
        Number of the image that was clicked.
    """

    use_changed = Signal(int, bool)
    angle_changed = Signal(int, float)
    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(HEADINGS))
        self.lines: Sequence[Line] = ()
        self.setHorizontalHeaderLabels(HEADINGS)
        for column, tip in enumerate(TIPS):
            expect(self.horizontalHeaderItem(column)).setToolTip(tip)
        header, rows = expect(self.horizontalHeader()), expect(self.verticalHeader())
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(USE, QHeaderView.ResizeMode.ResizeToContents)
        header.setMinimumSectionSize(36)
        rows.setVisible(False)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW_PX)
        rows.setDefaultSectionSize(ROW_PX)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAlternatingRowColors(False)
        self.setShowGrid(False)
        self.itemChanged.connect(self._take_edit)
        self.cellClicked.connect(lambda row, _: self.chosen.emit(row))

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show other lines; the row that was chosen stays so, where it is still there."""
        with QSignalBlocker(self):
            kept = self.currentRow()
            self.setRowCount(len(lines))
            self.lines = lines
            known = [line.residual for line in lines if line.residual is not None]
            limit = STANDS_OUT * float(np.median(known)) if known else np.inf
            for row, line in enumerate(lines):
                self._show_line(row, line, limit)
            if 0 <= kept < len(lines):
                self.selectRow(kept)
        self._fit_height()

    def mark(self, tilt: int) -> None:
        """Mark the row of the image that the canvas shows, and bring it into sight."""
        if 0 <= tilt < self.rowCount() and tilt != self.currentRow():
            with QSignalBlocker(self):
                self.selectRow(tilt)
                self.scrollToItem(self.item(tilt, ANGLE))

    def _show_line(self, row: int, line: Line, limit: float) -> None:
        shift = ("", "") if line.shift_px is None else tuple(f"{v:.1f}" for v in line.shift_px)
        residual = "" if line.residual is None else f"{100 * line.residual:.0f} %"
        is_doubtful = bool(line.reason) or (line.residual is not None and line.residual > limit)
        for column, text in enumerate(("", f"{line.angle_deg:.2f}", *shift, residual)):
            item = QTableWidgetItem(text)
            flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
            if column == USE:
                flags |= Qt.ItemFlag.ItemIsUserCheckable
                is_ticked = Qt.CheckState.Checked if line.use else Qt.CheckState.Unchecked
                item.setCheckState(is_ticked)
            elif column == ANGLE:
                flags |= Qt.ItemFlag.ItemIsEditable
            item.setFlags(flags)
            if column != USE:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if is_doubtful:
                item.setForeground(DOUBTFUL)
            told = f"Image {line.tilt} {line.reason}." if line.reason else ""
            item.setToolTip(told or TIPS[column])
            self.setItem(row, column, item)

    def _take_edit(self, item: QTableWidgetItem) -> None:
        line = self.lines[item.row()]
        if item.column() == USE:
            self.use_changed.emit(line.tilt, item.checkState() == Qt.CheckState.Checked)
            return
        try:
            angle = float(item.text().replace(",", "."))
        except ValueError:
            angle = np.nan
        if abs(angle) <= 180.0:
            self.angle_changed.emit(line.tilt, angle)
        with QSignalBlocker(self):
            if not abs(angle) <= 180.0:
                item.setText(f"{line.angle_deg:.2f}")

    def _fit_height(self) -> None:
        n_rows = min(max(self.rowCount(), 1), SEEN_ROWS)
        height = expect(self.horizontalHeader()).sizeHint().height() + 2 * self.frameWidth()
        self.setFixedHeight(height + n_rows * expect(self.verticalHeader()).defaultSectionSize())
