"""The comparison on simulated objects, one condition at a time."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_wedgefill.inference.angular_grid import AngularGrid, grid_for
from napari_wedgefill.inference.joint_model import JointModel
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.trust import psnr

from .cache import Cache
from .conditions import Condition
from .measures import mean_elongation, sinogram_figures, volume_figures
from .methods import GAN, Measured, classical, network, normalised, sinogram_stage
from .simulate import FAMILIES, SPHERES, Object, everything

Floats = NDArray[np.float32]
Row = dict[str, Any]


class Simulation:
    """One condition's objects, drawn when they are first needed."""

    def __init__(self, condition: Condition, model: JointModel) -> None:
        self.condition, self.model = condition, model
        self.beam = ParallelBeam(condition.angles_deg, condition.width)

    @property
    def grid(self) -> AngularGrid:
        """The network's angular grid."""
        return grid_for(self.condition.angles_deg, self.model.model.contract.n_rows)

    @cached_property
    def objects(self) -> list[Object]:
        """All objects, spheres last."""
        return everything(self.condition, self.grid.angles_deg)

    @cached_property
    def measured(self) -> list[Measured]:
        """What was recorded of each."""
        return [normalised(self.beam, o.rows) for o in self.objects]

    def classical_rows(self) -> list[Row]:
        """Figures of the methods without a network."""

        def score(k: int, volume: Floats) -> float:
            return psnr(volume, self.objects[k].truth)

        volumes, factors = classical(self.beam, self.measured, score)
        rows = [row for method, found in volumes.items() for row in self._rows(method, found)]
        tuned = [{"method": "factor", "family": o.family, "factor": f}
                 for o, f in zip(self.objects, factors, strict=True)]  # fmt: skip
        truth = self._rows("truth", [o.truth for o in self.objects])
        return rows + tuned + [row for row in truth if row["family"] == SPHERES]

    def network_rows(self) -> list[Row]:
        """Figures of the network, and of its sinogram stage alone."""
        rows = self._rows(GAN, network(self.model, self.beam, self.measured))
        for o, m in zip(self.objects, self.measured, strict=True):
            if o.family in FAMILIES:
                warm, answer = sinogram_stage(self.model, self.beam, m)
                ideal = o.ideal / np.float32(m.density)
                gains = sinogram_figures(self.grid, m.rows, ideal, warm, answer)
                rows.append({"method": "sinogram", "family": o.family, "seed": o.seed} | gains)
        return rows

    def _rows(self, method: str, volumes: list[Floats]) -> list[Row]:
        rows = []
        for o, volume in zip(self.objects, volumes, strict=True):
            row: Row = {"method": method, "family": o.family, "seed": o.seed}
            if o.family == SPHERES:
                row["elongation"] = mean_elongation(volume, o.balls)
            else:
                row |= volume_figures(volume, o.truth, self.condition.angles_deg)
            rows.append(row)
        return rows


def paths(cache: Cache, condition: Condition) -> tuple[Path, Path]:
    """Files of a condition's results: without and with the network."""
    angles = [round(float(angle), 6) for angle in condition.angles_deg]
    depends_on = [angles, condition.width, condition.dose, condition.n_objects]
    name = condition.name
    return cache.path(name, "classical", depends_on), cache.path(name, "network", depends_on)


def evaluate(cache: Cache, condition: Condition, model: JointModel) -> None:
    """Measure a condition, unless its results are kept."""
    simulation = Simulation(condition, model)
    first, second = paths(cache, condition)
    cache.get_or(first, simulation.classical_rows)
    cache.get_or(second, simulation.network_rows)


def kept(cache: Cache, conditions: list[Condition]) -> dict[Condition, list[Row]]:
    """Results of those conditions that were measured in full."""
    found = {}
    for condition in conditions:
        parts = [cache.get(path) for path in paths(cache, condition)]
        if all(part is not None for part in parts):
            found[condition] = parts[0] + parts[1]
    return found
