"""The part Tilts of the Prepare page: which images are used, and at which angles."""

from __future__ import annotations

from dataclasses import replace

from .chosen import Chosen
from .controls import make_words, say
from .settings import Form
from .tilt_overlay import TiltOverlay
from .tilt_table import TiltTable, make_lines


class TiltsPart:
    """The table of tilts, what is proposed to be left out, and the tilt offset.

    Parameters
    ----------
    chosen : Chosen
        The series.
    form : FunctionGui
        Of `TiltOptions`.
    overlay : TiltOverlay
        Knows which image the canvas shows.
    """

    def __init__(self, chosen: Chosen, form: Form, overlay: TiltOverlay) -> None:
        self._chosen, self.form, self._overlay = chosen, form, overlay
        self.table, self.proposal = TiltTable(), make_words()
        layout = form.native.layout()
        layout.insertWidget(0, self.table)
        layout.insertWidget(0, self.proposal)
        form.offset_deg.native.setSuffix("\N{DEGREE SIGN}")
        self.table.use_changed.connect(self.use)
        self.table.angle_changed.connect(self.correct)
        self.table.chosen.connect(self._look_at)

    def show(self) -> None:
        """Show the plan of the series that is chosen."""
        plan = self._chosen.plan
        with self.form.changed.blocked():
            self.form.offset_deg.value = plan.tilts.offset_deg
            self.form.estimate_offset.value = plan.tilts.estimate_offset
        self.show_table()

    def take(self) -> None:
        """Put what the form says into the plan."""
        plan = self._chosen.plan
        # By name: a form calls its class by position, and this one lacks what the table says.
        plan.tilts = replace(plan.tilts, **self.form.asdict())

    def show_table(self) -> None:
        """Show the table anew."""
        chosen = self._chosen
        self.table.show_lines(make_lines(chosen.plan, chosen.base_angles_deg(), chosen.step))
        say(self.proposal, self._propose())
        self.mark()

    def mark(self) -> None:
        """Mark the row of the image that is seen."""
        place = self._overlay.tilt
        if place is not None and self._overlay.layer is self._chosen.layer:
            self.table.mark(self._chosen.tilt_at(place))

    def summarise(self) -> str:
        """Say how many images are used, or are to be left out once Prepare is pressed."""
        lines = self.table.lines
        n_used = sum(line.use for line in lines)
        if not lines:
            return ""
        if n_used == len(lines):
            return f"all {n_used} used"
        if self._chosen.step is None:
            return f"{len(lines) - n_used} of {len(lines)} to be left out"
        return f"{n_used} of {len(lines)} used"

    def use(self, tilt: int, wanted: bool) -> None:
        """Take an image back, or leave it out."""
        plan = self._chosen.plan
        plan.left_out = plan.left_out - {tilt} if wanted else plan.left_out | {tilt}
        plan.is_decided = True
        self.show_table()
        self.form.changed.emit(self.form)

    def correct(self, tilt: int, angle_deg: float) -> None:
        """Correct the angle of an image."""
        plan = self._chosen.plan
        read = float(self._chosen.base_angles_deg()[tilt])
        plan.corrected_deg = {t: a for t, a in plan.corrected_deg.items() if t != tilt}
        if angle_deg != round(read, 2):
            plan.corrected_deg[tilt] = angle_deg
        self.show_table()
        self.form.changed.emit(self.form)

    def _look_at(self, tilt: int) -> None:
        place, layer = self._chosen.place_of(tilt), self._chosen.layer
        viewer = self._chosen.desk.workbench.viewer
        if place is not None and layer is not None:
            if self._overlay.layer is not layer:
                self._chosen.desk.workbench.stage.show_series(layer)
            viewer.dims.set_point(
                viewer.dims.ndim - layer.ndim, float(layer.data_to_world((place, 0, 0))[0])
            )

    def _propose(self) -> str:
        """Say which images a first look found fault with, and what becomes of them."""
        plan = self._chosen.plan
        if plan.glance is None or not plan.glance.bad or self._chosen.step is not None:
            return ""
        told = []
        for bad in plan.glance.bad:
            becomes = "left out" if bad.tilt in plan.left_out else "used"
            told.append(f"{bad.sentence[:-1]}: {becomes}.")
        return "\n".join(told)
