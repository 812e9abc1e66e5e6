"""The layers of a run: its volumes and its trust map, with what is to be kept with each."""

from __future__ import annotations

from napari.layers import Layer

from ...volume import Volume
from ..layer_entries import name_entry
from ..layers import KEY, trust_layer, volume_layer
from ..runs import Run


def make_volume_layer(run: Run, method: str, volume: Volume, limits: tuple[float, float]) -> Layer:
    """Make the layer of one volume of a run, not visible yet.

    Parameters
    ----------
    run : Run
        What the volume belongs to.
    method : str
        How it was made.
    volume : Volume
        (z, y, x).
    limits : tuple of float
        Contrast limits.
    """
    series = run.series
    name, file_name = run.name_volume(method)
    fields = {
        **name_entry(name, file_name),
        "method": method,
        "run": run.title,
        "angles_deg": tuple(float(angle) for angle in series.angles_deg),
        "path": None if series.path is None else str(series.path),
        "slices": run.options.slices,
    }
    made = volume_layer(
        volume,
        name=name,
        first_slice=run.first_slice,
        fields=fields,
        contrast_limits=limits,
        visible=False,
    )
    return Layer.create(*made)


def make_trust_layer(run: Run, trust: Volume) -> Layer:
    """Make the layer of the trust map of a run.

    It lies over the volume that it is of, when it is asked for; not on black.
    """
    data, attributes, kind = trust_layer(trust, first_slice=run.first_slice)
    name, file_name = run.name_trust()
    fields = {
        **attributes["metadata"][KEY],
        **name_entry(name, file_name),
        "run": run.title,
    }
    attributes["metadata"], attributes["name"] = {KEY: fields}, name
    attributes["visible"] = False
    return Layer.create(data, attributes, kind)
