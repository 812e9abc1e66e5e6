"""Groups that a training on a card can learn from at once: simulated, and passed a first time.

    python -m napari_wedgefill.training.supply runs/data runs/small --from models/small

One process a core. What the earlier networks make of a group is the same whoever computes it, and
a card that waits for it learns nothing meanwhile.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from ..joint_model.contract import InputContract
from .examples import write_group, write_groups
from .residents import Residents
from .stages import STAGES
from .state import adopt_earlier


def supply(path: Path, seed: int, residents: Residents, width: int) -> None:
    """Simulate a group and keep what the first pass makes of it; only then does it appear.

    Parameters
    ----------
    path : Path
        The group's, in a folder of groups.
    seed, width : int
        Of the group; its detector's pixels.
    residents : Residents
        Of the run that is to learn from it.
    """
    unfinished = path.parent / "unfinished" / path.name
    unfinished.parent.mkdir(exist_ok=True)
    write_group(unfinished, seed, width, residents.contract)
    residents.admit(unfinished)
    unfinished.rename(path)


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
    given.run.mkdir(parents=True, exist_ok=True)
    contract = InputContract()
    adopt_earlier(STAGES["refinement"], given.model, given.run, contract)
    residents = Residents(given.run, torch.device("cpu"), contract)
    write = partial(supply, residents=residents, width=given.width)
    write_groups(given.data, given.first_seed, given.minutes, write)


if __name__ == "__main__":
    main()
