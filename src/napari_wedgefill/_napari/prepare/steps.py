"""The steps of a preparation: which layer came from which, and how to go back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from ..fill.inputs import FillInputs
from ..layers import KEY, LayerMap, series_layer

if TYPE_CHECKING:
    from napari.layers import Image

    from ...prepare.outcome import Prepared, PrepareReport
    from ..layers import LayerData

#: Entry of the metadata of a prepared layer: recipe, history, table and shifts.
PREPARATION = "preparation"


@dataclass(frozen=True, eq=False)
class Step:
    """How a layer was prepared.

    Attributes
    ----------
    inputs : FillInputs
        The series as it was read, from which every step begins.
    base, previous : weak reference to Image
        Its layer, and the layer that was chosen before this step.
    report : PrepareReport
        What was done.
    """

    inputs: FillInputs
    base: ReferenceType[Image]
    previous: ReferenceType[Image]
    report: PrepareReport


class Steps:
    """The prepared layers of a viewer; a layer that is deleted is forgotten."""

    def __init__(self) -> None:
        self._steps: WeakKeyDictionary[Image, Step] = WeakKeyDictionary()
        self._next: WeakKeyDictionary[Image, ReferenceType[Image]] = WeakKeyDictionary()

    def add(self, layer: Image, inputs: FillInputs, previous: Image, report: PrepareReport) -> None:
        """Take up a layer that was prepared while `previous` was chosen."""
        base = self.base_of(previous)
        self._steps[layer] = Step(inputs, ref(base), ref(previous), report)
        self._next[previous] = ref(layer)

    def of(self, layer: Image | None) -> Step | None:
        """Return how a layer was prepared; None for one that was opened."""
        return None if layer is None else self._steps.get(layer)

    def base_of(self, layer: Image) -> Image:
        """Return the layer as it was opened that this one was prepared from, or itself."""
        step = self._steps.get(layer)
        base = None if step is None else step.base()
        return layer if base is None else base

    def before(self, layer: Image | None) -> Image | None:
        """Return the layer of the step before."""
        step = self.of(layer)
        return None if step is None else step.previous()

    def after(self, layer: Image | None) -> Image | None:
        """Return the layer of the step that was last made from this one."""
        found = None if layer is None else self._next.get(layer)
        return None if found is None else found()

    def prepared(self) -> list[Image]:
        """Return all layers that were prepared."""
        return list(self._steps)


def make_layer(prepared: Prepared, base_name: str) -> LayerData:
    """Describe the layer of a prepared series: its name says what was done, its metadata all."""
    report = prepared.report
    data, attributes, kind = series_layer(
        prepared.series, name=f"{base_name} {', '.join(name_work(report))}"
    )
    fields = {
        **attributes["metadata"][KEY],
        PREPARATION: report.to_dict(),
        "history": report.history,
    }
    attributes["metadata"] = {KEY: fields}
    return data, attributes, kind


def name_work(report: PrepareReport) -> list[str]:
    """Say in a few words what was done to a series."""
    asked, pose = report.options, report.found.pose
    words = []
    if asked.region.rows is not None or asked.region.columns is not None:
        words.append("cropped")
    if asked.region.bin > 1:
        words.append(f"binned {asked.region.bin}")
    if asked.clean.bright_field:
        words.append("thickness")
    if asked.clean.invert:
        words.append("inverted")
    if asked.clean.plane or asked.clean.even_intensity:
        words.append("evened")
    n_out = sum(not row.use for row in report.tilts)
    if n_out:
        words.append(f"{n_out} left out")
    if not pose.is_identity():
        words.append("aligned")
    return words or ["prepared"]


def recipe_of(layer: Any) -> dict[str, Any]:
    """Return recipe, history, table and shifts of a prepared layer; empty for any other."""
    return dict(LayerMap.of(layer).fields.get(PREPARATION, {}))
