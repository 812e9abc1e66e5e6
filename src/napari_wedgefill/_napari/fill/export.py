"""Export result volumes as MRC: of one run, of all, or those that are selected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import Dialog, FunctionGui
from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication, QWidget

from ...errors import WedgefillError
from ...progress import Progress
from ..dialogs import confirm_replacing, find_folder
from ..layer_kinds import list_trust_maps, list_volumes
from ..layers import LayerMap
from ..messages import announce
from ..runs import Run, RunBook, find_runs
from .settings import EVERY_RUN, NEWEST_RUN, SELECTED, Export

if TYPE_CHECKING:
    import napari

Jobs = list[tuple[LayerMap, Path]]


def list_exportable(viewer: napari.Viewer, which: str, run: Run | None) -> list[Image]:
    """Return volumes and trust maps: of a run, of every run, or those selected; no previews."""
    found = [*list_volumes(viewer), *list_trust_maps(viewer)]
    if which == SELECTED:
        return [layer for layer in found if layer in viewer.layers.selection]
    if which == NEWEST_RUN and run is not None:
        return [layer for layer in found if layer in run.layers]
    return found


def name_file(name: str) -> str:
    """``needle TVM`` becomes ``needle_TVM.mrc``; characters that file systems refuse go."""
    kept = re.sub(r"(?:[^\w.+-]|_)+", "_", name).strip("_")
    return f"{kept or 'volume'}.mrc"


def plan_jobs(layers: Sequence[Image], folder: Path) -> Jobs:
    """Give each layer a file of its own in a folder."""
    if not layers:
        raise WedgefillError(
            "There is no volume to export; press Fill wedge first, or select a volume layer."
        )
    if not folder.is_dir():
        raise WedgefillError(f"{folder}: this folder does not exist; choose another.")
    seen = [LayerMap.of(layer) for layer in layers]
    names = [name_file(one.file_name) for one in seen]
    # Names that differ only in what a file system refuses, or in capitals, are told apart.
    count = Counter(name.lower() for name in names)
    taken: set[str] = set()
    jobs = []
    for one, name in zip(seen, names, strict=True):
        k = 1
        while name.lower() in taken or (k == 1 and count[name.lower()] > 1):
            name = f"{name_file(one.file_name).removesuffix('.mrc')}_{k}.mrc"
            k += 1
        taken.add(name.lower())
        jobs.append((one, folder / name))
    return jobs


class ExportDialog:
    """Asks what is written and where to.

    Parameters
    ----------
    viewer : napari.Viewer
        Holds the volumes.
    runs : RunBook
        Its runs.
    run : Run or None
        The one that is looked at; the newest by default.
    """

    def __init__(self, viewer: napari.Viewer, runs: RunBook, run: Run | None = None) -> None:
        self._viewer = viewer
        self._run = run or runs.newest(None)
        self.form = FunctionGui(Export, call_button=False, name="export")
        layers = self._run.layers if self._run else list_volumes(viewer)
        self.form.folder.value = find_folder(layers)
        if self._run is None:
            self.form.which.value = EVERY_RUN

    def ask(self, parent: QWidget | None) -> Jobs:
        """Show the dialog; an empty list means cancelled.

        Raises
        ------
        WedgefillError
            If there is nothing to write, or nowhere to.
        """
        list_or_refuse(self._viewer)
        dialog = Dialog(widgets=list(self.form), labels=True, parent=parent)
        dialog.native.setWindowTitle("Export volumes as MRC")
        dialog.native.setMinimumWidth(460)
        is_wanted, asked = dialog.exec(), Export(**dialog.asdict())
        for window in (dialog, self.form):
            window.native.deleteLater()
        if not is_wanted:
            return []
        jobs = plan_jobs(list_exportable(self._viewer, asked.which, self._run), asked.folder)
        present = [path.name for _, path in jobs if path.exists()]
        if present and not asked.overwrite and not confirm_replacing(present, parent):
            return []
        return jobs


def list_or_refuse(viewer: napari.Viewer) -> list[Image]:
    """Return all that can be exported; raise `WedgefillError` where there is nothing."""
    found = list_exportable(viewer, EVERY_RUN, None)
    if not found:
        raise WedgefillError(
            "There is no volume to export; press Fill wedge first, or select a volume layer."
        )
    return found


def export_files(
    jobs: Jobs, say: Callable[[str], object], fail: Callable[[Exception], object]
) -> None:
    """Write files in the background and say so."""
    from .worker import export_steps, make_worker

    written: list[Path] = []

    def take(item: object) -> None:
        if isinstance(item, Progress):
            say(f"{item.stage[:1].upper()}{item.stage[1:]}")
        elif isinstance(item, Path):
            written.append(item)
            if len(written) == len(jobs):
                names = ", ".join(path.name for path in written)
                say(f"Wrote {names} into {written[0].parent}.")

    worker = make_worker(export_steps(jobs))
    worker.yielded.connect(take)
    worker.errored.connect(fail)
    worker.start()


def export_from_menu(viewer: napari.viewer.Viewer) -> None:
    """File > IO Utilities > Export volumes as MRC."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    try:
        jobs = ExportDialog(viewer, find_runs(viewer)).ask(QApplication.activeWindow())
    except WedgefillError as error:
        announce(error)
        return
    if jobs:
        export_files(jobs, show_info, announce)
