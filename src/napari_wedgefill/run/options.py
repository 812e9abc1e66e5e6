"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..pipeline.options import FillOptions


@dataclass(frozen=True)
class RunOptions:
    """A fill, what comes before it, and what is looked at afterwards.

    Attributes
    ----------
    fill : FillOptions
        What to compute, and where.
    align : bool
        Align the images before filling; without it they are never moved.
    self_check : bool
        Withhold tilts and say how well every method predicts them.
    trust : bool
        Make the trust map of the networks' volume.
    table : bool
        Measure resolution, elongation and residuals of every volume.
    picture : bool
        Draw orthoslices of every method side by side.
    check : bool
        Check on a few slices whether the networks' volume may be believed, in seconds.
    planes : tuple of int, optional
        Start and stop along the beam (z) of what is kept of every volume and of the trust map; all
        by default. The fill, and all that is compared with the images, is of the whole depth.
    """

    fill: FillOptions = field(default_factory=FillOptions)
    align: bool = False
    self_check: bool = False
    trust: bool = False
    table: bool = False
    picture: bool = False
    check: bool = True
    planes: tuple[int, int] | None = None

    def to_settings(self) -> dict[str, Any]:
        """Return what of it changes results, as reports keep it; see `report_schema.Settings`."""
        fill = self.fill
        is_folder = Path(fill.model).is_dir()
        return {
            "align": self.align,
            "methods": list(fill.methods),
            "model": str(Path(fill.model).resolve()) if is_folder else fill.model,
            "device": fill.device,
            "slices": None if fill.slices is None else list(fill.slices),
            "preview": fill.preview,
            "stop": fill.stop,
            "whole_field": fill.whole_field,
            "self_check": self.self_check,
            "trust": self.trust,
            "table": self.table,
            "png": self.picture,
            "no_check": not self.check,
            "no_gain": not fill.gain,
            "planes": None if self.planes is None else list(self.planes),
        }
