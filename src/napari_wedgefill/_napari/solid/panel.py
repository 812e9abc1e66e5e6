"""The 3-D section of the dock: one threshold for all methods, objects, and an animated turn."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, FloatSlider, Label, PushButton, SpinBox
from magicgui.widgets.bases import Widget
from napari.layers import Image, Labels
from qtpy.QtWidgets import QSizePolicy

from ...atomic import write_beside
from ...errors import WedgefillError
from ...methods import METHODS, label_of
from ...progress import Progress
from ...trust.objects import ObjectTable, find_threshold, iter_measure, label_objects
from ..dialogs import ask_target, find_folder
from ..fill.worker import StepWorker, make_worker
from ..layers import KEY, LayerMap
from .turning import GIF, MP4, Picture, iter_turn, refuse_kind, write_steps

if TYPE_CHECKING:
    from ..fill.workbench import Workbench
    from ..runs import Run

MORE = "\N{HORIZONTAL ELLIPSIS}"
#: Objects of fewer voxels are noise more often than not.
SMALLEST_VOXELS = 27
SLIDER_STEPS = 500


class SolidPanel(Container[Widget]):
    """Shows the volumes of a run as isosurfaces, and what lies above the threshold as objects.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.

    Attributes
    ----------
    table : ObjectTable or None
        What was measured last.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._run: Run | None = None
        self._worker: StepWorker | None = None
        self.table: ObjectTable | None = None
        self.threshold = FloatSlider(
            label="Threshold",
            tooltip="Density of the surface, the same in all methods; Otsu's threshold at first.",
            tracking=True,
        )
        self.method = ComboBox(
            label="Objects of",
            choices=self._offer_methods,
            tooltip="Whose objects are counted and measured.",
        )
        self.smallest = SpinBox(
            label="Smallest, voxels",
            value=SMALLEST_VOXELS,
            min=1,
            max=10**9,
            tooltip="Objects of fewer voxels are left out.",
        )
        self.count_button = PushButton(
            text="Count objects",
            tooltip="Number the connected parts above the threshold, as a layer of labels, and "
            "measure volume and surface of each.",
        )
        self.table_button = PushButton(text=f"Table{MORE}", tooltip="Save the objects as CSV.")
        self.turn_button = PushButton(
            text=f"Turn{MORE}",
            tooltip="Save a full turn about the tilt axis, as an animated GIF or as MP4.",
        )
        self.line = Label(label=" ")
        buttons = Container[Widget](
            widgets=[self.count_button, self.table_button, self.turn_button],
            layout="horizontal",
            labels=False,
            label=" ",
        )
        buttons.margins = (0, 0, 0, 0)
        super().__init__(
            widgets=[self.threshold, self.method, self.smallest, buttons, self.line],
            name="solid_form",
        )
        self.line.native.setWordWrap(True)
        self.line.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.table_button.enabled = False
        self.threshold.changed.connect(self._set_threshold)
        self.count_button.clicked.connect(self.count_objects)
        self.table_button.clicked.connect(lambda: self.save_table())
        self.turn_button.clicked.connect(lambda: self.save_turn())

    def _offer_methods(self, widget: Any = None) -> list[tuple[str, str]]:
        volumes = {} if self._run is None else self._run.volumes
        return [(label_of(method), method) for method in volumes]

    @property
    def is_working(self) -> bool:
        """Whether objects are being counted."""
        return self._worker is not None

    @property
    def _layer(self) -> Image | None:
        """The volume whose objects are counted."""
        return None if self._run is None else self._run.volumes.get(self.method.value)

    def show_run(self, run: Run) -> None:
        """Show the volumes of a run in three dimensions."""
        if run is not self._run:
            self._run = run
            self.table, self.line.value, self.table_button.enabled = None, "", False
            self.method.reset_choices()
            learned = [method for method in run.volumes if METHODS[method].needs_model]
            self.method.value = (learned or list(run.volumes))[-1]
            self._offer_thresholds()
        layers = list(run.volumes.values())
        for layer in layers:
            layer.rendering = "iso"
            layer.iso_threshold = self.threshold.value
        self._bench.stage.show_solid(layers)

    def _offer_thresholds(self) -> None:
        layer = self._layer
        if layer is None:
            return
        step = max(1, round(layer.data.shape[0] / 64))
        low, high = np.percentile(layer.data[::step, :, ::step], (1, 99.99))
        low, high = float(low), float(high if high > low else low + 1.0)
        otsu = min(max(find_threshold(layer.data), low), high)
        with self.threshold.changed.blocked():
            self.threshold.step = (high - low) / SLIDER_STEPS
            # A range may at no time leave out the value.
            value = float(self.threshold.value)
            self.threshold.min, self.threshold.max = min(low, value), max(high, value)
            self.threshold.value = otsu
            self.threshold.min, self.threshold.max = low, high

    def _set_threshold(self, value: float) -> None:
        if self._run is not None:
            for layer in self._run.volumes.values():
                layer.iso_threshold = value

    # Objects

    def count_objects(self) -> None:
        """Label and measure the objects in the background."""
        layer, run = self._layer, self._run
        if layer is None or run is None or self._worker is not None:
            return
        threshold = float(self.threshold.value)
        worker = make_worker(count_steps(LayerMap.of(layer), threshold, self.smallest.value))
        worker.yielded.connect(lambda item: self._take(item, layer))
        worker.errored.connect(self._bench.fail)
        worker.finished.connect(lambda *_: self._end())
        self._worker = worker
        self.count_button.enabled = False
        worker.start()

    def _end(self) -> None:
        self._worker = None
        self.count_button.enabled = True

    def _take(self, item: object, layer: Image) -> None:
        if isinstance(item, Progress):
            self.line.value = (
                f"{item.stage[:1].upper()}{item.stage[1:]}, {100 * item.fraction:.0f} %"
            )
        elif isinstance(item, ObjectTable):
            self.table, self.line.value = item, item.sentence
            self.table_button.enabled = bool(item.rows)
        elif isinstance(item, np.ndarray) and layer in self._bench.viewer.layers:
            self._show_labels(item, layer)

    def _show_labels(self, labels: Any, layer: Image) -> None:
        viewer, name = self._bench.viewer, f"{layer.name} objects"
        if name in viewer.layers:
            viewer.layers.remove(name)
        made = Labels(
            labels,
            name=name,
            scale=layer.scale,
            translate=layer.translate,
            units=layer.units,
            axis_labels=layer.axis_labels,
            visible=False,
            metadata={KEY: {"kind": "objects", "row_0": "bottom"}},
        )
        viewer.add_layer(made)
        self._bench.stage.show_solid([layer, made])

    def save_table(self, path: Path | None = None) -> None:
        """Write the objects as CSV; the dialog asks before it replaces a file."""
        if self.table is None:
            return
        path = path or self._ask_where("objects", {".csv": "Comma-separated values"})
        if path is not None:
            with write_beside(path) as beside:
                beside.write_text(self.table.to_csv(), encoding="utf-8")
            self._bench.say(f"Wrote {path}.")

    def save_turn(self, path: Path | None = None) -> None:
        """Write a full turn as GIF or MP4; the dialog asks before it replaces a file."""
        path = path or self._ask_where("turn", {GIF: "Animated pictures", MP4: "Film"})
        if path is None:
            return
        try:
            refuse_kind(path)
        except WedgefillError as error:
            self._bench.fail(error)
            return
        steps = iter_turn(
            self._bench.viewer, self._bench.say, lambda frames: self._write_turn(frames, path)
        )
        self._bench.turns.add(steps)

    def _write_turn(self, frames: list[Picture], path: Path) -> None:
        """Write the frames in the background: compressing them takes seconds."""
        self._bench.say(f"Writing {path.name}")
        worker = make_worker(write_steps(frames, path))
        worker.yielded.connect(lambda written: self._bench.say(f"Wrote {written}."))
        worker.errored.connect(self._bench.fail)
        worker.start()

    def _ask_where(self, stem: str, kinds: Mapping[str, str]) -> Path | None:
        """Ask for a file; `kinds` says what each suffix stands for."""
        return ask_target(self.native, "Save", find_folder([self._layer]) / stem, kinds)


def count_steps(seen: LayerMap, threshold: float, smallest: int) -> Generator[Any, None, None]:
    """Yield the labels (z, y, x) of a volume, then `Progress`, and at last the `ObjectTable`."""
    yield Progress("finding objects", 0.0, None)
    volume = seen.to_volume()
    labels = label_objects(volume.data, threshold, smallest)
    yield labels
    origin = np.asarray(seen.attributes.get("translate", (0.0,) * 3), dtype=float)
    if volume.voxel_nm is None:
        origin = np.zeros(3)
    yield from iter_measure(labels, volume.data, threshold, volume.voxel_nm, origin.tolist())
