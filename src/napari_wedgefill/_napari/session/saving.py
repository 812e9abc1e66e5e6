"""Save session: what only lives in memory is written beside it, after a question."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from ...errors import WedgefillError
from ...io import write_tilt_series, write_volume
from ...json_text import write_json
from ...memory import format_bytes
from ...progress import Progress
from ...tilt_series import TiltSeries
from ..dialogs import confirm_replacing
from ..layer_kinds import list_series, list_volumes
from ..layers import KEY, LayerMap, digest_pixels, series_layer
from ..runs import Run
from .document import (
    SUFFIX,
    Layout,
    SavedFile,
    SavedRun,
    SavedSeries,
    SavedTrust,
    SavedVolume,
    Session,
)

if TYPE_CHECKING:
    from ..fill.workbench import Workbench

#: Entry of ours in a layer's metadata: where its pixels lie, and a digest of them.
FILE, DIGEST = "file", "file_digest"


def find_file(layer: Image) -> Path | None:
    """Return the file that holds a layer's pixels as they are; None if there is none."""
    fields = LayerMap.of(layer).fields
    if (written := fields.get(FILE)) is not None:
        is_same = fields.get(DIGEST) == digest_pixels(layer.data)
        return Path(written) if is_same and Path(written).exists() else None
    source = layer.source
    path = fields.get("path") if source.sample else source.path
    return Path(path) if path and Path(path).exists() else None


def remember_file(layer: Image, path: Path) -> None:
    """Keep with a layer which file holds its pixels."""
    fields = {**layer.metadata.get(KEY, {}), FILE: str(path), DIGEST: digest_pixels(layer.data)}
    layer.metadata = {**layer.metadata, KEY: fields}


@dataclass
class Plan:
    """What a session will hold; made on the main thread, worked off by a worker.

    Attributes
    ----------
    path : Path
        Of the session file.
    series : list of Image
        In the order of the file.
    runs : list of Run
        In the order of the file.
    volumes : list of Image
        Of no run.
    layout : Layout
        What is shown.
    settings : dict of Image to dict
        Of each series.
    unsaved : list of Image
        Layers that no file holds.
    sources : dict of Image to LayerMap
        Snapshots of all layers.
    files : dict of Image to Path
        Where the layers lie.
    """

    path: Path
    series: list[Image]
    runs: list[Run]
    volumes: list[Image]
    layout: Layout
    settings: dict[Image, dict[str, Any]] = field(default_factory=dict)
    unsaved: list[Image] = field(default_factory=list)
    sources: dict[Image, LayerMap] = field(default_factory=dict)
    files: dict[Image, Path] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where layers that no file holds are written."""
        return self.path.with_name(f"{self.path.name.removesuffix(SUFFIX)}_files")


def make_plan(bench: Workbench, path: Path, fields: dict[str, Any]) -> Plan:
    """Collect what is open.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.
    path : Path
        Of the session file.
    fields : dict
        Of the dock, plain values.
    """
    viewer, runs = bench.viewer, bench.runs.runs
    series = [layer for layer in list_series(viewer) if LayerMap.of(layer).angles_deg is not None]
    runs = [run for run in runs if run.source in series]
    of_runs = [layer for run in runs for layer in run.layers]
    loose = [layer for layer in list_volumes(viewer) if layer not in of_runs]
    plan = Plan(path, series, runs, loose, _see_layout(bench, series, runs, fields))
    for layer in (*series, *of_runs, *loose):
        plan.sources[layer] = LayerMap.of(layer)
        if (file := find_file(layer)) is None:
            plan.unsaved.append(layer)
        else:
            plan.files[layer] = file
    plan.settings = {layer: dict(bench.remembered.get(layer, {})) for layer in series}
    return plan


def _see_layout(
    bench: Workbench, series: list[Image], runs: list[Run], fields: dict[str, Any]
) -> Layout:
    stage, viewer = bench.stage, bench.viewer
    shown = stage.shown
    run = next((run for run in runs if shown and shown[0] in run.layers), None)
    limits = None
    if shown:
        low, high = shown[0].contrast_limits
        limits = (float(low), float(high))
    return Layout(
        series=series.index(shown[0]) if shown and shown[0] in series else None,
        run=None if run is None else runs.index(run),
        view=stage.view,
        point=tuple(float(at) for at in viewer.dims.point),
        contrast_limits=limits,
        fields=fields,
    )


def ask_where(bench: Workbench, first: Path, parent: QWidget | None) -> Path | None:
    """Ask where the session goes; the dialog asks before it replaces a file."""
    path, _ = QFileDialog.getSaveFileName(
        parent, "Save session", str(first), f"Sessions (*{SUFFIX})"
    )
    if not path:
        return None
    name = path.removesuffix(".json").removesuffix(".wedgefill")
    found = Path(name + SUFFIX)
    if found.exists() and str(found) != path and not confirm_replacing([found.name], parent):
        return None
    return found


def confirm_writing(plan: Plan, parent: QWidget | None) -> bool:
    """Ask whether layers that no file holds are written beside the session."""
    if not plan.unsaved:
        return True
    n_bytes = sum(layer.data.nbytes for layer in plan.unsaved)
    names = ", ".join(layer.name for layer in plan.unsaved[:4])
    more = f" and {len(plan.unsaved) - 4} more" if len(plan.unsaved) > 4 else ""
    answer = QMessageBox.question(
        parent,
        "Save volumes?",
        f"These layers are in memory only: {names}{more}. Write them ({format_bytes(n_bytes)}) "
        f"into {plan.folder}? Without them there is no session.",
        QMessageBox.StandardButton.Save | QMessageBox.StandardButton.Cancel,
        QMessageBox.StandardButton.Save,
    )
    return bool(answer == QMessageBox.StandardButton.Save)


@dataclass(frozen=True)
class Written:
    """A layer that has a file now, which holds the same array."""

    layer: Image
    path: Path


def save_steps(plan: Plan) -> Generator[Progress | Written | Path, None, None]:
    """Write what is in memory only, and then the session; yield `Written`, last its path."""
    n_steps = len(plan.unsaved) + 1
    if plan.unsaved:
        try:
            plan.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise WedgefillError(
                f"{plan.folder}: this folder cannot be made ({error.strerror}); save the session "
                "somewhere else."
            ) from error
    for index, layer in enumerate(plan.unsaved):
        seen = plan.sources[layer]
        yield Progress(f"writing {seen.name}", index / n_steps, None)
        if layer in plan.series:
            series = seen.to_series(_angles_of(seen), seen.pixel_nm)
            path = write_tilt_series(_choose_path(plan.folder, seen.name, ".st"), series)
            plan.sources[layer] = written = _as_written(seen, series)
            is_same = written.data is seen.data
        else:
            path = write_volume(_choose_path(plan.folder, seen.file_name, ".mrc"), seen.to_volume())
            is_same = True
        plan.files[layer] = path
        if is_same:
            yield Written(layer, path)
    yield Progress("writing the session", 1 - 1 / n_steps, None)
    describe(plan).write(plan.path)
    yield plan.path


def _angles_of(seen: LayerMap) -> NDArray[np.float64]:
    """Angles of a layer that is saved as a series; `make_plan` takes none without."""
    angles = seen.angles_deg
    if angles is None:
        raise WedgefillError(f"{seen.name}: no tilt angles are known; type them, then save.")
    return angles


def _as_written(seen: LayerMap, series: TiltSeries) -> LayerMap:
    """Return a layer as its file holds it: sorted by angle, row 0 at the bottom."""
    if not seen.begins_at_top and np.all(np.diff(_angles_of(seen)) >= 0):
        return seen
    data, attributes, _ = series_layer(series, name=seen.name)
    fields = {**seen.fields, **attributes["metadata"][KEY]}
    return LayerMap(data, {**attributes, "metadata": {KEY: fields}})


def _choose_path(folder: Path, name: str, suffix: str) -> Path:
    """Name a file that is not there yet."""
    stem = "".join(c if c.isalnum() or c in "-_.+" else "_" for c in name) or "layer"
    numbered = (f"{stem}_{count}" for count in itertools.count(2))
    names = itertools.chain([stem], numbered)
    return next(p for one in names if not (p := folder / f"{one}{suffix}").exists())


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can hold of a layer's entries, where its pixels lie left out."""
    kept = {}
    for name, value in fields.items():
        try:
            kept[name] = json.loads(json.dumps(value))
        except TypeError:
            continue
    return {name: value for name, value in kept.items() if name not in (FILE, DIGEST)}


