"""The pixels of every panel, made when something about them changed and kept until then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Column, DifferenceColumn, Floats, Positions, VolumeColumn
from .contrast import Limits
from .layout import Panel
from .model import CompareModel
from .planes import SPECTRUM, XZ
from .shading import DIFFERENCE, gather, shade, table
from .spectra import frequency_indices, log_power, usual_range

Picture = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A column's spectrum, and the slice that it belongs to; no values outside the volume."""

    column: Column
    at: float
    values: Floats | None
    limits: Limits | None

    @classmethod
    def of(cls, column: Column, at: float) -> Spectrum:
        """Compute the spectrum of the XZ slice at a world position."""
        section = column.section(XZ, at)
        if section is None:
            return cls(column, at, None, None)
        values = log_power(section)
        return cls(column, at, values, usual_range(values))


class Pictures:
    """Makes and keeps what the panels show.

    Parameters
    ----------
    model : CompareModel
        What to show.
    """

    def __init__(self, model: CompareModel) -> None:
        self._model = model
        self._kept: dict[tuple[str, int], tuple[tuple[Any, ...], Picture]] = {}
        self._spectra: dict[int, Spectrum] = {}
        self._sampled: dict[tuple[str, VolumeColumn], tuple[tuple[Any, ...], Floats]] = {}
        model.changed.connect(self._forget)

    def _forget(self) -> None:
        """Let go of columns that are no longer shown, and with them of their volumes."""
        n = len(self._model.columns)
        self._kept = {place: kept for place, kept in self._kept.items() if place[1] < n}
        self._spectra = {i: s for i, s in self._spectra.items() if self._spectrum(i) is s}
        methods = self._model.methods
        self._sampled = {at: seen for at, seen in self._sampled.items() if at[1] in methods}

    def picture(self, panel: Panel, shape: tuple[int, int], outside: int) -> Picture:
        """Return the pixels of a panel.

        Parameters
        ----------
        panel : Panel
            What to show.
        shape : tuple of int
            Rows and columns of pixels.
        outside : int
            Colour 0xAARRGGBB where there is no volume.

        Returns
        -------
        ndarray, uint32, shape
            Colours 0xAARRGGBB, kept for the next time: not to be written to.
        """
        shown, limits = self._shown(panel)
        colours = self._colours(panel)
        key = (shown, limits, colours, panel.window, shape, outside)
        place = (panel.plane.name, panel.column)
        found = self._kept.get(place)
        if found is None or found[0] != key:
            values = self._values(panel, shape)
            found = (key, shade(values, *limits, table(colours), outside))
            self._kept[place] = found
        return found[1]

    def refresh_one_spectrum(self) -> bool:
        """Compute one spectrum that is out of date; False where all are up to date."""
        if SPECTRUM not in self._model.rows:
            return False
        at = self._model.crosshair[XZ.cut]
        for index, column in enumerate(self._model.columns):
            known = self._spectra.get(index)
            if known is None or known.column is not column or known.at != at:
                self._spectra[index] = Spectrum.of(column, at)
                return True
        return False

    def refresh_spectra(self) -> None:
        """Bring every spectrum up to date."""
        while self.refresh_one_spectrum():
            pass

    def _spectrum(self, index: int) -> Spectrum | None:
        known = self._spectra.get(index)
        columns = self._model.columns
        fits = known is not None and index < len(columns) and known.column is columns[index]
        return known if fits else None

    def _shown(self, panel: Panel) -> tuple[Any, Limits]:
        """What a panel shows, for telling whether that changed, and its contrast limits."""
        model = self._model
        if panel.plane == SPECTRUM:
            return self._spectrum(panel.column), self._spectrum_limits(panel.column)
        column = model.columns[panel.column]
        return (column, model.crosshair[panel.plane.cut]), model.contrast.scale(column).limits

    def _spectrum_limits(self, index: int) -> Limits:
        """One scale for all methods and differences, and another for what is no density."""
        columns = self._model.columns
        own = columns[index].has_own_scale and not columns[index].is_difference
        chosen = [index] if own else [i for i, c in enumerate(columns) if not c.has_own_scale]
        known = [self._spectrum(i) for i in chosen]
        limits = [s.limits for s in known if s is not None and s.limits is not None]
        low, high = np.median(limits, axis=0).tolist() if limits else (0.0, 1.0)
        return low, high

    def _colours(self, panel: Panel) -> str:
        is_difference = self._model.columns[panel.column].is_difference
        return DIFFERENCE if is_difference and panel.plane != SPECTRUM else self._model.colourmap

    def _values(self, panel: Panel, shape: tuple[int, int]) -> Floats:
        """Intensity under each pixel's centre."""
        column = self._model.columns[panel.column]
        if panel.plane == SPECTRUM:
            return self._spectrum_values(panel, shape)
        if isinstance(column, DifferenceColumn):
            minuend = self._volume_values(column.minuend, panel, shape)
            return minuend - self._volume_values(column.reference, panel, shape)
        return self._volume_values(column, panel, shape)

    def _volume_values(self, column: VolumeColumn, panel: Panel, shape: tuple[int, int]) -> Floats:
        """Voxels of a volume, read once a slice though a difference shows them again."""
        plane = panel.plane
        at = self._model.crosshair[plane.cut]
        place, key = (plane.name, column), (at, panel.window, shape)
        found = self._sampled.get(place)
        if found is None or found[0] != key:
            found = (key, column.sample(plane, at, *_positions(panel, shape)))
            self._sampled[place] = found
        return found[1]

    def _spectrum_values(self, panel: Panel, shape: tuple[int, int]) -> Floats:
        spectrum = self._spectrum(panel.column)
        if spectrum is None or spectrum.values is None:
            return np.full(shape, np.nan, np.float32)
        voxel = self._model.columns[panel.column].voxel
        axes = (panel.plane.down, panel.plane.across)
        rows, columns = (
            frequency_indices(n, voxel[axis], frequencies)
            for n, axis, frequencies in zip(
                spectrum.values.shape, axes, _positions(panel, shape), strict=True
            )
        )
        return gather(spectrum.values, rows, columns)


def _positions(panel: Panel, shape: tuple[int, int]) -> tuple[Positions, Positions]:
    """Positions (down) of the rows of pixels and (across) of their columns."""
    window = panel.window
    down = _centres(window.top, window.bottom, shape[0])
    return down, _centres(window.left, window.right, shape[1])


def _centres(first: float, last: float, n: int) -> Positions:
    return first + (np.arange(n, dtype=np.float64) + 0.5) * ((last - first) / n)
