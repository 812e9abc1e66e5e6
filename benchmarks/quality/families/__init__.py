"""Families of objects that training never draws, each in a file of its own.

They are in three groups. `CHOSEN_ON` were looked at while settings were chosen. On `KNOWN` nothing
was chosen, but their figures were known when the model was made. On `UNTOUCHED` no method had been
run when they were written; they were looked at as objects only, and are not changed for how any
method fares.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.quality.families import (
    aggregate,
    alloy,
    branches,
    cathode,
    cells,
    chromatin,
    grana,
    head,
    mesopore,
    virions,
)
from napari_wedgefill.training.phantoms import Family

CHOSEN_ON: dict[str, Family] = {"head": head.head, "branches": branches.branches}
KNOWN: dict[str, Family] = {
    "aggregate": aggregate.aggregate,
    "cells": cells.cells,
    "mesopore": mesopore.mesopore,
    "chromatin": chromatin.chromatin,
    "alloy": alloy.alloy,
    "grana": grana.grana,
}
UNTOUCHED: dict[str, Family] = {"cathode": cathode.cathode, "virions": virions.virions}
FAMILIES: dict[str, Family] = CHOSEN_ON | KNOWN | UNTOUCHED


def list_sources(family: Family) -> list[Path]:
    """Files of this package that a family is drawn by: its own, and those that it imports from."""
    found: dict[str, Path] = {}
    queue = [family.__module__]
    while queue:
        name = queue.pop()
        if name not in found and name.startswith(f"{__name__}."):
            module = sys.modules[name]
            found[name] = Path(str(module.__file__))
            queue += [str(getattr(value, "__module__", "")) for value in vars(module).values()]
    return [found[name] for name in sorted(found)]
