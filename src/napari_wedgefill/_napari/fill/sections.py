"""The sections of the dock from top to bottom, and how they are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from qtpy.QtWidgets import QLabel, QWidget

from ..cells import SOLID
from .fields import Section
from .scrolling import Scrolling

#: Sections from top to bottom, and the page that explains each.
PAGES = {
    "Series": "formats.md",
    "Prepare": "prepare.md",
    "Methods": "how-it-works.md",
    "Checks": "trust.md",
    "Result": "trust.md",
    SOLID: "tutorial.md",
}
#: Space between sections and at their sides, in pixels.
MARGIN, SPACING = 6, 4
#: Between the words of a label and its field, in pixels.
LABEL_GAP = 6


def make_sections(contents: Sequence[Container[Any]]) -> tuple[Section, ...]:
    """Put each form under its heading, in the order of `PAGES`."""
    return tuple(
        Section(title, form, page=page)
        for (title, page), form in zip(PAGES.items(), contents, strict=True)
    )


def lay_out(dock: Container[Any], sections: Sequence[Section], footer: QWidget) -> Scrolling:
    """Put the sections of a dock under a scroll bar, which is returned, and the footer below it."""
    content = QWidget()
    column = dock.native.layout()
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    inner = type(column)()
    inner.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
    inner.setSpacing(SPACING)
    content.setLayout(inner)
    for section in sections:
        inner.addWidget(section.native)
    inner.addStretch(1)
    scrolling = Scrolling(content)
    column.addWidget(scrolling, 1)
    column.addWidget(footer)
    return scrolling


def align_labels(sections: Sequence[Section], left_out: QWidget) -> None:
    """Give the label columns of all sections one width, in the font of the theme.

    Parameters
    ----------
    sections : sequence of Section
        Where the labels are.
    left_out : QWidget
        Its labels are no names of fields.
    """
    labels = [
        label
        for section in sections
        for label in section.form.native.findChildren(QLabel)
        if not label.wordWrap() and label.text() and not left_out.isAncestorOf(label)
    ]
    width = max(label.fontMetrics().horizontalAdvance(label.text()) for label in labels)
    for label in labels:
        label.setFixedWidth(width + LABEL_GAP)
