"""Simulate training examples, of the built-in families or of your own objects.

    wedgefill simulate DATA --groups 200 --objects my_volumes/

Examples come in groups. A group is one tilt scheme and eight objects of eight neighbouring slices:
what a microscope would record of them, and what the networks would be given.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_beside
from ..errors import WedgefillError
from ..joint_model.angular_grid import grid_for
from ..joint_model.contract import (
    InputContract,
    Scales,
    compute_first_estimates,
    density_scale,
    sinogram_input,
    sinogram_scale,
)
from ..projector import ParallelBeam
from ..reconstruct import iter_sirt, last
from .acquisition import add_noise, draw_noise, draw_scheme, draw_smoothing, record, smooth
from .frames import average_pairs, grid
from .own_objects import OwnObjects, add_family, read_objects
from .phantoms import EXTENDED, FAMILIES, Family, draw

Floats = NDArray[np.float32]
#: In one group of five, objects have room for so many fields of view, drawn between these numbers:
#: some end just outside the field; others are crossed by high-tilt rays three fields away.
WIDE = (1.25, 3.0)
#: Objects in a group, and neighbouring slices of each.
OBJECTS, SLICES = 8, 8


def simulate_group(
    seed: int,
    width: int,
    contract: InputContract,
    families: Mapping[str, Family] = FAMILIES,
    smoothed: float = 0.0,
) -> dict[str, Floats]:
    """Simulate one group: all that the three networks learn from, densities of order one.

    `smoothed` is the share of the objects whose images are smooth (`acquisition.draw_smoothing`).

    Returns
    -------
    dict
        "angles_deg" (n_tilts,); "measured" (n_tilts, width, 64); "truth", "sart", "tvm"
        (width, width, 64); "input" (64, 3, n_rows, width) and "target" (64, 1, n_rows, width) of
        the sinogram network; "sinogram_scale" (64,).
    """
    rng = np.random.default_rng(seed)
    scheme = draw_scheme(rng)
    rows_deg = grid_for(scheme.angles_deg, contract.n_rows).angles_deg
    extent = rng.uniform(*WIDE) if rng.random() < 0.2 else 1.0
    n_fine = 16 * round(width * extent / 8)  # `smooth_noise` draws a pattern on a coarser grid
    objects = [_draw_object(rng, n_fine, n_fine / (2 * width), families) for _ in range(OBJECTS)]
    fine = np.concatenate(objects, axis=2)
    measured = _add_noise(rng, record(fine, width, scheme))
    sigmas_px = [draw_smoothing(rng, smoothed) for _ in range(OBJECTS)]
    measured = _smooth(measured, sigmas_px, (1, 2))
    beam = ParallelBeam(scheme.angles_deg, width)
    density = repeat_per_object(density_scale, last(iter_sirt(beam, measured, 10)))
    measured /= density
    scales = Scales(repeat_per_object(sinogram_scale, measured), 0.0)
    quick = compute_first_estimates(beam, measured, contract)
    ideal = _smooth(record(fine, width, scheme, rows_deg), sigmas_px, (1, 2))
    target = ideal / density / scales.sinogram
    margin = (n_fine - 2 * width) // 2
    crop = slice(margin, margin + 2 * width)
    return {
        "angles_deg": scheme.angles_deg.astype(np.float32),
        "measured": measured,
        "truth": _smooth(average_pairs(fine[crop, crop]), sigmas_px, (0, 1, 2)) / density,
        "sart": quick.sart,
        "tvm": quick.tvm,
        "input": sinogram_input(beam, measured, quick, scales, contract),
        "target": target.transpose(2, 0, 1)[:, None],
        "sinogram_scale": np.asarray(scales.sinogram, np.float32),
    }


def _draw_object(
    rng: np.random.Generator, n_fine: int, extent: float, families: Mapping[str, Family]
) -> Floats:
    at = grid(n_fine, SLICES, extent=extent, y0=rng.uniform(-0.1, 0.1))
    # Now and then a film or a block ends inside the field of view.
    extended = rng.random() < (0.7 if extent > 1 else 0.07)
    chosen = {n: f for n, f in families.items() if (n in EXTENDED) == extended}
    for _ in range(10):  # an object may miss its slab; draw another
        fine = draw(rng, at, chosen or families)
        if np.count_nonzero(fine) > 1e-3 * fine.size:
            break
    return fine


def _add_noise(rng: np.random.Generator, ideal: Floats) -> Floats:
    """Add noise at a dose that is drawn for each object."""
    parts = np.split(ideal, OBJECTS, axis=2)
    return np.concatenate([add_noise(rng, part, **draw_noise(rng)) for part in parts], axis=2)


def _smooth(values: Floats, sigmas_px: Sequence[float], axes: tuple[int, ...]) -> Floats:
    """Smooth each object as its images were."""
    parts = np.split(values, OBJECTS, axis=2)
    smoothed = [smooth(part, s, axes) for part, s in zip(parts, sigmas_px, strict=True)]
    return np.concatenate(smoothed, axis=2)


def write_group(
    path: Path,
    seed: int,
    width: int,
    contract: InputContract,
    families: Mapping[str, Family] = FAMILIES,
    smoothed: float = 0.0,
) -> None:
    """Simulate a group and write it as float16; the file appears when it is complete."""
    group = simulate_group(seed, width, contract, families, smoothed)
    halves: dict[str, Any] = {k: v.astype(np.float16) for k, v in group.items()}
    with write_beside(path) as beside, beside.open("wb") as file:
        np.savez(file, **halves)


def repeat_per_object(statistic: Callable[[Floats], float], values: Floats) -> Floats:
    """Compute a statistic of each object and repeat it for its slices, (64,)."""
    parts = np.split(values, OBJECTS, axis=2)
    return np.repeat([statistic(part) for part in parts], SLICES).astype(np.float32)


#: One group in this many is half as wide again: streaks look different where angles are scarcer.
WIDER_EVERY = 4


def choose_width(seed: int, width: int) -> int:
    """Choose the pixels of a group's slices, a multiple of 16."""
    return width if seed % WIDER_EVERY != WIDER_EVERY - 1 else (3 * width // 2) // 16 * 16


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command."""
    made = argparse.ArgumentParser(prog="wedgefill simulate", description="Simulate examples.")
    made.add_argument("data", type=Path, metavar="DATA", help="folder for the examples")
    made.add_argument(
        "--objects",
        type=Path,
        nargs="+",
        default=[],
        metavar="PATH",
        help="volumes (MRC, TIFF) or folders of them to draw objects from",
    )
    made.add_argument(
        "--share",
        type=float,
        default=0.7,
        help="share of the objects that are drawn from them (0.7)",
    )
    made.add_argument(
        "--turn",
        choices=("all", "tilt-axis"),
        default="all",
        help="turn your objects in all directions, or about the tilt axis (y) only (all)",
    )
    made.add_argument(
        "--families",
        nargs="+",
        choices=list(FAMILIES),
        default=list(FAMILIES),
        metavar="NAME",
        help="built-in families to draw from: " + ", ".join(FAMILIES) + " (all)",
    )
    made.add_argument(
        "--smoothed",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the objects whose images are smooth, as after an alignment (0)",
    )
    made.add_argument("--empty", type=float, help="intensity of the volumes around the object")
    budget = made.add_mutually_exclusive_group(required=True)
    budget.add_argument("--groups", type=int, help="stop at this many groups of 64 slices")
    budget.add_argument("--minutes", type=float, help="stop after this time")
    made.add_argument("--width", type=int, default=128, help="pixels of a slice (128)")
    made.add_argument("--first-seed", type=int, default=1000, help="number of the first group")
    return made


def main(arguments: list[str] | None = None) -> None:
    """Fill a folder with groups; those that are already there are kept and counted."""
    given = make_parser().parse_args(arguments)
    if not 0 < given.share <= 1:
        raise WedgefillError(
            f"--share {given.share:g} is not a share; give a number above 0 and up to 1."
        )
    if not 0 <= given.smoothed <= 1:
        raise WedgefillError(f"--smoothed {given.smoothed:g} is not a share; give 0 to 1.")
    if given.width < 32 or given.width % 16:
        raise WedgefillError(
            f"--width {given.width} cannot be used; give a multiple of 16, at least 32."
        )
    if not (given.groups or given.minutes or 0) > 0:
        raise WedgefillError("There is nothing to simulate; give --groups or --minutes above 0.")
    families: Mapping[str, Family] = {name: FAMILIES[name] for name in given.families}
    if given.objects:
        volumes = read_objects(given.objects, given.empty)
        print(f"{len(volumes)} volumes read", flush=True)
        own = OwnObjects(volumes, turn_all_ways=given.turn == "all")
        families = add_family(families, own, given.share)
    given.data.mkdir(parents=True, exist_ok=True)
    start, done = time.monotonic(), 0
    while done < given.groups if given.groups else time.monotonic() < start + 60 * given.minutes:
        seed = given.first_seed + done
        path = given.data / f"group_{seed}.npz"
        if not path.exists():
            width = choose_width(seed, given.width)
            write_group(path, seed, width, InputContract(), families, given.smoothed)
        done += 1
        pace = (time.monotonic() - start) / done
        print(f"{path.name}: {done} groups, {pace:.1f} s each", flush=True)


if __name__ == "__main__":
    main()
