"""Imports go one way, and heavy packages load only in the rooms that need them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_wedgefill

PACKAGE = Path(napari_wedgefill.__file__).parent
#: From the lowest; a room may import itself and any lower layer.
LAYERS = (
    {"errors"},
    {"addresses", "atomic", "durations", "json_text", "mapped_files", "memory"},
    {"disk_images", "geometry", "validation"},
    {"tilt_series", "volume", "progress"},
    {"io", "projector"},
    {"normalise", "reconstruct", "samples"},
    {"joint_model", "prepare"},
    {"methods"},
    {"comparison", "pipeline"},
    {"trust"},
    {"run"},
    {"bench", "gpu_state", "training"},
    {"doctor"},
    {"batch"},
    {"_napari", "commands"},
    {"cli"},
)
LAYER_OF = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
HEAVY = ("distributed", "matplotlib", "napari", "onnxruntime", "qtpy", "torch", "triton")
#: Modules that are imported only where their heavy package is wanted.
LAZY = (
    "__main__",
    "torch_backend",
    "torch_replay",
    "torch_tvm",
    "triton_backend",
    "triton_kernels",
    "triton_library",
    "triton_support",
    "triton_tvm",
)
#: What else each room may bring along when it is imported.
ALLOWED = {"training": {"torch"}, "joint_model": {"onnxruntime"}}
LIGHT = set(LAYER_OF) - {"_napari", *ALLOWED}


def modules() -> Iterator[tuple[str, Path]]:
    """Room and path of every module below a room."""
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        if inside.parts != ("__init__.py",):
            yield inside.parts[0].removesuffix(".py"), path


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    """Rooms that a module imports anywhere in it, functions included, with the line."""
    parents = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.level:
            base = list(parents[: len(parents) - node.level + 1])
            base += node.module.split(".") if node.module else []
            names = [".".join(base)] if base else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module.startswith("napari_wedgefill.") else []
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.startswith("napari_wedgefill.")]
        for name in names:
            yield name.removeprefix("napari_wedgefill.").split(".")[0], node.lineno


def test_every_room_has_a_layer_and_no_layer_lists_a_room_that_is_gone():
    assert {room for room, _ in modules()} == set(LAYER_OF)


@pytest.mark.parametrize("room", sorted({room for room, _ in modules()}))
def test_a_room_imports_only_lower_ones(room: str):
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {other}"
        for own, path in modules()
        if own == room
        for other, line in imported_rooms(path)
        if other != room and other in LAYER_OF and LAYER_OF[other] >= LAYER_OF[room]
    ]
    assert not wrong


IMPORT = """
import importlib, sys
for name in {names}:
    before = set(sys.modules)
    importlib.import_module(name)
    print(*(f"{{name}}:{{heavy}}" for heavy in {heavy} if heavy in sys.modules.keys() - before))
"""


@pytest.mark.parametrize(
    "rooms", [LIGHT, *({room} for room in ALLOWED)], ids=["the others", *ALLOWED]
)
def test_a_room_brings_nothing_heavy_along(rooms: set[str]):
    """One process imports every module that is to bring nothing, the lowest rooms first."""
    if "training" in rooms:
        pytest.importorskip("torch", reason="the extra 'train' is not installed")
    names = ["napari_wedgefill"]
    for _, path in sorted((LAYER_OF[room], path) for room, path in modules() if room in rooms):
        if path.stem not in LAZY:
            inside = path.relative_to(PACKAGE.parent).with_suffix("")
            names.append(".".join(inside.parts).removesuffix(".__init__"))
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT.format(names=names, heavy=HEAVY)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    allowed = set().union(*(ALLOWED.get(room, set()) for room in rooms))
    assert [pair for pair in ran.stdout.split() if pair.split(":")[1] not in allowed] == []


def test_every_public_name_is_found():
    for name in napari_wedgefill.__all__:
        assert getattr(napari_wedgefill, name) is not None
