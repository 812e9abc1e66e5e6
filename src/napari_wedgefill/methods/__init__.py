"""The methods of reconstruction: a file for each kind, and one table that everything else reads.

A method is added by a file like those here and a line in `METHODS`, below the methods that it
uses. Importing the table loads no solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import WedgefillError
from .gan import GAN
from .method import Effort, Memory, Method, Problem, Solution, Step, run_sweeps
from .sart import SART, SIRT
from .tvm import TVM
from .wbp import WBP

__all__ = [
    "DEFAULT_METHODS",
    "METHODS",
    "Effort",
    "Memory",
    "Method",
    "Problem",
    "Solution",
    "Step",
    "check_methods",
    "label_of",
    "run_sweeps",
    "sort_by_dependence",
]

#: By name; a method stands below those that it uses.
METHODS: dict[str, Method] = {method.name: method for method in (WBP, SART, SIRT, TVM, GAN)}
#: What a plain fill computes.
DEFAULT_METHODS = tuple(name for name, method in METHODS.items() if method.is_default)


def check_methods(names: Sequence[str]) -> None:
    """Raise `WedgefillError` for a method that does not exist, or for none at all."""
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise WedgefillError(
            f"There is no method {unknown[0]!r}; choose from {', '.join(METHODS)}."
        )
    if not names:
        raise WedgefillError(f"No method was chosen; choose from {', '.join(METHODS)}.")


def sort_by_dependence(names: Iterable[str]) -> list[Method]:
    """Return the methods of these names, each once and after those that it uses."""
    wanted = set(names)
    return [method for name, method in METHODS.items() if name in wanted]


def label_of(name: str) -> str:
    """Return the label of a method; of one that is not in the table, its name in capitals."""
    return METHODS[name].label if name in METHODS else name.upper()
