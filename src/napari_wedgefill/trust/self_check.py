"""The self-check: withhold measured tilts, rebuild without them, and predict them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..inference.pipeline import FillOptions, Finished, Progress, iter_fill
from ..normalise import vacuum_level
from ..projector import ParallelBeam
from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]

#: Slices that are rebuilt, from the middle of those asked for: neighbours add little.
SLICES = 16
#: One tilt in so many is withheld.
EVERY = 8


@dataclass(frozen=True)
class SelfCheck:
    """Errors at withheld tilts.

    Attributes
    ----------
    spread : dict of str to float
        By method: root mean square error of the predicted images, over that of the images
        themselves, when tilts spread through the range were withheld.
    outermost : dict of str to float
        The same when the outermost tilts on both sides were withheld: extrapolation, the harder
        test and the one that resembles filling a wedge.
    spread_deg, outermost_deg : tuple of float
        The withheld angles.
    slices : tuple of int
        Start and stop of the slices that were rebuilt.
    """

    spread: dict[str, float]
    outermost: dict[str, float]
    spread_deg: tuple[float, ...]
    outermost_deg: tuple[float, ...]
    slices: tuple[int, int]

    @property
    def sentence(self) -> str:
        """Say in plain words how the network compares at the outermost tilts."""
        errors = self.outermost
        listed = ", ".join(f"{m.upper()} {100 * e:.1f} %" for m, e in errors.items())
        said = f"Error of the predicted images at the withheld outermost tilts: {listed}."
        if "gan" not in errors or len(errors) == 1:
            return said
        rival = min((m for m in errors if m != "gan"), key=errors.__getitem__)
        change = 1 - errors["gan"] / errors[rival]
        word = "better" if change >= 0 else "worse"
        return (
            "At the withheld tilts the filled volume predicts the images "
            f"{abs(100 * change):.0f} % {word} than {rival.upper()}, the best of the others. {said}"
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the report."""
        return asdict(self) | {"sentence": self.sentence}


def withheld_tilts(n_tilts: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices withheld in the two tests: spread through the range, and outermost on both sides.

    Raises
    ------
    WedgefillError
        With fewer than nine tilts, too few would be left.
    """
    if n_tilts < 9:
        raise WedgefillError(
            f"The self-check withholds tilts and needs at least 9, but there are {n_tilts}; "
            "run without it."
        )
    edge = max(1, round(n_tilts / 16))
    spread = np.arange(edge + EVERY // 2, n_tilts - edge, EVERY)
    return spread, np.r_[:edge, n_tilts - edge : n_tilts]


def iter_self_check(series: TiltSeries, options: FillOptions) -> Iterator[Progress | SelfCheck]:
    """Run the self-check on the user's own data.

    Parameters
    ----------
    series : TiltSeries
        Aligned images.
    options : FillOptions
        Methods, model, device and slices, as for the fill.

    Yields
    ------
    Progress or SelfCheck
        Progress often; the result last.
    """
    spread, outermost = withheld_tilts(series.n_tilts)
    start, stop = options.slices or (0, series.height)
    middle = (start + stop) // 2
    start, stop = max(start, middle - SLICES // 2), min(stop, middle + SLICES // 2)
    options = replace(options, slices=(start, stop))
    errors: list[dict[str, float]] = []
    for half, withheld in enumerate((spread, outermost)):
        found: dict[str, float] = {}
        kept = np.setdiff1d(np.arange(series.n_tilts), withheld)
        for event in iter_fill(series.tilts(kept), options):
            if isinstance(event, Progress):
                fraction = (half + event.fraction) / 2
                yield Progress(f"self-check: {event.stage}", fraction, event.seconds_left)
            elif isinstance(event, Finished):
                found[event.method] = _error(
                    series.rows(start, stop), event.volume.data, kept, withheld
                )
        errors.append(found)
    yield SelfCheck(
        errors[0],
        errors[1],
        tuple(float(a) for a in series.angles_deg[spread]),
        tuple(float(a) for a in series.angles_deg[outermost]),
        (start, stop),
    )


def _error(
    part: TiltSeries, data: Floats, kept: NDArray[np.intp], withheld: NDArray[np.intp]
) -> float:
    """Relative error of the predicted images, after one scale that fits the kept ones.

    The scale is for WBP, which loses the intensity of the wedge; the others hardly need it.
    """
    beam = ParallelBeam(part.angles_deg, part.width, axis_shift_px=part.axis_shift_px)
    predicted = beam(np.ascontiguousarray(data.transpose(0, 2, 1))).astype(np.float64)
    measured = part.sinograms().astype(np.float64) - vacuum_level(part)
    power = float(np.sum(np.square(predicted[kept])))
    scale = float(np.sum(predicted[kept] * measured[kept])) / power if power > 0 else 0.0
    difference = scale * predicted[withheld] - measured[withheld]
    return float(np.linalg.norm(difference) / np.linalg.norm(measured[withheld]))
