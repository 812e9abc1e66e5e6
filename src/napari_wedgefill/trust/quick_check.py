"""The quick check after every fill: whether the networks' volume may be believed.

A few slices are filled once more without the outermost tilts, seen from two sides, and the tilts
that were left out are predicted: by the networks and by total variation minimisation, which knows
nothing but the data. All of it fits into one strip of the projector, so that it takes seconds,
and is no more slices than the fill itself has.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..pipeline.background import average_edges, is_background
from ..pipeline.box import Field
from ..pipeline.events import Finished
from ..pipeline.fill import choose_field, iter_fill
from ..pipeline.options import FillOptions
from ..pipeline.session import Calibration, Session
from ..progress import Clock, Progress
from ..projector import ParallelBeam
from ..tilt_series import TiltSeries
from .self_check import choose_withheld_tilts
from .trust_map import OTHER_VIEWS, choose_learned
from .verdicts import RIVAL, QuickCheck

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Places along the tilt axis that are looked at, and slices that are judged at each: as many of
#: these as fill no more slices than the fill does.
PLANS = (2, 2), (1, 2), (1, 1)
#: Slices that the networks see beside those. With both views, 16 slices fill one strip at most.
BESIDE, VIEWS = 1, 2
#: Places that are searched for those with much of the specimen.
SEARCHED = 12
#: The other side from which the slices are filled: half a turn about the tilt axis leaves every
#: angle as it is, so that both go through the projector together.
TURNED = OTHER_VIEWS[0]
#: A tilt axis that is further from the middle of the images has another place in the turned ones,
#: as the box of the specimen has.
CENTRED_PX = 0.01
#: Mean at one end of the detector, over the path integral that counts as one, from which on the
#: specimen goes on outside; and the part of the detector that counts as its end.
OUTSIDE, END = 0.05, 1 / 32
#: What varies more slowly along the detector than a Gaussian of this part of it is left out where
#: the specimen goes on outside: matter out there can have caused it.
SLOW = 1 / 32


def iter_quick_check(
    series: TiltSeries, options: FillOptions, session: Session | None = None
) -> Iterator[Progress | QuickCheck]:
    """Check on a few slices whether the networks do better than total variation minimisation.

    Parameters
    ----------
    series : TiltSeries
        Aligned images.
    options : FillOptions
        As for the fill; its methods must include one of networks.
    session : Session, optional
        Keeps the networks open, and what was measured on the series.

    Yields
    ------
    Progress or QuickCheck
        Progress often; the result last.
    """
    session, clock = session or Session(), Clock()
    series, options, _ = session.correct(series, options)
    learned = choose_learned(options.methods).name
    whole = session.calibrate(series)
    unchecked = QuickCheck(learned, float(whole.scales.noise), series.n_tilts)
    try:
        _, withheld = choose_withheld_tilts(series.angles_deg)
    except WedgefillError:
        yield unchecked
        return
    part, judged = _choose_slices(series, options.slices, whole)
    kept = np.setdiff1d(np.arange(series.n_tilts), withheld)
    options = replace(options, methods=("sart", RIVAL, learned), slices=None, stop="sweeps")
    field = choose_field(series, options, session).spread(part.height)
    views = yield from _fill_views(part.tilts(kept), options, whole, field, session, clock)
    measured = whole.normalisation.apply(part.sinograms(0, part.height))
    leaves = _find_outside(measured, whole)
    even = leaves and _is_even(measured, series.angles_deg)
    squares = {
        name: _predict(part, measured, [view[name] for view in views], kept, withheld, leaves)
        for name in (RIVAL, learned)
    }
    chosen = {name: found[:, judged] for name, found in squares.items()}
    power = _filter(measured[withheld], leaves)[:, :, judged]
    total = max(float(np.sum(np.square(power, dtype=np.float64))) * len(views), 1e-30)
    yield replace(
        unchecked,
        errors={name: float(np.sqrt(found.sum() / total)) for name, found in chosen.items()},
        ratio_error=_jackknife(chosen[learned], chosen[RIVAL]),
        movement={
            name: _measure_movement(*(view[name][:, judged] for view in views))
            for name in (RIVAL, learned)
        },
        leaves_field=leaves,
        is_background=even,
        withheld_deg=tuple(float(angle) for angle in series.angles_deg[withheld]),
    )


def plan_places(n_slices: int) -> tuple[int, int]:
    """Choose how many places are looked at, and how many slices of each are judged.

    A check that fills more slices than the fill itself would take longer than it.
    """
    for places, judged in PLANS:
        if VIEWS * places * (judged + 2 * BESIDE) <= n_slices:
            return places, judged
    return PLANS[-1]


def count_checked_slices(n_slices: int) -> int:
    """Count the slices that the check of a fill of so many slices fills, in both views."""
    places, judged = plan_places(n_slices)
    return VIEWS * min(places * (judged + 2 * BESIDE), n_slices)


def _choose_slices(
    series: TiltSeries, slices: tuple[int, int] | None, whole: Calibration
) -> tuple[TiltSeries, NDArray[np.intp]]:
    """Choose slices at one or two places where there is much of the specimen.

    Returns
    -------
    TiltSeries
        The slices of all places, one after the other.
    ndarray of int
        Those of them that are judged; the others are their neighbours.
    """
    start, stop = slices or (0, series.height)
    n_places, n_judged = plan_places(stop - start)
    n = n_judged + 2 * BESIDE
    if stop - start <= n:
        first = (stop - start - n_judged) // 2
        return series.rows(start, stop), np.arange(first, first + n_judged)
    starts = np.unique(np.linspace(start, stop - n, SEARCHED).astype(int))
    blocks = [series.sinograms(int(first), int(first) + n) for first in starts]
    powers = np.array([_measure_power(whole.normalisation.apply(block)) for block in blocks])
    rich = np.flatnonzero(powers >= 0.5 * powers.max())
    # The middle one, or those of one and two thirds, of all that hold much; next to each other
    # they would overlap.
    places = [rich[(k + 1) * len(rich) // (n_places + 1)] for k in range(n_places)]
    chosen = [places[0]]
    if starts[places[-1]] - starts[places[0]] >= n:
        chosen.append(places[-1])
    stack = np.concatenate([blocks[at] for at in chosen], axis=2).transpose(0, 2, 1)
    judged = np.concatenate([k * n + BESIDE + np.arange(n_judged) for k in range(len(chosen))])
    return replace(series, images=np.ascontiguousarray(stack)), judged


def _measure_power(rows: Floats) -> float:
    return float(np.mean(np.square(rows, dtype=np.float64)))


def _fill_views(
    series: TiltSeries,
    options: FillOptions,
    whole: Calibration,
    field: Field,
    session: Session,
    clock: Clock,
) -> Generator[Progress, None, list[dict[str, Floats]]]:
    """Fill the slices as measured and turned; volumes (z, y, x) by method, turned back."""
    n, images = series.height, np.asarray(series.images)
    # Mirrored along the tilt axis too where they are stacked, so that like meets like.
    turned = images[:, ::-1, ::-1]
    fields = [field, field.mirrored(z=True, x=True)]
    if abs(series.axis_shift_px) < CENTRED_PX and field.box is None:
        runs = [replace(series, images=np.concatenate([images, turned], axis=1))]
    else:
        runs = [series, replace(series, images=turned, axis_shift_px=-series.axis_shift_px)]
    volumes: list[dict[str, Floats]] = [{} for _ in runs]
    for k, run in enumerate(runs):
        session.adopt(run, whole)
        session.adopt_field(run, fields[k])
        for event in iter_fill(run, options, session=session):
            if isinstance(event, Progress):
                yield clock.tell("quick check", (k + event.fraction) / len(runs))
            elif isinstance(event, Finished):
                volumes[k][event.method] = event.volume.data
    if len(runs) == 1:
        both = volumes[0]
        volumes = [{m: v[:, :n] for m, v in both.items()}, {m: v[:, n:] for m, v in both.items()}]
    volumes[1] = {m: TURNED.undo(v[:, ::-1]) for m, v in volumes[1].items()}
    scale = np.float32(whole.normalisation.scale)
    return [{m: np.asarray(v / scale) for m, v in view.items()} for view in volumes]


def _is_even(measured: Floats, angles_deg: Doubles) -> bool:
    """Tell whether what rows (n_tilts, width, n_slices) show at the ends is a background."""
    n = max(1, round(END * measured.shape[1]))
    places = np.array([average_edges(rows.T, n) for rows in measured])
    return is_background(places, angles_deg)


def _find_outside(measured: Floats, whole: Calibration) -> bool:
    """Tell whether rows (n_tilts, width, n_slices) show anything at an end of the detector."""
    n = max(1, round(END * measured.shape[1]))
    ends = measured[:, :n].mean(), measured[:, -n:].mean()
    return bool(max(ends) > OUTSIDE * float(whole.scales.sinogram))


def _filter(rows: Floats, leaves: bool) -> Floats:
    """Leave out of rows (n, width, n_slices) what matter outside the field can have caused."""
    if not leaves:
        return rows
    from scipy.ndimage import gaussian_filter1d

    slow = gaussian_filter1d(rows, SLOW * rows.shape[1], axis=1, mode="reflect")
    return np.asarray(rows - slow, np.float32)


def _predict(
    part: TiltSeries,
    measured: Floats,
    volumes: list[Floats],
    kept: NDArray[np.intp],
    withheld: NDArray[np.intp],
    leaves: bool,
) -> Doubles:
    """Squared errors (n_withheld, n_slices) at the withheld tilts, of both views together."""
    beam = ParallelBeam(
        part.angles_deg, part.width, volumes[0].shape[0], axis_shift_px=part.axis_shift_px
    )
    truth, squares = _filter(measured, leaves), np.zeros((withheld.size, part.height))
    for volume in volumes:
        rows = beam(np.ascontiguousarray(volume.transpose(0, 2, 1)))
        rows = _filter(rows, leaves)
        # One scale that fits the tilts that were there, as in the self-check.
        power = float(np.sum(np.square(rows[kept], dtype=np.float64)))
        product = float(np.sum(rows[kept] * truth[kept], dtype=np.float64))
        scale = np.float32(product / power if power > 0 else 0.0)
        misfit = scale * rows[withheld] - truth[withheld]
        squares += np.square(misfit, dtype=np.float64).sum(axis=1)
    return squares


def _jackknife(own: Doubles, other: Doubles) -> float:
    """Standard error of the ratio of two errors, from leaving out a tilt of a slice at a time."""
    a, b, n = own.ravel(), other.ravel(), own.size
    if n < 2:
        return 1.0
    left = np.sqrt((a.sum() - a) / np.maximum(b.sum() - b, 1e-30))
    return float(np.sqrt((n - 1) / n * np.sum(np.square(left - left.mean()))))


def _measure_movement(first: Floats, second: Floats) -> float:
    """Root mean square difference of two volumes, over the first's root mean square."""
    power = max(_measure_power(first), 1e-30)
    return float(np.sqrt(_measure_power(second - first) / power))
