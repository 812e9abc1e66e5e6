"""Widgets for values that magicgui has none for: tilt angles, methods, a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from magicgui.types import Undefined
from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, PushButton
from magicgui.widgets.bases import ValuedContainerWidget, Widget
from qtpy.QtWidgets import QComboBox, QFileDialog, QSizePolicy

from ...joint_model.registry import read_summaries
from ...methods import METHODS

#: Check boxes for methods beside one another.
CHECKS_A_ROW = 3
#: So that they stand below one another, in pixels.
CHECK_WIDTH = 72
#: Of the button that opens a page of the documentation, in pixels.
HELP_WIDTH = 22
MORE = "\N{HORIZONTAL ELLIPSIS}"


class AngleEdit(ValuedContainerWidget[str]):
    """Tilt angles as text, with a button that reads them from a file.

    Attributes
    ----------
    edit : LineEdit
        The text.
    load_button : PushButton
        Its `clicked` signal is for whoever knows where the file may lie.
    """

    def __init__(self, value: Any = Undefined, **options: Any) -> None:
        self.edit = LineEdit(value="" if value is Undefined else value)
        self.load_button = PushButton(text=f"Load{MORE}")
        self.load_button.tooltip = "Read the angles from a .tlt, .rawtlt or .mdoc file."
        options.setdefault("layout", "horizontal")
        options.setdefault("labels", False)
        super().__init__(widgets=[self.edit, self.load_button], **options)
        self.margins = (0, 0, 0, 0)
        self.edit.native.setPlaceholderText("start:stop:step, such as -60:60:2")
        self.edit.tooltip = self.tooltip
        self.edit.changed.disconnect()
        # While it is typed, a text is no value yet.
        self.edit.native.textChanged.disconnect()
        self.edit.native.editingFinished.connect(self._take_typed)
        self._known = self.edit.value

    def get_value(self) -> str:
        """Return the text."""
        return str(self.edit.native.text())

    def set_value(self, value: Any) -> None:
        """Show a text."""
        self.edit.native.setText(str(value))
        self._take_typed()

    def _take_typed(self) -> None:
        if self.get_value() != self._known:
            self._known = self.get_value()
            self.changed.emit(self._known)


class MethodChecks(ValuedContainerWidget[tuple[str, ...]]):
    """A check box for each method; the value is the names of those that are checked."""

    def __init__(self, value: Any = Undefined, **options: Any) -> None:
        chosen = () if value is Undefined else value
        self.checks = {
            name: CheckBox(name=name, text=method.label, tooltip=method.tip, value=name in chosen)
            for name, method in METHODS.items()
        }
        options.setdefault("layout", "vertical")
        options.setdefault("labels", False)
        rows = [
            Container[Widget](widgets=row, layout="horizontal", labels=False)
            for row in (
                list(self.checks.values())[k : k + CHECKS_A_ROW]
                for k in range(0, len(self.checks), CHECKS_A_ROW)
            )
        ]
        super().__init__(widgets=rows, **options)
        for container in (self, *rows):
            container.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(2)
        for row in rows:
            row.native.layout().addStretch(1)
        for check in self.checks.values():
            check.native.setFixedWidth(CHECK_WIDTH)
        for check in self.checks.values():
            check.changed.connect(lambda: self.changed.emit(self.value))

    def get_value(self) -> tuple[str, ...]:
        """Return the names of the checked methods, in the table's order."""
        return tuple(name for name, check in self.checks.items() if check.value)

    def set_value(self, value: Iterable[str]) -> None:
        """Check these methods and no others."""
        wanted = set(value)
        if unknown := wanted - set(self.checks):
            raise ValueError(f"no such method: {', '.join(sorted(unknown))}")
        with self.changed.blocked():
            for name, check in self.checks.items():
                check.value = name in wanted
        self.changed.emit(self.value)


