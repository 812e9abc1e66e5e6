"""The box of the specimen: where a series holds matter, if there is vacuum all around it.

Most fields of view are vacuum, and a volume of vacuum needs no solver and no network. Where the
images show that a specimen is isolated, at every tilt, all methods but WBP work on a box of voxels
around it. Rows are cropped to whole pixels, so that measured data stay what they are; where the
tilt axis lies in each cropped row goes into the geometry (`ParallelBeam`).

The rule errs on the large side: matter is whatever stands out of the noise in a patch of pixels, in
a band of slices, or in the mean of all tilts; and where in doubt there is no box. A small or faint
particle far from the specimen may stand out of the noise in none of these, but in a volume, which
adds up all tilts. So the whole field is reconstructed once, coarsely, and there is no box where
that shows anything around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from ..reconstruct import TvmOptions, iter_sart, iter_tvm, last
from ..reconstruct.tvm import Beside

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
#: Vacuum around the specimen, in voxels: what networks and interpolation look at beyond its edge.
MARGIN = 12
#: Voxels of that in which a volume fades out: a streak that would run on through the field piles
#: up in the last ones.
FADE = 8
#: Slices of vacuum at either end along the tilt axis.
MARGIN_SLICES = 12
#: Depth and width are multiples of this, which the networks need not pad.
MULTIPLE = 16
#: Voxels of a box at least, along both: as many as the networks were trained on, for in smaller
#: boxes they do less well. A preview is for a look, and comes in half the time.
FEWEST, FEWEST_IN_PREVIEW = 128, 64
#: Pixels of the rings around the box in which all tilts together are searched for matter.
RING = 8
#: Voxels across that the coarse look at the whole field has at least, and its effort.
LOOK_WIDTH, LOOK_SWEEPS, LOOK_STEPS = 96, 5, 150
#: Density around the box that is matter, over the highest: so many times that of all but a
#: twentieth of the voxels there (noise and streaks of the specimen reach half of it), but no less
#: than the first figure, and always from the second on.
LOOK_TIMES, LOOK_LEAST, LOOK_CERTAIN = 20.0, 0.0015, 0.02
#: A box that is larger than this share of a slice saves too little.
LARGEST = 0.7


@dataclass(frozen=True)
class Box:
    """Some voxels of a volume (z, y, x), each axis as start and stop.

    Attributes
    ----------
    z, y, x : tuple of int
        In the voxels of the whole field.
    field : tuple of int
        Depth, height and width of the whole field.
    """

    z: tuple[int, int]
    y: tuple[int, int]
    x: tuple[int, int]
    field: tuple[int, int, int]

    @property
    def depth(self) -> int:
        """Voxels along z."""
        return self.z[1] - self.z[0]

    @property
    def width(self) -> int:
        """Voxels along x, and pixels of a cropped row."""
        return self.x[1] - self.x[0]

    def measure_share(self, start: int, stop: int) -> float:
        """Return the share of the voxels of some slices that lie in it."""
        inside = self.within(start, stop)
        if inside is None:
            return 0.0
        n_voxels = self.depth * (inside.y[1] - inside.y[0]) * self.width
        return n_voxels / float(np.prod(inside.field))

    def within(self, start: int, stop: int) -> Box | None:
        """Return the part of the box in some slices, counted from `start`; None if it has none."""
        first, last = max(self.y[0], start) - start, min(self.y[1], stop) - start
        if first >= last:
            return None
        return Box(self.z, (first, last), self.x, (self.field[0], stop - start, self.field[2]))

    def spread(self, n_slices: int) -> Box:
        """Return the box of other slices of the same specimen, in all of them."""
        depth, _, width = self.field
        return replace(self, y=(0, n_slices), field=(depth, n_slices, width))

    def mirrored(self, *, z: bool, x: bool) -> Box:
        """Return the box of a volume that is mirrored along some axes."""
        depth, _, width = self.field
        return replace(
            self,
            z=(depth - self.z[1], depth - self.z[0]) if z else self.z,
            x=(width - self.x[1], width - self.x[0]) if x else self.x,
        )

    def cut(self, volume: Floats) -> Floats:
        """Return the box's part of a volume (z, y, x), a view."""
        return volume[slice(*self.z), slice(*self.y), slice(*self.x)]

    def put_back(self, planes: Floats) -> Iterator[tuple[int, Floats]]:
        """Put slices of the box (depth, width, n_slices) into vacuum of the field's size.

        Yields
        ------
        tuple of int and ndarray, float32, (z, x, k)
            The first of a few slices, and those, for memory's sake.
        """
        depth, _, width = self.field
        n = max(1, (64 << 20) // (4 * depth * width))
        for first in range(0, planes.shape[2], n):
            some = planes[:, :, first : first + n]
            whole = np.zeros((depth, width, some.shape[2]), np.float32)
            whole[slice(*self.z), slice(*self.x)] = some
            yield first, whole

    def crop(self, beam: ParallelBeam) -> Crop:
        """Return how the rows of a beam, whose volume is the field, are cropped to the box."""
        depth, _, width = self.field
        z = (self.z[0] + self.z[1] - 1) / 2 - centre(depth)
        x = (self.x[0] + self.x[1] - 1) / 2 - centre(width)
        at = beam.rays.axis_u + x * beam.rays.cosines + z * beam.rays.sines
        starts = np.rint(at - centre(self.width)).astype(int).clip(0, width - self.width)
        shifts = at - starts - centre(self.width)
        cropped = ParallelBeam(beam.angles_deg, self.width, self.depth, tilt_shifts_px=shifts)
        fade = np.outer(_fade(self.z, depth), _fade(self.x, width))
        return Crop(starts, cropped, beam, fade.astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            **{name: list(getattr(self, name)) for name in "zyx"},
            "share_of_field": round(self.measure_share(0, self.field[1]), 4),
        }


@dataclass(frozen=True, eq=False)
class Crop:
    """Where the rows of a box begin, and its geometry.

    Attributes
    ----------
    starts : ndarray of int, (n_tilts,)
        First pixel of each tilt's row.
    beam : ParallelBeam
        Projects the box to the cropped rows.
    field : ParallelBeam
        Projects the whole field to whole rows.
    fade : ndarray, float32, (depth, width)
        What a volume is multiplied by, so that it ends without a seam.
    """

    starts: NDArray[np.intp]
    beam: ParallelBeam
    field: ParallelBeam
    fade: Floats

    def apply(self, sinogram: Floats) -> tuple[Floats, Beside]:
        """Crop rows (n_tilts, width, n_slices) to the box's width, and sum up what lies beside."""
        pixels = np.arange(self.beam.n_tilts)[:, None], self.starts[:, None] + self._columns
        cropped: Floats = sinogram[pixels]
        squares = np.zeros(sinogram.shape[2])
        for row, start, stop in zip(sinogram, self.starts, self.stops, strict=True):
            squares += np.square(row[:start], dtype=np.float64).sum(axis=0)
            squares += np.square(row[stop:], dtype=np.float64).sum(axis=0)
        n_pixels = self.beam.n_tilts * (sinogram.shape[1] - self.beam.width)
        lengths = self.field.ray_lengths[pixels]
        return cropped, Beside(squares.astype(np.float32), n_pixels, lengths)

    def holds(self, extents: Doubles) -> bool:
        """Tell whether what lies between some positions (n_tilts, 2) is well within the rows."""
        room = MARGIN / 2
        left, right = extents[:, 0] - self.starts, self.stops - 1 - extents[:, 1]
        return bool((left >= room).all() and (right >= room).all())

    @property
    def _columns(self) -> NDArray[np.intp]:
        return np.arange(self.beam.width)

    @property
    def stops(self) -> NDArray[np.intp]:
        """One past the last pixel of each tilt's row."""
        return self.starts + self.beam.width


@dataclass(frozen=True)
class Field:
    """What a fill works on.

    Attributes
    ----------
    box : Box or None
        Of the specimen; None for the whole field of view.
    sentence : str
        What was chosen, and why, for people.
    """

    box: Box | None
    sentence: str

    @classmethod
    def of_box(cls, box: Box) -> Field:
        """Choose a box."""
        z, y, x = (f"{stop - start}" for start, stop in (box.z, box.y, box.x))
        field = " x ".join(str(n) for n in box.field)
        return cls(
            box,
            f"Filled in the box of the specimen, {z} x {y} x {x} of {field} voxels (z, y, x): "
            "nothing was found around it.",
        )

    @classmethod
    def of_all(cls, reason: str) -> Field:
        """Choose the whole field of view for a reason."""
        return cls(None, f"Filled over the whole field of view: {reason}.")

    def spread(self, n_slices: int) -> Field:
        """Return the field of other slices of the same specimen."""
        return self if self.box is None else replace(self, box=self.box.spread(n_slices))

    def mirrored(self, *, z: bool, x: bool) -> Field:
        """Return the field of a volume that is mirrored along some axes."""
        return self if self.box is None else replace(self, box=self.box.mirrored(z=z, x=x))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            "box": None if self.box is None else self.box.to_dict(),
            "field": self.sentence,
        }


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
    if _look_around(series, normalisation, box):
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
            return "the images show matter up to their edges"
        profiles[tilt] = path.mean(axis=0)
    at = np.flatnonzero(shows)
    y = max(int(at[0]) - MARGIN_SLICES, 0), min(int(at[-1]) + 1 + MARGIN_SLICES, series.height)
    return _Survey(extents, y, profiles, noise / np.sqrt(series.height))


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


