"""What the Prepare page asks for beside the options of a preparation.

magicgui makes the forms from these classes and from those of `prepare.options`. It reads the
annotations of a generated `__init__`, so they are not postponed here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from magicgui.types import Undefined
from magicgui.widgets import FunctionGui, SpinBox
from magicgui.widgets.bases import ValuedContainerWidget

from ...prepare import CleanOptions, RegionOptions, TiltOptions
from ...prepare.options import ShiftMethod
from .plan import FIND

#: Furthest that the slider turns the tilt axis, in degrees.
MOST_TURN_DEG = 20.0
Form = FunctionGui[..., Any]


@dataclass
class Shifts:
    """Where the shifts come from.

    Parameters
    ----------
    shifts : object
        Find shifts and tilt axis in these images, leave the images where they are, or apply what
        was found on another signal of the same tilts, or by another program.
    shifts_by : str
        How shifts are found: by the best of several methods, or by one alone. Centres of mass and
        common lines need an object that is wholly in the field. Reprojection always refines them.
    """

    shifts: Annotated[Any, {"label": "Shifts", "widget_type": "ComboBox", "choices": [FIND]}] = FIND
    shifts_by: Annotated[ShiftMethod, {"label": "Found by"}] = "best"


@dataclass
class Axis:
    """The tilt axis, set by eye.

    Parameters
    ----------
    follow : bool
        Show the slice that the slider is at, and reconstruct it anew whenever the axis moves.
        Points become arcs that open up or down where the axis is displaced; where it is turned,
        they open one way in the first slices and the other way in the last.
    turn_deg : float
        Turn the tilt axis in the image plane, in degrees.
    move_px : float
        Move the tilt axis across the images, in pixels.
    """

    follow: Annotated[bool, {"label": "Live slice"}] = False
    turn_deg: Annotated[
        float,
        {
            "label": "Turn axis",
            "widget_type": "FloatSlider",
            "min": -MOST_TURN_DEG,
            "max": MOST_TURN_DEG,
            "step": 0.1,
        },
    ] = 0.0
    move_px: Annotated[
        float,
        {"label": "Move axis", "widget_type": "FloatSlider", "min": -32, "max": 32, "step": 0.25},
    ] = 0.0


class SpanEdit(ValuedContainerWidget[tuple[int, int] | None]):
    """First and past-the-last pixel of one side of the images; None for all of it."""

    def __init__(self, value: Any = Undefined, nullable: bool = True, **options: Any) -> None:
        self.first, self.stop = SpinBox(min=0, max=0), SpinBox(min=1, max=1)
        options.setdefault("layout", "horizontal")
        options.setdefault("labels", False)
        super().__init__(widgets=[self.first, self.stop], **options)
        self.margins = (0, 0, 0, 0)
        for box in (self.first, self.stop):
            box.tooltip = self.tooltip
            box.changed.disconnect()
            box.changed.connect(lambda: self.changed.emit(self.get_value()))
        if value not in (Undefined, None):
            self.set_value(value)

    def set_length(self, length: int) -> None:
        """Say how many pixels there are; all of them are chosen."""
        with self.changed.blocked():
            self.first.max, self.stop.max = length - 1, length
            self.set_value(None)

    def get_value(self) -> tuple[int, int] | None:
        """Return the span; None where it is everything."""
        span = (self.first.value, self.stop.value)
        return None if span == (0, self.stop.max) else span

    def set_value(self, value: Any) -> None:
        """Choose a span, or everything with None."""
        first, stop = (0, int(self.stop.max)) if value is None else value
        with self.changed.blocked():
            self.first.max = max(int(self.first.max), first)
            self.stop.max = max(int(self.stop.max), stop)
            self.first.value, self.stop.value = first, stop
        self.changed.emit(self.get_value())


def make_form(kind: Callable[..., Any], name: str, **options: dict[str, Any]) -> Form:
    """Make the form of a class of options; calling it makes one from what is filled in."""
    return FunctionGui(kind, call_button=False, name=name, param_options=options)


def make_tilts_form() -> Form:
    """Make the form of the tilt options without what the table of tilts says.

    It gives its values by name; see `TiltsPart.take`.
    """
    form = make_form(TiltOptions, "tilts_form")
    for name in ("leave_out", "leave_out_useless", "leave_out_worse", "corrected_deg"):
        form.remove(name)
    return form


def make_forms() -> dict[str, Form]:
    """Make all forms of the page by name, in the order in which the work is done."""
    return {
        "shifts": make_form(Shifts, "shifts_form"),
        "clean": make_form(CleanOptions, "clean_form"),
        "tilts": make_tilts_form(),
        "axis": make_form(Axis, "axis_form"),
        "region": make_form(
            RegionOptions,
            "region_form",
            rows={"widget_type": SpanEdit, "label": "Rows"},
            columns={"widget_type": SpanEdit, "label": "Columns"},
        ),
    }
