"""Generators that report on the way and return a result: how to run and to chain them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Step = TypeVar("Step")
Told = TypeVar("Told")
Result = TypeVar("Result")


def relayed(
    steps: Generator[Step, None, Result], tell: Callable[[Step], Told]
) -> Generator[Told, None, Result]:
    """Yield what `tell` makes of every step, and return what the steps return."""
    while True:
        try:
            step = next(steps)
        except StopIteration as ended:
            result: Result = ended.value
            return result
        yield tell(step)


def drain(steps: Generator[Step, None, Result]) -> Result:
    """Run steps to their end for what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            result: Result = ended.value
            return result