def _look_around(series: TiltSeries, normalisation: Normalisation, box: Box) -> bool:
    """Tell whether a coarse reconstruction of the whole field shows matter outside a box.

    What lies where the box fades out counts as outside.
    """
    from scipy.ndimage import uniform_filter

    n = max(1, round(series.width / LOOK_WIDTH))
    small = series.binned(n) if n > 1 else series
    beam = ParallelBeam(small.angles_deg, small.width, axis_shift_px=small.axis_shift_px)
    rows = normalisation.apply(small.sinograms(0, small.height))
    start = last(iter_sart(beam, rows, LOOK_SWEEPS))
    options = TvmOptions(n_steps=LOOK_STEPS)
    seen = uniform_filter(last(iter_tvm(beam, rows, options=options, x0=start)), 3, mode="nearest")
    seen /= max(float(seen.max()), 1e-30)
    depth, height, width = box.field
    axes = (box.z, depth, FADE), (box.x, width, FADE), (box.y, height, 0)
    beyond = [_find_beyond(n, size, *axis) for size, axis in zip(seen.shape, axes, strict=True)]
    z, x, y = beyond
    around = seen[(z[:, None, None] | x[:, None] | y) & _find_seen(beam)[:, :, None]]
    if not around.size:
        return False
    usual = LOOK_TIMES * float(np.percentile(around, 95.0))
    return float(around.max()) > min(max(usual, LOOK_LEAST), LOOK_CERTAIN)


