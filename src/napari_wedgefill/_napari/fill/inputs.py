"""What the Fill wedge dock holds, as one value that the worker takes along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...io.axis import rotate
from ...methods import DEFAULT_METHODS, METHODS, label_of
from ...pipeline.options import FillOptions
from ...run.options import RunOptions
from ...tilt_series import TiltSeries
from ...trust.verdicts import QuickCheck, SelfCheck, TrustMap
from ..layers import LayerMap, digest_pixels
from .angle_text import parse_angles

#: Counter-clockwise turn that brings a tilt axis from across the picture to upright.
AXIS_X_DEG = 90.0


@dataclass(frozen=True)
class FillInputs:
    """A snapshot of the dock; building it does no work.

    Attributes
    ----------
    source : LayerMap
        The layer of the tilt series.
    angles : str
        Angles as typed or found, one per image in the layer's order.
    pixel_nm : float or None
        Pixel size in nanometres.
    axis : str
        ``"y"`` where the tilt axis runs up the image, ``"x"`` where it runs across.
    axis_shift_px : float
        Position of the tilt axis from the image centre, in pixels.
    methods : tuple of str
        Methods to run.
    model : str
        Name or folder of the model.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    slices : tuple of int or None
        First and last + 1 slice along the tilt axis; None for all.
    whole_field : bool
        Fill the whole field of view even where there is vacuum all around the specimen.
    self_check, trust_map : bool
        What to do after the fill.
    """

    source: LayerMap
    angles: str
    pixel_nm: float | None = None
    axis: str = "y"
    axis_shift_px: float = 0.0
    methods: tuple[str, ...] = DEFAULT_METHODS
    model: str = FillOptions.model
    device: str = FillOptions.device
    slices: tuple[int, int] | None = None
    whole_field: bool = False
    self_check: bool = False
    trust_map: bool = False

    def series(self) -> TiltSeries:
        """Build the tilt series with its axis along y; raise `WedgefillError` where it cannot."""
        return self._built[0]

    def run_options(self) -> RunOptions:
        """Return what `iter_run` is asked for."""
        return RunOptions(
            fill=self.fill_options(),
            self_check=self.self_check,
            trust=self.trust_map,
        )

    def fill_options(self) -> FillOptions:
        """Return the options of the fill alone."""
        return FillOptions(
            methods=self.methods,
            model=self.model,
            device=self.device,
            slices=self.slices,
            whole_field=self.whole_field,
        )

    def list_checks(self) -> list[type]:
        """List what the checks find that follow the volumes, in their order."""
        from ...run.run import is_checked  # compiled code: not while the window opens

        asked = {
            QuickCheck: is_checked(self.run_options()),
            SelfCheck: self.self_check,
            TrustMap: self.trust_map,
        }
        return [kind for kind, is_asked in asked.items() if is_asked]

    def describe(self) -> list[str]:
        """List in words what sets a run of these apart from one that left all as it was found."""
        found = self.source.fields
        said = []
        if self.methods != DEFAULT_METHODS:
            said.append(" + ".join(label_of(method) for method in self.methods))
        needs_model = any(METHODS[method].needs_model for method in self.methods)
        if needs_model and self.model != FillOptions.model:
            said.append(f"model {self.model.replace(chr(92), '/').rstrip('/').split('/')[-1]}")
        if self.axis == "x":
            said.append("axis across")
        shift = self.axis_shift_px - float(found.get("axis_shift_px", 0.0))
        if abs(shift) >= 0.005:
            said.append(f"axis {shift:+.4g} px")
        if self.slices is not None:
            said.append(f"slices {self.slices[0]}:{self.slices[1]}")
        if self.whole_field:
            said.append("whole field")
        return said

    def taking_over(self, earlier: FillInputs | None) -> FillInputs:
        """Share the series of an earlier press if it is the same, and what was measured on it."""
        if earlier is not None and "_built" in vars(earlier):
            same = self.source.data is earlier.source.data and all(
                mine == theirs
                for mine, theirs in zip(self._makes_series, earlier._makes_series, strict=True)
            )
            if same and earlier._built[1] == digest_pixels(self.source.data):
                vars(self)["_built"] = earlier._built
        return self

    @property
    def _makes_series(self) -> tuple[Any, ...]:
        seen = self.source
        return (
            *(seen.name, seen.kind, str(seen.fields), self.angles, self.pixel_nm),
            *(self.axis, self.axis_shift_px),
        )

    @cached_property
    def _built(self) -> tuple[TiltSeries, int]:
        """The series, and a digest of the pixels that it was built from."""
        series = self.source.to_series(
            parse_angles(self.angles, len(self.source.data)), self.pixel_nm
        )
        if self.axis == "x":
            turned = np.ascontiguousarray(rotate(series.array(), AXIS_X_DEG))
            series = replace(series, images=turned, axis_deg=series.axis_deg + AXIS_X_DEG)
        return replace(series, axis_shift_px=self.axis_shift_px), digest_pixels(self.source.data)
