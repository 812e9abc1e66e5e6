"""Dialogs that ask for a file: they begin beside the series, and no file is replaced unasked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from napari.layers import Layer
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from .layers import LayerMap

#: Folder of the package.
PACKAGE = Path(__file__).parents[1]


def find_folder(layers: Iterable[Layer | None]) -> Path:
    """Return the folder of the first of these layers whose file is known; home where none is.

    The folder of the samples, inside the package, is no place for a user's files.
    """
    for layer in layers:
        path = None if layer is None else LayerMap.of(layer).fields.get("path")
        folder = Path(path).parent if path else None
        if folder is not None and folder.is_dir() and not folder.is_relative_to(PACKAGE):
            return folder
    return Path.home()


def ask_target(
    parent: QWidget | None, title: str, first: Path, kinds: Mapping[str, str]
) -> Path | None:
    """Ask where a file is written; None where the user thinks better of it.

    Parameters
    ----------
    parent : QWidget or None
        The dialog is over it.
    title : str
        Of the dialog.
    first : Path
        What is proposed, without a suffix.
    kinds : mapping of str to str
        Suffixes and what they stand for, such as ``{".png": "Pictures"}``. A name with none of
        them, such as ``needle 3.4nm``, gets that of the kind that is chosen; then it is asked
        before a file is replaced, as the dialog itself asks for a whole name.
    """
    filters = {f"{what} (*{suffix})": suffix for suffix, what in kinds.items()}
    proposed = first.with_name(f"{first.name}{next(iter(kinds))}")
    name, chosen = QFileDialog.getSaveFileName(parent, title, str(proposed), ";;".join(filters))
    if not name:
        return None
    path = Path(name)
    if path.suffix.lower() in kinds:
        return path
    path = path.with_name(f"{path.name}{filters.get(chosen, proposed.suffix)}")
    return path if not path.exists() or confirm_replacing([path.name], parent) else None


def confirm_replacing(names: Sequence[str], parent: QWidget | None) -> bool:
    """Ask whether files may be replaced."""
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    answer = QMessageBox.question(
        parent,
        "Replace files?",
        f"These files are there already: {listed}. Replace them?",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)
