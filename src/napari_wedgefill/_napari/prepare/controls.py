"""Buttons and words as the Prepare page has them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy


def make_button(text: str, tip: str, press: Callable[[], object]) -> QPushButton:
    """Make a button that may be as narrow as the dock."""
    button = QPushButton(text)
    button.setToolTip(tip)
    # Before the theme reaches them, buttons ask for twice the room, and the window grows.
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    button.clicked.connect(lambda _=False: press())
    return button


def make_words() -> QLabel:
    """Make a label for sentences, unseen as long as it has none."""
    words = QLabel()
    words.setVisible(False)
    words.setWordWrap(True)
    words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return words


def say(words: QLabel, text: str) -> None:
    """Show sentences; no line is left empty where there are none."""
    words.setText(text)
    words.setVisible(bool(text))


def make_row(*buttons: tuple[QPushButton, int]) -> QHBoxLayout:
    """Put buttons beside each other, each with its share of the room."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for button, share in buttons:
        row.addWidget(button, share)
    return row
