"""Measure the volumes of a fill, without knowing the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..geometry import median_step_deg, widest_gap_deg
from ..methods import label_of
from ..pipeline.options import FillOptions
from ..pipeline.session import Session
from ..progress import Clock, Progress
from ..tilt_series import TiltSeries
from ..volume import Volume
from .agreement import compare_with_images
from .resolution import FINEST_PX, THRESHOLDS, WARNING, Resolution, iter_resolution
from .results_table import ResultsRow, ResultsTable
from .shape import compute_expected_elongation, measure_elongation
from .verdicts import SelfCheck
from .volume_fraction import count_densities

#: What the rows say.
INSIDE = "How far predicted images are from those withheld inside the range: interpolation."
OUTERMOST = (
    "How far predicted images are from the outermost ones, withheld: the test like filling a wedge."
)
ELONGATION = "How much longer along the beam a ball becomes by the missing wedge alone."
FOUND_ELONGATION = "How much wider features are along the missing directions than across them."
RESOLUTION = (
    "Finest period to which volumes of the odd and of the even tilts correlate above "
    "{threshold:g}; two voxels are the finest that a volume can show."
)
RESIDUAL = "How far the volume's own projections are from the measured images, over the images."
OTSU = "Density that parts object and background best."
FRACTION = "Part of the volume that is denser than Otsu's threshold."
#: Part of the progress bar that the shell correlations take: they reconstruct.
RECONSTRUCTING = 0.7


def iter_results(
    series: TiltSeries,
    options: FillOptions,
    volumes: Mapping[str, Volume],
    *,
    seconds: Mapping[str, float] | None = None,
    self_check: SelfCheck | None = None,
    session: Session | None = None,
) -> Iterator[Progress | ResultsTable]:
    """Measure the volumes of a fill.

    Parameters
    ----------
    series : TiltSeries
        What was filled.
    options : FillOptions
        With which options.
    volumes : mapping of str to Volume
        What came of it, by method.
    seconds : mapping of str to float, optional
        How long each method took.
    self_check : SelfCheck, optional
        Adds the errors at withheld tilts.
    session : Session, optional
        As for the fill.

    Yields
    ------
    Progress or ResultsTable
        Progress often; the table last. Close the generator to cancel.
    """
    clock, session = Clock(), session or Session()
    series, options, _ = session.correct(series, options)
    resolution = Resolution({}, series.pixel_nm)
    for event in iter_resolution(series, options, session):
        if isinstance(event, Progress):
            yield clock.tell_part(event, 0.0, RECONSTRUCTING)
        else:
            resolution = event
    figures = [*list_range(series), *list_resolutions(resolution)]
    if seconds:
        took = "How long the method took, without what it shares with others."
        figures.append(ResultsRow("time", "s", dict(seconds), meaning=took))
    if self_check is not None:
        figures += [
            ResultsRow(
                f"error at withheld tilts, {where}", "", errors, meaning=meaning, is_share=True
            )
            for where, errors, meaning in (
                ("inside", self_check.spread, INSIDE),
                ("outermost", self_check.outermost, OUTERMOST),
            )
        ]
        figures += [
            ResultsRow(f"error at withheld {angle:+.2f}", "", errors, is_detail=True, is_share=True)
            for angle, _, errors in self_check.by_angle()
        ]
    measured: dict[str, VolumeMeasures] = {}
    for k, (method, volume) in enumerate(volumes.items()):
        part = RECONSTRUCTING + (1 - RECONSTRUCTING) * k / len(volumes)
        yield clock.tell(f"measuring {label_of(method)}", part)
        measured[method] = VolumeMeasures.of(series, volume, (options.slices or (0, 0))[0])
    figures += list_measures(series, measured)
    curves = {
        "measured_range": MeasuredRange.of(series.angles_deg).to_dict(),
        "shell_correlation": resolution.to_dict(),
        "histogram": {method: found.histogram for method, found in measured.items()},
    }
    notes = (WARNING,) if resolution.curves else ()
    residuals = {method: found.by_tilt for method, found in measured.items()}
    yield ResultsTable(series.name, tuple(volumes), tuple(figures), residuals, curves, notes)


@dataclass(frozen=True)
class VolumeMeasures:
    """What one volume tells: its residuals (n_tilts,), elongation, threshold and object."""

    residual: float
    by_tilt: tuple[float, ...]
    elongation: float
    threshold: float
    fraction: float
    histogram: dict[str, list[float]]

    @classmethod
    def of(cls, series: TiltSeries, volume: Volume, first_slice: int) -> VolumeMeasures:
        """Measure one volume that begins at a slice of the series."""
        seen = compare_with_images(series, volume.data, first_slice)
        counted = count_densities(volume.data)
        return cls(
            seen.error(),
            tuple(float(error) for error in seen.by_tilt()),
            measure_elongation(volume.data, series.angles_deg),
            counted.threshold,
            counted.fraction_above(counted.threshold),
            counted.to_dict(),
        )


@dataclass(frozen=True)
class MeasuredRange:
    """The tilts of a series, summed up.

    Attributes
    ----------
    n_tilts : int
        Images.
    first_deg, last_deg : float
        Outermost tilts.
    step_deg : float
        Median distance of neighbouring tilts.
    missing_deg : float
        Extent of the missing wedge: the widest gap between directions, modulo 180 degrees.
    missing_middle_deg : float
        Its middle, in [0, 180): 90 where the wedge lies around the beam at 0 degrees.
    widest_step_deg : float
        Widest distance of neighbouring tilts inside the range; a lost image shows here.
    """

    n_tilts: int
    first_deg: float
    last_deg: float
    step_deg: float
    missing_deg: float
    missing_middle_deg: float
    widest_step_deg: float

    @classmethod
    def of(cls, angles_deg: ArrayLike) -> MeasuredRange:
        """Sum up measured tilts in degrees, (n_tilts,)."""
        angles = np.sort(np.asarray(angles_deg, dtype=np.float64))
        start, extent = widest_gap_deg(angles)
        return cls(
            int(angles.size),
            float(angles[0]),
            float(angles[-1]),
            median_step_deg(angles),
            extent,
            float(np.mod(start + extent / 2.0, 180.0)),
            float(np.diff(angles).max()),
        )

    def to_dict(self) -> dict[str, float]:
        """Plain values, for the report."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def list_range(series: TiltSeries) -> list[ResultsRow]:
    """Return what the tilt range is, and the elongation that it brings."""
    seen = MeasuredRange.of(series.angles_deg)
    expected = compute_expected_elongation(series.angles_deg)
    rows = (
        ("tilts", "", seen.n_tilts, "Number of images."),
        ("first tilt", "deg", seen.first_deg, "The lowest angle."),
        ("last tilt", "deg", seen.last_deg, "The highest angle."),
        ("step", "deg", seen.step_deg, "The usual distance between neighbouring angles."),
        ("widest step inside", "deg", seen.widest_step_deg, "The widest gap within the range."),
        ("missing wedge", "deg", seen.missing_deg, "The directions in which nothing was measured."),
        ("elongation by the tilt range", "", expected, ELONGATION),
    )
    return [
        ResultsRow(name, unit, {"series": value}, meaning=meaning)
        for name, unit, value, meaning in rows
    ]


