"""The trust map: where the networks' volume can be relied on, voxel by voxel.

Nothing makes the networks treat a mirrored specimen as the same specimen. Four views of one
tilt series (as measured, turned by 180 degrees about the tilt axis, mirrored in x, mirrored in z)
hold the same measurements, so what the measurements decide comes out the same from all four, and
what the networks made up moves. How far a voxel moves says how far it may be wrong; movement along
directions that no tilt measured says more, because no measurement holds it back.

Definition, at each voxel, with x_0 the filled volume and x_1..x_3 the volumes of the other views
turned back::

    S = G * mean (x_k - x_0)^2 / 2          movement; G is a Gaussian of 2 voxels in (z, x)
    q = U / (U + M)                         its share in the missing wedge: U and M are S of the
                                            differences' unmeasured and measured frequencies
    m = g sqrt(S (1 + 2 q)) / D             movement as an error, over the density scale D
    e = m / (1 + m / l)                     expected error: it grows no further than the limit l
    trust = max(0, 1 - e)

The gain g and the limit l belong to the model. They are fitted on simulated objects of the training
families (`benchmarks/quality/trust_calibration.py`) and checked on families that training never
drew. What moves much is not as wrong as it moves: one view is wrong here, another there.
A trust of 0.9 therefore reads: expect the density hereabouts to be off by a tenth of the full
density.
"""

from __future__ import annotations

import tomllib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..joint_model.registry import load
from ..methods import METHODS, Method
from ..pipeline.box import Field
from ..pipeline.events import Done, Finished
from ..pipeline.fill import choose_field, iter_fill
from ..pipeline.options import FillOptions
from ..pipeline.session import Session
from ..pipeline.slabs import choose_strip_lanes
from ..progress import Clock, Progress
from ..projector import ParallelBeam
from ..tilt_series import TiltSeries
from ..volume import TiltRange, Volume
from .metrics import wedge_mask
from .verdicts import DOUBTFUL, TRUST_LABEL, TrustMap

Floats = NDArray[np.float32]

#: Squared movement along unmeasured directions counts so many times that along measured ones.
UNMEASURED_WEIGHT = 3.0
#: Voxels over which movement is averaged in (z, x), as the standard deviation of a Gaussian.
REACH = 2.0


@dataclass(frozen=True)
class ErrorScale:
    """What error to expect of a voxel that moves.

    Attributes
    ----------
    gain : float
        Error over movement where both are small.
    limit : float
        What the error approaches where the movement is large; infinite for a straight line.
    """

    gain: float
    limit: float = float("inf")

    def expect(self, movement: Floats) -> Floats:
        """Return the expected error for the weighted movement (`Movement.weigh`), of its units."""
        straight = np.float32(self.gain) * movement
        return np.asarray(straight / (1.0 + straight / np.float32(self.limit)), np.float32)


#: For models that do not say theirs: that of the model `small`.
USUAL_SCALE = ErrorScale(7.46, 0.55)


@dataclass(frozen=True)
class MirrorView:
    """One of the ways to look at the same measurements.

    Attributes
    ----------
    name : str
        For people.
    mirrors_images, negates_angles : bool
        What is done to the images, along x, and to their angles.
    """

    name: str
    mirrors_images: bool
    negates_angles: bool

    def apply(self, series: TiltSeries) -> TiltSeries:
        """Return the series as this view has it; the images are not copied."""
        series = series.mirrored() if self.mirrors_images else series
        return series.negated() if self.negates_angles else series

    @property
    def mirrors_z(self) -> bool:
        """Whether this view's volume is mirrored along z, beside x where the images are."""
        return self.mirrors_images != self.negates_angles

    def undo(self, volume: Floats) -> Floats:
        """Turn a volume (z, y, x) of this view back."""
        if self.mirrors_z:
            volume = volume[::-1]
        return volume[:, :, ::-1] if self.mirrors_images else volume


AS_MEASURED = MirrorView("as measured", False, False)
OTHER_VIEWS = (
    MirrorView("turned by 180 degrees", True, False),
    MirrorView("mirrored in x", True, True),
    MirrorView("mirrored in z", False, True),
)


