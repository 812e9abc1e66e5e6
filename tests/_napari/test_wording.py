"""What is read in the window names its fields, and no option of the command line."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

import napari_wedgefill
from napari_wedgefill._napari.layer_entries import remember_warnings
from napari_wedgefill._napari.layers import LayerMap
from napari_wedgefill._napari.messages import explain
from napari_wedgefill._napari.wording import say_in_window
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io.doubtful_pixels import (
    find_dark_specimen,
    find_hot_pixels,
    note_blank_images,
)
from napari_wedgefill.tilt_series import check_geometry

ROOT = Path(napari_wedgefill.__file__).parent
#: Rooms whose sentences the window shows. Addresses and reports are of the command line alone.
ROOMS = (
    "io",
    "prepare",
    "pipeline",
    "joint_model",
    "methods",
    "reconstruct",
    "trust",
    "tilt_series.py",
)
#: What only the command line says: recipes are read there from any path, models are exported.
ELSEWHERE = re.compile(r"wedgefill (prepare' wrote|export)|writer=")
OPTION = re.compile(r"(?<!\w)--[a-z][a-z-]+|wedgefill (fill|prepare|align|info|convert)\b")


def list_sentences():
    """Every string of these rooms that names an option, docstrings excepted."""
    for room in ROOMS:
        place = ROOT / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            tree = ast.parse(path.read_text())
            parts = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
                and node.body
                and isinstance(node.body[0], ast.Expr)
            }
            parts |= {
                id(piece)
                for node in ast.walk(tree)
                if isinstance(node, ast.JoinedStr)
                for piece in node.values
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    text = "".join(
                        piece.value if isinstance(piece, ast.Constant) else "7"
                        for piece in node.values
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = node.value
                else:
                    continue
                is_whole = len(text.split()) > 3 and id(node) not in parts
                if is_whole and OPTION.search(text) and not ELSEWHERE.search(text):
                    yield f"{path.relative_to(ROOT)}: {text}"


@pytest.mark.parametrize("sentence", sorted(set(list_sentences())))
def test_no_sentence_of_the_window_sends_to_the_command_line_alone(sentence):
    said = say_in_window(sentence)
    assert said != sentence
    left = re.sub(r"--[a-z-]+( [\w.]+)? on the command line", "", said)
    assert not OPTION.search(left), said


def test_errors_tool_tips_and_notes_name_fields(series):
    with pytest.raises(WedgefillError) as error:
        check_geometry("x", series.angles_deg, 32, pixel_nm=-1.0)
    assert explain(error.value).sentence.endswith("give it as Pixel size.")
    images = np.zeros((5, 20, 20), np.float32)
    images[:, 3, 3], images[:, 5:9, 5:9] = 1e6, np.arange(16).reshape(4, 4)
    dark = -np.pad(np.ones((9, 12, 12), np.float32), ((0, 0), (12, 12), (12, 12)))
    notes = [
        *note_blank_images((2,)),
        *find_hot_pixels(images, None),
        *find_dark_specimen(dark),
    ]
    assert len(notes) == 3
    layer = Image(images)
    remember_warnings(layer, notes)
    tip = LayerMap.of(layer).provenance
    for words in ("button below the angles", "Hot pixels, X-rays", "Invert contrast"):
        assert words in tip
    assert not OPTION.search(tip)
