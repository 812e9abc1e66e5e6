"""Rearranging a canvas a piece at a time, drawn only where a piece is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMainWindow

    from .turns import Turns

#: What a piece yields once the canvas may be drawn.
DRAW = object()


class Arranger:
    """Does the steps of one arrangement; a newer one takes over from it.

    Each `yield` of the steps lets the window live. The canvas is drawn only where they yield
    `DRAW`, and then in a turn of its own: drawing what is new takes as long as making it.

    Parameters
    ----------
    tell : callable
        Called when an arrangement has come to its end.

    Attributes
    ----------
    is_busy : bool
        Whether an arrangement is under way.
    is_complete : bool
        Whether the newest one came to its end; whoever changes what is shown sets it to False.
    turns : Turns or None
        Where steps are done a piece at a time; without it, at once.
    window : weak reference to QMainWindow, or None
        The window whose canvas is not drawn while steps are under way.
    """

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell = tell
        self._newest = 0
        self.is_busy = self.is_complete = False
        self.turns: Turns | None = None
        self.window: ReferenceType[QMainWindow] | None = None

    def arrange(self, steps: Iterator[Any]) -> None:
        """Rearrange at once, or a piece for each turn of the event loop where there is one.

        What was being arranged before is given up.
        """
        self._newest += 1
        arrangement = self._iter_while_newest(steps, self._newest)
        if self.turns is None:
            for _ in arrangement:
                pass
        else:
            self.turns.add_first(arrangement)

    def _iter_while_newest(self, steps: Iterator[Any], number: int) -> Iterator[None]:
        if number != self._newest:
            return
        self.is_busy = True
        try:
            self.hold_screen(True)
            for piece in steps:
                yield
                if number != self._newest:
                    return
                if piece is DRAW:
                    self.hold_screen(False)
                    yield
                    if number != self._newest:
                        return
                    self.hold_screen(True)
            self.is_complete = number == self._newest
        finally:
            if number == self._newest:
                self.is_busy = False
                self.hold_screen(False)
                self._tell()

    def find_window(self) -> QMainWindow | None:
        """Return the window, if it is known and still there."""
        return None if self.window is None else self.window()

    def hold_screen(self, held: bool) -> None:
        """Draw nothing of the canvas until it is let go: half a picture would flash."""
        window = self.find_window()
        canvas = None if window is None else window.centralWidget()
        if canvas is not None and canvas.updatesEnabled() == held:
            canvas.setUpdatesEnabled(not held)
