"""Tests with other versions of Python, Qt, napari and numpy, and what is packed and installed.

    pipx install 'nox[uv]'
    nox --list
    nox -s tests-3.13               # newest dependencies: a fill, and tests that touch every room
    nox -s tests-3.13 -- tests      # the same with every test
    nox -s lowest                   # the lowest versions that pyproject.toml allows
    nox -s packages                 # wheel and sdist install, and find the bundled models offline

Each session fills a small series and then runs a selection of the tests, which takes a minute or
two; what stands behind ``--`` takes the selection's place. `make test` is the quick way to all
tests; this is for releases, and for a change of dependencies. Windows need a display or Xvfb, see
`make system-packages`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.options.sessions = ["packages", "tests", "qt", "napari", "numpy", "lowest"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ("3.11", "3.12", "3.13")
#: Without the extra `train`, whose torch is large.
EXTRAS = ".[all,formats]"
#: One folder or file of tests for every room that the package's users meet.
ROOMS = (
    "tests/test_atomic.py",
    "tests/test_doctor.py",
    "tests/test_import_direction.py",
    "tests/io/test_format_readers.py",
    "tests/io/test_writing.py",
    "tests/projector/test_parallel_beam.py",
    "tests/joint_model/test_registry_and_session.py",
    "tests/run/test_report_reading.py",
)
WINDOWS = (
    "tests/_napari/test_manifest.py",
    "tests/_napari/test_layers.py",
    "tests/_napari/fill/test_dock.py",
)
#: Asks a fresh process, without the network, what the installed package can do.
OFFLINE = """
import socket
def refuse(*_):
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
import sys
from pathlib import Path
import numpy as np
import napari_wedgefill
from napari_wedgefill.cli import main
from napari_wedgefill.io import read_volume, write_tilt_series
from napari_wedgefill.joint_model.registry import list_models, load
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries
print("napari-wedgefill is", napari_wedgefill.__file__)
assert "--installed" not in sys.argv or "site-packages" in napari_wedgefill.__file__
names = [model.name for model in list_models()]
assert {"small", "large"} <= set(names), names
for name in names:
    load(name)
assert needle_path().is_file()
images = np.random.default_rng(0).normal(5, 0.1, (25, 4, 24)).astype(np.float32)
images[:, :, 8:16] += 20
series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 25), pixel_nm=1.0)
place = Path(sys.argv[1])
file = write_tilt_series(place / "block.mrc", series, overwrite=True)
out = place / "out"
options = ["--device", "cpu", "--table", "--png", "--overwrite"]
said = main(["fill", str(file), "-o", str(out), *options])
assert said == 0, said
for method in ("wbp", "sart", "tvm", "gan"):
    volume = read_volume(out / f"block_{method}.mrc").data
    assert volume.shape == (24, 4, 24), volume.shape
    assert np.isfinite(volume).all()
    assert volume[8:16, :, 8:16].mean() > 4 * abs(volume[:, :, :4].mean()), method
main(["doctor"])
"""


def fill_offline(session: nox.Session, *options: str) -> None:
    """Fill a small series with what is installed, away from the checkout and the network."""
    place = Path(session.create_tmp()).resolve()
    session.run(
        "python", "-P", "-c", OFFLINE, str(place), *options, env={"PYTHONPATH": ""}, silent=False
    )


def run_tests(session: nox.Session, *tests: str) -> None:
    """Fill a small series, and run some tests, or those that stand behind ``--``."""
    fill_offline(session)
    session.run("pytest", "-q", *(session.posargs or tests))


def list_test_requirements() -> list[str]:
    """Return what the tests need beside the package; onnx writes networks for them."""
    return [
        *nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test"),
        "onnx>=1.17",
    ]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test with the newest dependencies, on every Python."""
    session.install("-e", EXTRAS, *list_test_requirements())
    run_tests(session, *ROOMS, *WINDOWS)


@nox.session(python="3.12")
@nox.parametrize("binding", ["PyQt6", "PySide6"])
def qt(session: nox.Session, binding: str) -> None:
    """Test the windows with either Qt binding."""
    session.install("-e", ".[formats]", "napari", binding, *list_test_requirements())
    options = ("-o", f"qt_api={binding.lower()}", *(session.posargs or WINDOWS))
    session.run("pytest", "-q", *options, env={"QT_API": binding.lower()})


@nox.session(python="3.12")
@nox.parametrize("version", ["0.9.2", "0.9", "0.10"])
def napari(session: nox.Session, version: str) -> None:
    """Test the windows with the oldest napari that is allowed, its newest one, and the next."""
    wanted = (
        f"napari[pyqt6]=={version}" if version.count(".") == 2 else f"napari[pyqt6]=={version}.*"
    )
    early = ["--prerelease=allow"] if version == "0.10" else []
    session.install("-e", ".[formats]", *list_test_requirements())
    session.install(*early, wanted)
    session.run("pytest", "-q", *(session.posargs or WINDOWS))


@nox.session(python="3.11")
@nox.parametrize("version", ["==1.26.*", ">=2"])
def numpy(session: nox.Session, version: str) -> None:
    """Test with numpy before and after its second version."""
    session.install("-e", EXTRAS, *list_test_requirements(), f"numpy{version}")
    run_tests(session, *ROOMS)


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Fill with the lowest versions that pyproject.toml allows, and test them with a window."""
    lowest = ("--resolution", "lowest-direct")
    session.install(*lowest, "-e", ".")
    fill_offline(session)
    # pytest is told of a Qt binding, and so wants one.
    session.install(*lowest, "-e", ".[all]", *list_test_requirements())
    run_tests(session, *ROOMS, *WINDOWS)


@nox.session(python=PYTHONS)
@nox.parametrize("kind", ["wheel", "sdist"])
def packages(session: nox.Session, kind: str) -> None:
    """Build, install into an empty environment, and fill a series without the network."""
    built = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(built), f"--{kind}", silent=True)
    (package,) = built.iterdir()
    session.install("--reinstall", str(package))
    fill_offline(session, "--installed")
    command = Path(session.bin) / ("wedgefill.exe" if sys.platform == "win32" else "wedgefill")
    session.run(str(command), "--version", env={**os.environ, "PYTHONPATH": ""})
