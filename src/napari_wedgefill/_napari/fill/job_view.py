"""What the widget shows of a job: progress, volumes, verdicts, and at last the time it took."""

from __future__ import annotations

import time
from typing import Any

import napari
from napari.layers import Layer

from ...durations import write_duration
from ...pipeline.events import Done, Finished
from ...prepare import Aligned
from ...progress import Progress
from ...trust.results_table import ResultsTable
from ...trust.verdicts import SelfCheck, TrustMap
from ..layers import series_layer
from ..results.window import ResultsWindow
from .filled import Filled
from .inputs import METHOD_LABELS, FillInputs
from .run_panel import RunPanel
from .series_panel import SeriesPanel
from .trust_panel import TrustPanel
from .volume_view import Results

NO_BREAK_SPACE = "\u00a0"


class JobView:
    """Puts what a worker yields where the user sees it; lives on the main thread.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where layers are added.
    series_panel, trust_panel, run_panel : SeriesPanel, TrustPanel, RunPanel
        Panels of the widget.
    results : Results
        Shows volumes.

    Attributes
    ----------
    inputs : FillInputs or None
        Of the last fill or preview.
    filled : Filled or None
        The last fill that came to its end.
    self_check : SelfCheck or None
        Of that fill.
    remark : str
        Said after the time that the job took.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        series_panel: SeriesPanel,
        trust_panel: TrustPanel,
        run_panel: RunPanel,
        results: Results,
    ) -> None:
        self._viewer = viewer
        self._series_panel = series_panel
        self._trust_panel = trust_panel
        self._run_panel = run_panel
        self._results = results
        self.inputs: FillInputs | None = None
        self._is_preview = False
        self._finished: list[Finished] = []
        self._started = 0.0
        self.filled: Filled | None = None
        self.self_check: SelfCheck | None = None
        self.remark = ""

    def begin(self, inputs: FillInputs, *, is_preview: bool) -> None:
        """Get ready for a new fill or preview."""
        self.inputs, self._is_preview, self._finished = inputs, is_preview, []
        self._started = time.monotonic()
        self.remark = ""
        if not is_preview:
            self.filled = self.self_check = None
            self._trust_panel.clear()

    def show(self, item: Any) -> None:
        """Show one thing that the worker yielded."""
        if isinstance(item, Progress):
            self._run_panel.show_progress(item.stage, item.fraction, item.seconds_left)
        elif isinstance(item, Aligned):
            self._show_aligned(item)
        elif isinstance(item, Finished):
            self._show_finished(item)
        elif isinstance(item, Filled):
            self._show_filled(item)
        elif isinstance(item, SelfCheck):
            self.self_check = item
            self._trust_panel.show_self_check(item)
        elif isinstance(item, TrustMap):
            self._results.show_trust(item.volume, self.first_slice)
            self._trust_panel.show_trust(item)
        elif isinstance(item, ResultsTable):
            self._show_table(item)
        elif isinstance(item, Done):
            self._say_done()

    def say_cancelled(self) -> None:
        """Say what is left of a job that was stopped."""
        if self._is_preview:
            self._run_panel.say("Cancelled.")
        elif self.filled is None:
            self._run_panel.say("Cancelled; no volume was added.")
        else:
            self._run_panel.say("Cancelled; the volumes stay.")

    def end(self) -> None:
        """Let go of what only a running job needs."""
        self._finished = []

    @property
    def first_slice(self) -> int:
        """Where along y the volumes begin."""
        slices = None if self.inputs is None else self.inputs.slices
        return 0 if slices is None else slices[0]

    def _show_aligned(self, item: Aligned) -> None:
        """Show the aligned series and go on from it, so that no one aligns twice."""
        layer = self._viewer.add_layer(Layer.create(*series_layer(item.series)))
        self._series_panel.choose(layer)
        self._series_panel.align_check.setChecked(False)
        self.remark = item.report.sentence

    def _show_finished(self, item: Finished) -> None:
        """Keep a volume for the end of the fill; show a previewed slice at once."""
        self._finished.append(item)
        if self._is_preview:
            is_first = len(self._finished) == 1
            self._results.show_preview(item, self.first_slice, is_first=is_first)
            self.check_view_button()

    def _show_filled(self, item: Filled) -> None:
        """Show the volumes of a whole fill; checks may follow."""
        self.filled = item
        self._results.show(item.finished, self.first_slice, item.series.angles_deg)
        self.check_view_button()

    def _show_table(self, table: ResultsTable) -> None:
        assert self.filled is not None
        ResultsWindow(table, self.filled.series.angles_deg, self._run_panel.parentWidget()).show()
        self._run_panel.say("The results are in a window of their own.")

    def _say_done(self) -> None:
        what = f"Preview of slice {self.first_slice}" if self._is_preview else "Done"
        spent = write_duration(time.monotonic() - self._started)
        each = [f"{METHOD_LABELS[i.method]} {write_duration(i.seconds)}" for i in self._finished]
        # A line does not end between a method and its time.
        listed = ", ".join(text.replace(" ", NO_BREAK_SPACE) for text in each)
        self._run_panel.say(f"{what} in {spent}: {listed}. {self.remark}".strip())

    def check_view_button(self) -> None:
        """Check the button of the view that is shown."""
        buttons = self._run_panel.view_buttons
        buttons[self._results.side_by_side.orientation].setChecked(True)
