"""The button that lists the layers to tick."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QMenu, QPushButton, QWidgetAction


class LayerMenu(QPushButton):
    """A button with a list of layers to tick; the list stays open meanwhile."""

    ticked = Signal()

    def __init__(self) -> None:
        super().__init__("Volumes")
        self.setToolTip("Which volumes to compare.")
        self._menu = QMenu(self)
        self.setMenu(self._menu)
        self.checks: dict[str, QCheckBox] = {}

    def offer(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        """List layers by name."""
        self._menu.clear()
        self.checks = {}
        for name in names:
            check = QCheckBox(name)
            check.setChecked(name in ticked)
            check.setStyleSheet("padding: 3px 12px 3px 6px;")
            check.toggled.connect(self.ticked)
            action = QWidgetAction(self._menu)
            action.setDefaultWidget(check)
            self._menu.addAction(action)
            self.checks[name] = check

    @property
    def chosen(self) -> list[str]:
        """Names of the ticked layers, in the order of the list."""
        return [name for name, check in self.checks.items() if check.isChecked()]
