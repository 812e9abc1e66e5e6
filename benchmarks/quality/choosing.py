"""Which of several models is best, on objects that a choice may rest on.

    python -m benchmarks.quality.choosing models/small mine --groups DATA

Prints the PSNR of the first model and the gain of each other one. The objects are those of the
groups that validate, from the training families, and `head` and `branches` of the evaluation, which
training never draws. The other families of the evaluation stay out: once a choice rests on them,
they can no longer judge it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.quality.conditions import Condition
from benchmarks.quality.methods import Measured, fill_with_network
from benchmarks.quality.simulated import Simulation
from napari_wedgefill.joint_model.contract import FirstEstimates, Scales, raise_to_noise_floor
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.projector.arrays import Array
from napari_wedgefill.reconstruct.tvm import noise_level
from napari_wedgefill.training.groups import list_groups, read_arrays
from napari_wedgefill.training.simulate import SLICES
from napari_wedgefill.trust import psnr

MISSING_DEG = 60.0
STEPS_DEG, ELECTRONS = (2.0, 5.0), (np.inf, 400.0, 100.0)
KINDS = ("head", "branches")
#: Objects of each validating group that are reconstructed: the first, and the middle one.
OF_GROUP = (0, 4)

Case = tuple[str, ParallelBeam, Measured, FirstEstimates, Array]


def validating(groups: Path) -> Iterator[Case]:
    """Objects of the groups that validate, with what the methods made of them."""
    for path in list_groups(groups, validation=True):
        angles, rows, sart, tvm, truth, scale = read_arrays(
            path, "angles_deg", "measured", "sart", "tvm", "truth", "sinogram_scale"
        )
        beam = ParallelBeam(angles, rows.shape[1])
        for k in OF_GROUP:
            own = slice(SLICES * k, SLICES * (k + 1))
            b, peak = rows[..., own].copy(), float(scale[own][0])
            measured = Measured(b, Scales(peak, raise_to_noise_floor(noise_level(b), peak)), 1.0)
            quick = FirstEstimates(sart[..., own].copy(), tvm[..., own].copy())
            yield "validation groups", beam, measured, quick, truth[..., own]


def unseen(model: JointModel, n_objects: int, width: int) -> Iterator[Case]:
    """Objects of families that training never draws, under several conditions."""
    for step in STEPS_DEG:
        for electrons in ELECTRONS:
            condition = Condition(width, MISSING_DEG, step, electrons, n_objects)
            simulation = Simulation(condition, model)
            name = f"{width} px, {step:g} degrees, {condition.dose}"
            for one in simulation.record(KINDS):
                yield name, simulation.beam, one.measured, one.quick, one.object.truth


def main(arguments: list[str] | None = None) -> None:
    """Print a table of models by kinds of objects."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("models", type=Path, nargs="+", help="folders; the first is compared with")
    parser.add_argument("--groups", type=Path, required=True, help="folder of training groups")
    parser.add_argument("--objects", type=int, default=4, help="of each family and condition")
    parser.add_argument("--width", type=int, default=128, help="of those of the evaluation, in px")
    given = parser.parse_args(arguments)
    models = [JointModel(load(str(folder)), "cpu") for folder in given.models]
    found: dict[str, list[list[float]]] = {}
    for cases in (validating(given.groups), unseen(models[0], given.objects, given.width)):
        for name, beam, measured, quick, truth in cases:
            each = [psnr(fill_with_network(m, beam, [measured], [quick])[0], truth) for m in models]
            found.setdefault(name, []).append(each)
    print("| | " + " | ".join(str(folder) for folder in given.models) + " |")
    print("|---|" + "---|" * len(models))
    for name, values in found.items():
        first, *others = np.mean(values, axis=0)
        gains = "".join(f" {other - first:+.2f} |" for other in others)
        print(f"| {name} ({len(values)}) | {first:.2f} |{gains}")


if __name__ == "__main__":
    main()
