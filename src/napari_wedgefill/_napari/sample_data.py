"""Sample data for File > Open Sample."""

from __future__ import annotations

from ..io import read_tilt_series
from ..samples import needle_path, simulated_particle
from .layers import LayerData, series_layer, volume_layer


def open_needle() -> list[LayerData]:
    """Open the measured tilt series of a needle: HAADF, 77 tilts, unaligned (NIST)."""
    return [series_layer(read_tilt_series(needle_path()), name="needle")]


def open_simulated_particle() -> list[LayerData]:
    """Open a simulated tilt series, and the particle it was computed from as a hidden volume."""
    series, truth = simulated_particle()
    return [volume_layer(truth, name=f"{series.name} truth", visible=False), series_layer(series)]
