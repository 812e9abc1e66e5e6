"""The part Recipe of the Prepare page: recipes, and alignments of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from magicgui.widgets import Container
from magicgui.widgets.bases import Widget
from qtpy.QtWidgets import QFileDialog

from ...errors import WedgefillError
from ..dialogs import ask_target, find_folder
from .chosen import Chosen
from .controls import make_button, make_row
from .shifts import FileShifts

MORE = "\N{HORIZONTAL ELLIPSIS}"
RECIPES = "Recipes (*.json)"
ALIGNMENTS = "IMOD or AreTomo alignment (*.xf *.aln)"


class RecipePart:
    """Buttons that load and save.

    Parameters
    ----------
    chosen : Chosen
        The series.
    loaded : callable
        Called once the plan was changed by a file.
    """

    def __init__(self, chosen: Chosen, loaded: Callable[[], object]) -> None:
        self._chosen, self._loaded = chosen, loaded
        self.form = Container[Widget](labels=False, name="recipe_form")
        self.save_recipe_button = make_button(
            f"Save recipe{MORE}",
            "Write what was done as JSON; 'wedgefill prepare --recipe' repeats it.",
            self._ask_recipe_target,
        )
        self.load_recipe_button = make_button(
            f"Load recipe{MORE}", "Fill in the options of a recipe.", self._ask_recipe
        )
        self.save_shifts_button = make_button(
            f"Save shifts{MORE}",
            "Write IMOD's .xf with .tlt and .xtilt, or an AreTomo .aln.",
            self._ask_shifts_target,
        )
        self.load_shifts_button = make_button(
            f"Load shifts{MORE}",
            "Apply shifts of IMOD (.xf, with its .tlt), AreTomo (.aln) or of a recipe (.json).",
            self._ask_shifts,
        )
        layout = self.form.native.layout()
        for pair in (
            (self.load_recipe_button, self.save_recipe_button),
            (self.load_shifts_button, self.save_shifts_button),
        ):
            layout.addLayout(make_row(*((button, 1) for button in pair)))

    def mark(self) -> None:
        """Let only that be saved which there is."""
        is_prepared = self._chosen.step is not None
        self.save_recipe_button.setEnabled(is_prepared)
        self.save_shifts_button.setEnabled(is_prepared)
        for button in (self.load_recipe_button, self.load_shifts_button):
            button.setEnabled(self._chosen.layer is not None)

    def load_recipe(self, path: Path) -> None:
        """Fill in the options of a recipe; shifts are found anew."""
        from ...prepare.recipe import read_recipe

        try:
            options = read_recipe(path).options
        except WedgefillError as error:
            self._chosen.desk.workbench.fail(error)
            return
        self._chosen.plan.take_options(options)
        self._loaded()

    def load_shifts(self, path: Path) -> None:
        """Choose the shifts of a file."""
        try:
            self._chosen.plan.shifts = FileShifts.read(path)
        except WedgefillError as error:
            self._chosen.desk.workbench.fail(error)
            return
        self._loaded()

    def save_recipe(self, path: Path) -> None:
        """Write the recipe of the layer that is chosen; the dialog asked about a file there."""
        from ...prepare.recipe import write_recipe

        step = self._chosen.step
        if step is not None:
            self._write(lambda: [write_recipe(path, step.report.to_dict())])

    def save_shifts(self, path: Path) -> None:
        """Write the shifts of the layer that is chosen.

        The dialog asked about the file itself; angles beside it are never replaced.
        """
        from ...atomic import refuse_to_replace
        from ...io.alignment_files import write_alignment
        from ...prepare.transforms import make_transforms

        found = self._chosen.found
        if found is None:
            return

        def write() -> list[Path]:
            if path.suffix.lower() == ".xf":
                for ending in (".tlt", ".xtilt"):
                    refuse_to_replace(path.with_suffix(ending), overwrite=False)
            return write_alignment(path, make_transforms(found))

        self._write(write)

    def _write(self, write: Callable[[], list[Path]]) -> None:
        bench = self._chosen.desk.workbench
        try:
            written = write()
        except WedgefillError as error:
            bench.fail(error)
            return
        except OSError as error:
            bench.fail(WedgefillError(f"The file cannot be written: {error}."))
            return
        bench.say(f"Wrote {', '.join(one.name for one in written)} into {written[0].parent}.")

    def _ask_recipe(self) -> None:
        if (path := self._ask("Load a recipe", RECIPES)) is not None:
            self.load_recipe(path)

    def _ask_shifts(self) -> None:
        kinds = "Alignments (*.xf *.aln *.json)"
        if (path := self._ask("Load shifts", kinds)) is not None:
            self.load_shifts(path)

    def _ask_recipe_target(self) -> None:
        if (path := self._ask_target("Save the recipe", {".json": "Recipes"})) is not None:
            self.save_recipe(path)

    def _ask_shifts_target(self) -> None:
        if (
            path := self._ask_target(
                "Save the shifts", {".xf": "IMOD alignment", ".aln": "AreTomo alignment"}
            )
        ) is not None:
            self.save_shifts(path)

    def _ask(self, title: str, kinds: str) -> Path | None:
        path, _ = QFileDialog.getOpenFileName(
            self.form.native,
            title,
            str(find_folder([self._chosen.layer])),
            f"{kinds};;All files (*)",
        )
        return Path(path) if path else None

    def _ask_target(self, title: str, kinds: Mapping[str, str]) -> Path | None:
        layer = self._chosen.layer
        stem = "series" if layer is None else layer.name.replace(", ", "_").replace(" ", "_")
        return ask_target(self.form.native, title, find_folder([layer]) / stem, kinds)
