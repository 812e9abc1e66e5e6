"""Which run a dock shows: what the box of runs offers, and what follows a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runs import Run

if TYPE_CHECKING:
    from .dock import FillWedge

NO_RUN = "none of this series"


class RunChoice:
    """Keeps a dock's box of runs to the series that is chosen, and to what is on the stage.

    Parameters
    ----------
    dock : FillWedge
        Has the box, the verdict, and the series.
    """

    def __init__(self, dock: FillWedge) -> None:
        self._dock = dock
        self._box, self._bench = dock.run_box, dock.workbench
        self._box.choices = self._offer

    def _offer(self, widget: Any = None) -> list[tuple[str, Run | None]]:
        """Offer all runs, and to choose none for a series that has none.

        Those of the series that is chosen need no name of it, which would hide theirs.
        """
        runs, layer = self._bench.runs, self._dock.layer
        offered: list[tuple[str, Run | None]] = [
            (run.name if run.source is layer else run.title, run) for run in reversed(runs.runs)
        ]
        has_none = offered and runs.newest(layer) is None
        return [(NO_RUN, None), *offered] if has_none else offered

    def follow(self) -> None:
        """Offer the runs, the newest of the series chosen; nothing is said of other series."""
        runs, chosen = self._bench.runs, self._box.value
        with self._dock.setting():
            self._box.reset_choices()
        layer = self._dock.layer
        wanted = chosen if chosen in runs.runs and chosen.source is layer else None
        self.choose(wanted or runs.newest(layer))

    def choose(self, run: Run | None) -> None:
        """Choose a run whose volumes are on the stage, or will be."""
        if run in self._box.choices:
            with self._dock.setting():
                self._box.value = run
        self._dock.verdict.show_run(run)
        self._box.tooltip = "" if run is None else run.title
        self._dock.mark_view(self._bench.stage.view)

    def show_chosen(self, run: Run | None) -> None:
        """Show the run that the user chose."""
        self._dock.verdict.show_run(run)
        self._dock.enable_results()
        if run is not None and not self._dock.is_setting and run.volumes:
            self._bench.stage.show_volumes(list(run.volumes.values()))

    def show_new(self, run: Run) -> None:
        """Choose the run that has just come, and tell it."""
        self.choose(run)
        self._dock.called.emit(run)

    def take_over(self) -> None:
        """Choose the run whose volumes are on the stage, and its series."""
        shown = self._bench.stage.shown
        run = self._bench.runs.of_layer(shown[0]) if shown else None
        if run is None:
            return
        if run.source is not None and run.source is not self._dock.layer:
            with self._dock.setting():
                self._dock.series.value = run.source
            self._dock.take_series(run.source, show=False)
        self.choose(run)
