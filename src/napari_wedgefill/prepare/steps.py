"""The search for the pose: several first guesses, the best of them, and its refinement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .common_line import is_isolated, mass_paths, measure_axial_offsets
from .consistency import WITHHELD_SWEEPS, Consistency
from .correlation import (
    MeasureOffset,
    chain_neighbours,
    measure_offset,
    measure_offset_by_phase,
)
from .film_axis import place_axis
from .options import ShiftMethod
from .pose import Binned, Floats, Pose
from .reprojection import iter_refine
from .tilt_axis import find_axis_rotation, find_axis_shift

Doubles = NDArray[np.float64]

COARSE_PX, FINE_PX = 64, 128  # images are binned to about these sizes
COMMON_LINE_ROUNDS = 3
ROUNDS = 2  # of reprojection before each scan of the axis
#: The last ones, of an isolated object, and the sweeps of each: after fewer, what is not explained
#: yet displaces the images by a twentieth of a pixel.
LAST_ROUNDS, LAST_SWEEPS = 4, 8
REACH_SHARE = 0.25  # largest neighbour-to-neighbour jump searched, as a share of the image
MAX_TURN_DEG = 20.0  # of the tilt axis against where the input says it is
#: Steps of the axis' scans, from one visit to the next: px of the binned images, and degrees.
COARSE_SCANS = ((2.0, 4.0), (1.5, 2.0), (1.0, 1.5))
#: The last scan is of every row of an isolated object, for which the coarse size is quick enough.
LAST_SCAN, LAST_MISFIT_SWEEPS = (0.5, 0.7), 16
FILM_SCAN = (1.5, 1.5)
FEW_SLICES = 16  # of a large volume say roughly where its axis lies
#: Fewer tilts cannot tell the position and rotation of the axis from shifts.
MIN_TILTS_FOR_AXIS = 9
MAX_TILTS_FOR_AXIS = 41
PRIOR_SHARE = 0.02  # how far from the centre a tilt axis commonly lies, as a share of the width


@dataclass(frozen=True, eq=False)
class Work:
    """What every step needs: images without background in full and binned, and their angles."""

    full: Binned
    coarse: Consistency
    fine: Consistency

    @property
    def angles_deg(self) -> Doubles:
        """Tilt angles in degrees."""
        return self.coarse.angles_deg

    @property
    def isolated(self) -> bool:
        """Whether the object is wholly in the field across the axis."""
        return self.coarse.isolated

    @property
    def finds_axis(self) -> bool:
        """Whether there are tilts enough to look for the axis."""
        return self.coarse.n_tilts >= MIN_TILTS_FOR_AXIS


def prepare(estimates: Floats, angles_deg: Doubles) -> Work:
    """Bin the images (n_tilts, h, w), background removed, and look at whether the object fits."""
    isolated = is_isolated(estimates)
    full = Binned.of(estimates, 1)
    size = max(estimates.shape[1:])
    factors = [max(1, round(size / px)) for px in (COARSE_PX, FINE_PX)]
    coarse, fine = (
        Consistency(full if f == 1 else Binned.of(estimates, f), angles_deg, isolated)
        for f in factors
    )
    if factors[0] != factors[1]:
        fine = replace(fine, max_slices=FEW_SLICES)
    return Work(full, coarse, fine)


def first_guesses(
    work: Work, start: Pose, shifts_by: ShiftMethod = "best"
) -> Iterator[tuple[str, Pose]]:
    """Poses by methods that need no reconstruction, each with the name of its method.

    The images as they are come first: no method may make them worse.
    """
    yield AS_THEY_ARE, start
    for name, guess in FIRST_GUESSES.items():
        chosen = guess.is_tried if shifts_by == "best" else name == shifts_by
        if chosen and is_applicable(name, work):
            yield guess.words, guess.place(work, start)


def place_by_chain(work: Work, start: Pose, measure: MeasureOffset) -> Pose:
    """Place each image against its neighbour, from the least tilted outwards."""
    stack = work.fine.stack
    images, reach = stack.align(start), REACH_SHARE * min(stack.images.shape[1:])
    chained = chain_neighbours(images, work.angles_deg, reach, measure)
    return start.add_offsets(stack.factor * chained)


def place_by_common_lines(work: Work, start: Pose) -> Pose:
    """Place the rows' mass along the axis, and the rows' centres of mass across it."""
    stack = work.fine.stack  # small enough to be quick; what is lost, the refinement finds
    along_px = stack.factor * measure_axial_offsets(stack.align(start))
    pose = start.add_offsets(_along(along_px))
    height, width = work.full.images.shape[1:]
    for _ in range(COMMON_LINE_ROUNDS):
        aligned = stack.align(pose)
        first, stop = pose.find_measured_rows(height, width)
        rows = -(-first // stack.factor), stop // stack.factor
        paths = mass_paths(aligned, work.angles_deg, rows)
        found = _along(measure_axial_offsets(aligned))
        found[:, 1] = paths.across_px
        pose = pose.add_offsets(stack.factor * found)
        if work.finds_axis:
            turn = pose.axis_deg + paths.axis_deg - start.axis_deg
            turn = float(np.clip(turn, -MAX_TURN_DEG, MAX_TURN_DEG))
            pose = replace(
                pose,
                axis_shift_px=pose.axis_shift_px + stack.factor * paths.axis_shift_px,
                axis_deg=start.axis_deg + turn,
            )
    return pose


def place_by_centres_of_mass(work: Work, start: Pose) -> Pose:
    """Put the centre of mass of every image onto the tilt axis: needs little contrast."""
    stack = work.fine.stack
    images = stack.align(start)
    mass = images.sum(axis=(1, 2), dtype=np.float64)
    usable = mass > 0.2 * np.median(mass)
    centres = np.zeros((len(images), 2))
    for k, axis in enumerate((2, 1)):
        n = images.shape[3 - axis]
        places = np.arange(n) - (n - 1) / 2
        profiles = images.sum(axis=axis, dtype=np.float64)
        centres[usable, k] = profiles[usable] @ places / mass[usable]
    if usable.any():
        centres[~usable] = np.median(centres[usable], axis=0)
    return start.add_offsets(stack.factor * centres)


@dataclass(frozen=True)
class FirstGuess:
    """A method that places the images without a reconstruction.

    Attributes
    ----------
    words : str
        What it is called in a report.
    needs_isolated : bool
        Whether it holds only for an object that is wholly in the field across the axis.
    place : callable
        Returns its pose.
    is_tried : bool
        Whether it is among the methods of which the best is taken.
    """

    words: str
    needs_isolated: bool
    place: Callable[[Work, Pose], Pose]
    is_tried: bool = True


AS_THEY_ARE = "the images as they are"
FIRST_GUESSES = {
    "common-line": FirstGuess("common lines and centres of mass", True, place_by_common_lines),
    "centre-of-mass": FirstGuess("centres of mass", True, place_by_centres_of_mass),
    "cross-correlation": FirstGuess(
        "a chain of neighbours", False, partial(place_by_chain, measure=measure_offset)
    ),
    "phase-correlation": FirstGuess(
        "a chain of neighbours by phase correlation",
        False,
        partial(place_by_chain, measure=measure_offset_by_phase),
        is_tried=False,  # noise counts for as much as detail, so that it would not be the best
    ),
}


def is_applicable(shifts_by: str, work: Work) -> bool:
    """Whether a method holds for what the images show; "best" chooses one that does."""
    return work.isolated or shifts_by == "best" or not FIRST_GUESSES[shifts_by].needs_isolated


def _along(offsets_px: Doubles) -> Doubles:
    """Displacements (n_tilts, 2) from those along the axis alone."""
    return np.stack([offsets_px, np.zeros_like(offsets_px)], axis=1)


def iter_best_guess(
    work: Work, start: Pose, shifts_by: ShiftMethod = "best"
) -> Iterator[tuple[Pose, str]]:
    """Yield, after each first guess, the one that so far predicts withheld tilts best."""
    best, method, error = start, "", float("inf")
    for name, guess in first_guesses(work, start, shifts_by):
        judged = guess if name == AS_THEY_ARE else centre_object(work, guess)
        here = work.coarse.withheld_error(judged)
        if here < error:
            best, method, error = judged, name, here
        yield best, method


def iter_search(
    work: Work, start: Pose, shifts_by: ShiftMethod = "best"
) -> Iterator[tuple[str, float, Pose, str]]:
    """Find the pose; yields (stage, fraction of the search, pose so far, its first guess)."""
    best, method = start, ""
    for best, method in iter_best_guess(work, start, shifts_by):
        yield "Finding the shifts", 0.0, best, method
    visits = plan_visits(work)
    pose, depth_share = best, 1.0
    for done, visit in enumerate(visits):
        begun = 0.1 + 0.8 * done / len(visits)
        pose = centre_object(work, pose)
        if visit.judge.stack is work.coarse.stack:
            depth_share = visit.judge.choose_depth(pose).depth_share
        judge = replace(visit.judge, depth_share=depth_share)
        reach = visit.reach * judge.stack.factor
        for better in iter_refine(
            judge, pose, n_rounds=visit.n_rounds, reach_px=reach, n_sweeps=visit.n_sweeps
        ):
            pose = better
            yield "Comparing with reprojections", begun, pose, method
        if work.finds_axis:
            yield "Finding the tilt axis", begun + 0.4 / len(visits), pose, method
            judge = replace(visit.axis_judge or judge, depth_share=depth_share)
            step_px, step_deg = visit.steps
            if step_deg:
                pose = scan_axis(judge, pose, start, step_px, step_deg)
            else:
                factor = judge.stack.factor
                pose = find_axis_shift(judge, pose, step_px * factor, reach_px=4.0 * factor)
    yield "Comparing with reprojections", 1.0, pose, method


@dataclass(frozen=True, eq=False)
class Visit:
    """One round of the search: the images move onto their predictions, and then the tilt axis.

    Attributes
    ----------
    judge : Consistency
        Predicts the images.
    steps : tuple of float
        Of the scan of the axis: its position, px of the binned images, and its rotation, degrees;
        no rotation where it is 0.
    n_rounds, n_sweeps : int
        Of reprojection.
    reach : float
        Largest move in a round, px of the binned images.
    axis_judge : Consistency or None
        Says where the axis lies; by default `judge`.
    """

    judge: Consistency
    steps: tuple[float, float]
    n_rounds: int = ROUNDS
    n_sweeps: int = WITHHELD_SWEEPS
    reach: float = 4.0
    axis_judge: Consistency | None = None


def plan_visits(work: Work) -> list[Visit]:
    """Plan the search: roughly at the coarse size, and then what the object allows."""
    rough = replace(work.coarse, max_slices=FEW_SLICES)
    visits = [Visit(rough, steps) for steps in COARSE_SCANS]
    if not work.isolated:
        # More sweeps would explain what only some of the tilts see of a film.
        visits.append(Visit(work.fine, FILM_SCAN, n_rounds=1))
        visits.append(Visit(work.fine, FILM_SCAN, reach=2.0))
        return visits
    n_rows = work.coarse.stack.images.shape[1]
    every_row = replace(work.coarse, max_slices=n_rows, misfit_sweeps=LAST_MISFIT_SWEEPS)
    visits.append(Visit(every_row, LAST_SCAN, n_sweeps=LAST_SWEEPS))
    visits.append(
        Visit(
            work.fine,
            (LAST_SCAN[0], 0.0),
            n_rounds=LAST_ROUNDS,
            n_sweeps=LAST_SWEEPS,
            reach=2.0,
            axis_judge=every_row,
        )
    )
    return visits


def scan_axis(
    consistency: Consistency, pose: Pose, start: Pose, step_px: float, step_deg: float
) -> Pose:
    """Move and turn the tilt axis to where the images contradict each other least."""
    if not consistency.isolated:
        placed, error_deg = place_axis(consistency.stack, pose, consistency.angles_deg)
        if np.isfinite(error_deg) and is_near(placed, start):
            return placed
    some = choose_some_tilts(consistency.n_tilts)
    judge = consistency.take_tilts(some)
    few = find_axis(
        judge, replace(pose, offsets_px=pose.offsets_px[some]), start, step_px, step_deg
    )
    return replace(pose, axis_shift_px=few.axis_shift_px, axis_deg=few.axis_deg)


def choose_some_tilts(n_tilts: int) -> NDArray[np.int64]:
    """Choose tilts that say where the axis lies: those close to each other say the same of it."""
    return np.arange(0, n_tilts, -(-n_tilts // MAX_TILTS_FOR_AXIS))


def find_axis(
    consistency: Consistency, pose: Pose, start: Pose, step_px: float, step_deg: float
) -> Pose:
    """Move and turn the tilt axis to where the misfit is least, and no image by itself."""
    factor, width = consistency.stack.factor, consistency.stack.images.shape[2]
    pose = find_axis_shift(consistency, pose, step_px * factor, reach_px=width * factor / 8)
    # One step further than is allowed, so that a minimum near the limit is seen from both sides.
    turned = find_axis_rotation(consistency, pose, step_deg, reach_deg=MAX_TURN_DEG + step_deg)
    return turned if is_near(turned, start) else pose


def is_near(pose: Pose, start: Pose) -> bool:
    """Whether the axis of a pose is within reach of where the input says it is."""
    return abs(pose.axis_deg - start.axis_deg) <= MAX_TURN_DEG


def centre_object(work: Work, pose: Pose) -> Pose:
    """Translate an isolated object onto the tilt axis and to the middle of the field.

    What the images say of each other does not change by that, but turning the axis then moves the
    object least.
    """
    if not work.isolated:
        return pose
    stack = work.coarse.stack
    aligned = stack.align(pose)
    mass = aligned.sum(axis=(1, 2), dtype=np.float64)
    if np.any(mass <= 0.2 * np.median(mass)):
        return pose
    n = aligned.shape[2]
    places = np.arange(n) - (n - 1) / 2
    centres = stack.factor * (aligned.sum(axis=1, dtype=np.float64) @ places) / mass
    tilts = np.deg2rad(work.angles_deg)
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    moved = np.zeros((len(mass), 2))
    moved[:, 1] = path @ np.linalg.lstsq(path, centres, rcond=None)[0]
    return pose.add_offsets(moved)


def minimise_movement(pose: Pose, start: Pose, angles_deg: Doubles, width: int) -> Pose:
    """Translate the object so that the images move least; the alignment itself does not change.

    Only the sum of an image's displacement and the axis' shift is known. What follows from a plain
    offset of the axis is called that, unless jitter leaves it in doubt: then
    the axis is held near where the input says it is.
    """
    tilts = np.deg2rad(angles_deg)
    design = np.stack([np.ones_like(tilts), np.cos(tilts), np.sin(tilts)], axis=1)
    rotation = pose.rotation()
    # A translation of the object moves the images across the axis as it leans, not along their x.
    total = (pose.offsets_px + np.array([0.0, pose.axis_shift_px - start.axis_shift_px])) @ rotation
    across = total[:, 1]
    rest = across - design @ np.linalg.lstsq(design, across, rcond=None)[0]
    doubt = np.sqrt((rest**2).mean()) / (PRIOR_SHARE * width)
    held = np.vstack([design, [doubt, 0.0, 0.0]])
    shift, x, z = np.linalg.lstsq(held, np.append(across, 0.0), rcond=None)[0]
    total[:, 0] -= np.median(total[:, 0])
    total[:, 1] -= design @ [0.0, x, z]
    by_px = float(shift) * float(rotation[1, 1])
    offsets = total @ rotation.T - np.array([0.0, by_px])
    return Pose(offsets, start.axis_shift_px + by_px, pose.axis_deg)
