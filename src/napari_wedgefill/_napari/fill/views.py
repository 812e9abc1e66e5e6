"""The view buttons of a dock: what each shows, and which is lit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cells import ORIENTATIONS, SOLID, TILTS

if TYPE_CHECKING:
    from .dock import FillWedge


class Views:
    """Puts the chosen series, or the volumes of the chosen run, on the stage.

    Parameters
    ----------
    dock : FillWedge
        Knows the series and the run.
    """

    def __init__(self, dock: FillWedge) -> None:
        self._dock = dock
        self._stage, self._footer = dock.workbench.stage, dock.footer

    def show(self, name: str) -> None:
        """Show the images of the tilt series, or the volumes as slices or in three dimensions."""
        stage, run = self._stage, self._dock.run_box.value
        if name == TILTS:
            if self._dock.layer is not None:
                stage.show_series(self._dock.layer)
        elif name == SOLID:
            if run is not None:
                self._dock.solid.show_run(run)
        elif stage.shows_volumes or run is None:
            stage.orient(name)
        else:
            stage.show_volumes(list(run.volumes.values()), name)
        self.mark(stage.view)

    def show_next(self) -> None:
        """Show the view whose button follows."""
        names = list(self._footer.view_buttons)
        view = self._stage.view
        start = names.index(view) + 1 if view in names else 0
        self.show(names[start % len(names)])

    def show_next_method(self) -> None:
        """Show the next volume of the run alone; all of them after the last."""
        run, stage = self._dock.run_box.value, self._stage
        if run is None:
            return
        layers, shown = list(run.volumes.values()), stage.shown
        alone = layers.index(shown[0]) if len(shown) == 1 and shown[0] in layers else -1
        view = stage.view if stage.view in ORIENTATIONS else None
        next_ones = layers[alone + 1 : alone + 2] or layers
        stage.show_volumes(next_ones, view)

    def show_trust(self, wanted: bool) -> None:
        """Show the trust map of the chosen run over its volume, or all of its volumes again."""
        run, stage = self._dock.run_box.value, self._stage
        if wanted and run is not None and run.trust is not None and run.trusted is not None:
            stage.show_over(run.trusted, run.trust)
        elif run is not None:
            stage.show_volumes(list(run.volumes.values()))

    def mark(self, view: str) -> None:
        """Light the button of the view that the canvas shows."""
        self._footer.mark_view(view)
        run = self._dock.run_box.value
        offered = run is not None and run.trust is not None and run.trusted is not None
        self._footer.mark_trust(offered=offered, shown=self._stage.shows_overlay)
