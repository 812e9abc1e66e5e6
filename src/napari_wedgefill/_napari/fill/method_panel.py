"""Middle part of the Fill wedge widget: methods, model, device, slices."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QSpinBox,
    QWidget,
)

from ...joint_model.onnx_session import glance_at_cuda_obstacle
from ...joint_model.registry import read_summaries
from ...methods import DEFAULT_METHODS as METHODS
from ...pipeline.options import FillOptions
from .form import form_on, row
from .inputs import METHOD_LABELS

METHOD_TIPS = {
    "wbp": "Weighted back projection: quick, sharp, full of streaks from the missing wedge.",
    "sart": "Simultaneous algebraic reconstruction: smoother, with less noise than WBP.",
    "tvm": "Total variation minimisation: favours flat regions with sharp edges.",
    "gan": (
        "The trained networks: they fill the missing tilts and remove what artifacts remain.\n"
        "Measured projections are never replaced."
    ),
}
CHOOSE_FOLDER = "Choose folder\N{HORIZONTAL ELLIPSIS}"


class MethodPanel(QWidget):
    """Check boxes for the methods; where and on which slices to run them."""

    def __init__(self) -> None:
        super().__init__()
        self.method_checks = {method: QCheckBox(METHOD_LABELS[method]) for method in METHODS}
        for method, check in self.method_checks.items():
            check.setChecked(True)
            check.setToolTip(METHOD_TIPS[method])
        self._build_model_box()
        self.device_box = QComboBox()
        obstacle = glance_at_cuda_obstacle()
        automatic = "Automatic (CPU here)" if obstacle else "Automatic (GPU here)"
        for label, value in ((automatic, "auto"), ("CPU", "cpu"), ("GPU (CUDA)", "cuda")):
            self.device_box.addItem(label, value)
        why = f"\nThe GPU cannot be used: {obstacle}." if obstacle else ""
        self.device_box.setToolTip(f"Where the networks run.{why}")
        self.first_box, self.stop_box = QSpinBox(), QSpinBox()
        self.first_box.setToolTip("First slice along the tilt axis (y).")
        self.stop_box.setToolTip("The slices end before this one.")
        self.first_box.valueChanged.connect(lambda first: self.stop_box.setMinimum(first + 1))
        self._lay_out()
        self.first_box.setRange(0, 0)
        self.stop_box.setRange(1, 1)

    def _build_model_box(self) -> None:
        self.model_box = QComboBox()
        self.model_box.setToolTip("The trained networks that GAN uses.")
        for name, summary in read_summaries().items():
            self.model_box.addItem(name, name)
            last = self.model_box.count() - 1
            self.model_box.setItemData(last, summary, Qt.ItemDataRole.ToolTipRole)
        if not self.model_box.count():
            gan = self.method_checks["gan"]
            gan.setChecked(False)
            self.model_box.addItem("none installed", None)
        self.model_box.addItem(CHOOSE_FOLDER, CHOOSE_FOLDER)
        self._model_index = max(0, self.model_box.findData(FillOptions.model))
        self.model_box.setCurrentIndex(self._model_index)
        self.model_box.activated.connect(self._model_activated)

    def _lay_out(self) -> None:
        form = form_on(self)
        form.addRow("Methods", row(*self.method_checks.values()))
        form.addRow("Model", self.model_box)
        form.addRow("Device", self.device_box)
        form.addRow("Slices", row(self.first_box, QLabel("to"), self.stop_box))

    @property
    def methods(self) -> tuple[str, ...]:
        """The checked methods, in their usual order."""
        return tuple(m for m, check in self.method_checks.items() if check.isChecked())

    @property
    def model(self) -> str:
        """Name or folder of the chosen model."""
        return str(self.model_box.currentData() or "")

    @property
    def device(self) -> str:
        """One of auto, cpu and cuda."""
        return str(self.device_box.currentData())

    @property
    def slices(self) -> tuple[int, int] | None:
        """The chosen slices; None for all of them."""
        chosen = self.first_box.value(), self.stop_box.value()
        return None if chosen == (0, self.stop_box.maximum()) else chosen

    def set_n_slices(self, n_slices: int) -> None:
        """Offer the slices of a series, all of them at first; keep a choice that still fits."""
        if self.stop_box.maximum() == n_slices:
            return
        self.first_box.setRange(0, n_slices - 1)
        self.stop_box.setRange(1, n_slices)
        self.first_box.setValue(0)
        self.stop_box.setValue(n_slices)

    def add_model_folder(self, folder: Path) -> None:
        """Offer and select a model of the user's own; it is checked when it is first used."""
        index = self.model_box.count() - 1
        self.model_box.insertItem(index, folder.name, str(folder))
        self.model_box.setCurrentIndex(index)
        self._model_index = index
        self.method_checks["gan"].setChecked(True)

    def _model_activated(self, index: int) -> None:
        if self.model_box.itemData(index) != CHOOSE_FOLDER:
            self._model_index = index
            return
        self.model_box.setCurrentIndex(self._model_index)
        folder = QFileDialog.getExistingDirectory(self, "Folder with model.toml")
        if folder:
            self.add_model_folder(Path(folder))
