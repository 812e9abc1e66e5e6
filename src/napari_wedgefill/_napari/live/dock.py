"""The Watch dock: tilts and a growing volume while the microscope writes a series."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import napari
import napari.viewer
from magicgui.types import FileDialogMode
from magicgui.widgets import (
    CheckBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    PushButton,
    SpinBox,
)
from magicgui.widgets.bases import Widget
from napari.layers import Image, Layer

from ...batch.watch import Complete, Grown, Pace, Waiting, iter_watch
from ...errors import WedgefillError
from ...io import read_tilt_series, read_volume
from ...methods import label_of
from ...tilt_series import TiltSeries
from ...volume import Volume
from ..fill.closing import DockWatcher
from ..fill.worker import StepWorker, make_worker
from ..layers import LayerData, series_layer, volume_layer
from ..messages import announce
from ..shared_contrast import share_contrast
from ..stage import find_stage

START, STOP = "Start", "Stop"


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to see of a series that grows: its tilts, and volumes by method."""

    series: TiltSeries
    volumes: dict[str, Volume]


class WatchFolder(Container[Widget]):
    """Follow a folder into which a microscope writes a tilt series.

    With every tilt, the layer of the tilts and the WBP and SART volumes are made anew. When the
    series is complete, it is opened in full, ready for Fill wedge.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer that the dock belongs to; napari passes it.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.folder = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY,
            label="Folder",
            tooltip="Where the microscope writes one tilt series",
        )
        self.n_tilts = SpinBox(
            label="Tilts",
            max=100_000,
            tooltip="The series is complete when so many are there; 0: when nothing comes any more",
        )
        self.idle_s = FloatSpinBox(
            value=300.0,
            min=1.0,
            max=86_400.0,
            label="Wait (s)",
            tooltip="It is complete, too, when nothing has changed for so long",
        )
        self.poll_s = FloatSpinBox(
            value=2.0,
            min=0.1,
            max=3600.0,
            label="Look every (s)",
            tooltip="A file counts once two looks found it the same",
        )
        self.shows_tilts = CheckBox(text="Show the tilts", tooltip="In place of the volumes")
        self.button = PushButton(text=START)
        self.status = Label(value="Choose the folder and press Start.")
        super().__init__(
            widgets=[
                self.folder,
                self.n_tilts,
                self.idle_s,
                self.poll_s,
                self.shows_tilts,
                self.button,
                self.status,
            ],
            name="watch_folder",
        )
        self.status.native.setWordWrap(True)
        self._worker: StepWorker | None = None
        self._growing: Path | None = None
        self._tilts: Image | None = None
        self._volumes: dict[str, Image] = {}
        self.button.changed.connect(self._press)
        self.shows_tilts.changed.connect(self._arrange)
        self._is_gone = False
        self._watcher = DockWatcher(self.native, lambda: None, self.detach)

    @property
    def is_watching(self) -> bool:
        """Whether a folder is followed."""
        return self._worker is not None

    @property
    def layers(self) -> list[Image]:
        """The layers that grow, and are still there: the tilts, and the volumes."""
        made = [self._tilts, *self._volumes.values()]
        return [layer for layer in made if layer is not None and layer in self._viewer.layers]

    def start(self) -> None:
        """Begin to follow the folder."""
        if self.is_watching:
            return
        try:
            steps = self._make_steps()
        except WedgefillError as error:
            self.status.value = announce(error).sentence
            return
        self._tilts, self._volumes = None, {}
        worker = make_worker(steps)
        worker.yielded.connect(self._take)
        worker.errored.connect(self._fail)
        worker.finished.connect(partial(self._end, worker))
        self._worker = worker
        self.button.text = STOP
        self.status.value = "Waiting for the first tilts."
        worker.start()

    def stop(self) -> None:
        """Stop to follow the folder; what is shown stays."""
        if self._worker is not None:
            self._worker.quit()
            self.status.value = "Stopping."

    def detach(self) -> None:
        """Stop for good: the dock was closed. What is shown stays."""
        self._is_gone = True
        if self._worker is not None:
            self._worker.quit()
        self.native.deleteLater()

    def _press(self) -> None:
        if self.is_watching:
            self.stop()
        else:
            self.start()

    def _make_steps(self) -> Generator[Any, None, None]:
        folder = Path(str(self.folder.value))
        if not folder.is_dir():
            raise WedgefillError(f"{folder}: there is no such folder; choose the one to watch.")
        pace = Pace(self.poll_s.value, self.idle_s.value, self.n_tilts.value or None)
        self._growing = Path(tempfile.mkdtemp(prefix="wedgefill-"))
        return watch_steps(folder, self._growing, pace)

    def _take(self, item: Any) -> None:
        """Show what came from the worker; on the main thread."""
        if self._is_gone:
            return
        if isinstance(item, Waiting):
            self.status.value = f"{item.sentence[:1].upper()}{item.sentence[1:]}."
        elif isinstance(item, Shown):
            self._show(item)
            self.status.value = f"{item.series.n_tilts} tilts, waiting for the next."
        elif isinstance(item, Complete):
            self._show_complete(item)

    def _show(self, item: Shown) -> None:
        is_first = not self.layers
        self._tilts = self._renew(self._tilts, series_layer(item.series, name=_name(item, "tilts")))
        limits = share_contrast([volume.data for volume in item.volumes.values()])
        for method, volume in item.volumes.items():
            made = volume_layer(
                volume,
                name=_name(item, label_of(method)),
                fields={"method": method, "preview": True},
            )
            layer = self._volumes[method] = self._renew(self._volumes.get(method), made)
            layer.contrast_limits = limits
        if is_first:
            self._arrange()

    def _renew(self, layer: Image | None, made: LayerData) -> Image:
        """Put new data into a layer, or add it; a layer that the user took away comes back."""
        data, attributes, _ = made
        if layer is not None and layer in self._viewer.layers:
            if layer.data.shape[1:] == data.shape[1:]:
                layer.data, layer.metadata = data, attributes["metadata"]
                return layer
            self._viewer.layers.remove(layer)
        return self._viewer.add_layer(Layer.create(*made))

    def _arrange(self) -> None:
        """Show the volumes side by side, or the tilts."""
        layers, stage = self.layers, find_stage(self._viewer)
        volumes = [layer for layer in layers if layer is not self._tilts]
        if self.shows_tilts.value and self._tilts in layers:
            stage.show_series(self._tilts)
        elif volumes:
            stage.show_volumes(volumes)

    def _show_complete(self, item: Complete) -> None:
        """Open the series as it was read, in place of the tilts that grew."""
        if self._tilts is not None and self._tilts in self._viewer.layers:
            self._viewer.layers.remove(self._tilts)
        self._tilts = self._viewer.add_layer(Layer.create(*series_layer(item.series)))
        self._arrange()
        words = f"Complete: {item.series.n_tilts} tilts. Open Fill wedge to fill it."
        if item.left_out:
            names = ", ".join(path.name for path in item.left_out)
            words += f" Left out, for they never became whole: {names}."
        self.status.value = words

    def _fail(self, error: Exception) -> None:
        message = announce(error)
        if not self._is_gone:
            self.status.value = message.sentence

    def _end(self, worker: StepWorker, *_: Any) -> None:
        if worker is not self._worker:
            return
        self._worker = None
        if self._growing is not None:
            shutil.rmtree(self._growing, ignore_errors=True)
        if self._is_gone:
            return
        self.button.text = START
        if worker.abort_requested:
            self.status.value = self._tell_what_stays()

    def _tell_what_stays(self) -> str:
        """Say what was shown when the watching ended, and how to go on."""
        stay = "The volumes so far stay, among the layers. " if self._volumes else ""
        return f"Stopped. {stay}Start goes on with all tilts in {self.folder.value}."


def watch_steps(
    folder: Path, growing: Path, pace: Pace
) -> Generator[Waiting | Shown | Complete, None, None]:
    """Yield what `iter_watch` yields, with the volumes read into memory."""
    for event in iter_watch(folder, growing, read_tilt_series, pace):
        if isinstance(event, Grown):
            yield Shown(event.series, {m: read_volume(path) for m, path in event.paths.items()})
        else:
            yield event


def _name(item: Shown, what: str) -> str:
    return f"{item.series.name}, {what} so far"