class ModelEdit(ValuedContainerWidget[str]):
    """A bundled model, or a folder with one of the user's own, which is checked when it is used."""

    def __init__(self, value: Any = Undefined, **options: Any) -> None:
        self._summaries = read_summaries()
        self._folders: list[str] = []
        self.box = ComboBox(choices=self._choices)
        self.folder_button = PushButton(text=f"Folder{MORE}")
        self.folder_button.tooltip = "Use a model of your own: a folder with a model.toml."
        options.setdefault("layout", "horizontal")
        options.setdefault("labels", False)
        super().__init__(widgets=[self.box, self.folder_button], **options)
        self.margins = (0, 0, 0, 0)
        self.box.changed.connect(self._tell)
        self.folder_button.clicked.connect(self._ask)
        native: QComboBox = self.box.native
        native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if value is not Undefined and value:
            self.set_value(value)
        self._tell()

    def _choices(self, widget: Any = None) -> Sequence[tuple[str, str]]:
        known = [(name, name) for name in self._summaries]
        known += [(Path(folder).name or folder, folder) for folder in self._folders]
        return known or [("none installed", "")]

    def get_value(self) -> str:
        """Return a name or a folder; empty where no model is installed."""
        return str(self.box.value or "")

    def set_value(self, value: Any) -> None:
        """Choose a bundled model by name, or offer and choose a folder."""
        wanted = str(value)
        if wanted and wanted not in self._summaries and wanted not in self._folders:
            if not Path(wanted).is_absolute() and not self._summaries:
                return
            self._folders.append(wanted)
            self.box.reset_choices()
        self.box.value = wanted

    def _tell(self, value: Any = None) -> None:
        summary = self._summaries.get(self.get_value(), self.get_value())
        self.box.tooltip = f"The trained networks that GAN uses.\n{summary}".strip()
        self.changed.emit(self.get_value())

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Folder with model.toml")
        if folder:
            self.set_value(folder)


class Section(Container[Widget]):
    """A form under a heading that folds it away.

    Parameters
    ----------
    title : str
        Of the heading.
    form : Container
        What is folded.
    is_open : bool
        Whether it is unfolded at first.
    page : str
        Of the documentation, that explains it; empty for none.

    Attributes
    ----------
    help_button : PushButton
        Its `clicked` signal is for whoever opens pages.
    """

    def __init__(
        self, title: str, form: Container[Widget], *, is_open: bool = True, page: str = ""
    ) -> None:
        self.page = page
        self.help_button = PushButton(text="?", name=f"{title.lower()}_help", gui_only=True)
        self.help_button.tooltip = f"Read about {title}."
        self.help_button.native.setFlat(True)
        self.help_button.native.setFixedWidth(HELP_WIDTH)
        if not page:
            self.help_button.native.setVisible(False)
        self.heading = PushButton(text=title, name=f"{title.lower()}_heading", gui_only=True)
        self.form = form
        top = Container[Widget](
            widgets=[self.heading, self.help_button], layout="horizontal", labels=False
        )
        top.margins = (0, 0, 0, 0)
        super().__init__(widgets=[top, form], labels=False, name=f"{title.lower()}_section")
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(2)
        form.margins = (14, 0, 0, 4)
        self._title, self._is_open, self._summary = title, is_open, ""
        self.heading.native.setFlat(True)
        self.heading.native.setStyleSheet(
            "QPushButton { text-align: left; font-weight: bold; padding: 3px; border: none;"
            " background: transparent; } QPushButton:hover { text-decoration: underline; }"
        )
        self.heading.clicked.connect(lambda: self.fold(self._is_open))
        self.fold(not is_open)

    @property
    def is_open(self) -> bool:
        """Whether the form is seen."""
        return self._is_open

    def fold(self, folded: bool) -> None:
        """Fold the form away, or unfold it."""
        self._is_open = not folded
        self.form.native.setVisible(not folded)
        self._say()

    def summarise(self, summary: str) -> None:
        """Say in a few words what a folded section holds."""
        self._summary = summary
        self._say()

    def _say(self) -> None:
        arrow = (
            "\N{BLACK DOWN-POINTING TRIANGLE}"
            if self._is_open
            else ("\N{BLACK RIGHT-POINTING TRIANGLE}")
        )
        told = f"  \N{EN DASH}  {self._summary}" if self._summary and not self._is_open else ""
        self.heading.text = f"{arrow}  {self._title}{told}"
        self.heading.tooltip = self._summary if told else ""  # a narrow dock cuts the heading off
