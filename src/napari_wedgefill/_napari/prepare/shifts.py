"""Where shifts come from: found in the images, kept, from another signal, from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from ...errors import WedgefillError
from .chosen import Chosen
from .plan import FIND, KEEP, LEAVE
from .steps import Step

if TYPE_CHECKING:
    from ...io.alignment_files import ImageTransforms
    from ...prepare.options import PrepareOptions
    from ...prepare.outcome import Found
    from ...tilt_series import TiltSeries

    FindShifts = Callable[[TiltSeries], Found | None]


@dataclass(frozen=True, eq=False)
class FileShifts:
    """Shifts that a file holds: a recipe of ours, or the alignment of another program."""

    path: Path
    held: Found | ImageTransforms

    @classmethod
    def read(cls, path: Path) -> FileShifts:
        """Read an .xf, .aln or .json file; raises `WedgefillError` where it holds none."""
        if path.suffix.lower() == ".json":
            from ...prepare.recipe import read_found

            return cls(path, read_found(path))
        from ...io.alignment_files import read_alignment

        return cls(path, read_alignment(path))

    def apply_to(self, series: TiltSeries) -> Found:
        """Return the shifts for a series; raises `WedgefillError` where they do not fit it."""
        from ...prepare.outcome import Found
        from ...prepare.transforms import take_found_from

        if isinstance(self.held, Found):
            return self.held
        return take_found_from(self.held, series, self.path.name)


def offer_shifts(chosen: Chosen) -> list[tuple[str, Any]]:
    """Offer the ways to come to shifts for the series that is chosen, each with its words."""
    steps, plan = chosen.desk.steps, chosen.plan
    offered: list[tuple[str, Any]] = []
    if chosen.step is not None:
        offered.append(("as they are in this layer", KEEP))
    offered += [("find them", FIND), ("leave the images in place", LEAVE)]
    layers = chosen.desk.workbench.viewer.layers
    own = None if chosen.layer is None else steps.base_of(chosen.layer)
    offered += [
        (f"as in {layer.name}", layer)
        for layer in steps.prepared()
        if layer in layers and steps.base_of(layer) is not own
    ]
    if isinstance(plan.shifts, FileShifts):
        offered.append((f"as in {plan.shifts.path.name}", plan.shifts))
    return offered


def choose_finder(chosen: Chosen, options: PrepareOptions) -> FindShifts:
    """Return what gives the shifts of the plan for a series; it gives None where they are found.

    Raises
    ------
    WedgefillError
        If the shifts of this layer are to be kept, but no longer fit what is asked for.
    """
    choice = chosen.plan.shifts
    if isinstance(choice, FileShifts):
        return choice.apply_to
    if isinstance(choice, Image):
        step = chosen.desk.steps.of(choice)
        if step is None:
            raise WedgefillError("The layer with the shifts is gone; choose others.")
        return partial(_give, step.report.found)
    if choice == KEEP and chosen.step is not None:
        return partial(_give, keep_shifts(chosen.step, options))
    return partial(_give, None)


def _give(found: Found | None, series: TiltSeries) -> Found | None:
    return found


def keep_shifts(step: Step, options: PrepareOptions) -> Found:
    """Return the shifts that a layer was prepared with, for a step that keeps them.

    Raises
    ------
    WedgefillError
        If region or angles are others, or an image is wanted that has no shift.
    """
    name, made = step.inputs.source.name, step.report.options
    if options.region != made.region or _angles_asked(options, step) != _angles_asked(made, step):
        raise WedgefillError(
            f"{name}: the shifts of this layer belong to its region and its angles; set Shifts to "
            f"'find them', or go back with Undo."
        )
    return step.report.found.leave_out(options.tilts.leave_out, name)


def _angles_asked(options: PrepareOptions, step: Step) -> tuple[Any, ...]:
    kept = set(step.report.found.kept.tolist()) - set(options.tilts.leave_out)
    corrected = tuple(pair for pair in options.tilts.corrected_deg if pair[0] in kept)
    return options.tilts.offset_deg, options.tilts.estimate_offset, corrected
