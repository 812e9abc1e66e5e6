"""Groups that a training on a card can learn from at once: simulated, and passed a first time.

    python -m napari_wedgefill.training.supply runs/data runs/small --from models/small

One process a core. What the earlier networks make of a group is the same whoever computes it, and
a card that waits for it learns nothing meanwhile.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from ..inference.contract import InputContract
from .examples import write_group
from .residents import Residents
from .stages import STAGES
from .state import adopt_earlier


def supply(data: Path, residents: Residents, seed: int, width: int) -> Path:
    """Simulate a group and keep what the first pass makes of it; only then does it appear.

    Parameters
    ----------
    data : Path
        Folder of groups.
    residents : Residents
        Of the run that is to learn from it.
    seed, width : int
        Of the group; its detector's pixels.

    Returns
    -------
    Path
        The group, which is left alone if it is there already.
    """
    path = data / f"group_{seed}.npz"
    if not path.exists():
        unfinished = data / "unfinished" / path.name
        unfinished.parent.mkdir(exist_ok=True)
        write_group(unfinished, seed, width, residents.contract)
        residents.admit(unfinished)
        unfinished.rename(path)
    return path


def main(arguments: list[str] | None = None) -> None:
    """Fill a folder with groups until the time is up; numbering goes on where it stopped."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path, help="the run that will learn from them")
    parser.add_argument(
        "--from", dest="model", type=Path, required=True, help="model with the earlier networks"
    )
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--width", type=int, default=128)
    given = parser.parse_args(arguments)
    for folder in (given.data, given.run):
        folder.mkdir(parents=True, exist_ok=True)
    contract = InputContract()
    adopt_earlier(STAGES["refinement"], given.model, given.run, contract)
    residents = Residents(given.run, torch.device("cpu"), contract)
    seed, deadline = given.first_seed, time.monotonic() + 60 * given.minutes
    while time.monotonic() < deadline:
        print(supply(given.data, residents, seed, given.width).name, flush=True)
        seed += 1


if __name__ == "__main__":
    main()
