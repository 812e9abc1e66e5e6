"""Where dialogs begin, and that no file is replaced without a question."""

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_wedgefill._napari.dialogs import ask_target, find_folder
from napari_wedgefill._napari.layers import KEY

KINDS = {".png": "PNG", ".pdf": "PDF"}


@pytest.fixture
def answer(monkeypatch):
    """Return what answers the next dialog, and then the question whether to replace a file."""
    asked = []

    def answer(name, kind="PDF (*.pdf)", replaces=False):
        def choose(parent, title, first, kinds):
            asked.append((Path(first).name, kinds))
            return str(name), kind

        button = QMessageBox.StandardButton
        monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
        monkeypatch.setattr(
            QMessageBox,
            "question",
            lambda *words: asked.append(words[2]) or (button.Yes if replaces else button.No),
        )
        return asked

    return answer


def test_a_whole_name_is_taken_as_the_dialog_gave_it(answer, tmp_path):
    present = tmp_path / "a.png"
    present.touch()  # the dialog has asked
    asked = answer(present)
    assert ask_target(None, "Save", tmp_path / "figure", KINDS) == present
    assert asked == [("figure.png", "PNG (*.png);;PDF (*.pdf)")]


def test_a_name_without_a_suffix_gets_it_and_replaces_nothing_unasked(answer, tmp_path):
    asked = answer(tmp_path / "a 3.4nm", "PNG (*.png)")
    assert ask_target(None, "Save", tmp_path / "figure", KINDS) == tmp_path / "a 3.4nm.png"
    answer(tmp_path / "a")
    assert ask_target(None, "Save", tmp_path / "figure", KINDS) == tmp_path / "a.pdf"
    (tmp_path / "a.pdf").touch()
    assert ask_target(None, "Save", tmp_path / "figure", KINDS) is None
    assert asked[-1] == "These files are there already: a.pdf. Replace them?"
    answer(tmp_path / "a", replaces=True)
    assert ask_target(None, "Save", tmp_path / "figure", KINDS) == tmp_path / "a.pdf"


def test_nothing_chosen_is_no_file(answer, tmp_path):
    answer("")
    assert ask_target(None, "Save", tmp_path / "figure", KINDS) is None


def test_dialogs_begin_beside_the_series(tmp_path):
    def layer(path):
        return Image(np.zeros((1, 1, 1)), metadata={KEY: {"path": path}})

    here = layer(str(tmp_path / "series.mrc"))
    assert find_folder([None, layer(None), here]) == tmp_path
    gone = layer(str(tmp_path / "unmounted" / "series.mrc"))
    assert find_folder([gone, here]) == tmp_path
    assert find_folder([gone]) == Path.home()