def _find_seen(beam: ParallelBeam) -> NDArray[np.bool_]:
    """Which voxels (depth, width) lie in the images of all tilts; in corners, noise piles up."""
    z = (np.arange(beam.depth) - centre(beam.depth))[:, None, None]
    x = (np.arange(beam.width) - centre(beam.width))[:, None]
    u = beam.rays.axis_u + x * beam.rays.cosines + z * beam.rays.sines
    return np.asarray(((u >= 0) & (u <= beam.width - 1)).all(axis=2))


def _find_beyond(
    n: int, size: int, part: tuple[int, int], whole: int, fade: int
) -> NDArray[np.bool_]:
    """Which voxels of `n` pixels along an axis lie outside a part of it, or where that fades."""
    at = (np.arange(size) + 0.5) * n + (whole - size * n) // 2 - 0.5
    first = part[0] + fade if part[0] > 0 else -np.inf
    final = part[1] - 1 - fade if part[1] < whole else np.inf
    return (at < first) | (at > final)


def _fade(part: tuple[int, int], whole: int) -> Doubles:
    """Weights of the voxels of a part of an axis; it fades where it ends inside the whole."""
    ramp = np.sin(np.pi / 2 * (np.arange(FADE) + 0.5) / FADE) ** 2
    weights = np.ones(part[1] - part[0])
    if part[0] > 0:
        weights[:FADE] = ramp
    if part[1] < whole:
        weights[-FADE:] = ramp[::-1]
    return weights


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