def iter_trust_map(
    series: TiltSeries,
    options: FillOptions,
    filled: Volume | None = None,
    out: Floats | None = None,
    session: Session | None = None,
) -> Iterator[Progress | TrustMap]:
    """Compute the trust map of the networks' volume, slab by slab.

    Parameters
    ----------
    series : TiltSeries
        Aligned images.
    options : FillOptions
        Model, device and slices, as for the fill; its methods must include "gan".
    filled : Volume, optional
        What the fill gave with these options; saves a quarter of the time.
    out : ndarray, float32, (z, y, x), optional
        Receives the map, such as a memory map; made in memory by default.
    session : Session, optional
        Keeps the networks open.

    Yields
    ------
    Progress or TrustMap
        Progress often; the result last. Close the generator to cancel.

    Raises
    ------
    WedgefillError
        Without the method "gan": the others give every view the same volume, moved by nothing.
    """
    method = choose_learned(options.methods)
    start, stop = options.slices or (0, series.height)
    if out is None:
        out = np.empty((series.width, stop - start, series.width), np.float32)
    model, session = load(options.model), session or Session()
    series, options, _ = session.correct(series, options)
    unmeasured = wedge_mask(series.width, series.angles_deg)
    options = replace(options, methods=(method.name,))
    field = choose_field(series, options, session)
    task = _Task(series, options, field, start, stop, model.reach, unmeasured, session, Clock())
    fitted = read_error_scale(model.folder)
    scale = fitted or USUAL_SCALE
    density, trusted, doubted = 1e-30, 0.0, 0.0
    size = choose_slab_size(method, series, model.reach)
    for first in range(start, stop, size):
        last = min(first + size, stop)
        at = slice(first - start, last - start)
        known = None if filled is None else filled.data[:, at]
        base, movement = yield from _fill_views(task, first, last, known)
        trust = np.clip(1.0 - scale.expect(movement), 0.0, 1.0, dtype=np.float32)
        out[:, at] = trust
        weight = np.maximum(base, 0.0)
        density += float(weight.sum(dtype=np.float64))
        trusted += float(np.sum(weight * trust, dtype=np.float64))
        doubted += float(weight[trust < DOUBTFUL].sum(dtype=np.float64))
    views = tuple(view.name for view in (AS_MEASURED, *OTHER_VIEWS))
    volume = _make_volume(series, method, out, start)
    yield TrustMap(
        volume,
        doubtful=doubted / density,
        mean=trusted / density,
        views=views,
        gain=scale.gain,
        limit=None if np.isinf(scale.limit) else scale.limit,
        is_fitted=fitted is not None,
    )


def choose_slab_size(method: Method, series: TiltSeries, reach: int) -> int:
    """Slices at once; with `reach` on either side, one strip of the fill."""
    beam = ParallelBeam(series.angles_deg, series.width)
    return choose_strip_lanes(method.memory, beam) - 4 * reach


def choose_learned(methods: Sequence[str]) -> Method:
    """Return the method among these whose volume can be doubted: that of the networks.

    Raises
    ------
    WedgefillError
        If there is none.
    """
    learned = [METHODS[name] for name in methods if METHODS[name].needs_model]
    if not learned:
        names = " or ".join(name for name, method in METHODS.items() if method.needs_model)
        raise WedgefillError(
            f"The trust map is of the networks' volume, but the method {names} was not chosen; "
            "add it, or leave the trust map out."
        )
    return learned[0]


def read_error_scale(folder: Path) -> ErrorScale | None:
    """Read ``[trust] gain`` and ``limit`` of a model's `model.toml`; None if it has no gain.

    ``benchmarks/quality/trust_calibration.py --fit`` measures them.

    Raises
    ------
    WedgefillError
        If one of them is not a number above zero.
    """
    path = folder / "model.toml"
    described = tomllib.loads(path.read_text(encoding="utf-8")).get("trust", {})
    found = described if isinstance(described, dict) else {"gain": described}
    for name in ("gain", "limit"):
        value = found.get(name)
        if value is not None and (not isinstance(value, int | float) or not value > 0):
            raise WedgefillError(
                f"{path}: the {name} of its trust map is {value!r}, not a number above zero; "
                "correct it, or remove it."
            )
    if found.get("gain") is None:
        return None
    return ErrorScale(float(found["gain"]), float(found.get("limit") or "inf"))


