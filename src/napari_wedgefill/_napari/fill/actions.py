"""What the buttons of a dock open: Compare, Results, Export, sessions, pages of help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer

from ...errors import WedgefillError
from ..runs import Run
from .export import ExportDialog, export_files
from .from_array import ArrayDialog, list_arrays
from .preferences import KEPT

if TYPE_CHECKING:
    from .dock import FillWedge


class Actions:
    """Opens windows and dialogs for what is chosen in a dock.

    Parameters
    ----------
    dock : FillWedge
        Knows the series and the run.
    """

    def __init__(self, dock: FillWedge) -> None:
        self._dock = dock
        self._bench = dock.workbench

    def compare(self) -> None:
        """Open the Compare window with the run that is chosen."""
        from ..compare.window import open_compare  # it compiles on first use

        run = self._dock.run_box.value
        title = None if run is None else run.title
        open_compare(self._bench.viewer, self._dock.window(), run=title)

    def measure(self) -> None:
        """Open the table of the run that is chosen; it is made once."""
        if (run := self._dock.run_box.value) is None:
            return
        try:
            self._bench.measure(run, self._dock.window())
        except WedgefillError as error:
            self._bench.fail(error)

    def show_table(self, run: Run) -> None:
        """Show the table of a run in a window of its own."""
        from ..results.window import open_results

        open_results(run, self._dock.window())

    def export(self) -> None:
        """Ask what to write and where to, and write it."""
        dialog = ExportDialog(self._bench.viewer, self._bench.runs, self._dock.run_box.value)
        try:
            jobs = dialog.ask(self._dock.window())
        except WedgefillError as error:
            self._bench.fail(error)
            return
        if jobs:
            export_files(jobs, self._bench.say, self._bench.fail)

    def cut_series(self) -> None:
        """Ask how a tilt series lies in an array of the user's, and show it."""
        viewer = self._bench.viewer
        try:
            made = ArrayDialog(list_arrays(viewer)).ask(self._dock.window())
        except WedgefillError as error:
            self._bench.fail(error)
            return
        if made is not None:
            viewer.add_layer(Layer.create(*made))

    def open_help(self, page: str) -> None:
        """Show a page of the documentation."""
        from ..help import open_help

        open_help(page, self._dock.window())

    def toggle_live(self) -> None:
        """Turn the live slice on or off."""
        self._dock.live.value = not self._dock.live.value

    def save_session(self, path: Path | None = None) -> None:
        """Save all that is open; ask where to by default."""
        from ..session.commands import save_session

        self._dock.series_fields.remember()
        save_session(self._bench, self._dock.asdict(), self._dock.window(), path)

    def open_session(self, path: Path | None = None) -> None:
        """Open what was saved; ask which by default."""
        from ..session.commands import open_session

        open_session(self._bench, self._dock.window(), path, self._restore)

    def _restore(self, fields: dict[str, Any]) -> None:
        """Take over what the dock held, but for what belongs to each series."""
        self._dock.update({name: value for name, value in fields.items() if name in KEPT})
        self._dock.runs.take_over()
