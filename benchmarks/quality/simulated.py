"""The comparison on simulated objects, one condition at a time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.cache import Cache, fingerprint
from benchmarks.quality.conditions import Condition
from benchmarks.quality.families import list_sources
from benchmarks.quality.measures import measure_elongation, measure_sinogram, measure_volume
from benchmarks.quality.methods import (
    GAN,
    Measured,
    complete_sinogram,
    fill_with_network,
    normalise_rows,
    reconstruct_classically,
    reconstruct_quickly,
)
from benchmarks.quality.simulate import FAMILIES, KINDS, SPHERES, Object, simulate_all
from napari_wedgefill.joint_model.angular_grid import AngularGrid, grid_for
from napari_wedgefill.joint_model.contract import FirstEstimates
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.trust import psnr

Floats = NDArray[np.float32]
Row = dict[str, Any]
PARTS = ("classical", "network")


@dataclass(frozen=True, eq=False)
class Recorded:
    """A simulated object, what was measured of it, and SART and TVM of that."""

    object: Object
    measured: Measured
    quick: FirstEstimates


class Simulation:
    """One condition's objects, drawn when they are first needed."""

    def __init__(self, condition: Condition, model: JointModel) -> None:
        self.condition, self.model = condition, model
        self.beam = ParallelBeam(condition.angles_deg, condition.width)
        self._recorded: dict[str, list[Recorded]] = {}

    @property
    def grid(self) -> AngularGrid:
        """The network's angular grid."""
        return grid_for(self.condition.angles_deg, self.model.model.contract.n_rows)

    def record(self, kinds: Sequence[str]) -> list[Recorded]:
        """All objects of these kinds, in order."""
        fresh = [kind for kind in kinds if kind not in self._recorded]
        if fresh:
            objects = simulate_all(self.condition, self.grid.angles_deg, fresh)
            measured = [normalise_rows(self.beam, o.rows) for o in objects]
            quick = reconstruct_quickly(self.beam, measured, self.model.model.contract)
            for one in map(Recorded, objects, measured, quick):
                self._recorded.setdefault(one.object.family, []).append(one)
        return [one for kind in kinds for one in self._recorded[kind]]

    def measure_classical(self, kinds: Sequence[str]) -> list[Row]:
        """Figures of the methods without a network."""
        found = self.record(kinds)
        objects = [one.object for one in found]

        def score(k: int, volume: Floats) -> float:
            return psnr(volume, objects[k].truth)

        volumes, factors = reconstruct_classically(
            self.beam, [one.measured for one in found], [one.quick for one in found], score
        )
        rows = [row for m, each in volumes.items() for row in self._rows(m, objects, each)]
        tuned = [{"method": "factor", "family": o.family, "factor": f}
                 for o, f in zip(objects, factors, strict=True)]  # fmt: skip
        spheres = [o for o in objects if o.family == SPHERES]
        return rows + tuned + self._rows("truth", spheres, [o.truth for o in spheres])

    def measure_network(self, kinds: Sequence[str]) -> list[Row]:
        """Figures of the network, and of its sinogram stage alone."""
        found = self.record(kinds)
        volumes = fill_with_network(
            self.model, self.beam, [one.measured for one in found], [one.quick for one in found]
        )
        rows = self._rows(GAN, [one.object for one in found], volumes)
        for one in found:
            o, m = one.object, one.measured
            if o.family in FAMILIES:
                warm, answer = complete_sinogram(self.model, self.beam, m, one.quick)
                ideal = o.ideal / np.float32(m.density)
                gains = measure_sinogram(self.grid, m.rows, ideal, warm, answer)
                rows.append({"method": "sinogram", "family": o.family, "seed": o.seed} | gains)
        return rows

    def _rows(self, method: str, objects: list[Object], volumes: list[Floats]) -> list[Row]:
        rows = []
        for o, volume in zip(objects, volumes, strict=True):
            row: Row = {"method": method, "family": o.family, "seed": o.seed}
            if o.family == SPHERES:
                row["elongation"] = measure_elongation(volume, o.balls)
            else:
                row |= measure_volume(volume, o.truth, self.condition.angles_deg)
            rows.append(row)
        return rows


def locate_result(cache: Cache, condition: Condition, part: str, kind: str) -> Path:
    """File of a condition's results on one family (or spheres), without or with the network.

    It depends on the code that draws that family and no other: a new one makes no result stale.
    """
    angles = [round(float(angle), 6) for angle in condition.angles_deg]
    depends_on = [angles, condition.width, condition.dose, condition.n_objects]
    return cache.path(f"{condition.name}_{kind}", part, [*depends_on, _hash_sources(kind)])


@functools.cache
def _hash_sources(kind: str) -> str:
    """Hash what draws a family; no file of it changes while this runs."""
    return fingerprint([] if kind == SPHERES else list_sources(FAMILIES[kind]))


def evaluate(cache: Cache, condition: Condition, model: JointModel) -> None:
    """Measure a condition, unless its results are kept."""
    simulation = Simulation(condition, model)
    parts = {"classical": simulation.measure_classical, "network": simulation.measure_network}
    for part, compute in parts.items():
        cache.complete(
            {kind: locate_result(cache, condition, part, kind) for kind in KINDS}, compute
        )


def read_kept(
    cache: Cache, conditions: list[Condition], earlier: tuple[Cache, str] | None = None
) -> dict[Condition, list[Row]]:
    """Results of those conditions that were measured in full.

    Where there are none, those of an earlier commit stand in, if its results and name are given.
    """
    found = {}
    for condition in conditions:
        for source, commit in ((cache, ""), *([earlier] if earlier else [])):
            each = [
                source.get(locate_result(source, condition, p, k)) for p in PARTS for k in KINDS
            ]
            if all(rows is not None for rows in each):
                rows = [row for rows in each for row in rows]
                found[replace(condition, earlier=commit)] = rows
                break
    return found
