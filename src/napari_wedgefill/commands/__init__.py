"""The commands of `wedgefill`, one a file.

Each module has a `SUMMARY`, `add_arguments(parser)` and `run(args)`. Whatever is slow to import is
imported inside `run`, so that `wedgefill --help` answers at once.
"""

from __future__ import annotations

from types import ModuleType

from . import (
    align,
    batch,
    bench,
    convert,
    demo,
    doctor,
    export,
    fill,
    info,
    prepare,
    project,
    self_check,
    simulate,
    train,
    watch,
)

#: By the name on the command line, in the order of the help.
COMMANDS: dict[str, ModuleType] = {
    "info": info,
    "fill": fill,
    "batch": batch,
    "watch": watch,
    "prepare": prepare,
    "align": align,
    "project": project,
    "convert": convert,
    "self-check": self_check,
    "simulate": simulate,
    "train": train,
    "export": export,
    "doctor": doctor,
    "bench": bench,
    "demo": demo,
}
