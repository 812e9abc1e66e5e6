"""The Compare window: controls, panels, and a line that says where the crosshair is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import napari
import numpy as np
from napari.layers import Image
from napari.utils.theme import get_theme
from qtpy.QtCore import QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...errors import WedgefillError
from ..dialogs import ask_target, find_folder
from ..messages import announce
from ..qt_objects import call_at_end, expect
from .canvas import CompareCanvas
from .control_bar import ControlBar
from .figure import PrintedFigure
from .layer_source import (
    MOST_TICKED,
    choose_at_first,
    columns_of,
    group_by_run,
    list_comparable,
    methods_of_run,
    same_grid,
    unit_of,
)
from .model import CompareModel
from .planes import AXES
from .theme import DARK, LIGHT

HINT = (
    "Click or drag: crosshair. Wheel: slices. Ctrl+wheel: zoom. Right drag: pan. "
    "Shift+drag: profile along a line."
)
NOTHING = "There is no volume to compare: press Fill wedge, or open volumes."
LINE_HINT = "Hold Shift and drag in a panel to draw the line of the profile."
#: What changes the columns when it changes in a layer.
LAYER_EVENTS = ("name", "data", "scale", "translate", "units", "metadata")
PART_OF_SCREEN = 0.85
LARGEST = QSize(1700, 1100)


class CompareWidget(QWidget):
    """Orthoslices of several volumes under one crosshair.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        Its layers are compared, and its sliders follow the crosshair.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.setWindowTitle("Compare")
        self._viewer = napari_viewer
        self._known: list[Image] = []
        self._shown: list[Image] = []
        self.model = CompareModel()
        self.canvas = CompareCanvas(self.model)
        self.controls = ControlBar(self.model)
        self.status = QLabel()
        self.status.setContentsMargins(8, 3, 8, 3)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.link = ViewerLink(self.model, napari_viewer, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.controls)
        column.addWidget(self.canvas, stretch=1)
        column.addWidget(self.status)
        # Layers come and go in groups: look once, when the group is complete.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.refresh_layers)
        self._connect()
        self._follow_theme()
        self.refresh_layers()

    def _connect(self) -> None:
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self._layers_changed)
        self._viewer.events.theme.connect(self._follow_theme)
        self.controls.layer_menu.ticked.connect(self._take_ticks)
        self.controls.run_chosen.connect(self.show_run)
        self.controls.copy_asked.connect(self.copy)
        self.controls.save_asked.connect(self.ask_and_save)
        self.controls.line_wanted.connect(lambda: self.status.setText(LINE_HINT))
        self.model.moved.connect(self._say_where)
        call_at_end(self, self._detach)

    def refresh_layers(self) -> None:
        """Offer the viewer's volumes; a new run is shown at once, its like join what was chosen.

        The layers of a run may come one after the other: those that come later join the first.
        """
        found = list_comparable(self._viewer)
        groups = group_by_run(found)
        fresh = [layer for layer in found if layer not in self._known]
        newest = next(iter(groups), "")
        shown = [layer for layer in found if layer in self._shown]
        before = [layer for layer in groups.get(newest, []) if layer not in fresh]
        comes = bool(newest) and len(before) < len(groups[newest])
        if self._known and comes and (not before or set(before) == set(shown)):
            shown = methods_of_run(found, newest)
        elif shown and not newest:
            alike = [layer for layer in fresh if same_grid(layer, shown[0])]
            joined = {*shown, *alike[: max(0, MOST_TICKED - len(shown))]}
            shown = [layer for layer in found if layer in joined]
        elif not shown:
            shown = choose_at_first(found)
        self._watch(found)
        self._known = found
        self._offer(groups, shown)
        self.compare(shown)

    def show_run(self, run: str) -> None:
        """Show the volumes of one run, a column for each method."""
        layers = methods_of_run(self._known, run)
        if layers:
            self._offer(group_by_run(self._known), layers)
            self.compare(layers)

    def _offer(self, groups: dict[str, list[Image]], shown: list[Image]) -> None:
        names = {run: [layer.name for layer in layers] for run, layers in groups.items()}
        self.controls.layer_menu.offer(names, [layer.name for layer in shown])
        self._mark_run(shown)

    def _mark_run(self, shown: Sequence[Image]) -> None:
        """Say which run is shown, or that the columns were chosen one by one."""
        runs = [run for run in group_by_run(self._known) if run]
        whole = [run for run in runs if methods_of_run(self._known, run) == list(shown)]
        self.controls.offer_runs(runs, whole[0] if whole else "")

    def compare(self, layers: Sequence[Image]) -> None:
        """Show some layers, one a column.

        Parameters
        ----------
        layers : sequence of Image
            Volumes of the viewer, in the order of the columns.
        """
        were_none = not self._shown
        self._shown = list(layers)
        self.model.set_methods(columns_of(layers, self._viewer), unit_of(layers))
        self.status.setText(HINT if layers else NOTHING)
        if were_none and layers:
            self.link.follow()

    def _take_ticks(self) -> None:
        chosen = self.controls.layer_menu.chosen
        shown = [layer for layer in self._known if layer.name in chosen]
        self._mark_run(shown)
        self.compare(shown)

    def _watch(self, layers: Sequence[Image]) -> None:
        for layer in self._known:
            for name in LAYER_EVENTS:
                getattr(layer.events, name).disconnect(self._layers_changed)
        for layer in layers:
            for name in LAYER_EVENTS:
                getattr(layer.events, name).connect(self._layers_changed)

    def _layers_changed(self, event: Any = None) -> None:
        self._later.start(0)

    def _follow_theme(self, event: Any = None) -> None:
        self.canvas.theme = DARK if get_theme(self._viewer.theme).type == "dark" else LIGHT
        self.canvas.update()

    def _say_where(self) -> None:
        model = self.model
        z, y, x = (
            f"{name} = {index} ({position:.4g} {model.unit})"
            for name, index, position in zip(
                AXES, model.slice_numbers(), model.crosshair, strict=True
            )
        )
        self.status.setText(f"{x}   {y}   {z}")

    def figure(self) -> PrintedFigure:
        """Return the figure of what is shown."""
        return PrintedFigure(
            self.model, self.canvas.layout_now(), crosshair=self.model.show_crosshair
        )

    def copy(self) -> None:
        """Put the figure on the clipboard."""
        image = self.figure().image()
        expect(QApplication.clipboard()).setImage(image)
        self.status.setText(f"Copied {image.width()} x {image.height()} pixels.")

    def ask_and_save(self) -> None:
        """Write the figure, after asking where to."""
        first = find_folder(self._shown) / "compare"
        path = ask_target(self, "Save figure", first, {".png": "PNG", ".pdf": "PDF"})
        if path is None:
            return
        try:
            self.figure().save(path)
        except WedgefillError as error:
            self.status.setText(announce(error).sentence)
        else:
            self.status.setText(f"Wrote {path}")

    def _detach(self) -> None:
        """Leave nothing behind that calls a window which is gone."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._layers_changed)
        self._viewer.events.theme.disconnect(self._follow_theme)
        self._watch([])
        self._known = []
        self.link.detach()


def open_compare(
    viewer: napari.viewer.Viewer, main: QWidget | None, run: str | None = None
) -> CompareWidget:
    """Open the Compare window of a viewer, or bring it to the front.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Its volumes are compared.
    main : QWidget or None
        The viewer's window, with which this one closes.
    run : str, optional
        Title of the run to show; by default the newest, or what the window shows already.

    Returns
    -------
    CompareWidget
        A window of its own.
    """
    inside = [] if main is None else main.findChildren(CompareWidget)
    windows = [child for child in inside if child.isWindow()]
    if windows:
        widget = windows[0]
    else:
        widget = CompareWidget(viewer)
        if main is not None:
            widget.setParent(main, Qt.WindowType.Window)
        widget.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        widget.resize((expect(widget.screen()).availableSize() * PART_OF_SCREEN).boundedTo(LARGEST))
    if run is not None:
        widget.show_run(run)
    widget.show()
    widget.raise_()
    widget.activateWindow()
    return widget


def open_from_menu(viewer: napari.viewer.Viewer) -> None:
    """Layers > Visualize > Compare volumes."""
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    active = [w for w in windows if w.isActiveWindow()]
    open_compare(viewer, next(iter([*active, *windows]), None))


#: The main viewer takes far longer to draw than this window, so it follows when a drag rests.
REST_MS = 80


class ViewerLink(QObject):
    """Keeps a model's crosshair and a viewer's current point at the same place.

    Parameters
    ----------
    model : CompareModel
        Its crosshair.
    viewer : napari.Viewer
        Its last three dimensions are (z, y, x).
    parent : QObject
        Owns this link.
    """

    def __init__(self, model: CompareModel, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._model, self._viewer = model, viewer
        self._is_following = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.push)
        model.moved.connect(self._moved)
        viewer.dims.events.point.connect(self.follow)

    def follow(self, event: Any = None) -> None:
        """Move the crosshair to where the viewer's sliders are."""
        if self._viewer.dims.ndim < 3:
            return
        z, y, x = self._viewer.dims.point[-3:]
        self._is_following = True
        self._model.move_to((float(z), float(y), float(x)))
        self._is_following = False

    def push(self) -> None:
        """Move the viewer's sliders to the crosshair."""
        dims = self._viewer.dims
        if dims.ndim < 3 or np.allclose(dims.point[-3:], self._model.crosshair):
            return
        dims.set_point(range(dims.ndim - 3, dims.ndim), self._model.crosshair)

    def detach(self) -> None:
        """Stop."""
        self._viewer.dims.events.point.disconnect(self.follow)

    def _moved(self) -> None:
        if not self._is_following:
            self._timer.start()
