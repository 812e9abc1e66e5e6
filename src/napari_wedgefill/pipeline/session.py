"""What several runs share: open networks, and what was measured on a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..tilt_series import TiltSeries

if TYPE_CHECKING:
    from ..disk_images import Frame
    from ..joint_model.contract import Scales
    from ..joint_model.model import JointModel
    from ..joint_model.registry import ModelInfo
    from ..normalise import Normalisation
    from ..projector import ParallelBeam
    from .box import Box, Crop, Field
    from .corrections import Corrections
    from .options import FillOptions

#: Images wider than this are binned for a preview, which should come in a breath.
PREVIEW_WIDTH = 160
#: The intensities of a series are measured on so many blocks of so many neighbouring slices.
BLOCKS, BLOCK_SLICES = 8, 4
#: From this smoothness of the images on, the refinement that saw smooth ones serves better: that of
#: a Gaussian of 0.7 pixels, or of two interpolations.
SMOOTH = 1.8
#: How many times brighter than what half of the tilts see a single pixel must be to be no specimen.
HIT = 1000.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Calibration:
    """The numbers that hold for a whole series: geometry, vacuum, noise and scales."""

    beam: ParallelBeam
    normalisation: Normalisation
    scales: Scales


class Session:
    """What several runs share, so that a second one need not open or measure anew.

    A front makes one and hands it to every run; a run that is given none makes its own. It keeps
    the networks that were used last open, and what was measured on a series for as long as that
    series lives. Runs that go on at the same time must not share a session.
    """

    def __init__(self) -> None:
        self._model: JointModel | None = None
        #: The model that was asked for last, and its files as they were when they were checked.
        self._checked: tuple[str, ModelInfo, object] | None = None
        self._calibrations: WeakKeyDictionary[TiltSeries, Calibration] = WeakKeyDictionary()
        self._fields: WeakKeyDictionary[TiltSeries, dict[int, Field]] = WeakKeyDictionary()
        self._crops: WeakKeyDictionary[TiltSeries, dict[object, Crop]] = WeakKeyDictionary()
        self._adopted: WeakKeyDictionary[TiltSeries, Field] = WeakKeyDictionary()
        self._corrected: WeakKeyDictionary[TiltSeries, tuple[TiltSeries | None, Corrections]] = (
            WeakKeyDictionary()
        )
        self._frames: WeakKeyDictionary[TiltSeries, Mapping[int, Frame]] = WeakKeyDictionary()
        self._binned: WeakKeyDictionary[TiltSeries, TiltSeries] = WeakKeyDictionary()

    def open_model(self, name_or_folder: str, device: str, width: int) -> JointModel:
        """Open a model for images of this width on a device, unless it is open already.

        Its files are checked, and again only when any of them has changed.

        Raises
        ------
        WedgefillError
            If there is no such model, its files are not those described, or the device is unknown
            or cannot be used.
        """
        from ..joint_model.model import JointModel

        info = self._load_model(name_or_folder)
        if self._model is None or (self._model.model, self._model.device) != (info, device):
            self._model = JointModel(info, device)
        self._model.open(width)
        return self._model

    def _load_model(self, name_or_folder: str) -> ModelInfo:
        from ..joint_model.registry import load

        if self._checked is not None:
            asked, info, files = self._checked
            if asked == name_or_folder and info.stat_files() == files:
                return info
        info = load(name_or_folder)
        self._checked = name_or_folder, info, info.stat_files()
        return info

    def calibrate(self, series: TiltSeries) -> Calibration:
        """Measure vacuum, noise and scales on slices spread over the whole series, once.

        They hold for every slab and for a preview, so no result depends on how slices were
        grouped. `TiltSeries` do not change.
        """
        if series not in self._calibrations:
            self._calibrations[series] = measure_calibration(series)
        return self._calibrations[series]

    def correct(
        self, series: TiltSeries, options: FillOptions
    ) -> tuple[TiltSeries, FillOptions, Corrections | None]:
        """Correct frames, slopes and brightness of images if that is asked for and needed, once.

        Returns
        -------
        TiltSeries
            Corrected, or as it is.
        FillOptions
            For that series: no second correction.
        Corrections or None
            What was found; None if it was not asked for.
        """
        if not options.gain:
            return series, options, None
        from .corrections import correct_intensities

        if series not in self._corrected:
            corrected, found = correct_intensities(series)
            # What is kept for a series must not keep it alive.
            self._corrected[series] = corrected if found.is_corrected else None, found
            if found.frames.is_corrected:
                self._frames[corrected] = found.frames.by_image
        kept, found = self._corrected[series]
        return series if kept is None else kept, replace(options, gain=False), found

    def adopt(self, part: TiltSeries, whole: Calibration) -> None:
        """Let some tilts or slices of a series have the vacuum and scales of the whole."""
        from ..projector import ParallelBeam

        beam = ParallelBeam(part.angles_deg, part.width, axis_shift_px=part.axis_shift_px)
        self._calibrations[part] = replace(whole, beam=beam)

    def adopt_field(self, series: TiltSeries, field: Field) -> None:
        """Let a series be filled where another one is that shows the same specimen."""
        self._adopted[series] = field

    def find_field(self, series: TiltSeries, *, is_preview: bool = False) -> Field:
        """Find the box of the specimen in a series, once, or why there is none.

        That of a preview may be smaller than what suits the networks best.
        """
        from .find_box import FEWEST, FEWEST_IN_PREVIEW, find_box

        if series in self._adopted:
            return self._adopted[series]
        known = self._fields.setdefault(series, {})
        fewest = FEWEST_IN_PREVIEW if is_preview else FEWEST
        if fewest not in known:
            found = self.calibrate(series)
            measured = found.beam, found.normalisation, found.scales
            known[fewest] = find_box(series, *measured, fewest, self._frames.get(series))
        return known[fewest]

    def crop(self, series: TiltSeries, box: Box) -> Crop:
        """Return how rows are cropped to a box, once for all methods and slices of a series.

        What solvers work out for its geometry stays with that.
        """
        known, place = self._crops.setdefault(series, {}), (box.z, box.x)
        if place not in known:
            known[place] = box.crop(self.calibrate(series).beam)
        return known[place]

    def bin_for_preview(self, series: TiltSeries) -> tuple[TiltSeries, int]:
        """Return a series as previews see it, and how many pixels were averaged each way."""
        n = -(-series.width // PREVIEW_WIDTH)
        if n == 1:
            return series, 1
        if series not in self._binned:
            self._binned[series] = binned = series.binned(n)
            frames = self._frames.get(series, {})
            self._frames[binned] = {k: frame.binned(n) for k, frame in frames.items()}
        return self._binned[series], n


def measure_calibration(series: TiltSeries) -> Calibration:
    """Measure vacuum, noise and scales of a series; see `Session.calibrate`."""
    from ..joint_model.contract import Scales, density_scale, raise_to_noise_floor, sinogram_scale
    from ..normalise import Normalisation, measure_vacuum
    from ..projector import ParallelBeam
    from ..reconstruct import iter_sirt, last
    from ..reconstruct.tvm import noise_level

    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    vacuum = measure_vacuum(series)
    offset = vacuum.level
    blocks = [
        series.sinograms(*block) - np.float32(offset) for block in spread_blocks(series.height)
    ]
    blocks, unit = bring_to_order_one(leave_out_hits(blocks, series.n_tilts))
    noise = float(np.median([noise_level(block) for block in blocks]))
    noise = max(noise, vacuum.shared_noise / unit)
    sample = np.concatenate(blocks, axis=2)
    peak = sinogram_scale(sample)
    # No ray is much longer than the field is wide, so no thinner matter made that path integral.
    # Where noise is all there is, a reconstruction that stays at or above zero may hold nothing.
    density = max(density_scale(last(iter_sirt(beam, sample, 10))), peak / beam.width)
    floor = raise_to_noise_floor(noise, peak)
    scales = Scales(peak / density, floor / density, is_smooth=vacuum.smoothness >= SMOOTH)
    return Calibration(beam, Normalisation(offset, density * unit), scales)


def leave_out_hits(blocks: list[Floats], n_tilts: int) -> list[Floats]:
    """Darken single pixels that no object explains, such as hits of X-rays on the detector.

    Whatever is in the specimen is seen by half of the tilts at least. So a pixel that is `HIT`
    times brighter than the brightest ones of half of the tilts is none of it, and would decide the
    scales of the whole volume. Images without such pixels stay as they are.

    Parameters
    ----------
    blocks : list of ndarray, float32, (n_tilts, width, n_slices)
        Path integrals; not changed.
    n_tilts : int
        Number of tilts.
    """
    sizes = np.concatenate([np.abs(block).ravel() for block in blocks])
    rank = max(sizes.size - max(n_tilts // 2, 1), 0)
    bright = float(np.partition(sizes, rank)[rank])
    if bright == 0.0 or not float(sizes.max()) > HIT * bright:
        return blocks
    return [
        np.where(np.abs(block) > HIT * bright, np.copysign(np.float32(bright), block), block)
        for block in blocks
    ]


def bring_to_order_one(blocks: list[Floats]) -> tuple[list[Floats], float]:
    """Divide path integrals by a power of two such that the bright ones are about one.

    Squares and floors then fit into single precision whatever the units of the images are, and a
    power of two changes no digit of what is measured.

    Returns
    -------
    list of ndarray
        The blocks, divided.
    float
        What they were divided by.
    """
    peak = max(float(np.abs(block).max()) for block in blocks)
    if not 0 < peak < np.inf:
        return blocks, 1.0
    unit = 2.0 ** round(float(np.log2(peak)))
    return [block / np.float32(unit) for block in blocks], unit


def spread_blocks(height: int) -> list[tuple[int, int]]:
    """Spread blocks of neighbouring slices evenly; take all slices if there are few."""
    if height <= BLOCKS * BLOCK_SLICES:
        return [(0, height)]
    starts = np.linspace(0, height - BLOCK_SLICES, BLOCKS).astype(int)
    return [(int(start), int(start) + BLOCK_SLICES) for start in starts]
