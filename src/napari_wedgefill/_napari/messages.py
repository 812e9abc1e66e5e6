"""How errors reach the user: one plain sentence, or a report that can be copied."""

from __future__ import annotations

import platform
import traceback
from dataclasses import dataclass
from importlib import metadata

from napari.utils.notifications import show_error

from ..errors import WedgefillError

_REPORTED_PACKAGES = (
    "napari-wedgefill", "napari", "PyQt6", "PySide6", "numpy", "numba",
    "onnxruntime", "onnxruntime-gpu", "mrcfile", "tifffile",
)  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One sentence for the status line; `report` is empty for errors that the user can mend."""

    sentence: str
    report: str = ""
    is_error: bool = False


def explain(error: BaseException) -> Message:
    """Put an exception into words."""
    if isinstance(error, WedgefillError):
        return Message(str(error), is_error=True)
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    sentence = f"The plugin failed ({what}); copy the report and send it to its authors."
    return Message(sentence, report=_report(error), is_error=True)


def announce(error: BaseException) -> Message:
    """Show an exception as a napari notification and return its words."""
    message = explain(error)
    show_error(message.sentence)
    return message


def _report(error: BaseException) -> str:
    lines = [f"Python {platform.python_version()} on {platform.platform()}"]
    for package in _REPORTED_PACKAGES:
        try:
            lines.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines) + "\n\n" + "".join(traceback.format_exception(error))
