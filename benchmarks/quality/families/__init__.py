"""Families of objects that training never draws, each in a file of its own.

They are in three groups. `CHOSEN_ON` were looked at while settings were chosen. On `KNOWN` nothing
was chosen, but their figures were known when the model was made. On `UNTOUCHED` no method had been
run when they were written; they were looked at as objects only, and are not changed for how any
method fares.
"""

from __future__ import annotations

from napari_wedgefill.training.phantoms import Family

from . import aggregate, alloy, branches, cells, chromatin, grana, head, mesopore

CHOSEN_ON: dict[str, Family] = {"head": head.head, "branches": branches.branches}
KNOWN: dict[str, Family] = {
    "aggregate": aggregate.aggregate,
    "cells": cells.cells,
    "mesopore": mesopore.mesopore,
    "chromatin": chromatin.chromatin,
}
UNTOUCHED: dict[str, Family] = {"alloy": alloy.alloy, "grana": grana.grana}
FAMILIES: dict[str, Family] = CHOSEN_ON | KNOWN | UNTOUCHED
