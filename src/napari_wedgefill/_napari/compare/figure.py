"""The window's panels as a figure for print: PNG, PDF, or on the clipboard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QMarginsF, QSizeF
from qtpy.QtGui import QImage, QPageSize, QPainter, QPdfWriter

from ... import __version__
from ...atomic import write_beside
from ...errors import WedgefillError
from .layout import Layout, paper_layout
from .model import CompareModel
from .painting import Painting, Style
from .pictures import Pictures
from .theme import PAPER

POINTS_PER_MM = 72 / 25.4
MM_PER_METRE = 1000.0
#: What a journal prints over two columns, and the height of a page.
WIDTH_MM, HEIGHT_MM = 180.0, 240.0
DPI = 600
CLIPBOARD_DPI = 300
CREATOR = f"napari-wedgefill {__version__}"


@dataclass(frozen=True)
class PrintedFigure:
    """A figure of what a window shows.

    Attributes
    ----------
    model : CompareModel
        Columns, rows, crosshair and contrast.
    screen : Layout
        The window's layout: which part of each plane is shown.
    crosshair : bool
        Whether the figure shows it.
    """

    model: CompareModel
    screen: Layout
    crosshair: bool = False

    def image(self, dpi: int = CLIPBOARD_DPI) -> QImage:
        """Draw it as an image, up to 180 mm wide.

        Parameters
        ----------
        dpi : int
            Pixels an inch.
        """
        layout = self._layout()
        zoom = dpi / 72
        image = QImage(
            round(layout.width * zoom), round(layout.height * zoom), QImage.Format.Format_RGB32
        )
        image.setDotsPerMeterX(round(dpi / 25.4 * MM_PER_METRE))
        image.setDotsPerMeterY(round(dpi / 25.4 * MM_PER_METRE))
        image.setText("Software", CREATOR)
        image.fill(PAPER.paper)
        painter = QPainter(image)
        self._draw(painter, layout, dpi)
        painter.end()
        return image

    def save(self, path: Path, dpi: int = DPI) -> Path:
        """Write it as PNG or PDF, as the name of the file says.

        In a PDF words and lines stay sharp at any size; panels are kept without loss.

        Parameters
        ----------
        path : Path
            ``.png`` or ``.pdf``.
        dpi : int
            Pixels an inch of the panels.

        Raises
        ------
        WedgefillError
            If the suffix is another one, or the file cannot be written.
        """
        suffix = path.suffix.lower()
        if suffix not in (".png", ".pdf"):
            raise WedgefillError(f"{path.name}: a figure is a .png or a .pdf; name it so.")
        if not path.parent.is_dir():
            raise WedgefillError(f"{path}: the folder {path.parent} does not exist; make it first.")
        with write_beside(path) as temporary:
            if suffix == ".pdf":
                self._write_pdf(temporary, dpi)
            elif not self.image(dpi).save(str(temporary), "PNG"):
                raise WedgefillError(f"{path}: the picture could not be written there.")
        return path

    def _write_pdf(self, path: Path, dpi: int) -> None:
        layout = self._layout()
        writer = QPdfWriter(str(path))
        writer.setResolution(dpi)
        writer.setCreator(CREATOR)
        writer.setTitle("Comparison of methods")
        size = QSizeF(layout.width, layout.height)
        writer.setPageSize(
            QPageSize(size, QPageSize.Unit.Point, "figure", QPageSize.SizeMatchPolicy.ExactMatch)
        )
        writer.setPageMargins(QMarginsF(0, 0, 0, 0))
        painter = QPainter()
        if not painter.begin(writer):
            raise WedgefillError(f"{path.parent}: the PDF could not be written there.")
        painter.setRenderHint(QPainter.RenderHint.LosslessImageRendering)
        self._draw(painter, layout, dpi)
        painter.end()

    def _layout(self) -> Layout:
        if not self.model.columns:
            raise WedgefillError("There is nothing to draw; tick at least one volume.")
        width, height = WIDTH_MM * POINTS_PER_MM, HEIGHT_MM * POINTS_PER_MM
        return paper_layout(self.model, self.screen, width, height)

    def _draw(self, painter: QPainter, layout: Layout, dpi: int) -> None:
        zoom = dpi / 72
        painter.scale(zoom, zoom)
        pictures = Pictures(self.model)
        pictures.refresh_spectra()
        style = Style(PAPER, zoom, crosshair=self.crosshair)
        Painting(painter, self.model, layout, style).draw(pictures)
