"""What a preparation is asked to do: plain options, from which forms and recipes are made.

magicgui makes the forms of the window from these classes. It reads the annotations of a generated
`__init__`, so they are not postponed here.
"""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

#: For pydantic, with which `recipe` reads these classes from files.
CHECKED = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

#: How the shifts are first guessed, before they are refined by reprojection.
ShiftMethod = Literal[
    "best", "cross-correlation", "phase-correlation", "centre-of-mass", "common-line"
]


@dataclass(frozen=True)
class CleanOptions:
    """What is done to the intensities.

    Attributes
    ----------
    spikes : bool
        Replace hot and dead pixels and X-ray hits by the median of their neighbours.
    plane : bool
        Subtract a plane fitted to the empty space of each image.
    bright_field : bool
        Turn transmitted into absorbed intensity, -log(I / I0): thickness in place of darkness.
    invert : bool
        Make the dark bright, for images that only need their sign changed.
    even_intensity : bool
        Scale each image so that the object's total intensity is the same at every tilt: against
        a beam current that drifts. Only for an object that is wholly in the field.
    """

    __pydantic_config__ = CHECKED

    spikes: Annotated[bool, {"label": "Hot pixels, X-rays"}] = True
    plane: Annotated[bool, {"label": "Background plane"}] = False
    bright_field: Annotated[bool, {"label": "Bright field"}] = False
    invert: Annotated[bool, {"label": "Invert contrast"}] = False
    even_intensity: Annotated[bool, {"label": "Even the beam"}] = False


@dataclass(frozen=True)
class TiltOptions:
    """Which images are used, and at which angles.

    Attributes
    ----------
    leave_out : tuple of int
        Images to leave out, by their number on the tilt slider: 0 is the lowest angle.
    leave_out_useless : bool
        Leave out images that show nothing of the specimen: blank, noise, another place.
    leave_out_worse : bool
        Leave out also what is blurred or has lost its beam.
    corrected_deg : tuple of (int, float)
        Images whose angle is wrong, and their true angle in degrees.
    offset_deg : float
        Added to every angle: the pre-tilt of a lamella or holder.
    estimate_offset : bool
        Estimate that offset from a film's intensity, which is least where it is seen face on.
    """

    __pydantic_config__ = CHECKED

    leave_out: tuple[int, ...] = ()
    leave_out_useless: bool = True
    leave_out_worse: bool = False
    corrected_deg: tuple[tuple[int, float], ...] = ()
    offset_deg: Annotated[
        float, {"label": "Tilt offset", "min": -90.0, "max": 90.0, "step": 0.1}
    ] = 0.0
    estimate_offset: Annotated[bool, {"label": "Estimate offset"}] = False


@dataclass(frozen=True)
class RegionOptions:
    """Which part of the images is used.

    Attributes
    ----------
    rows, columns : tuple of int or None
        First and past-the-last pixel along y and x of the images as they are read; None for all.
    bin : int
        Average so many pixels each way.
    """

    __pydantic_config__ = CHECKED

    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    bin: Annotated[int, {"label": "Bin", "min": 1, "max": 64}] = 1


@dataclass(frozen=True)
class PrepareOptions:
    """Everything that a preparation does, in the order in which it is done.

    Attributes
    ----------
    region : RegionOptions
        Crop and bin.
    clean : CleanOptions
        Intensities.
    tilts : TiltOptions
        Exclusion and angles.
    align : bool
        Find shifts and the tilt axis.
    shifts_by : str
        How the shifts are first guessed: the best of several methods, judged by withheld tilts, or
        one method alone.
    """

    __pydantic_config__ = CHECKED

    region: RegionOptions = field(default_factory=RegionOptions)
    clean: CleanOptions = field(default_factory=CleanOptions)
    tilts: TiltOptions = field(default_factory=TiltOptions)
    align: bool = True
    shifts_by: ShiftMethod = "best"

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, ready for JSON."""
        return asdict(self)
