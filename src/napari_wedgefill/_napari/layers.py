"""The one place that maps tilt series and volumes to napari layers and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..disk_images import DiskImages
from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from ..volume import TiltRange, Volume
from .wording import say_in_window

#: Key of our entry in `Layer.metadata`.
KEY = "napari_wedgefill"
SERIES_AXES = ("tilt", "y", "x")
VOLUME_AXES = ("z", "y", "x")
#: Kind of the layers that hold a trust map: no densities, so not compared with volumes.
TRUST = "trust map"
SERIES, VOLUME = "tilt series", "volume"
#: Entry of a volume that is to be believed rather than the networks', and what is put behind the
#: name of theirs.
BELIEVED, DOUBTED = "believed", " (doubtful)"
#: Entry of a volume: the name that its layer was given, and that of its file.
NAMED = "named"
#: From doubtful to trusted: red, orange, and nothing.
DOUBT_COLOURS = ((0.85, 0.1, 0.1, 1.0), (1.0, 0.65, 0.1, 0.8), (1.0, 0.9, 0.5, 0.0))
TRUST_LIMITS = (0.7, 1.0)
#: Entry of the layers made here: their row 0 is the bottom of the picture, as everywhere in memory.
ROWS_KNOWN = {"row_0": "bottom"}
ROWS_TURNED = (
    "napari-wedgefill did not open this layer, so its row 0 is taken as the top of the picture, as "
    "napari draws it: its rows are turned over for the fill, and slices count from its last row. "
    "If its row 0 is the bottom, as in MRC files, change the sign of the angles, or the volume is "
    "a mirror image."
)

#: What a reader returns and `Viewer._add_layer_from_data` takes: data, attributes, layer type.
LayerData = tuple[Any, dict[str, Any], str]


@dataclass(frozen=True)
class LayerMap:
    """A layer's data and attributes, seen as a tilt series or as a volume.

    Attributes
    ----------
    data : array_like, (tilt, y, x) or (z, y, x)
        The layer's array; may be lazy.
    attributes : mapping
        ``name``, ``scale``, ``units``, ``metadata`` and so on, as napari hands them to writers.
    """

    data: Any
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, layer: Any) -> LayerMap:
        """Take a snapshot of a `napari.layers.Image`; the data are shared, not copied."""
        data, attributes, _ = layer.as_layer_data_tuple()
        return cls(data, attributes)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What this plugin stored in the layer's metadata; empty for layers of other origin."""
        return (self.attributes.get("metadata") or {}).get(KEY, {})

    @property
    def kind(self) -> str:
        """``"tilt series"``, ``"volume"``, or ``""`` for a layer that others made."""
        return str(self.fields.get("kind", ""))

    @property
    def begins_at_top(self) -> bool:
        """Whether row 0 is the top of the picture: so for layers that others made."""
        return "row_0" not in self.fields

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.attributes.get("name", "layer"))

    @property
    def file_name(self) -> str:
        """What a file of this layer is called: its name, unless a run gave it another.

        A layer that the user renamed goes by that name.
        """
        named, file_name = self.fields.get(NAMED, ("", ""))
        if self.name.removesuffix(DOUBTED) != named:
            return self.name
        return f"{file_name}{self.name.removeprefix(named)}"

    @property
    def angles_deg(self) -> NDArray[np.float64] | None:
        """Angles of the images, in the layer's order, or of those behind a volume; or None."""
        angles = self.fields.get("angles_deg")
        return None if angles is None else np.asarray(angles, dtype=np.float64)

    @property
    def angle_source(self) -> str:
        """Where the angles were found, in words."""
        return str(self.fields.get("sources", {}).get("angles_deg", ""))

    @property
    def provenance(self) -> str:
        """Where every value came from, and what to beware of, one a line."""
        sources = self.fields.get("sources", {})
        lines = [f"{what.replace('_', ' ')}: {where}" for what, where in sources.items()]
        return "\n".join([*lines, *map(say_in_window, self.warnings)])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to beware of if this is a tilt series, one sentence each."""
        known = tuple(self.fields.get("warnings", ()))
        return (*known, ROWS_TURNED) if self.begins_at_top else known

    @property
    def pixel_nm(self) -> float | None:
        """Pixel edge along x in nanometres, from the layer's scale; None without a length unit."""
        edges = self._edges_nm()
        return None if edges is None else edges[-1]

    def _edges_nm(self) -> tuple[float, ...] | None:
        scale, units = self.attributes.get("scale"), self.attributes.get("units")
        if scale is None or units is None:
            return None
        edges = [_nanometres(edge, unit) for edge, unit in zip(scale, units, strict=True)]
        return tuple(e for e in edges if e is not None) if None not in edges else None

    def angles_from_file(self, angles_deg: ArrayLike) -> NDArray[np.float64]:
        """Put angles that are in the file's order into the layer's order (sorted at load)."""
        angles = np.asarray(angles_deg, dtype=np.float64)
        order = self.fields.get("file_order")
        if order is None or len(order) != len(angles):
            return angles
        return angles[np.asarray(order, dtype=np.int64)]

    def to_series(self, angles_deg: ArrayLike, pixel_nm: float | None) -> TiltSeries:
        """Build the tilt series, sorted by the given angles.

        The rows of a layer that others made are turned over: napari draws row 0 on top, and in a
        tilt series it is the bottom.

        Parameters
        ----------
        angles_deg : array_like, (n_tilts,)
            Degrees, one per image in the layer's order.
        pixel_nm : float or None
            Pixel size in nanometres.

        Raises
        ------
        WedgefillError
            If the layer cannot be a tilt series with these angles.
        """
        if self.kind == VOLUME:
            raise WedgefillError(
                f"{self.name}: this layer is a volume, not a tilt series; choose the layer that "
                "holds the projection images."
            )
        known = self.fields
        order = known.get("file_order")
        angles = np.asarray(angles_deg, dtype=np.float64)
        images = self.data if isinstance(self.data, DiskImages) else np.asarray(self.data)
        if self.begins_at_top and images.ndim == 3:
            images = np.asarray(images)[:, ::-1]
        return TiltSeries.from_arrays(
            images,
            angles,
            name=self.name,
            pixel_nm=pixel_nm,
            axis_deg=float(known.get("axis_deg", 0.0)),
            axis_shift_px=float(known.get("axis_shift_px", 0.0)),
            sources=dict(known.get("sources", {})),
            warnings=self.warnings,
            path=None if known.get("path") is None else Path(known["path"]),
            file_order=_sort_order(order, angles),
        )

    def to_volume(self) -> Volume:
        """Build the volume, an image becoming one section.

        Raises
        ------
        WedgefillError
            If the layer has neither two nor three axes.
        """
        data = np.asarray(self.data)
        edges = self._edges_nm()
        if data.ndim == 2:
            data, edges = data[None], None if edges is None else (edges[-1], *edges)
        angles = self.angles_deg
        whole_depth = self.fields.get("whole_depth") if data.ndim == 3 else None
        return Volume(
            np.ascontiguousarray(data, dtype=np.float32),
            voxel_nm=edges if edges is not None and len(edges) == 3 else None,
            name=self.name,
            history=tuple(self.fields.get("history", ())),
            first_slice=self._find_first(1) if self.kind and data.ndim == 3 else 0,
            first_plane=0 if whole_depth is None else self._find_first(0),
            whole_depth=whole_depth,
            tilt_range=None if angles is None or len(angles) < 2 else TiltRange.of(angles),
        )

    def _find_first(self, axis: int) -> int:
        """Where along an axis the volume begins, in voxels, by where the layer lies."""
        scale, place = self.attributes.get("scale"), self.attributes.get("translate")
        if scale is None or place is None or len(place) != 3:
            return 0
        return max(round(float(place[axis]) / float(scale[axis])), 0)


