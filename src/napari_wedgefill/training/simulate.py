"""Simulate training examples, of the built-in families or of one's own objects.

wedgefill simulate DATA --groups 200 --objects my_volumes/
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..errors import WedgefillError
from ..joint_model.contract import InputContract
from .examples import write_group
from .own_objects import OwnObjects, families_with, read_objects
from .phantoms import FAMILIES

#: One group in this many is simulated half as wide again: the angular steps weigh more there.
WIDER_EVERY = 4


def width_of(seed: int, width: int) -> int:
    """Pixels of a group's slices; a multiple of 16."""
    return width if seed % WIDER_EVERY != WIDER_EVERY - 1 else (3 * width // 2) // 16 * 16


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
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
        "--share", type=float, default=0.7, help="how many of the objects are such ones (0.7)"
    )
    made.add_argument(
        "--turn",
        choices=("all", "tilt-axis"),
        default="all",
        help="turn own objects in all ways, or about the tilt axis (y) only (all)",
    )
    made.add_argument("--empty", type=float, help="intensity of the volumes around the object")
    budget = made.add_mutually_exclusive_group(required=True)
    budget.add_argument("--groups", type=int, help="stop at this many groups of 64 slices")
    budget.add_argument("--minutes", type=float, help="stop after this time")
    made.add_argument("--width", type=int, default=128, help="pixels of a slice (128)")
    made.add_argument("--first-seed", type=int, default=1000, help="number of the first group")
    return made


def main(arguments: list[str] | None = None) -> None:
    """Fill a folder with groups; groups that are there already are kept and counted."""
    given = parser().parse_args(arguments)
    if not 0 < given.share <= 1:
        raise WedgefillError(f"--share {given.share:g} is no share; give one above 0, up to 1.")
    if given.width < 32 or given.width % 16:
        raise WedgefillError(f"--width {given.width} will not do; give a multiple of 16 from 32.")
    if not (given.groups or given.minutes or 0) > 0:
        raise WedgefillError("Nothing is to be simulated; give --groups or --minutes above 0.")
    families = FAMILIES
    if given.objects:
        volumes = read_objects(given.objects, given.empty)
        print(f"{len(volumes)} volumes read", flush=True)
        own = OwnObjects(volumes, turn_all_ways=given.turn == "all")
        families = families_with(own, given.share)
    given.data.mkdir(parents=True, exist_ok=True)
    start, done = time.monotonic(), 0
    while done < given.groups if given.groups else time.monotonic() < start + 60 * given.minutes:
        seed = given.first_seed + done
        path = given.data / f"group_{seed}.npz"
        if not path.exists():
            write_group(path, seed, width_of(seed, given.width), InputContract(), families)
        done += 1
        pace = (time.monotonic() - start) / done
        print(f"{path.name}: {done} groups, {pace:.1f} s each", flush=True)


if __name__ == "__main__":
    main()
