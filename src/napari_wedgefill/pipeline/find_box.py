"""The rule by which the box of the specimen is found.

It errs on the large side: matter is whatever stands out of the noise in a patch of pixels, in a
band of slices, or in the mean of all tilts (`beside_box`); and where in doubt there is no box. What
stands out in none of these may do so in a volume (`look_around`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from .background import N_ASKED, average_edges, is_background
from .beside_box import FLOOR, SIGMAS, Profiles, judge_beside
from .box import MARGIN, Box, Field
from .look_around import shows_matter_around

if TYPE_CHECKING:
    from ..disk_images import Frame
    from ..joint_model.contract import Scales
    from ..normalise import Normalisation
    from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Pixels of a patch, along both axes, and slices of a band.
PATCH, BAND = 5, 32
#: How often a window may hold the same pixel where what was never measured is a mirror image of
#: what lies beside it, along both axes.
COPIES = 4
#: Neighbouring tilts on either side in which what is seen at one of them is taken to be, too.
NEIGHBOURS = 2
#: Slices of vacuum at either end along the tilt axis.
MARGIN_SLICES = 12
#: Depth and width are multiples of this, which the networks need not pad.
MULTIPLE = 16
#: Voxels of a box at least, along both: as many as the networks were trained on, for in smaller
#: boxes they do less well. A preview is for a look, and comes in half the time.
FEWEST, FEWEST_IN_PREVIEW = 128, 64
#: What stands out of the noise at the edges of images.
AT_EDGES = "the images show matter up to their edges"
BACKGROUND = (
    "the background of the images differs from what is taken for vacuum, so that faint matter "
    "cannot be told from it"
)
#: A box that is larger than this share of a slice saves too little.
LARGEST = 0.7


def find_box(
    series: TiltSeries,
    beam: ParallelBeam,
    normalisation: Normalisation,
    scales: Scales,
    fewest: int = FEWEST,
    frames: Mapping[int, Frame] | None = None,
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
    frames : mapping of int to Frame, optional
        What took the place of pixels that were never measured, by image.

    Returns
    -------
    Field
        Without a box where something leaves the field, or where a box would save little.
    """
    frames = frames or {}
    found = _enclose_all(series, beam, normalisation, scales, fewest, frames)
    if isinstance(found, str):
        background = _measure_background(series, normalisation, frames)
        if background is not None and found == AT_EDGES:
            found = BACKGROUND
        if background is not None and -float(scales.noise) < background < 0:
            # No matter is darker than vacuum, which was found from the darkest pixels: where there
            # are few of them, a little too bright, but by less than the noise of a pixel.
            offset = normalisation.offset + background * normalisation.scale
            zero = replace(normalisation, offset=offset)
            again = _enclose_all(series, beam, zero, scales, fewest, frames)
            found = found if isinstance(again, str) else again
        if isinstance(found, str):
            return Field.of_all(found)
    if shows_matter_around(series, normalisation, found):
        return Field.of_all(
            "a quick look shows matter beside the specimen, too faint for one image"
        )
    return Field.of_box(found)


def _enclose_all(
    series: TiltSeries,
    beam: ParallelBeam,
    zero: Normalisation,
    scales: Scales,
    fewest: int,
    frames: Mapping[int, Frame],
) -> Box | str:
    """Return the smallest box around all that the images show, or say why there is none."""
    peak, noise = float(scales.sinogram), float(scales.noise) / float(scales.sinogram)
    seen = _survey(series, zero, peak, noise, frames)
    if isinstance(seen, str):
        return seen
    extents = _share_with_neighbours(beam, seen.extents)
    half = 0.0
    while True:
        box = _enclose(beam, series.height, seen.y, extents, half, fewest)
        if box is None:
            return _say_why_none(beam, fewest, half)
        crop = box.crop(beam)
        verdicts = {judge_beside(crop, profiles) for profiles in seen.profiles}
        if crop.holds(extents) and verdicts == {"vacuum"}:
            return box
        if crop.holds(extents) and "film" in verdicts:
            return "what lies around the specimen is not vacuum"
        half = box.width / 2 + MULTIPLE / 2 - MARGIN


@dataclass(frozen=True, eq=False)
class _Survey:
    """What the images of a series show.

    Attributes
    ----------
    extents : ndarray, float64, (n_tilts, 2)
        First and last detector pixel at which each tilt shows matter.
    y : tuple of int
        First slice that shows any, and one past the last.
    profiles : list of Profiles
        Of what was measured, and of all pixels where some were not.
    """

    extents: Doubles
    y: tuple[int, int]
    profiles: list[Profiles]


