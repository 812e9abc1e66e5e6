"""The window with the figures of a fill: table, tilt range and curves; copied as CSV."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...methods import METHODS
from ...trust.results_table import ResultsTable
from ..qt_objects import expect
from ..runs import Run
from .plots import CurvePlot, RangeDiagram, histogram_curves, residual_curves, shell_curves

ROW_HEIGHT = 25
SIZE = QSize(980, 760)


class ResultsWindow(QDialog):
    """Shows a `ResultsTable`; it does not stand in the way of the viewer.

    Parameters
    ----------
    table : ResultsTable
        What to show.
    angles_deg : sequence of float
        Measured tilts in degrees.
    parent : QWidget, optional
        Over which to open.
    title : str
        Names the run; the series by default.
    """

    def __init__(
        self,
        table: ResultsTable,
        angles_deg: Sequence[float],
        parent: QWidget | None = None,
        *,
        title: str = "",
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Results: {title or table.name}")
        self.table = table
        self.grid = _grid_of(table)
        self.copy_button = QPushButton("Copy as CSV")
        self.copy_button.setToolTip("Copy every figure, the residual of each tilt included.")
        self.copy_button.clicked.connect(self.copy)
        self.told = QLabel("Point at a row to read what it means.")
        self.told.setWordWrap(True)
        self.grid.currentCellChanged.connect(self._explain)
        pictures = QHBoxLayout()
        pictures.addWidget(RangeDiagram(angles_deg))
        plots = (residual_curves(angles_deg, table), shell_curves(table), histogram_curves(table))
        for shown in plots:
            if shown is not None:
                pictures.addWidget(CurvePlot(shown), stretch=1)
        notes = QLabel(" ".join(table.notes))
        notes.setWordWrap(True)
        notes.setVisible(bool(table.notes))
        foot = QHBoxLayout()
        foot.addWidget(self.told, stretch=1)
        foot.addWidget(self.copy_button)
        column = QVBoxLayout(self)
        column.addLayout(pictures)
        column.addWidget(self.grid, stretch=1)
        column.addWidget(notes)
        column.addLayout(foot)
        self.resize(SIZE.boundedTo(expect(self.screen()).availableSize()))

    def _explain(self, row: int, *_: int) -> None:
        """Say below the table what the chosen row means."""
        item = self.grid.item(row, 0)
        if item is not None:
            self.told.setText(item.toolTip())

    def copy(self) -> None:
        """Put the table on the clipboard."""
        expect(QApplication.clipboard()).setText(self.table.to_csv())
        self.told.setText("Copied.")


def _grid_of(table: ResultsTable) -> QTableWidget:
    heading, *rows = table.cells()
    meanings = [figure.meaning for figure in table.figures if not figure.is_detail]
    grid = QTableWidget(len(rows), len(heading))
    grid.setHorizontalHeaderLabels(
        [METHODS[name].label if name in METHODS else name for name in heading]
    )
    side = expect(grid.verticalHeader())
    side.hide()
    side.setDefaultSectionSize(ROW_HEIGHT)
    grid.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    for i, cells in enumerate(rows):
        for j, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(meanings[i])
            if j > 1:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.setItem(i, j, item)
    grid.resizeColumnsToContents()
    expect(grid.horizontalHeader()).setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return grid


def open_results(run: Run, main: QWidget | None) -> ResultsWindow:
    """Open the window of a run, or bring the one that is open to the front.

    Parameters
    ----------
    run : Run
        Has its table.
    main : QWidget or None
        The viewer's window, with which this one closes.
    """
    if run.table is None:
        raise ValueError(f"{run.title} was not measured")
    inside = [] if main is None else main.findChildren(ResultsWindow)
    window = next((found for found in inside if found.table is run.table), None)
    if window is None:
        window = ResultsWindow(run.table, run.series.angles_deg.tolist(), main, title=run.title)
    window.show()
    window.raise_()
    window.activateWindow()
    return window
