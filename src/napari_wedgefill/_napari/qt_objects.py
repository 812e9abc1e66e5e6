"""Objects that Qt is sure to have, though PyQt6's types say of every getter that it may be None."""

from __future__ import annotations

from typing import TypeVar

Found = TypeVar("Found")


def expect(found: Found | None) -> Found:
    """Return what a getter of Qt found.

    Raises
    ------
    RuntimeError
        If it found nothing after all.
    """
    if found is None:
        raise RuntimeError("Qt has no such object here")
    return found
