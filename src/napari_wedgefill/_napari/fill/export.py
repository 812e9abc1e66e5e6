"""Export result volumes as MRC: of one run, of all, or those that are selected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from magicgui.widgets import Dialog, FunctionGui
from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication, QWidget

from ...errors import WedgefillError
from ...progress import Progress
from ...volume import check_planes
from ..dialogs import confirm_replacing, find_folder
from ..layer_kinds import list_trust_maps, list_volumes
from ..layers import LayerMap
from ..messages import announce
from ..runs import Run, RunBook, find_runs
from .settings import EVERY_RUN, NEWEST_RUN, SELECTED, Export

if TYPE_CHECKING:
    import napari


class Job(NamedTuple):
    """A volume to write, where to, and which of its planes along z; None for all."""

    layer: LayerMap
    path: Path
    planes: tuple[int, int] | None


def list_exportable(viewer: napari.Viewer, which: str, run: Run | None) -> list[Image]:
    """Return volumes and trust maps: of a run, of every run, or those selected; no previews."""
    found = [*list_volumes(viewer), *list_trust_maps(viewer)]
    if which == SELECTED:
        return [layer for layer in found if layer in viewer.layers.selection]
    if which == NEWEST_RUN and run is not None:
        return [layer for layer in found if layer in run.layers]
    return found


def count_planes(data: Any) -> int:
    """Count the planes of a volume along z; a single image is one."""
    return int(data.shape[0]) if data.ndim == 3 else 1


def name_file(name: str) -> str:
    """``needle TVM`` becomes ``needle_TVM.mrc``; characters that file systems refuse go."""
    kept = re.sub(r"(?:[^\w.+-]|_)+", "_", name).strip("_")
    return f"{kept or 'volume'}.mrc"


def plan_jobs(
    layers: Sequence[Image], folder: Path, planes: tuple[int, int | None] | None = None
) -> list[Job]:
    """Give each layer a file of its own in a folder, for some of its planes or for all.

    Planes whose end is None go on to the last of each volume.
    """
    if not layers:
        raise WedgefillError(
            "There is no volume to export; press Fill wedge first, or select a volume layer."
        )
    if not folder.is_dir():
        raise WedgefillError(f"{folder}: this folder does not exist; choose another.")
    seen = [LayerMap.of(layer) for layer in layers]
    kept = [_close_planes(one, planes) for one in seen]
    stems = [
        name_file(one.file_name).removesuffix(".mrc")
        + ("" if span is None else f"_planes_{span[0]}-{span[1]}")
        for one, span in zip(seen, kept, strict=True)
    ]
    # Names that differ only in what a file system refuses, or in capitals, are told apart.
    count = Counter(stem.lower() for stem in stems)
    taken: set[str] = set()
    jobs = []
    for one, stem, span in zip(seen, stems, kept, strict=True):
        name, k = stem, 1
        while name.lower() in taken or (k == 1 and count[name.lower()] > 1):
            name = f"{stem}_{k}"
            k += 1
        taken.add(name.lower())
        jobs.append(Job(one, folder / f"{name}.mrc", span))
    return jobs


def _close_planes(layer: LayerMap, planes: tuple[int, int | None] | None) -> tuple[int, int] | None:
    """Return the planes of one volume; None for all of it.

    Raises
    ------
    WedgefillError
        If it has no such planes.
    """
    if planes is None:
        return None
    depth = count_planes(layer.data)
    start, stop = planes[0], depth if planes[1] is None else planes[1]
    if planes[1] is None and start >= depth:
        raise WedgefillError(
            f"{layer.name}: the planes begin at {start}, but it has {depth} along the beam (z), "
            f"counted from 0; begin before {depth}, or leave it out."
        )
    check_planes(layer.name, (start, stop), depth)
    return start, stop


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
        depths = [count_planes(layer.data) for layer in list_exportable(viewer, EVERY_RUN, None)]
        self._depth = max(depths, default=0)
        first, stop = self.form.planes
        first.max, stop.max = max(0, self._depth - 1), self._depth
        self.form.planes.value = (0, self._depth)
        self.form.folder.value = find_folder(layers)
        if self._run is None:
            self.form.which.value = EVERY_RUN

    def ask(self, parent: QWidget | None) -> list[Job]:
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
        layers = list_exportable(self._viewer, asked.which, self._run)
        start, stop = asked.planes
        # The last that can be chosen is the end of each volume, however many planes it has.
        end = None if stop == self._depth else stop
        planes = None if (start, end) == (0, None) else (start, end)
        jobs = plan_jobs(layers, asked.folder, planes)
        present = [job.path.name for job in jobs if job.path.exists()]
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
    jobs: Sequence[Job], say: Callable[[str], object], fail: Callable[[Exception], object]
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
