"""What the Fill wedge dock asks for: one typed class for each of its sections.

magicgui makes the forms from these classes: names become widgets, annotations choose them, and
what is said about a parameter becomes its tool tip. magicgui reads the annotations of a
generated `__init__`, so they are not postponed here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from napari.layers import Image

from ...joint_model.onnx_session import glance_at_cuda_obstacle
from ...methods import DEFAULT_METHODS
from ...pipeline.options import FillOptions
from .fields import AngleEdit, MethodChecks, ModelEdit

#: Highest number of slices that a form can count to.
MOST_SLICES = 100_000
NEWEST_RUN, EVERY_RUN, SELECTED = "the run that is shown", "every run", "the selected layers"


def list_devices(widget: Any = None) -> list[tuple[str, str]]:
    """Offer the devices, and say what "automatic" means here."""
    automatic = "automatic (CPU here)" if glance_at_cuda_obstacle() else "automatic (GPU here)"
    return [(automatic, "auto"), ("CPU", "cpu"), ("GPU (CUDA)", "cuda")]


@dataclass
class Series:
    """The tilt series, and what is known of it.

    Parameters
    ----------
    series : Image, optional
        The stack of projection images to reconstruct.
    angles : str
        Tilt angles in degrees, one for each image: start:stop:step, or a pasted list.
    pixel_nm : float
        Edge of one image pixel on the specimen, in nanometres; 0 where it is not known.
    axis : str
        How the tilt axis runs in the images as napari shows them. It runs up when features move
        left and right from tilt to tilt.
    axis_shift_px : float
        Distance of the tilt axis from the image centre, in pixels; positive to the right. A wrong
        value turns points into arcs in the XZ slice.
    """

    series: Annotated[Image | None, {"label": "Tilt series"}] = None
    angles: Annotated[str, {"widget_type": AngleEdit, "label": "Angles"}] = ""
    pixel_nm: Annotated[float, {"label": "Pixel size", "min": 0.0, "max": 1e6, "step": 0.01}] = 0.0
    axis: Annotated[
        str, {"label": "Tilt axis", "choices": [("up (y)", "y"), ("across (x)", "x")]}
    ] = "y"
    axis_shift_px: Annotated[
        float, {"label": "Axis shift", "min": -9999.0, "max": 9999.0, "step": 0.5}
    ] = 0.0


@dataclass
class Methods:
    """How the volumes are made.

    Parameters
    ----------
    methods : tuple of str
        The methods to run; volumes of all of them are shown side by side.
    model : str
        The trained networks that GAN uses: a bundled model, or a folder with a model.toml.
    device : str
        Where the networks run.
    slices : tuple of int
        First slice along the tilt axis (y), and the slice before which they end: 120 and 128 are
        the eight slices 120:128, without slice 128 itself. All slices are counted so.
    whole_field : bool
        Fill the whole field of view. Otherwise, if the images show vacuum all around the specimen,
        all methods but WBP fill only a box around it, in less time.
    live : bool
        Follow the slider: fill the one slice that is looked at, roughly, as soon as it rests.
    """

    methods: Annotated[tuple[str, ...], {"widget_type": MethodChecks, "label": "Methods"}] = (
        DEFAULT_METHODS
    )
    model: Annotated[str, {"widget_type": ModelEdit, "label": "Model"}] = FillOptions.model
    device: Annotated[str, {"choices": list_devices, "label": "Device"}] = FillOptions.device
    slices: Annotated[
        tuple[int, int], {"label": "Slices", "options": {"min": 0, "max": MOST_SLICES}}
    ] = (0, 0)
    whole_field: Annotated[bool, {"label": "Whole field"}] = False
    live: Annotated[bool, {"label": "Live slice"}] = False


@dataclass
class Checks:
    """How far the volumes can be trusted.

    Parameters
    ----------
    self_check : bool
        After the fill, withhold measured tilts, rebuild 16 slices without them, and compare the
        images that every method predicts with the withheld ones.
    trust_map : bool
        After the fill, see how the networks' volume moves under mirrored views of the same
        measurements. Takes three times as long as GAN alone.
    """

    self_check: Annotated[bool, {"label": "Self-check"}] = False
    trust_map: Annotated[bool, {"label": "Trust map"}] = False


@dataclass
class Export:
    """What is written as MRC, and where.

    Parameters
    ----------
    which : str
        The volumes to write.
    planes : tuple of int
        First plane along the beam (z), and the plane before which they end; at its highest, the
        second number means the end of each volume, however deep. They stay in their place: in
        napari, beside the whole volume, and for `wedgefill project`.
    folder : Path
        Where to. Files are named series, method, slices, or as you renamed their layers.
    overwrite : bool
        Replace files of the same name. Without it, nothing is written where one would be.
    """

    which: Annotated[str, {"label": "Volumes", "choices": [NEWEST_RUN, EVERY_RUN, SELECTED]}] = (
        NEWEST_RUN
    )
    planes: Annotated[
        tuple[int, int], {"label": "Planes (z)", "options": {"min": 0, "max": MOST_SLICES}}
    ] = (0, 0)
    folder: Annotated[Path, {"label": "Folder", "mode": "d"}] = Path()
    overwrite: Annotated[bool, {"label": "Replace files of the same name"}] = False