def describe(plan: Plan) -> Session:
    """Describe all of it; files are hashed."""
    folder = plan.path.parent

    def file_of(layer: Image) -> SavedFile:
        return SavedFile.of(plan.files[layer], folder)

    return Session(
        series=[
            SavedSeries(
                name=plan.sources[layer].name,
                file=file_of(layer),
                shape=tuple(plan.sources[layer].data.shape),
                pixel_nm=plan.sources[layer].pixel_nm,
                fields=_plain(plan.sources[layer].fields),
                settings=_plain(plan.settings[layer]),
            )
            for layer in plan.series
        ],
        runs=[
            SavedRun(
                name=run.name,
                series=plan.series.index(run.source),
                axis="x" if run.axis == "x" else "y",
                axis_shift_px=run.series.axis_shift_px,
                angles_deg=run.series.angles_deg.tolist(),
                options=run.options,
                seconds=dict(run.seconds),
                volumes={method: file_of(layer) for method, layer in run.volumes.items()},
                trust=_describe_trust(run, file_of),
                quick_check=run.quick_check,
                self_check=run.self_check,
                table=run.table,
                report=json.loads(write_json(run.report)),
            )
            for run in plan.runs
        ],
        volumes=[
            SavedVolume(name=plan.sources[layer].name, file=file_of(layer))
            for layer in plan.volumes
        ],
        layout=plan.layout,
    )


def _describe_trust(run: Run, file_of: Any) -> SavedTrust | None:
    found = run.trust_map
    if run.trust is None or found is None:
        return None
    return SavedTrust(
        file=file_of(run.trust),
        doubtful=found.doubtful,
        mean=found.mean,
        views=found.views,
        gain=found.gain,
        is_fitted=found.is_fitted,
    )


def plain_fields(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a dock's values what no file can hold, such as its layer."""
    kinds = (str, int, float, bool, tuple)
    return {name: value for name, value in values.items() if isinstance(value, kinds)}