def _survey(
    series: TiltSeries,
    normalisation: Normalisation,
    peak: float,
    noise: float,
    frames: Mapping[int, Frame],
) -> _Survey | str:
    """See what the images of a series show; say why there is no box as soon as one tells it.

    `noise` is that of a pixel, over the path integral that counts as one.
    """
    shape = series.height, series.width
    windows = [_Window((PATCH, PATCH), shape, noise), _Window((BAND, PATCH), shape, noise)]
    extents = np.empty((series.n_tilts, 2))
    shows = np.zeros(series.height, bool)
    measured, n_measured, whole = (np.empty((series.n_tilts, series.width)) for _ in range(3))
    for tilt, image in enumerate(series.images):
        path = normalisation.apply(np.asarray(image)) / np.float32(peak)
        frame = frames.get(tilt)
        missing = None if frame is None else frame.missing
        matter = windows[0].find(path, missing) | windows[1].find(path, missing)
        shows |= matter.any(axis=1)
        columns = np.flatnonzero(matter.any(axis=0))
        if not columns.size:
            return "some tilt shows nothing that stands out of the noise"
        extents[tilt] = columns[0], columns[-1]
        if columns[0] < MARGIN or columns[-1] >= series.width - MARGIN:
            return AT_EDGES
        whole[tilt] = path.mean(axis=0)
        measured[tilt], n_measured[tilt] = _average_rows(path, frame)
    at = np.flatnonzero(shows)
    y = max(int(at[0]) - MARGIN_SLICES, 0), min(int(at[-1]) + 1 + MARGIN_SLICES, series.height)
    profiles = [Profiles(measured, n_measured, noise)]
    if frames:
        n_pixels = np.full(whole.shape, series.height / COPIES)
        profiles.append(Profiles(whole, n_pixels, noise))
    return _Survey(extents, y, profiles)


def _say_why_none(beam: ParallelBeam, fewest: int, half: float) -> str:
    """Say why the smallest box that holds all takes most of the field."""
    if fewest * min(fewest, beam.depth) > LARGEST * beam.width * beam.depth:
        return f"in one of {beam.depth} x {beam.width} voxels (z, x) a box would save too little"
    if half > 0:
        return "what all images together show around the specimen takes most of it"
    return "the images differ from what is taken for vacuum over most of it"


def _measure_background(
    series: TiltSeries, normalisation: Normalisation, frames: Mapping[int, Frame]
) -> float | None:
    """Mean of the images at their edges, in units of the density scale, unless it is matter."""
    asked = np.unique(np.linspace(0, series.n_tilts - 1, N_ASKED).astype(int))
    places = []
    for tilt in asked:
        image = normalisation.apply(np.asarray(series.images[int(tilt)]))
        means, n = _average_rows(image, frames.get(int(tilt)))
        columns = means[n > 0].astype(np.float32)
        if columns.size < 4 * MARGIN:  # there is no place further in to compare with
            return None
        places.append(average_edges(columns[None], MARGIN))
    found = np.array(places)
    return float(found.mean()) if is_background(found, series.angles_deg[asked]) else None


def _average_rows(image: Floats, frame: Frame | None) -> tuple[Doubles, Doubles]:
    """Mean of what was measured in each column of an image, and of how many pixels it is."""
    if frame is None:
        return image.mean(axis=0, dtype=np.float64), np.full(image.shape[1], float(len(image)))
    n = np.count_nonzero(~frame.missing, axis=0).astype(np.float64)
    sums = image.sum(axis=0, dtype=np.float64, where=~frame.missing)
    return sums / np.maximum(n, 1.0), n


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
        self._size, self._noise = size, noise
        # At an image's edge there is less in a window, and its mean is noisier.
        self._whole = self._filter(np.ones(shape, np.float32))

    def find(self, path: Floats, missing: Flags | None = None) -> Flags:
        """Return the middles of windows with matter, in an image of path integrals.

        Of what was `missing` in the image as it was measured, noise tells less: it is a mirror
        image of what lies beside it, whose noise adds up.
        """
        if missing is None:
            return self._stands_out(path, self._whole)
        measured = np.where(missing, np.float32(0.0), np.float32(1.0))
        found = self._stands_out(path * measured, self._filter(measured))
        return found | self._stands_out(path, self._whole, COPIES)

    def _stands_out(self, path: Floats, filled: Floats, copies: int = 1) -> Flags:
        """Where means over windows exceed their noise; `filled` is what share of each counts."""
        n_pixels = filled * np.prod(self._size) / copies
        limit = SIGMAS * self._noise / np.sqrt(np.maximum(n_pixels, 1e-6))
        least = np.maximum(FLOOR, limit).astype(np.float32)
        found: Flags = np.abs(self._filter(path)) > least * filled
        return found & (n_pixels > 0.5 / copies)

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
