"""Export result volumes as MRC: the selected ones, or all of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import napari
from napari.layers import Image
from napari.qt.threading import thread_worker
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from ...errors import WedgefillError
from ...io import write_volume
from ..layers import LayerMap
from ..messages import announce
from .volume_view import trust_maps_in, volumes_in
from .worker import StepWorker


def volumes_to_export(viewer: napari.Viewer, *, only_selected: bool = False) -> list[Image]:
    """Return this plugin's volumes and trust maps, all or those selected; no previews."""
    volumes = [*volumes_in(viewer), *trust_maps_in(viewer)]
    if only_selected:
        return [layer for layer in volumes if layer in viewer.layers.selection]
    return volumes


def file_name(layer_name: str) -> str:
    """``needle TVM`` becomes ``needle_TVM.mrc``; characters that file systems refuse go."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in layer_name.strip())
    return f"{kept or 'volume'}.mrc"


@thread_worker(worker_class=StepWorker, ignore_errors=True, start_thread=False)
def export_in_background(jobs: Sequence[tuple[LayerMap, Path]]) -> Generator[Path, None, None]:
    """Write each volume under its path and yield the path once it is complete."""
    for layer, path in jobs:
        yield write_volume(path, layer.to_volume())


def ask_for_jobs(layers: Sequence[Image], parent: QWidget | None) -> list[tuple[LayerMap, Path]]:
    """Ask for a file (one volume) or a folder (several); an empty list means cancelled."""
    if not layers:
        raise WedgefillError(
            "There is no volume to export; press Fill wedge first, or select a volume layer."
        )
    if len(layers) == 1:
        path, _ = QFileDialog.getSaveFileName(
            parent, "Export volume", file_name(layers[0].name), "MRC (*.mrc *.rec *.map)"
        )
        return [(LayerMap.of(layers[0]), Path(path))] if path else []
    folder = QFileDialog.getExistingDirectory(parent, f"Folder for {len(layers)} volumes")
    if not folder:
        return []
    return [(LayerMap.of(layer), Path(folder) / file_name(layer.name)) for layer in layers]


def export_from_menu(viewer: napari.viewer.Viewer) -> None:
    """File > IO Utilities > Export volumes as MRC."""
    try:
        jobs = ask_for_jobs(volumes_to_export(viewer), QApplication.activeWindow())
    except WedgefillError as error:
        announce(error)
        return
    if jobs:
        worker = export_in_background(jobs)
        worker.yielded.connect(lambda path: show_info(f"Wrote {path}"))
        worker.errored.connect(announce)
        worker.start()
