"""The series that is chosen in the dock, as every part of the Prepare page sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from ...errors import WedgefillError
from ..fill.angle_text import parse_angles
from ..fill.inputs import FillInputs
from .desk import Desk
from .plan import Plan
from .steps import Step

if TYPE_CHECKING:
    from ...prepare.outcome import Found

#: Angles differ from those of a preparation where they are further apart than this, in degrees.
SAME_DEG = 1e-3


class Chosen:
    """One layer, its plan, and how it was prepared.

    Parameters
    ----------
    desk : Desk
        Of the viewer.
    ask : callable
        Returns what the dock says of the series that is chosen, and its layer; raises
        `WedgefillError` where there is none.

    Attributes
    ----------
    layer : Image or None
        The layer.
    """

    def __init__(self, desk: Desk, ask: Callable[[], tuple[FillInputs, Image]]) -> None:
        self.desk, self._ask = desk, ask
        self.layer: Image | None = None

    @property
    def plan(self) -> Plan:
        """Its plan; one that nobody keeps where no series is chosen."""
        return Plan() if self.layer is None else self.desk.plan_of(self.layer)

    @property
    def step(self) -> Step | None:
        """How it was prepared; None for a series as it was opened."""
        return self.desk.steps.of(self.layer)

    @property
    def found(self) -> Found | None:
        """Shifts and tilt axis that it was prepared with."""
        return None if self.step is None else self.step.report.found

    def inputs(self) -> FillInputs:
        """Return the series that is chosen; raises `WedgefillError` where there is none."""
        return self._ask()[0]

    def base_inputs(self) -> FillInputs:
        """Return the series as it was opened, from which every step begins.

        Raises
        ------
        WedgefillError
            If there is no series, or its angles were changed after it was prepared.
        """
        inputs, layer = self._ask()
        step = self.desk.steps.of(layer)
        if step is None:
            return inputs
        angles, made = read_angles(inputs), step.report.found.angles_deg
        if len(angles) != len(made) or np.abs(angles - made).max() > SAME_DEG:
            raise WedgefillError(
                f"{layer.name}: its angles were changed after it was prepared; correct them in the "
                f"table of tilts, or go back with Undo."
            )
        return step.inputs

    def base_angles_deg(self) -> NDArray[np.float64]:
        """Angles of the series as it was opened, ascending; none where they are not known."""
        try:
            inputs = self.base_inputs()
            angles = read_angles(inputs)
        except WedgefillError:
            return np.zeros(0)
        return np.sort(angles) if len(angles) == len(inputs.source.data) else np.zeros(0)

    def tilt_at(self, place: int) -> int:
        """Number, in the series as it was opened, of an image of the layer; -1 where unknown."""
        if (found := self.found) is not None:
            return int(found.kept[place]) if place < len(found.kept) else -1
        order = self._order()
        return int(np.flatnonzero(order == place)[0]) if place < len(order) else -1

    def place_of(self, tilt: int) -> int | None:
        """Where in the layer an image lies; None where it is not in it."""
        if (found := self.found) is not None:
            places = np.flatnonzero(found.kept == tilt)
            return int(places[0]) if places.size else None
        order = self._order()
        return int(order[tilt]) if tilt < len(order) else None

    def _order(self) -> NDArray[np.int64]:
        """Places of the layer's images, by ascending angle."""
        try:
            return np.argsort(read_angles(self.inputs()), kind="stable")
        except WedgefillError:
            return np.zeros(0, np.int64)


def read_angles(inputs: FillInputs) -> NDArray[np.float64]:
    """Read the angles as typed, in the order of the layer's images."""
    return parse_angles(inputs.angles, len(inputs.source.data))
