"""Nothing leaves the machine: ONNX Runtime is only ever imported with its telemetry off."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_wedgefill

PACKAGE = Path(napari_wedgefill.__file__).parent
ROOT = PACKAGE.parent.parent
THE_ONE_PLACE = PACKAGE / "joint_model" / "onnx_runtime.py"
LOADER = "load_onnxruntime"


def source_files() -> Iterator[Path]:
    for folder in (PACKAGE, ROOT / "benchmarks", ROOT / "examples"):
        yield from (path for path in folder.rglob("*.py") if path != THE_ONE_PLACE)


def unguarded_imports(tree: ast.Module) -> Iterator[int]:
    """Lines that import ONNX Runtime when they run, without the loader before them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.Module | ast.FunctionDef):
            continue
        is_off = False
        for statement in scope.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == LOADER:
                    is_off = True
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                is_its = any(name.split(".")[0] == "onnxruntime" for name in names)
                # What stands in a function is looked at there.
                is_later = isinstance(scope, ast.Module) and isinstance(statement, ast.FunctionDef)
                if is_its and not is_off and not is_later:
                    yield node.lineno


def test_nothing_else_imports_onnx_runtime_before_its_telemetry_is_off():
    texts = {path: path.read_text(encoding="utf-8") for path in source_files()}
    naming = {path: text for path, text in texts.items() if "onnxruntime" in text}
    assert naming
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, text in naming.items()
        for line in unguarded_imports(ast.parse(text))
    ]
    assert not wrong


def test_the_check_of_imports_sees_an_import():
    assert list(unguarded_imports(ast.parse("def f():\n    import onnxruntime"))) == [2]
    assert not list(
        unguarded_imports(ast.parse("def f():\n    load_onnxruntime()\n    import onnxruntime.x"))
    )


HAS_STRACE = shutil.which("strace") is not None
TRACE = "calls.txt"
#: Python's own sockets are refused in any case.
FILL = """
import socket, sys, time
def refuse(*_): raise AssertionError("a socket was opened")
socket.socket.connect = socket.getaddrinfo = refuse
import numpy as np
from napari_wedgefill import FillOptions, TiltSeries, fill
images = np.random.default_rng(0).normal(0, 0.1, (9, 1, 16))
images[:, :, 6:10] += 5
series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
fill(series, FillOptions(methods=("gan",), device="cpu"))
time.sleep(2)  # telemetry is sent by a thread of its own, a moment later
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A home folder in which nothing was before a fill, with its system calls if strace is here."""
    home = tmp_path_factory.mktemp("home")
    traced = ["strace", "-f", "-e", "trace=socket,connect", "-o", str(home / TRACE)]
    kept = {
        k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY")
    }
    subprocess.run(
        [*(traced if HAS_STRACE else []), sys.executable, "-c", FILL],
        check=True,
        timeout=300,
        env={**kept, "HOME": str(home), "PYTHONPATH": str(PACKAGE.parent)},
    )
    return home


def test_a_fill_leaves_no_telemetry_database(filled: Path):
    """ONNX Runtime makes one, and an identifier of the device, as soon as it means to send."""
    found = [path.relative_to(filled) for path in filled.rglob("*")]
    assert not [path for path in found if "onnxruntime" in str(path)]


@pytest.mark.skipif(not HAS_STRACE, reason="only strace sees the sockets of a library in C")
def test_a_fill_opens_no_network_socket(filled: Path):
    text = (filled / TRACE).read_text()
    assert "exited with 0" in text
    assert not re.findall(r"socket\((?:AF_INET|PF_INET).*", text)


def test_a_missing_runtime_is_told_in_a_sentence(monkeypatch):
    from napari_wedgefill.errors import WedgefillError
    from napari_wedgefill.joint_model.onnx_runtime import load_onnxruntime

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WedgefillError, match=r"cannot be imported .* see 'wedgefill doctor'"):
        load_onnxruntime()
