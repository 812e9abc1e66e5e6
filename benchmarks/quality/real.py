"""The comparison on measured data: a tooth of the full range, and predicted tilts of a needle."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import tooth
from benchmarks.quality.cache import Cache
from benchmarks.quality.measures import measure_sinogram, prediction_error
from benchmarks.quality.methods import (
    GAN,
    Measured,
    complete_sinogram,
    fill_with_network,
    normalise_rows,
    reconstruct_classically,
    reconstruct_quickly,
)
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.joint_model.angular_grid import grid_for
from napari_wedgefill.joint_model.contract import FirstEstimates
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.pipeline.session import measure_calibration
from napari_wedgefill.prepare import align
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import iter_sirt, last
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust import psnr, ssim, wedge_correlation

Floats = NDArray[np.float32]
Row = dict[str, Any]
#: The tooth: middles of the missing ranges, and which of the other angles are used.
WEDGES_AT_DEG, EVERY = (0.0, 90.0), 2
REFERENCE_SWEEPS = 200
#: The needle: the largest tilts that are used, and how many slices of the middle.
LIMITS_DEG, N_SLICES = (60.0, 50.0), 16


class Tooth:
    """The tooth with a range of angles left out.

    Parameters
    ----------
    path : Path
        The HDF5 file.
    missing_deg, wedge_at_deg : float
        Extent and middle of the range that is left out.
    """

    def __init__(
        self, path: Path, missing_deg: float, wedge_at_deg: float, model: JointModel
    ) -> None:
        self.model = model
        self.where: Row = {"missing_deg": missing_deg, "wedge_at_deg": wedge_at_deg}
        self.all_rows, self.theta_deg = tooth.read(path)
        off = np.mod(self.theta_deg - wedge_at_deg + 90.0, 180.0) - 90.0
        self.withheld = np.flatnonzero(np.abs(off) < missing_deg / 2)
        self.kept = np.setdiff1d(np.arange(len(off)), self.withheld)[::EVERY]
        width = self.all_rows.shape[1]
        self.whole = ParallelBeam(self.theta_deg, width)
        self.beam = ParallelBeam(self.theta_deg[self.kept], width)
        axis = np.arange(width) - (width - 1) / 2
        self.field = (np.hypot(axis[:, None], axis[None, :]) < width / 2)[:, :, None]

    @cached_property
    def measured(self) -> Measured:
        """The rows that are used."""
        return normalise_rows(self.beam, np.ascontiguousarray(self.all_rows[self.kept]))

    @cached_property
    def quick(self) -> list[FirstEstimates]:
        """SART and TVM of them."""
        return reconstruct_quickly(self.beam, [self.measured], self.model.model.contract)

    @cached_property
    def reference(self) -> Floats:
        """Reconstruction of every angle: SIRT, which favours no kind of object."""
        return last(iter_sirt(self.whole, self.all_rows, REFERENCE_SWEEPS)) * self.field

    def score(self, k: int, volume: Floats) -> float:
        """PSNR against the reference, inside the field."""
        return psnr(volume * self.field, self.reference)

    def measure_classical(self) -> list[Row]:
        """Figures of the methods without a network."""
        volumes, _ = reconstruct_classically(self.beam, [self.measured], self.quick, self.score)
        return [self._row(method, found[0]) for method, found in volumes.items()]

    def measure_network(self) -> list[Row]:
        """Figures of the network, and of its sinogram stage alone."""
        volume = fill_with_network(self.model, self.beam, [self.measured], self.quick)[0]
        grid = grid_for(self.beam.angles_deg, self.model.model.contract.n_rows)
        ideal = tooth.rows_at(self.all_rows, self.theta_deg, grid.angles_deg)
        warm, answer = complete_sinogram(self.model, self.beam, self.measured, self.quick[0])
        gains = measure_sinogram(
            grid, self.measured.rows, ideal / np.float32(self.measured.density), warm, answer
        )
        return [self._row(GAN, volume), self.where | {"method": "sinogram"} | gains]

    def _row(self, method: str, volume: Floats) -> Row:
        inside, angles = volume * self.field, self.beam.angles_deg
        error = prediction_error(self.whole, volume, self.all_rows, self.kept, self.withheld)
        return self.where | {
            "method": method,
            "psnr": psnr(inside, self.reference),
            "ssim": ssim(inside, self.reference),
            "wedge": wedge_correlation(inside, self.reference, angles),
            "withheld": error,
        }


def evaluate_tooth(
    cache: Cache, path: Path | None, missing_deg: tuple[float, ...], model: JointModel
) -> list[Row]:
    """Measure the tooth, or return what is kept where no path is given; empty if nothing is."""
    rows: list[Row] = []
    for missing in missing_deg:
        for middle in WEDGES_AT_DEG:
            name = f"tooth_missing{missing:g}_at{middle:g}"
            files = [cache.path(name, part, real=True) for part in ("classical", "network")]
            if path is None:
                rows += [row for file in files for row in cache.get(file) or []]
                continue
            case = Tooth(path, missing, middle, model)
            rows += cache.get_or(files[0], case.measure_classical)
            rows += cache.get_or(files[1], case.measure_network)
    return rows


class Needle:
    """The needle with its highest tilts left out, which every method then predicts."""

    def __init__(self, series: TiltSeries, limit_deg: float, model: JointModel) -> None:
        self.model = model
        self.limit_deg = limit_deg
        used = np.abs(series.angles_deg) <= limit_deg
        self.kept, self.withheld = np.flatnonzero(used), np.flatnonzero(~used)
        start = (series.height - N_SLICES) // 2
        part = series.rows(start, start + N_SLICES)
        # As a fill of these tilts would: no number comes from a withheld one.
        calibration = measure_calibration(series.tilts(self.kept))
        self.all_rows = calibration.normalisation.apply(part.sinograms())
        self.beam = calibration.beam
        self.whole = ParallelBeam(
            series.angles_deg, series.width, axis_shift_px=series.axis_shift_px
        )
        rows = np.ascontiguousarray(self.all_rows[self.kept])
        self.measured = Measured(rows, calibration.scales, calibration.normalisation.scale)
        self.quick = reconstruct_quickly(self.beam, [self.measured], model.model.contract)

    def error(self, volume: Floats) -> float:
        """Relative error at the withheld tilts."""
        return prediction_error(self.whole, volume, self.all_rows, self.kept, self.withheld)

    def measure_classical(self) -> list[Row]:
        """Figures of the methods without a network; TVM is tuned on the withheld tilts."""
        measured = [self.measured]
        volumes, _ = reconstruct_classically(
            self.beam, measured, self.quick, lambda k, x: -self.error(x)
        )
        return [self._row(method, found[0]) for method, found in volumes.items()]

    def measure_network(self) -> list[Row]:
        """Figures of the network."""
        return [
            self._row(GAN, fill_with_network(self.model, self.beam, [self.measured], self.quick)[0])
        ]

    def _row(self, method: str, volume: Floats) -> Row:
        told = {"method": method, "limit_deg": self.limit_deg, "n_withheld": len(self.withheld)}
        return told | {"withheld": self.error(volume)}


def evaluate_needle(cache: Cache, model: JointModel, *, only_kept: bool = False) -> list[Row]:
    """Measure the needle, aligned by the package's own alignment, unless its results are kept."""
    rows: list[Row] = []
    aligned: list[TiltSeries] = []
    for limit in LIMITS_DEG:
        for part in ("classical", "network"):
            file = cache.path(f"needle_to{limit:g}", part, real=True)

            def measure(limit: float = limit, part: str = part) -> list[Row]:
                if not aligned:
                    aligned.append(align(read_tilt_series(needle_path())).series)
                case = Needle(aligned[0], limit, model)
                return case.measure_classical() if part == "classical" else case.measure_network()

            rows += (cache.get(file) or []) if only_kept else cache.get_or(file, measure)
    return rows
