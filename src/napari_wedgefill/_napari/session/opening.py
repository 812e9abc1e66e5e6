"""Open session: everything comes back from its files; what is missing or changed is told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from ...errors import WedgefillError
from ...io import read_volume
from ...progress import Progress
from ...trust.verdicts import TrustMap
from ...volume import Volume
from ..files import read_layers
from ..fill.angle_text import format_angles
from ..fill.inputs import FillInputs
from ..layer_entries import mark_recommended, remember_pixel
from ..layers import KEY, LayerData, LayerMap, volume_layer
from ..runs import Run
from .document import SUFFIX, SavedFile, SavedRun, SavedSeries, Session, read_session
from .saving import remember_file

if TYPE_CHECKING:
    from ..fill.workbench import Workbench

#: Angles differ no more than this where a file holds hundredths of a degree.
ANGLES_WITHIN_DEG = 0.006


def ask_which(first: Path, parent: QWidget | None) -> Path | None:
    """Ask which session to open."""
    path, _ = QFileDialog.getOpenFileName(
        parent, "Open session", str(first), f"Sessions (*{SUFFIX});;All files (*)"
    )
    return Path(path) if path else None


def ask_to_close(bench: Workbench, parent: QWidget | None) -> bool | None:
    """Ask whether the layers that are open are closed first; None where nothing is to be done."""
    n_layers = len(bench.viewer.layers)
    if not n_layers:
        return False
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        parent,
        "Close layers?",
        f"{n_layers} layers are open. Close them before the session opens? Volumes that were not "
        "saved are lost then. No keeps them beside it.",
        buttons.Yes | buttons.No | buttons.Cancel,
        buttons.No,
    )
    return None if answer == buttons.Cancel else bool(answer == buttons.Yes)


@dataclass
class Opened:
    """What was found of a session; made by a worker.

    Attributes
    ----------
    session : Session
        What was looked for.
    folder : Path
        Where the session lies.
    series : dict of int to LayerData
        By index.
    volumes : dict of int to dict of str to Volume
        By index of the run, then by method.
    trust : dict of int to Volume
        By index of the run.
    loose : dict of int to Volume
        Of no run, by index.
    faults : list of str
        What is missing or was changed, a sentence each.
    """

    session: Session
    folder: Path
    series: dict[int, LayerData] = field(default_factory=dict)
    volumes: dict[int, dict[str, Volume]] = field(default_factory=dict)
    trust: dict[int, Volume] = field(default_factory=dict)
    loose: dict[int, Volume] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def read(self, file: SavedFile, reader: Callable[[Path], Any]) -> Any:
        """Read a file that is as it was; note the fault and return None where it is not."""
        try:
            return reader(file.find(self.folder))
        except WedgefillError as error:
            self.faults.append(str(error))
            return None

    def where(self, file: SavedFile) -> Path:
        """Return where a file lies."""
        return self.folder / file.path


def open_steps(path: Path) -> Generator[Progress | Opened, None, None]:
    """Read a session and its files; yield `Opened` at last. Volumes stay mapped in their files."""
    session = read_session(path)
    found = Opened(session, path.parent)
    n_steps = len(session.series) + len(session.runs) + 1
    for index, saved in enumerate(session.series):
        yield Progress(f"reading {saved.name}", index / n_steps, None)
        if (data := found.read(saved.file, partial(_read_series, saved))) is not None:
            found.series[index] = data
    for index, run in enumerate(session.runs):
        yield Progress(f"reading {run.name}", (len(session.series) + index) / n_steps, None)
        volumes = {m: found.read(file, read_volume) for m, file in run.volumes.items()}
        found.volumes[index] = {m: v for m, v in volumes.items() if v is not None}
        if run.trust is not None and (trust := found.read(run.trust.file, read_volume)):
            found.trust[index] = trust
    for index, loose in enumerate(session.volumes):
        if (volume := found.read(loose.file, read_volume)) is not None:
            found.loose[index] = replace(volume, name=loose.name)
    yield found


def _read_series(saved: SavedSeries, path: Path) -> LayerData:
    """Read the array that was saved: a file can hold several."""
    found = [data for data in read_layers(str(path)) if data[0] is not None]
    for data in found:
        if tuple(data[0].shape) == saved.shape:
            return data
    shapes = " and ".join(str(tuple(data[0].shape)) for data in found)
    raise WedgefillError(
        f"{path}: it is read as an array of shape {shapes}, and {saved.name} had {saved.shape}; "
        "open it by itself and choose the array."
    )


def iter_show(bench: Workbench, opened: Opened, *, closes: bool) -> Iterator[None]:
    """Bring everything back, a piece for each turn of the event loop."""
    viewer, session = bench.viewer, opened.session
    if closes:
        viewer.layers.clear()
        yield
    layers: dict[int, Image] = {}
    for index, data in opened.series.items():
        layers[index] = _add_series(bench, session.series[index], data, opened)
        yield
    for index, volume in opened.loose.items():
        made = volume_layer(volume, first_slice=volume.first_slice, visible=False)
        layer = viewer.add_layer(Layer.create(*made))
        remember_file(layer, opened.where(session.volumes[index].file))
        yield
    runs: dict[int, Run] = {}
    for index, saved in enumerate(session.runs):
        run = _make_run(saved, layers.get(saved.series), opened)
        if run is None or not opened.volumes[index]:
            continue
        yield from bench.iter_bring(run, opened.volumes[index], shows=False)
        if run.quick_check is not None:
            mark_recommended(run.volumes, run.quick_check)
        for method, layer in run.volumes.items():
            remember_file(layer, opened.where(saved.volumes[method]))
        if index in opened.trust:
            _add_trust(bench, run, saved, opened.trust[index], opened)
            yield
        runs[index] = run
    yield from _iter_restore(bench, session, layers, runs)
    n_series, n_runs = len(layers), len(runs)
    told = f"Opened {n_series} series and {n_runs} run{'' if n_runs == 1 else 's'}."
    bench.say(" ".join([told, *opened.faults]))


def _add_series(bench: Workbench, saved: SavedSeries, data: LayerData, opened: Opened) -> Image:
    """Add the layer; what the session says of it counts for more than what its file says."""
    layer = Layer.create(data[0], {**data[1], "name": saved.name}, data[2])
    layer.metadata = {**layer.metadata, KEY: dict(saved.fields)}
    if saved.pixel_nm != LayerMap.of(layer).pixel_nm:
        remember_pixel(layer, saved.pixel_nm)
    remember_file(layer, opened.where(saved.file))
    bench.remembered[layer] = dict(saved.settings)
    bench.viewer.add_layer(layer)
    return layer


def _make_run(saved: SavedRun, layer: Image | None, opened: Opened) -> Run | None:
    """Make a run anew; what it was made from must be there."""
    if layer is None:
        opened.faults.append(f"The run {saved.name!r} is left out, because its series is.")
        return None
    seen = LayerMap.of(layer)
    angles = seen.angles_deg
    inputs = FillInputs(
        seen,
        "" if angles is None else format_angles(angles),
        pixel_nm=seen.pixel_nm,
        axis=saved.axis,
        axis_shift_px=saved.axis_shift_px,
    )
    try:
        series = inputs.series()
    except WedgefillError as error:
        opened.faults.append(str(error))
        return None
    if not np.allclose(series.angles_deg, saved.angles_deg, atol=ANGLES_WITHIN_DEG):
        opened.faults.append(
            f"The run {saved.name!r} was made with other angles than {seen.name} has now, so its "
            "table cannot be measured anew."
        )
    return Run(
        saved.name,
        series,
        saved.options,
        layer,
        axis=saved.axis,
        seconds=saved.seconds,
        quick_check=saved.quick_check,
        self_check=saved.self_check,
        table=saved.table,
        report=saved.report,
    )


def _add_trust(bench: Workbench, run: Run, saved: SavedRun, volume: Volume, opened: Opened) -> None:
    if (about := saved.trust) is None:
        return
    named = replace(volume, name=f"{run.series.name}_trust")
    bench.show_verdict(run, TrustMap(named, **about.model_dump(exclude={"file"})))
    if run.trust is not None:
        remember_file(run.trust, opened.where(about.file))


def _iter_restore(
    bench: Workbench, session: Session, layers: dict[int, Image], runs: dict[int, Run]
) -> Iterator[None]:
    """Show what was shown, as it was."""
    layout, stage = session.layout, bench.stage
    if layout.run is not None and layout.run in runs:
        shown = list(runs[layout.run].volumes.values())
        if layout.contrast_limits is not None:
            shown[0].contrast_limits = layout.contrast_limits
        stage.show_volumes(shown, layout.view or None)
    elif layout.series is not None and layout.series in layers:
        stage.show_series(layers[layout.series])
    yield
    if layout.point and len(layout.point) == bench.viewer.dims.ndim:
        bench.viewer.dims.set_point(range(len(layout.point)), layout.point)
