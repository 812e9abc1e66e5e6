"""Qt's objects: those that are sure to be there, and what is done when one ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakMethod

from qtpy.QtCore import QObject

Found = TypeVar("Found")


#: Slots that wait for the end of their object.
_waiting: set[Callable[..., None]] = set()


def call_at_end(of: QObject, method: Callable[[], object]) -> None:
    """Call a method when Qt destroys an object, unless its own object has ended before.

    A lambda or a partial connected to ``destroyed`` may crash the process: where it is garbage
    together with the widget, Python's collector empties it, and Qt calls it afterwards. What waits
    here is never garbage, and keeps nothing alive.

    Parameters
    ----------
    of : QObject
        Whose end is waited for.
    method : bound method
        Of any object, `of` itself included; without parameters.
    """
    found = WeakMethod(method)

    def end(*_: Any) -> None:
        _waiting.discard(end)
        if (call := found()) is not None:
            call()

    _waiting.add(end)
    of.destroyed.connect(end)


def expect(found: Found | None) -> Found:
    """Return what a getter of Qt found, which PyQt6's types say may be None.

    Raises
    ------
    RuntimeError
        If it found nothing after all.
    """
    if found is None:
        raise RuntimeError("Qt has no such object here")
    return found
