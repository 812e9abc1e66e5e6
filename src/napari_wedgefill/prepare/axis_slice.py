"""One slice of a series at any position and rotation of the tilt axis, in milliseconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from ..reconstruct.wbp import wbp
from ..tilt_series import TiltSeries
from .background import estimate_background
from .pose import Binned, Pose

#: Images are averaged to at most about this width, so that the slice follows a slider.
MOST_PX = 384


class AxisSlices:
    """Slices across a tilt axis that is moved and turned by hand.

    Parameters
    ----------
    series : TiltSeries
        Its images are averaged once, and nothing else is kept.

    Attributes
    ----------
    factor : int
        Pixels of the images along an edge of a pixel of the slices.
    shape : tuple of int
        Height and width of the images.
    pixel_nm : float or None
        Their pixel size in nanometres.
    """

    def __init__(self, series: TiltSeries) -> None:
        self.factor = max(1, -(-series.width // MOST_PX))
        stack = Binned.of(series.array(), self.factor)
        self._stack = replace(
            stack, images=estimate_background(stack.images).subtract_from(stack.images)
        )
        self.shape, self.pixel_nm = (series.height, series.width), series.pixel_nm
        self._axis_shift_px = series.axis_shift_px
        self._beam = ParallelBeam(series.angles_deg, stack.images.shape[2])

    def reconstruct(self, row: int, turn_deg: float, move_px: float) -> NDArray[np.float32]:
        """Reconstruct one slice by weighted back projection.

        Parameters
        ----------
        row : int
            Of the series' images.
        turn_deg, move_px : float
            By how much the axis is turned and moved against where the series says it is.

        Returns
        -------
        ndarray, float32, (w // factor, w // factor)
            Axes (z, x).
        """
        images = self._stack.images
        still = Pose(np.zeros((len(images), 2)), self._axis_shift_px)
        place = (row - centre(self.shape[0])) / self.factor + centre(images.shape[1])
        sinogram = self._stack.align_row(still.turn_axis(turn_deg, move_px), place)
        slices: NDArray[np.float32] = wbp(self._beam, sinogram[:, :, None])
        return slices[:, :, 0]
