"""What is to be done with one series, and what a first look at it found."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from ...prepare import BadImage, CleanOptions, PrepareOptions, RegionOptions, TiltOptions
from ...prepare.options import ShiftMethod
from ...progress import Progress
from ..fill.inputs import FillInputs
from .steps import Step

#: Ways to come to shifts, beside taking those of another layer or file.
FIND, LEAVE, KEEP = "find", "leave", "keep"


@dataclass(frozen=True)
class Glance:
    """A first look at a series as it was opened.

    Attributes
    ----------
    disagreement : float or None
        Share of the images that the others fail to predict; None where nothing can be said.
    bad : tuple of BadImage, or None
        Images that had better be left out; None where they were not looked for yet.
    flaws : str
        Hot pixels and saturation, in words.
    refusal : str
        Why the series could not be looked at; empty where it could.
    """

    disagreement: float | None
    bad: tuple[BadImage, ...] | None = None
    flaws: str = ""
    refusal: str = ""


@dataclass(eq=False)
class Plan:
    """What a user has set for one layer; kept while another one is chosen.

    Attributes
    ----------
    region, clean, tilts
        The options; `tilts` without the images left out and the angles corrected.
    left_out : set of int
        Images that are not used, by their number in the series as it was opened.
    is_decided : bool
        Whether the table says which images are used; else useless ones are left out as found.
    corrected_deg : dict of int to float
        True angles of images whose angle is wrong.
    shifts : object
        `FIND`, `LEAVE`, `KEEP`, another prepared layer, or a `FileShifts`.
    shifts_by : str
        How shifts are found, see `PrepareOptions`.
    glance : Glance or None
        What a first look found.
    belongs_to : tuple
        The angles and the direction of the axis that images and region are counted in.
    """

    region: RegionOptions = field(default_factory=RegionOptions)
    clean: CleanOptions = field(default_factory=CleanOptions)
    tilts: TiltOptions = field(default_factory=TiltOptions)
    left_out: set[int] = field(default_factory=set)
    is_decided: bool = False
    corrected_deg: dict[int, float] = field(default_factory=dict)
    shifts: Any = FIND
    shifts_by: ShiftMethod = "best"
    glance: Glance | None = None
    belongs_to: tuple[Any, ...] = ()

    @classmethod
    def of_step(cls, step: Step) -> Plan:
        """Begin with what was done, for a layer that was prepared."""
        plan = cls()
        plan.take_options(step.report.options)
        plan.left_out = {row.tilt for row in step.report.tilts if not row.use}
        plan.is_decided = True
        plan.shifts = KEEP
        return plan

    def take_options(self, options: PrepareOptions) -> None:
        """Take over the options of a recipe."""
        self.region, self.clean, self.tilts = options.region, options.clean, options.tilts
        self.left_out = set(options.tilts.leave_out)
        self.is_decided = not options.tilts.leave_out_useless
        self.corrected_deg = dict(options.tilts.corrected_deg)
        self.shifts = FIND if options.align else LEAVE
        self.shifts_by = options.shifts_by

    def follow(self, angles: str, axis: str) -> None:
        """Forget what was counted in other angles or along another axis, and look again."""
        now = (angles, axis)
        if self.belongs_to and self.belongs_to != now:
            self.left_out, self.is_decided, self.corrected_deg = set(), False, {}
            if self.belongs_to[1] != axis:
                self.region = RegionOptions(bin=self.region.bin)
        self.belongs_to, self.glance = now, None

    def take_glance(self, glance: Glance) -> None:
        """Propose to leave out what shows nothing, unless the user has decided already."""
        self.glance = glance
        if glance.bad is not None and not self.is_decided:
            self.left_out |= {bad.tilt for bad in glance.bad if bad.is_useless}
            self.is_decided = True

    def options(self) -> PrepareOptions:
        """Return what a preparation is asked for."""
        tilts = replace(
            self.tilts,
            leave_out=tuple(sorted(self.left_out)),
            leave_out_useless=not self.is_decided,
            leave_out_worse=False,
            corrected_deg=tuple(
                (tilt, angle)
                for tilt, angle in sorted(self.corrected_deg.items())
                if tilt not in self.left_out
            ),
        )
        return PrepareOptions(self.region, self.clean, tilts, self.shifts == FIND, self.shifts_by)


def glance_steps(inputs: FillInputs) -> Generator[Glance | Progress, None, None]:
    """Look at a series: how far its images contradict each other first, then the bad images."""
    from ...prepare.disagreement import measure_disagreement
    from ...prepare.flaws import look_for_flaws

    series = inputs.series()
    found = Glance(measure_disagreement(series))
    yield found
    flaws = look_for_flaws(series)
    yield replace(found, bad=flaws.bad, flaws=flaws.sentence)
