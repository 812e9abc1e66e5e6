"""The runs of a viewer: what was asked for, its volumes, verdicts and table, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from weakref import ReferenceType, WeakKeyDictionary, ref

from psygnal import Signal

from ..methods import METHODS, label_of
from .layers import LayerMap

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from ..pipeline.options import FillOptions
    from ..tilt_series import TiltSeries
    from ..trust.results_table import ResultsTable
    from ..trust.verdicts import QuickCheck, SelfCheck, TrustMap

#: Name of a run that left all as it was found.
STANDARD = "standard"
#: What a trust map is called in the names of layers and files.
TRUST_NAME = "trust"


@dataclass(eq=False)
class Run:
    """A fill that came to its end, with all that was found about it.

    The layers own the volumes; a run whose layers were deleted is forgotten, and nothing is held.

    Attributes
    ----------
    name : str
        What differs from the other runs of the series, such as "GAN large" or "axis +3 px".
    series : TiltSeries
        What was filled, aligned if that was asked for.
    source : Image or None
        Its layer, if it is still there.
    options : FillOptions
        How it was filled.
    axis : {"y", "x"}
        How the tilt axis runs in the images of that layer.
    seconds : dict of str to float
        By method.
    volumes : dict of str to Image
        Layers by method.
    trust : Image or None
        Layer of the trust map.
    quick_check, self_check, trust_map, table
        What was found, None where it was not asked for.
    report : dict
        What a report.json of this run says.
    n_earlier : int
        How many runs the series had before.
    is_marked_alike : bool
        Whether one of them has the same mark and a volume of the same method.
    """

    name: str
    series: TiltSeries
    options: FillOptions
    source: Image | None = None
    axis: Literal["x", "y"] = "y"
    seconds: Mapping[str, float] = field(default_factory=dict)
    volumes: dict[str, Image] = field(default_factory=dict)
    trust: Image | None = None
    quick_check: QuickCheck | None = None
    self_check: SelfCheck | None = None
    trust_map: TrustMap | None = None
    table: ResultsTable | None = None
    report: dict[str, Any] = field(default_factory=dict)
    n_earlier: int = 0
    is_marked_alike: bool = False

    @property
    def title(self) -> str:
        """Series and run, for lists over several series."""
        return f"{self.series.name}: {self.name}"

    @property
    def slice_range(self) -> str:
        """First slice and the one before which they end, "130:134"; empty where all were filled."""
        slices = self.options.slices
        return "" if slices is None else f"{slices[0]}:{slices[1]}"

    @property
    def mark(self) -> str:
        """What tells the volumes of this run from those of the same methods in another, short."""
        methods = " + ".join(label_of(method) for method in self.options.methods)
        kept = self.name.removeprefix(methods).removeprefix(STANDARD).lstrip(", ")
        return kept.replace("slices ", "")

    def name_volume(self, method: str) -> tuple[str, str]:
        """Name the layer of the volume of a method and its file, the layer by what differs first.

        The layer list and the canvas cut long names: those of a later run, and of a part of the
        slices, begin with the method.
        """
        return self._name(label_of(method))

    def name_trust(self) -> tuple[str, str]:
        """Name the layer of the trust map and its file, as those of the volumes are named."""
        return self._name(TRUST_NAME)

    def _name(self, label: str) -> tuple[str, str]:
        series, mark = self.series.name, self.slice_range
        if self.n_earlier:
            number = f"run {self.n_earlier + 1}"
            mark = f"{self.mark} {number}" if self.is_marked_alike else self.mark or number
        name = f"{label} {mark} {series}" if mark else f"{series} {label}"
        told = mark.replace(":", "-")  # no colons in files
        return name, f"{series} {label} {told}".rstrip()

    def follow(self, earlier: Sequence[Run]) -> None:
        """Take a place behind the earlier runs of a series, so that no two layers share a name."""
        self.n_earlier = len(earlier)
        methods = set(self.options.methods)
        self.is_marked_alike = any(
            run.mark == self.mark != "" and methods & set(run.options.methods) for run in earlier
        )

    @property
    def trusted(self) -> Image | None:
        """The volume that the trust map is of: the networks'."""
        learned = [layer for m, layer in self.volumes.items() if METHODS[m].needs_model]
        return learned[0] if learned and self.trust is not None else None

    @property
    def layers(self) -> list[Image]:
        """Volumes, and the trust map last."""
        return [*self.volumes.values(), *([] if self.trust is None else [self.trust])]

    @property
    def first_slice(self) -> int:
        """Where along y the volumes begin."""
        return 0 if self.options.slices is None else self.options.slices[0]

    def __str__(self) -> str:
        return self.title


class RunBook:
    """The runs of one viewer, oldest first.

    Attributes
    ----------
    changed : Signal
        A run came, changed, or went.
    """

    changed = Signal()

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer: ReferenceType[napari.Viewer] = ref(viewer)
        self.runs: list[Run] = []
        viewer.layers.events.removed.connect(self._forget_removed)

    def add(self, run: Run) -> None:
        """Take up a run."""
        self.runs.append(run)
        self.changed.emit()

    def of_series(self, source: Image | None) -> list[Run]:
        """Return the runs of one series, oldest first."""
        return [run for run in self.runs if source is not None and run.source is source]

    def newest(self, source: Image | None) -> Run | None:
        """Return the newest run of a series, or of all where no series is chosen."""
        runs = self.runs if source is None else self.of_series(source)
        return next(reversed(runs), None)

    def of_layer(self, layer: Image) -> Run | None:
        """Return the run that a volume belongs to."""
        return next((run for run in self.runs if layer in run.layers), None)

    def _forget_removed(self, event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        before = [(run, len(run.layers)) for run in self.runs]
        for run in self.runs:
            run.volumes = {m: layer for m, layer in run.volumes.items() if layer in viewer.layers}
            if run.trust not in viewer.layers:
                run.trust = None
            if run.source not in viewer.layers:
                run.source = None
        self.runs = [run for run in self.runs if run.volumes]
        if before != [(run, len(run.layers)) for run in self.runs]:
            self.changed.emit()


def name_run(features: Sequence[str], taken: Sequence[str]) -> str:
    """Name a run by its features; runs of the same features are counted."""
    name = ", ".join(features) or STANDARD
    if name not in taken:
        return name
    count = 2
    while f"{name} ({count})" in taken:
        count += 1
    return f"{name} ({count})"


def run_name_of(layer: Image) -> str:
    """Return the run that a layer says it belongs to; empty for layers of other origin."""
    return str(LayerMap.of(layer).fields.get("run", ""))


_books: WeakKeyDictionary[Any, RunBook] = WeakKeyDictionary()


def find_runs(viewer: napari.Viewer) -> RunBook:
    """Return the runs of a viewer."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _books:
        _books[viewer] = RunBook(viewer)
    return _books[viewer]