def series_layer(series: TiltSeries, *, name: str | None = None) -> LayerData:
    """Describe the image layer of a tilt series: (tilt, y, x), scale (1, pixel, pixel)."""
    order = series.file_order
    fields = {
        **ROWS_KNOWN,
        "kind": SERIES,
        "angles_deg": tuple(float(angle) for angle in series.angles_deg),
        "axis_deg": series.axis_deg,
        "axis_shift_px": series.axis_shift_px,
        "sources": dict(series.sources),
        "warnings": tuple(series.warnings),
        "path": None if series.path is None else str(series.path),
        "file_order": None if order is None else tuple(int(i) for i in order),
    }
    pixel = series.pixel_nm or 1.0
    return (
        series.images,
        {
            "name": name or series.name,
            "scale": (1.0, pixel, pixel),
            # The tilt index is no length, but napari drops every unit of the viewer, with a
            # warning, when two layers disagree on what an axis measures.
            "units": list_units(series.pixel_nm),
            "axis_labels": SERIES_AXES,
            "colormap": "gray",
            "metadata": {KEY: fields},
        },
        "image",
    )


def bare_stack_layer(images: Any, name: str, pixel_nm: float | None) -> LayerData:
    """Describe the layer of images (n, h, w) without angles: what they are stays open."""
    return (
        images,
        {
            "name": name,
            "scale": (1.0, pixel_nm or 1.0, pixel_nm or 1.0),
            "units": list_units(pixel_nm),
            "axis_labels": SERIES_AXES,
            "colormap": "gray",
            "metadata": {KEY: dict(ROWS_KNOWN)},
        },
        "image",
    )


