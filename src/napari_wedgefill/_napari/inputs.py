"""What the Fill wedge widget holds, as one value that the worker takes along."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..inference.pipeline import METHODS, FillOptions
from ..io.axis import rotate
from ..tilt_series import TiltSeries
from .angle_text import parse_angles
from .layers import LayerMap

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

    def series(self) -> TiltSeries:
        """Build the tilt series with its axis along y; raise `WedgefillError` where it cannot."""
        series = self.source.to_series(parse_angles(self.angles_text), self.pixel_nm)
        if self.axis == "x":
            turned = np.ascontiguousarray(rotate(series.images, AXIS_X_DEG))
            series = replace(series, images=turned, axis_deg=series.axis_deg + AXIS_X_DEG)
        return replace(series, axis_shift_px=self.axis_shift_px)

    def options(self) -> FillOptions:
        """Return the pipeline's options."""
        return FillOptions(
            methods=self.methods, model=self.model, device=self.device, slices=self.slices
        )

    def single_slice(self, index: int) -> FillInputs:
        """Return the inputs of a preview: one slice, images as they are."""
        return replace(self, slices=(index, index + 1), preview_slice=index, align=False)
