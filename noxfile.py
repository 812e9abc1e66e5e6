"""Tests with other versions of Python, Qt, napari and numpy, and what is packed and installed.

    pipx install 'nox[uv]'
    nox --list
    nox -s tests-3.13            # every test, newest dependencies
    nox -s lowest                # every test, the lowest versions that pyproject.toml allows
    nox -s packages              # wheel and sdist install, and find the bundled models offline

`make test` is the quick way to the tests; this is for releases, and for a change of dependencies.
Windows need a display or Xvfb, see `make system-packages`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.options.sessions = ["packages", "tests", "qt", "numpy", "lowest"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ("3.11", "3.12", "3.13")
#: Without the extra `train`, whose torch is large; its tests are left out where torch is not there.
EXTRAS = ".[all,formats]"
TESTS = ("pytest", "-q", "--ignore=tests/training", "--ignore=tests/test_gpu_benchmarks.py")
#: Asks a fresh process, without the network, what an installed package can do.
OFFLINE = """
import socket
def refuse(*_):
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
from pathlib import Path
import numpy as np
import napari_wedgefill
from napari_wedgefill import FillOptions, TiltSeries, fill
from napari_wedgefill.joint_model.registry import list_models, load
from napari_wedgefill.samples import needle_path
assert "site-packages" in napari_wedgefill.__file__, napari_wedgefill.__file__
names = [model.name for model in list_models()]
assert {"small", "large"} <= set(names), names
for name in names:
    load(name)
assert needle_path().is_file()
images = np.random.default_rng(0).random((9, 2, 16), dtype=np.float32)
volume = fill(TiltSeries.from_arrays(images, np.linspace(-60, 60, 9)), FillOptions(device="cpu"))
assert set(volume.volumes) == {"wbp", "sart", "tvm", "gan"}
print("works offline:", *names)
"""


def run_tests(session: nox.Session, *requirements: str) -> None:
    """Install the package, the test group and further requirements, and run the tests."""
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("-e", EXTRAS, *groups, "onnx", *requirements)
    session.run(*TESTS, *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run every test with the newest dependencies, on every Python."""
    run_tests(session)


@nox.session(python="3.12")
@nox.parametrize("binding", ["PyQt6", "PySide6"])
def qt(session: nox.Session, binding: str) -> None:
    """Run the tests of the windows with either Qt binding."""
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("-e", ".[formats]", "napari", binding, *groups)
    options = ("-o", f"qt_api={binding.lower()}", "tests/_napari", *session.posargs)
    session.run("pytest", "-q", *options, env={"QT_API": binding.lower()})


@nox.session(python="3.12")
@nox.parametrize("napari", ["==0.9.*", "--pre"])
def napari(session: nox.Session, napari: str) -> None:
    """Run the tests of the windows with the oldest napari that is allowed, and the next one."""
    which = ["--pre", "napari[pyqt6]"] if napari == "--pre" else [f"napari[pyqt6]{napari}"]
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("-e", ".[formats]", *groups)
    session.install("--upgrade", *which)
    session.run("pytest", "-q", "tests/_napari", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("numpy", ["==1.26.*", ">=2"])
def numpy(session: nox.Session, numpy: str) -> None:
    """Run every test with numpy before and after its second version."""
    run_tests(session, f"numpy{numpy}")


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run every test but those of windows with the lowest versions that pyproject.toml allows."""
    groups = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
    session.install("--resolution", "lowest-direct", "-e", ".")
    session.install(*groups)
    session.run(*TESTS, "--ignore=tests/_napari", *session.posargs)


@nox.session(python=PYTHONS)
@nox.parametrize("kind", ["wheel", "sdist"])
def packages(session: nox.Session, kind: str) -> None:
    """Build, install into an empty environment, and fill a series without the network."""
    built = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(built), f"--{kind}", silent=True)
    (package,) = built.iterdir()
    session.install("--force-reinstall", str(package))
    session.chdir(built)  # away from the checkout
    session.run("python", "-c", OFFLINE, env={"PYTHONPATH": ""})
    doctor = Path(session.bin) / ("wedgefill.exe" if sys.platform == "win32" else "wedgefill")
    session.run(str(doctor), "--version", env={**os.environ, "PYTHONPATH": ""})