def volume_layer(
    volume: Volume, *, name: str | None = None, first_slice: int = 0, **attributes: Any
) -> LayerData:
    """Describe the image layer of a volume: (z, y, x) in nanometres.

    Parameters
    ----------
    volume : Volume
        What to show.
    name : str, optional
        Name of the layer; the volume's own by default.
    first_slice : int
        Where along y the volume begins when it holds only some slices of its tilt series.
    **attributes
        Further attributes of the layer, such as ``metadata`` entries of ours under ``fields``.
    """
    fields = {
        **ROWS_KNOWN,
        "kind": VOLUME,
        "history": tuple(volume.history),
        **({} if volume.whole_depth is None else {"whole_depth": volume.whole_depth}),
        **attributes.pop("fields", {}),
    }
    voxel = volume.voxel_nm or (1.0, 1.0, 1.0)
    return (
        volume.data,
        {
            "name": name or volume.name,
            "scale": voxel,
            "translate": (volume.first_plane * voxel[0], first_slice * voxel[1], 0.0),
            "units": list_units(volume.voxel_nm),
            "axis_labels": VOLUME_AXES,
            "colormap": "gray",
            "metadata": {KEY: fields},
            **attributes,
        },
        "image",
    )


def trust_layer(trust: Volume, *, first_slice: int = 0) -> LayerData:
    """Describe the layer of a trust map: an overlay that glows where the volume is in doubt.

    Clear where the trust is 1, so that it can lie over a volume; arguments as `volume_layer`.
    """
    name = trust.name.removesuffix("_trust")
    attributes = {
        "colormap": {"name": "doubt", "colors": DOUBT_COLOURS},
        "contrast_limits": TRUST_LIMITS,
        "opacity": 0.8,
        "blending": "translucent",
        "fields": {"kind": TRUST},
    }
    return volume_layer(trust, name=f"{name} trust", first_slice=first_slice, **attributes)


def digest_pixels(data: Any) -> int:
    """Digest of pixels spread over an array, to notice an edit in place within this process."""
    steps = tuple(slice(None, None, max(1, n // 32)) for n in data.shape)
    return hash(np.asarray(data[steps]).tobytes())


def list_units(edge_nm: object) -> tuple[str, str, str]:
    return ("pixel",) * 3 if edge_nm is None else ("nm",) * 3


def _nanometres(edge: float, unit: Any) -> float | None:
    import pint

    quantity = float(edge) * pint.get_application_registry()(str(unit))
    return float(quantity.to("nm").magnitude) if quantity.check("[length]") else None


def _sort_order(
    file_order: Sequence[int] | None, angles_deg: NDArray[np.float64]
) -> NDArray[np.int64]:
    """File index of each image once the series is sorted by `angles_deg`."""
    by_angle = np.argsort(angles_deg, kind="stable")
    if file_order is None or len(file_order) != len(angles_deg):
        return by_angle
    return np.asarray(file_order, dtype=np.int64)[by_angle]
