"""How errors reach the user: one plain sentence, or a report that can be copied."""

from __future__ import annotations

import errno
import platform
import traceback
from dataclasses import dataclass
from importlib import metadata
from typing import Any
from weakref import ReferenceType

from napari.utils.notifications import show_error

from ..errors import WedgefillError
from .wording import say_in_window

_REPORTED_PACKAGES = (
    "napari-wedgefill", "napari", "PyQt6", "PySide6", "numpy", "numba",
    "onnxruntime", "onnxruntime-gpu", "mrcfile", "tifffile",
)  # fmt: skip
TOO_LITTLE_MEMORY = (
    "There is too little memory; close other programs, fill fewer Slices, or prepare a smaller "
    "Region or binned images first."
)
FULL = "free some space on the disk, or choose another folder"


@dataclass(frozen=True)
class Message:
    """One sentence for the status line, which goes when what it speaks of is over.

    Attributes
    ----------
    sentence : str
        What is said.
    report : str
        To be copied; empty for errors that the user can mend.
    passes : bool
        Whether it goes as soon as a value is changed, as errors do.
    about : weak reference or None
        A run or a layer; the sentence goes with it.
    """

    sentence: str
    report: str = ""
    passes: bool = False
    about: ReferenceType[Any] | None = None


def explain(error: BaseException) -> Message:
    """Put an exception into words."""
    if isinstance(error, WedgefillError):
        return Message(say_in_window(str(error)), passes=True)
    if isinstance(error, MemoryError):
        return Message(TOO_LITTLE_MEMORY, report=_report(error), passes=True)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        advice = FULL if error.errno == errno.ENOSPC else "see to it, and try again"
        sentence = f"{where}{error.strerror}; {advice}."
        return Message(sentence, report=_report(error), passes=True)
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    sentence = f"The plugin failed ({what}); copy the report and send it to its authors."
    return Message(sentence, report=_report(error), passes=True)


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