def list_resolutions(resolution: Resolution) -> list[ResultsRow]:
    """Return the resolutions by shell correlation of half series."""
    return [
        ResultsRow(
            f"resolution, half series, FSC {threshold:g}",
            resolution.unit,
            {method: resolution.at(method, threshold) for method in resolution.curves},
            meaning=RESOLUTION.format(threshold=threshold),
            floor=FINEST_PX * (resolution.pixel_nm or 1.0),
        )
        for threshold in THRESHOLDS
        if resolution.curves
    ]


def list_measures(series: TiltSeries, measured: Mapping[str, VolumeMeasures]) -> list[ResultsRow]:
    """Return what was measured on each volume, and at last the residual of each tilt."""

    def row(name: str, attribute: str, meaning: str, **how: Any) -> ResultsRow:
        values = {method: getattr(found, attribute) for method, found in measured.items()}
        return ResultsRow(name, how.pop("unit", ""), values, meaning=meaning, **how)

    figures = [
        row("residual at the measured tilts", "residual", RESIDUAL, is_share=True),
        row("elongation found", "elongation", FOUND_ELONGATION),
        row("Otsu threshold", "threshold", OTSU, unit="density"),
        row("fraction of the volume above it", "fraction", FRACTION, is_share=True),
    ]
    for k, angle in enumerate(series.angles_deg):
        values = {method: found.by_tilt[k] for method, found in measured.items()}
        name = f"residual at {angle:+.2f}"
        figures.append(ResultsRow(name, "", values, is_detail=True, is_share=True))
    return figures
