"""The rule by which the box of the specimen is found.

It errs on the large side: matter is whatever stands out of the noise in a patch of pixels, in a
band of slices, or in the mean of all tilts; and where in doubt there is no box. What stands out in
none of these may do so in a volume (`look_around`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from .background import N_ASKED, average_edges, is_background
from .box import MARGIN, Box, Crop, Field
from .look_around import shows_matter_around

if TYPE_CHECKING:
    from ..joint_model.contract import Scales
    from ..normalise import Normalisation
    from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Standard deviations above the noise from which on a mean counts as matter.
SIGMAS = 6.0
#: Least mean that counts, over the path integral that counts as one. What is fainter changes no
#: volume: its density is below that of the least error that any method makes.
FLOOR = 5e-4
#: Pixels of a patch, along both axes, and slices of a band.
PATCH, BAND = 5, 32
#: Neighbouring tilts on either side in which what is seen at one of them is taken to be, too.
NEIGHBOURS = 2
#: Slices of vacuum at either end along the tilt axis.
MARGIN_SLICES = 12
#: Depth and width are multiples of this, which the networks need not pad.
MULTIPLE = 16
#: Voxels of a box at least, along both: as many as the networks were trained on, for in smaller
#: boxes they do less well. A preview is for a look, and comes in half the time.
FEWEST, FEWEST_IN_PREVIEW = 128, 64
#: Pixels of the rings around the box in which all tilts together are searched for matter.
RING = 8
#: A box that is larger than this share of a slice saves too little.
LARGEST = 0.7


def find_box(
    series: TiltSeries,
    beam: ParallelBeam,
    normalisation: Normalisation,
    scales: Scales,
    fewest: int = FEWEST,
) -> Field:
    """Find the smallest box around all that a series shows, if vacuum lies all around it.

    At tilt t what the images show lies between two detector positions, and the specimen in the
    strip of rays between them. The box holds what all strips have in common, and is as wide as what
    any tilt shows on either side of its centre.

    Parameters
    ----------
    series : TiltSeries
        The whole series.
    beam : ParallelBeam
        Its geometry.
    normalisation, scales : Normalisation, Scales
        As they were measured on it.
    fewest : int
        Voxels that the box has at least along z and x.

    Returns
    -------
    Field
        Without a box where something leaves the field, or where a box would save little.
    """
    seen = _survey(series, normalisation, float(scales.sinogram), float(scales.noise))
    if isinstance(seen, str):
        return Field.of_all(seen)
    extents = _share_with_neighbours(beam, seen.extents)
    half = 0.0
    while True:
        box = _enclose(beam, series.height, seen.y, extents, half, fewest)
        if box is None:
            return Field.of_all("the specimen takes most of it")
        crop = box.crop(beam)
        verdict = _judge_outside(crop, seen) if crop.holds(extents) else "more"
        if verdict == "vacuum":
            break
        if verdict == "film":
            return Field.of_all("what lies around the specimen is not vacuum")
        half = box.width / 2 + MULTIPLE / 2 - MARGIN
    if shows_matter_around(series, normalisation, box):
        return Field.of_all(
            "a quick look shows matter beside the specimen, too faint for one image"
        )
    return Field.of_box(box)


@dataclass(frozen=True, eq=False)
class _Survey:
    """What the images of a series show.

    Attributes
    ----------
    extents : ndarray, float64, (n_tilts, 2)
        First and last detector pixel at which each tilt shows matter.
    y : tuple of int
        First slice that shows any, and one past the last.
    profiles : ndarray, float64, (n_tilts, width)
        Mean over those slices, over the path integral that counts as one.
    noise : float
        Standard deviation of a profile.
    """

    extents: Doubles
    y: tuple[int, int]
    profiles: Doubles
    noise: float


def _survey(
    series: TiltSeries, normalisation: Normalisation, peak: float, noise: float
) -> _Survey | str:
    """See what the images of a series show; say why there is no box as soon as one tells it."""
    noise /= peak
    shape = series.height, series.width
    windows = [_Window((PATCH, PATCH), shape, noise), _Window((BAND, PATCH), shape, noise)]
    extents = np.empty((series.n_tilts, 2))
    shows = np.zeros(series.height, bool)
    profiles = np.empty((series.n_tilts, series.width))
    for tilt, image in enumerate(series.images):
        path = normalisation.apply(np.asarray(image)) / np.float32(peak)
        matter = windows[0].find(path) | windows[1].find(path)
        shows |= matter.any(axis=1)
        columns = np.flatnonzero(matter.any(axis=0))
        if not columns.size:
            return "some tilt shows nothing that stands out of the noise"
        extents[tilt] = columns[0], columns[-1]
        if columns[0] < MARGIN or columns[-1] >= series.width - MARGIN:
            return _say_what_is_at_edges(series, normalisation)
        profiles[tilt] = path.mean(axis=0)
    at = np.flatnonzero(shows)
    y = max(int(at[0]) - MARGIN_SLICES, 0), min(int(at[-1]) + 1 + MARGIN_SLICES, series.height)
    return _Survey(extents, y, profiles, noise / np.sqrt(series.height))


def _say_what_is_at_edges(series: TiltSeries, normalisation: Normalisation) -> str:
    """Say what stands out of the noise at the edges of images."""
    if series.width >= 4 * MARGIN:  # else there is no place further in to compare with
        asked = np.unique(np.linspace(0, series.n_tilts - 1, N_ASKED).astype(int))
        images = (normalisation.apply(np.asarray(series.images[int(k)])) for k in asked)
        places = np.array([average_edges(image, MARGIN) for image in images])
        if is_background(places, series.angles_deg[asked]):
            return (
                "the background of the images differs from what is taken for vacuum, so that "
                "faint matter cannot be told from it"
            )
    return "the images show matter up to their edges"


class _Window:
    """Finds where the mean over a window of an image stands out of the noise.

    Parameters
    ----------
    size : tuple of int
        Slices and pixels of the window.
    shape : tuple of int
        Of the images.
    noise : float
        Standard deviation of a pixel.
    """

    def __init__(self, size: tuple[int, int], shape: tuple[int, int], noise: float) -> None:
        self._size = size
        # At an image's edge there is less in a window, and its mean is noisier.
        self._filled = np.maximum(self._filter(np.ones(shape, np.float32)), np.float32(1e-6))
        n_pixels = self._filled * np.prod(size)
        self._least = np.maximum(FLOOR, SIGMAS * noise / np.sqrt(n_pixels)).astype(np.float32)

    def find(self, path: Floats) -> NDArray[np.bool_]:
        """Return the middles of windows with matter, in an image of path integrals."""
        found: NDArray[np.bool_] = np.abs(self._filter(path)) > self._least * self._filled
        return found

    def _filter(self, image: Floats) -> Floats:
        from scipy.ndimage import uniform_filter

        filtered: Floats = uniform_filter(image, self._size, mode="constant")
        return filtered


def _share_with_neighbours(beam: ParallelBeam, extents: Doubles) -> Doubles:
    """Widen extents (n_tilts, 2) to what neighbouring tilts show, as the specimen turns."""
    found = _solve((0.0, 0.0, 1.0), beam, extents)
    assert found is not None  # some circle holds everything
    along = (beam.rays.axis_u + found[0] * beam.rays.cosines + found[1] * beam.rays.sines)[:, None]
    relative, widened = extents - along, extents - along
    for k in range(1, NEIGHBOURS + 1):
        for here, there in ((slice(k, None), slice(-k)), (slice(-k), slice(k, None))):
            widened[here, 0] = np.minimum(widened[here, 0], relative[there, 0])
            widened[here, 1] = np.maximum(widened[here, 1], relative[there, 1])
    return widened + along


def _solve(
    cost: tuple[float, float, float], beam: ParallelBeam, extents: Doubles
) -> tuple[float, float, float] | None:
    """Minimise a cost of (x, z, r), all from the field's centre, where strips allow it.

    With a cost of r, (x, z) is the centre of what is nowhere more than r from it. Without, (x, z)
    is a point that lies in the strip of every tilt.
    """
    from scipy.optimize import linprog

    cosines, sines = beam.rays.cosines, beam.rays.sines
    lowest, highest = extents[:, 0] - beam.rays.axis_u, extents[:, 1] - beam.rays.axis_u
    ones = np.ones_like(cosines)
    if cost[2]:
        rows = np.vstack([np.c_[-cosines, -sines, -ones], np.c_[cosines, sines, -ones]])
        limits = np.r_[-highest, lowest]
    else:
        rows = np.vstack([np.c_[cosines, sines, 0 * ones], np.c_[-cosines, -sines, 0 * ones]])
        limits = np.r_[highest, -lowest]
    reach = centre(beam.width), centre(beam.depth)
    bounds = [(-reach[0], reach[0]), (-reach[1], reach[1]), (0, None)]
    found = linprog(cost, rows, limits, bounds=bounds)
    return None if found.x is None else (float(found.x[0]), float(found.x[1]), float(found.x[2]))


def _enclose(
    beam: ParallelBeam,
    height: int,
    y: tuple[int, int],
    extents: Doubles,
    least: float,
    fewest: int,
) -> Box | None:
    """Return the smallest box around what all strips have in common.

    Parameters
    ----------
    height : int
        Slices of the field.
    y : tuple of int
        Those of the box.
    extents : ndarray, float64, (n_tilts, 2)
        First and last detector pixel of each strip.
    least : float
        Half the width that the box has at least, without margins.
    fewest : int
        Voxels that it has at least along z and x.

    Returns
    -------
    Box or None
        None where it would fill most of a slice, or strips have nothing in common.
    """
    corners = [_solve((x, z, 0.0), beam, extents) for x, z in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    left, right, top, bottom = corners
    if left is None or right is None or top is None or bottom is None:
        return None
    x, z = (left[0] + right[0]) / 2, (top[1] + bottom[1]) / 2
    along = beam.rays.axis_u + x * beam.rays.cosines + z * beam.rays.sines
    reach = float(np.abs(extents - along[:, None]).max())
    size = 2 * (max(reach, (right[0] - left[0]) / 2, least) + MARGIN) + 1
    width = max(fewest, _round_up(size))
    depth = min(max(_round_up(bottom[1] - top[1] + 2 * MARGIN + 1), width), beam.depth)
    if width * depth > LARGEST * beam.width * beam.depth:
        return None
    return Box(
        _place(z, depth, beam.depth),
        y,
        _place(x, width, beam.width),
        (beam.depth, height, beam.width),
    )


def _round_up(size: float) -> int:
    return MULTIPLE * int(np.ceil(size / MULTIPLE))


def _place(middle: float, size: int, whole: int) -> tuple[int, int]:
    """Start and stop of `size` voxels around a position from the centre, inside the field."""
    start = min(max(round(middle + centre(whole) - centre(size)), 0), whole - size)
    return start, start + size


def _judge_outside(crop: Crop, seen: _Survey) -> str:
    """Tell whether all that lies outside the cropped rows is "vacuum", a "film", or "more".

    All tilts together show what none of them shows alone. What is the same everywhere and at every
    tilt is the detector's; matter that goes on beyond the field grows with the tilt.
    """
    u = np.arange(seen.profiles.shape[1])
    outside = (u < crop.starts[:, None]) | (u >= crop.stops[:, None])
    level = float(np.median(seen.profiles[outside]))
    by_tilt = np.array([row[out].mean() for row, out in zip(seen.profiles, outside, strict=True)])
    grows = 1.0 / np.maximum(np.abs(crop.beam.rays.cosines), 0.1)
    grows -= grows.mean()
    power = float(np.square(grows).sum())
    if power > 0:
        slope = float((grows * by_tilt).sum()) / power
        doubt = seen.noise / np.sqrt(outside.sum(axis=1).mean() * power)
        if slope * np.ptp(grows) > max(FLOOR, SIGMAS * doubt * np.ptp(grows)):
            return "film"
    distance = np.where(
        u < crop.starts[:, None], crop.starts[:, None] - 1 - u, u - crop.stops[:, None]
    )
    ring = np.where(outside, distance // RING, -1)
    for side in (u < crop.starts[:, None], u >= crop.stops[:, None]):
        for k in range(int(ring.max()) + 1):
            chosen = side & (ring == k)
            n = np.count_nonzero(chosen)
            if n == 0:
                continue
            mean = float(seen.profiles[chosen].mean()) - level
            if abs(mean) > max(FLOOR, SIGMAS * seen.noise / np.sqrt(n)):
                return "more"
    return "vacuum"
