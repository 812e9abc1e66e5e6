"""A fill that came to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...pipeline.events import Finished
from ...pipeline.options import FillOptions
from ...tilt_series import TiltSeries
from ...volume import Volume


@dataclass(frozen=True, eq=False)
class Filled:
    """A fill that came to its end, with all that can still be asked about it.

    Attributes
    ----------
    series : TiltSeries
        What was filled, aligned if that was asked for.
    options : FillOptions
        How.
    finished : tuple of Finished
        The volumes, in order.
    """

    series: TiltSeries
    options: FillOptions
    finished: tuple[Finished, ...]

    @property
    def volumes(self) -> dict[str, Volume]:
        """By method."""
        return {item.method: item.volume for item in self.finished}

    @property
    def seconds(self) -> Mapping[str, float]:
        """By method."""
        return {item.method: item.seconds for item in self.finished}
