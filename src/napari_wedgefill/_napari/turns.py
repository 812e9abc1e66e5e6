"""Work on the main thread in pieces, one for each turn of the event loop."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication


class Turns:
    """Does steps in the order in which they were added, and lets the window live in between.

    napari needs a tenth to a quarter of a second to add a layer, and only the main thread may do
    it. Four layers and a grid in one go would block the window for seconds. Python's collector,
    which walks through all that napari holds for a third of a second, waits until they are done.

    Parameters
    ----------
    fail : callable
        Told an exception that a step raised; the rest of these steps is dropped.
    """

    def __init__(self, fail: Callable[[Exception], object]) -> None:
        self._fail = fail
        self._waiting: deque[Iterator[Any]] = deque()
        self._stopped_collector = False
        # Without a parent it would end where Python collects it, which may be a worker thread.
        self._timer = QTimer(QApplication.instance())
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._take_turn)

    @property
    def is_idle(self) -> bool:
        """Whether all is done."""
        return not self._waiting

    def add(self, steps: Iterator[Any]) -> None:
        """Do steps after all that were added before; each `yield` ends a turn."""
        self._waiting.append(steps)
        self._begin()

    def add_first(self, steps: Iterator[Any]) -> None:
        """Do steps next, before what waits: for steps that are part of those under way."""
        self._waiting.appendleft(steps)
        self._begin()

    def clear(self) -> None:
        """Drop all that is not done yet; the next turn finds nothing."""
        self._waiting.clear()

    def _begin(self) -> None:
        if gc.isenabled():
            gc.disable()
            self._stopped_collector = True
        self._timer.start()

    def _take_turn(self) -> None:
        if not self._waiting:
            self._timer.stop()
            if self._stopped_collector:
                self._stopped_collector = False
                gc.enable()
            return
        steps = self._waiting[0]
        try:
            next(steps)
        except StopIteration:
            self._drop(steps)
        except Exception as error:  # said to the user, whatever it is
            self._drop(steps)
            self._fail(error)

    def _drop(self, steps: Iterator[Any]) -> None:
        if steps in self._waiting:
            self._waiting.remove(steps)
