"""How far a piece of work is, how long the rest takes, and generators that tell it on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

#: Neither seconds nor fractions below these say anything about the rest.
LEAST_SECONDS, LEAST_FRACTION = 1.0, 0.02

Step = TypeVar("Step")
Told = TypeVar("Told")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes
    ----------
    stage : str
        What is being done, for people.
    fraction : float
        0 to 1 over the whole of the work, not of the stage.
    seconds_left : float or None
        Of the whole of the work; None until there is something to judge by.
    """

    stage: str
    fraction: float
    seconds_left: float | None = None


class Clock:
    """Times a piece of work from when it is made, and works out how long the rest takes.

    Nothing else in the package does. Work that is a part of other work is told by the clock of the
    whole (`tell_part`), so that what a user reads is always the time left of the whole.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()

    def tell(self, stage: str, fraction: float) -> Progress:
        """Say how far the work is (0 to 1), and how long the rest takes at this pace."""
        elapsed, fraction = time.monotonic() - self._start, min(fraction, 1.0)
        is_early = elapsed < LEAST_SECONDS or fraction < LEAST_FRACTION
        left = None if is_early else elapsed * (1.0 - fraction) / fraction
        return Progress(stage, fraction, left)

    def tell_part(self, part: Progress, begin: float, share: float) -> Progress:
        """Say how far the whole is, from how far a part of it is.

        Parameters
        ----------
        part : Progress
            Of the part alone.
        begin, share : float
            Fraction of the whole at which the part begins, and how much of the whole it is.
        """
        return self.tell(part.stage, begin + share * part.fraction)


def relay(
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