@dataclass(frozen=True, eq=False)
class _Task:
    """What every slab needs to know."""

    series: TiltSeries
    options: FillOptions
    field: Field
    start: int
    stop: int
    reach: int
    unmeasured: NDArray[np.bool_]
    session: Session
    clock: Clock

    def tell(self, view: str, slices_done: float) -> Progress:
        fraction = slices_done / (self.stop - self.start)
        return self.clock.tell(f"trust map, {view}", fraction)


def _fill_views(
    task: _Task, first: int, last: int, known: Floats | None
) -> Generator[Progress, None, tuple[Floats, Floats]]:
    """Return the filled volume and its weighted movement over the density scale, of one slab."""
    views = OTHER_VIEWS if known is not None else (AS_MEASURED, *OTHER_VIEWS)
    # Some slices more on either side: the networks see neighbours.
    seen = max(first - task.reach, task.start), min(last + task.reach, task.stop)
    inner = slice(first - seen[0], last - seen[0])
    options = replace(task.options, slices=seen)
    movement = None if known is None else Movement(known, task.unmeasured)
    scale = 1.0
    for k, view in enumerate(views):
        viewed = view.apply(task.series)
        field = task.field.mirrored(z=view.mirrors_z, x=view.mirrors_images)
        task.session.adopt_field(viewed, field)
        for event in iter_fill(viewed, options, session=task.session):
            if isinstance(event, Progress):
                done = (k + event.fraction) / len(views) * (last - first)
                yield task.tell(view.name, first - task.start + done)
            elif isinstance(event, Finished):
                data = view.undo(event.volume.data)[:, inner]
                if movement is None:
                    movement = Movement(data, task.unmeasured)
                else:
                    movement.add(data)
            elif isinstance(event, Done):
                scale = float(event.report["normalisation"]["scale"])
    assert movement is not None
    return movement.base, movement.weigh() / np.float32(scale)


class Movement:
    """How far the volumes of other views lie from the first, and along which directions.

    Parameters
    ----------
    base : ndarray, float32, (z, y, x)
        The filled volume, or a slab of it.
    unmeasured : ndarray, bool, (z, x)
        Frequencies inside the missing wedge; see `metrics.wedge_mask`.
    """

    def __init__(self, base: Floats, unmeasured: NDArray[np.bool_]) -> None:
        self.base = base
        self._mask = unmeasured
        self._views = 0
        self._total, self._inside, self._outside = (
            np.zeros(base.shape, np.float32) for _ in range(3)
        )

    def add(self, other: Floats) -> None:
        """Take in the volume of one more view, turned back."""
        self._views += 1
        for y in range(self.base.shape[1]):
            difference = other[:, y] - self.base[:, y]
            spectrum = scipy.fft.fft2(difference) * self._mask
            inside = np.real(scipy.fft.ifft2(spectrum)).astype(np.float32)
            self._total[:, y] += np.square(difference)
            self._inside[:, y] += np.square(inside)
            self._outside[:, y] += np.square(difference - inside)

    def powers(self) -> tuple[Floats, Floats]:
        """Return the movement S, and the share q of it in the missing wedge, both (z, y, x)."""
        total, inside, outside = (
            scipy.ndimage.gaussian_filter(power, (REACH, 0, REACH))
            for power in (self._total, self._inside, self._outside)
        )
        share = inside / np.maximum(inside + outside, np.float32(1e-30))
        return np.asarray(total / np.float32(2 * self._views)), np.asarray(share)

    def weigh(self) -> Floats:
        """Return the root of ``S (1 + 2 q)``: times the gain, the error to be expected."""
        total, share = self.powers()
        weights = 1.0 + np.float32(UNMEASURED_WEIGHT - 1.0) * share
        return np.asarray(np.sqrt(total * weights), np.float32)


def _make_volume(series: TiltSeries, method: Method, data: Floats, first_slice: int) -> Volume:
    pixel = series.pixel_nm
    views = len(OTHER_VIEWS) + 1
    fields: dict[str, Any] = {"voxel_nm": None if pixel is None else (pixel, pixel, pixel)}
    return Volume(
        data,
        name=f"{series.name}_trust",
        history=(f"{TRUST_LABEL} {series.name} by {method.name}, {views} views",),
        first_slice=first_slice,
        whole_height=series.height if data.shape[1] < series.height else None,
        tilt_range=TiltRange.of(series.angles_deg),
        **fields,
    )
