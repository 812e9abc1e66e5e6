"""The tilt axis: the position and the rotation at which the images contradict each other least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .common_line import parabola_vertex
from .consistency import Consistency
from .pose import Pose

MAX_STEPS = 6  # of a scan towards lower values, before it is given up as leading nowhere


def find_least(value_at: Callable[[float], float], step: float, *, reach: float) -> float:
    """Walk downhill in steps from 0, then take the vertex of the parabola through the best three.

    Parameters
    ----------
    value_at : callable
        What is to be least.
    step : float
        Width of a step.
    reach : float
        How far the walk may go.

    Returns
    -------
    float
        Where the least value lies; 0 where the walk finds no minimum within reach.
    """
    known = {k: value_at(k * step) for k in (-1, 0, 1)}
    best = min(known, key=lambda k: known[k])
    while best in (min(known), max(known)):
        onward = best + (1 if best > 0 else -1)
        if abs(onward * step) > reach or len(known) > 2 * MAX_STEPS:
            return 0.0
        known[onward] = value_at(onward * step)
        if known[onward] < known[best]:
            best = onward
    scores = -np.array([known[best - 1], known[best], known[best + 1]])
    return step * (best + parabola_vertex(scores, 1))


def find_axis_shift(
    consistency: Consistency, pose: Pose, step_px: float, *, reach_px: float
) -> Pose:
    """Move the tilt axis to where the misfit is least.

    A wrong axis makes the images contradict each other (arcs, half-moons), and what a
    reconstruction cannot reproduce grows with the square of the error.
    """

    def move(by_px: float) -> Pose:
        return replace(pose, axis_shift_px=pose.axis_shift_px + by_px)

    return move(find_least(lambda by: consistency.misfit(move(by)), step_px, reach=reach_px))


def find_axis_rotation(
    consistency: Consistency, pose: Pose, step_deg: float, *, reach_deg: float
) -> Pose:
    """Turn the tilt axis to where the misfit is least.

    The images turn about their own centre after the shifts, so the object should lie near the
    middle of the field: elsewhere a turn would look like a shift.
    """

    def turn(by_deg: float) -> Pose:
        return replace(pose, axis_deg=pose.axis_deg + by_deg)

    return turn(find_least(lambda by: consistency.misfit(turn(by)), step_deg, reach=reach_deg))
