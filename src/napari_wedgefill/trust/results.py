"""Measure the volumes of a fill, without knowing the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..pipeline.pipeline import FillOptions, Progress
from ..tilt_series import TiltSeries
from ..volume import Volume
from .agreement import agreement
from .measured_range import MeasuredRange
from .resolution import THRESHOLDS, WARNING, Resolution, iter_resolution
from .results_table import Figure, ResultsTable
from .shape import expected_elongation, found_elongation
from .stopwatch import Stopwatch
from .verdicts import SelfCheck
from .volume_fraction import histogram

#: Part of the progress bar that the shell correlations take: they reconstruct.
RECONSTRUCTING = 0.7


def iter_results(
    series: TiltSeries,
    options: FillOptions,
    volumes: Mapping[str, Volume],
    *,
    seconds: Mapping[str, float] | None = None,
    self_check: SelfCheck | None = None,
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

    Yields
    ------
    Progress or ResultsTable
        Progress often; the table last. Close the generator to cancel.
    """
    watch = Stopwatch()
    resolution = Resolution({}, series.pixel_nm)
    for event in iter_resolution(series, options):
        if isinstance(event, Progress):
            yield watch.progress(event.stage, RECONSTRUCTING * event.fraction)
        else:
            resolution = event
    figures = [*range_figures(series), *resolution_figures(resolution)]
    if seconds:
        figures.append(Figure("time", "s", dict(seconds)))
    if self_check is not None:
        figures.append(Figure("error at withheld tilts, inside", "", self_check.spread))
        figures.append(Figure("error at withheld tilts, outermost", "", self_check.outermost))
        figures += [
            Figure(f"error at withheld {angle:+.2f}", "", errors, is_detail=True)
            for angle, _, errors in self_check.by_angle()
        ]
    measured: dict[str, Measured] = {}
    for k, (method, volume) in enumerate(volumes.items()):
        part = RECONSTRUCTING + (1 - RECONSTRUCTING) * k / len(volumes)
        yield watch.progress(f"measuring {method.upper()}", part)
        measured[method] = Measured.of(series, volume, (options.slices or (0, 0))[0])
    figures += measured_figures(series, measured)
    curves = {
        "measured_range": MeasuredRange.of(series.angles_deg).to_dict(),
        "shell_correlation": resolution.to_dict(),
        "histogram": {method: found.histogram for method, found in measured.items()},
    }
    notes = (WARNING,) if resolution.curves else ()
    residuals = {method: found.by_tilt for method, found in measured.items()}
    yield ResultsTable(series.name, tuple(volumes), tuple(figures), residuals, curves, notes)


@dataclass(frozen=True)
class Measured:
    """What one volume tells: its residuals (n_tilts,), elongation, threshold and object."""

    residual: float
    by_tilt: tuple[float, ...]
    elongation: float
    threshold: float
    fraction: float
    histogram: dict[str, list[float]]

    @classmethod
    def of(cls, series: TiltSeries, volume: Volume, first_slice: int) -> Measured:
        """Measure one volume that begins at a slice of the series."""
        seen = agreement(series, volume.data, first_slice)
        counted = histogram(volume.data)
        return cls(
            seen.error(),
            tuple(float(error) for error in seen.by_tilt()),
            found_elongation(volume.data, series.angles_deg),
            counted.otsu,
            counted.fraction_above(counted.otsu),
            counted.to_dict(),
        )


def range_figures(series: TiltSeries) -> list[Figure]:
    """Return what the tilt range is, and the elongation that it brings."""
    seen = MeasuredRange.of(series.angles_deg)
    rows = (
        ("tilts", "", seen.n_tilts),
        ("first tilt", "deg", seen.first_deg),
        ("last tilt", "deg", seen.last_deg),
        ("step", "deg", seen.step_deg),
        ("widest step inside", "deg", seen.widest_step_deg),
        ("missing wedge", "deg", seen.missing_deg),
        ("elongation by the tilt range", "", expected_elongation(series.angles_deg)),
    )
    return [Figure(name, unit, {"series": value}) for name, unit, value in rows]


def resolution_figures(resolution: Resolution) -> list[Figure]:
    """Return the resolutions by shell correlation of half series."""
    return [
        Figure(
            f"resolution, half series, FSC {threshold:g}",
            resolution.unit,
            {method: resolution.at(method, threshold) for method in resolution.curves},
        )
        for threshold in THRESHOLDS
        if resolution.curves
    ]


def measured_figures(series: TiltSeries, measured: Mapping[str, Measured]) -> list[Figure]:
    """Return what was measured on each volume, and at last the residual of each tilt."""

    def row(name: str, attribute: str, unit: str = "") -> Figure:
        return Figure(name, unit, {m: getattr(found, attribute) for m, found in measured.items()})

    figures = [
        row("residual at the measured tilts", "residual"),
        row("elongation found", "elongation"),
        row("Otsu threshold", "threshold", "density"),
        row("fraction of the volume above it", "fraction"),
    ]
    for k, angle in enumerate(series.angles_deg):
        values = {method: found.by_tilt[k] for method, found in measured.items()}
        figures.append(Figure(f"residual at {angle:+.2f}", "", values, is_detail=True))
    return figures
