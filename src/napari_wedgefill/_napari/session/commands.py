"""Save session and Open session, from the dock and from napari's menu."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QApplication, QWidget

from ...errors import WedgefillError
from ...progress import Progress
from ..fill.worker import make_worker
from ..layers import LayerMap
from .document import SUFFIX
from .opening import Opened, ask_to_close, ask_which, iter_show, open_steps
from .saving import (
    Written,
    ask_where,
    confirm_writing,
    make_plan,
    plain_fields,
    remember_file,
    save_steps,
)

if TYPE_CHECKING:
    import napari

    from ..fill.workbench import Workbench


def suggest_place(bench: Workbench) -> Path:
    """Name a session after the first series, beside its file."""
    for layer in bench.viewer.layers:
        path = LayerMap.of(layer).fields.get("path")
        if path and Path(path).parent.is_dir():
            return Path(path).parent / f"{Path(path).stem}{SUFFIX}"
    return Path.home() / f"session{SUFFIX}"


def save_session(
    bench: Workbench, fields: dict[str, Any], parent: QWidget | None, path: Path | None = None
) -> None:
    """Ask where to, ask about what is in memory only, and write in the background.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.
    fields : dict
        Values of the dock.
    parent : QWidget or None
        Of the dialogs.
    path : Path, optional
        Where to; asked for by default.
    """
    path = path or ask_where(bench, suggest_place(bench), parent)
    if path is None:
        return
    plan = make_plan(bench, path, plain_fields(fields))
    if not plan.sources:
        bench.fail(WedgefillError("There is nothing to save; open a tilt series first."))
        return
    if not confirm_writing(plan, parent):
        return

    def take(item: object) -> None:
        if isinstance(item, Progress):
            bench.say(f"{item.stage[:1].upper()}{item.stage[1:]}")
        elif isinstance(item, Written):
            remember_file(item.layer, item.path)
        elif isinstance(item, Path):
            bench.say(f"Saved the session as {item}.")

    worker = make_worker(save_steps(plan))
    worker.yielded.connect(take)
    worker.errored.connect(bench.fail)
    worker.start()


def open_session(
    bench: Workbench,
    parent: QWidget | None,
    path: Path | None = None,
    restore: Callable[[dict[str, Any]], object] | None = None,
) -> None:
    """Ask which, and whether what is open is closed first; read in the background, and show.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.
    parent : QWidget or None
        Of the dialogs.
    path : Path, optional
        The session; asked for by default.
    restore : callable, optional
        Given the values that the dock had.
    """
    if bench.is_running:
        bench.fail(WedgefillError("A job is running; wait for it, or press Cancel."))
        return
    path = path or ask_which(suggest_place(bench).parent, parent)
    closes = None if path is None else ask_to_close(bench, parent)
    if path is None or closes is None:
        return

    def show(opened: Opened) -> Iterator[None]:
        yield from iter_show(bench, opened, closes=closes)
        if restore is not None:
            restore(opened.session.layout.fields)

    def take(item: object) -> None:
        if isinstance(item, Progress):
            bench.say(f"{item.stage[:1].upper()}{item.stage[1:]}")
        elif isinstance(item, Opened):
            bench.turns.add(show(item))

    worker = make_worker(open_steps(path))
    worker.yielded.connect(take)
    worker.errored.connect(bench.fail)
    worker.start()


def save_from_menu(viewer: napari.viewer.Viewer) -> None:
    """File > IO Utilities > Save session."""
    from ..fill.workbench import find_workbench

    save_session(find_workbench(viewer), {}, QApplication.activeWindow())


def open_from_menu(viewer: napari.viewer.Viewer) -> None:
    """File > IO Utilities > Open session."""
    from ..fill.workbench import find_workbench

    open_session(find_workbench(viewer), QApplication.activeWindow())
