"""Training examples: groups of simulated objects that share one tilt scheme.

python -m napari_wedgefill.training.examples runs/data --minutes 15
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_beside
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
from .acquisition import add_noise, draw_noise, draw_scheme, record
from .frames import average_pairs, grid
from .phantoms import EXTENDED, FAMILIES, Family, draw

Floats = NDArray[np.float32]
#: Fields of view that an object has room for, drawn between these, in one group of five: some end
#: just outside the field, and rays at the highest tilts pass through others three fields away.
WIDE = (1.25, 3.0)
#: Objects of a group, and neighbouring slices of each: together one strip of the projector.
OBJECTS, SLICES = 8, 8


def simulate_group(
    seed: int, width: int, contract: InputContract, families: dict[str, Family] = FAMILIES
) -> dict[str, Floats]:
    """Simulate one group: everything the two stages of training need, densities of order one.

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
    measured = _measure(rng, record(fine, width, scheme))
    beam = ParallelBeam(scheme.angles_deg, width)
    density = each_object(density_scale, last(iter_sirt(beam, measured, 10)))
    measured /= density
    scales = Scales(each_object(sinogram_scale, measured), 0.0)
    quick = compute_first_estimates(beam, measured, contract)
    target = record(fine, width, scheme, rows_deg) / density / scales.sinogram
    margin = (n_fine - 2 * width) // 2
    crop = slice(margin, margin + 2 * width)
    return {
        "angles_deg": scheme.angles_deg.astype(np.float32),
        "measured": measured,
        "truth": average_pairs(fine[crop, crop]) / density,
        "sart": quick.sart,
        "tvm": quick.tvm,
        "input": sinogram_input(beam, measured, quick, scales, contract),
        "target": target.transpose(2, 0, 1)[:, None],
        "sinogram_scale": np.asarray(scales.sinogram, np.float32),
    }


def _draw_object(
    rng: np.random.Generator, n_fine: int, extent: float, families: dict[str, Family]
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


def _measure(rng: np.random.Generator, ideal: Floats) -> Floats:
    """Add noise, drawn anew for each object."""
    parts = np.split(ideal, OBJECTS, axis=2)
    return np.concatenate([add_noise(rng, part, **draw_noise(rng)) for part in parts], axis=2)


def write_group(
    path: Path,
    seed: int,
    width: int,
    contract: InputContract,
    families: Mapping[str, Family] = FAMILIES,
) -> None:
    """Simulate a group and keep it as float16; who looks meanwhile does not find it."""
    group = simulate_group(seed, width, contract, dict(families))
    halves: dict[str, Any] = {k: v.astype(np.float16) for k, v in group.items()}
    with write_beside(path) as beside, beside.open("wb") as file:
        np.savez(file, **halves)


def each_object(statistic: Callable[[Floats], float], values: Floats) -> Floats:
    """Return a statistic of each object, repeated for its slices, (64,)."""
    parts = np.split(values, OBJECTS, axis=2)
    return np.repeat([statistic(part) for part in parts], SLICES).astype(np.float32)


def write_groups(
    folder: Path, first_seed: int, minutes: float, write: Callable[[Path, int], None]
) -> None:
    """Let a folder's missing groups be written, seed by seed, until the time is up.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Groups that it holds are left alone.
    first_seed : int
        Of the first group.
    minutes : float
        A group that was begun is finished.
    write : callable
        Given a group's path and its seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * minutes
    for seed in itertools.count(first_seed):
        if time.monotonic() >= deadline:
            break
        path = folder / f"group_{seed}.npz"
        if not path.exists():
            write(path, seed)
            print(path.name, flush=True)


def main() -> None:
    """Fill a folder with groups until the time is up; numbering goes on where it stopped."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument(
        "--width", type=int, help="of all groups; 128 pixels by default, and 192 of every fourth"
    )
    given = parser.parse_args()
    contract = InputContract()

    def write(path: Path, seed: int) -> None:
        # One group in four on a finer grid: streaks look different when angles are scarcer.
        write_group(path, seed, given.width or (192 if seed % 4 == 3 else 128), contract)

    write_groups(given.folder, given.first_seed, given.minutes, write)


if __name__ == "__main__":
    main()
