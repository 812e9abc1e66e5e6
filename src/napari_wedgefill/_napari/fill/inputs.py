"""What the Fill wedge widget holds, as one value that the worker takes along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...io.axis import rotate
from ...methods import DEFAULT_METHODS as METHODS
from ...pipeline.options import FillOptions
from ...tilt_series import TiltSeries
from ..layers import LayerMap
from .angle_text import parse_angles

#: Counter-clockwise turn that brings a tilt axis from across the picture to upright.
AXIS_X_DEG = 90.0
METHOD_LABELS = {"wbp": "WBP", "sart": "SART", "tvm": "TVM", "gan": "GAN", "sirt": "SIRT"}


@dataclass(frozen=True)
class FillInputs:
    """A snapshot of the widget; building it does no work.

    Attributes
    ----------
    source : LayerMap
        The layer of the tilt series.
    angles_text : str
        Angles as typed or found, one per image in the layer's order.
    angle_source : str
        Where the angles come from, in words.
    pixel_nm : float or None
        Pixel size in nanometres.
    axis : str
        ``"y"`` where the tilt axis runs up the image, ``"x"`` where it runs across.
    axis_shift_px : float
        Position of the tilt axis from the image centre, in pixels.
    align : bool
        Whether to align the images first.
    methods : tuple of str
        Methods to run.
    model : str
        Name or folder of the model.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    slices : tuple of int or None
        First and last + 1 slice along the tilt axis; None for all.
    preview_slice : int or None
        The one slice of a preview; None for a whole job.
    self_check, trust_map : bool
        What to do after the fill.
    """

    source: LayerMap
    angles_text: str
    angle_source: str = ""
    pixel_nm: float | None = None
    axis: str = "y"
    axis_shift_px: float = 0.0
    align: bool = False
    methods: tuple[str, ...] = METHODS
    model: str = "small"
    device: str = "auto"
    slices: tuple[int, int] | None = None
    preview_slice: int | None = None
    self_check: bool = False
    trust_map: bool = False

    def series(self) -> TiltSeries:
        """Build the tilt series with its axis along y; raise `WedgefillError` where it cannot."""
        return self._built[0]

    def taking_over(self, earlier: FillInputs | None) -> FillInputs:
        """Share the series of an earlier press if it is the same, and what was measured on it."""
        if earlier is not None and "_built" in vars(earlier):
            same = self.source.data is earlier.source.data and all(
                mine == theirs
                for mine, theirs in zip(self._makes_series, earlier._makes_series, strict=True)
            )
            if same and earlier._built[1] == _digest(self.source.data):
                vars(self)["_built"] = earlier._built
        return self

    @property
    def _makes_series(self) -> tuple[Any, ...]:
        seen = self.source
        return (
            *(seen.name, seen.kind, str(seen.fields), self.angles_text, self.pixel_nm),
            *(self.axis, self.axis_shift_px),
        )

    @cached_property
    def _built(self) -> tuple[TiltSeries, int]:
        """The series, and a digest of the pixels that it was built from."""
        series = self.source.to_series(parse_angles(self.angles_text), self.pixel_nm)
        if self.axis == "x":
            turned = np.ascontiguousarray(rotate(series.array(), AXIS_X_DEG))
            series = replace(series, images=turned, axis_deg=series.axis_deg + AXIS_X_DEG)
        return replace(series, axis_shift_px=self.axis_shift_px), _digest(self.source.data)

    def options(self) -> FillOptions:
        """Return the pipeline's options."""
        return FillOptions(
            methods=self.methods, model=self.model, device=self.device, slices=self.slices
        )

    def single_slice(self, index: int) -> FillInputs:
        """Return the inputs of a preview: one slice, images as they are."""
        return replace(self, slices=(index, index + 1), preview_slice=index, align=False)


def _digest(data: Any) -> int:
    """Digest of pixels spread over a stack, to notice an edit in place."""
    steps = tuple(slice(None, None, max(1, n // 32)) for n in data.shape)
    return hash(np.asarray(data[steps]).tobytes())
