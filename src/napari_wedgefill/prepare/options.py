"""What a preparation is asked to do: plain options, from which forms and recipes are made.

magicgui makes the forms of the window from these classes. It reads the annotations of a generated
`__init__`, so they are not postponed here.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from ..atomic import write_beside
from ..errors import WedgefillError


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
    """

    region: RegionOptions = field(default_factory=RegionOptions)
    clean: CleanOptions = field(default_factory=CleanOptions)
    tilts: TiltOptions = field(default_factory=TiltOptions)
    align: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, recipe: dict[str, Any], name: str = "recipe") -> "PrepareOptions":
        """Read what `to_dict` gave.

        Raises
        ------
        WedgefillError
            If an option is unknown or of the wrong kind.
        """
        rest = dict(recipe)
        region, clean, tilts = (
            _part(kind, rest.pop(key, {}), name)
            for key, kind in (
                ("region", RegionOptions),
                ("clean", CleanOptions),
                ("tilts", TiltOptions),
            )
        )
        return cls(region, clean, tilts, **_part(_Aligning, rest, name).__dict__)


@dataclass(frozen=True)
class _Aligning:
    align: bool = True


def _part(kind: type[Any], given: Any, name: str) -> Any:
    """Build one group of options from a dictionary, and refuse what it does not know."""
    defaults = kind()
    known = {each.name: getattr(defaults, each.name) for each in fields(kind)}
    if not isinstance(given, dict):
        raise WedgefillError(f"{name}: '{given}' was found where options were expected.")
    values = {}
    for key, value in given.items():
        if key not in known:
            raise WedgefillError(
                f"{name}: there is no option '{key}'; known are {', '.join(sorted(known))}."
            )
        values[key] = _as_kind(value, known[key], f"{name}: {key}")
    return kind(**values)


def _as_kind(value: Any, default: Any, what: str) -> Any:
    if isinstance(value, list):
        value = tuple(tuple(v) if isinstance(v, list) else v for v in value)
    right = {
        bool: (bool,),
        int: (int,),
        float: (int, float),
        tuple: (tuple,),
        type(None): (tuple, type(None)),
    }[type(default)]
    is_switch = isinstance(value, bool) and bool not in right
    if not isinstance(value, right) or is_switch:
        raise WedgefillError(f"{what} is {value!r}, which is not of the right kind.")
    return value


def read_recipe(path: Path) -> tuple[PrepareOptions, dict[str, Any]]:
    """Read a recipe: the options, and what was found when it was made (empty where nothing was).

    Raises
    ------
    WedgefillError
        If the file is missing or is no recipe.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WedgefillError(
            f"{path.name}: this recipe cannot be read ({error}); give a JSON file that "
            f"'wedgefill prepare' wrote."
        ) from None
    if not isinstance(told, dict) or not isinstance(told.get("recipe"), dict):
        raise WedgefillError(
            f"{path.name}: this is not a recipe; give a JSON file that 'wedgefill prepare' wrote."
        )
    found = told.get("found")
    return PrepareOptions.from_dict(told["recipe"], path.name), found if found else {}


def write_recipe(path: Path, report: dict[str, Any]) -> Path:
    """Write what was asked for and what was found as JSON; returns the path."""
    with write_beside(path) as partial:
        partial.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return path
