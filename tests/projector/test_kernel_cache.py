"""Compiled kernels survive where the package and the home folder must not be written to."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_wedgefill.projector import kernel_cache


def test_numba_is_left_alone_where_it_finds_a_place():
    assert not kernel_cache.needs_folder(lambda folder: folder == kernel_cache.PACKAGE)
    home = kernel_cache.user_cache_folder()
    assert not kernel_cache.needs_folder(lambda folder: folder == home)
    assert kernel_cache.needs_folder(lambda folder: False)


def test_the_last_resort_is_a_private_folder_found_again_by_the_next_run(tmp_path: Path):
    folder = kernel_cache.make_private_folder(tmp_path)
    assert kernel_cache.is_private(folder)
    assert folder.name.startswith("wedgefill-kernels")
    assert kernel_cache.make_private_folder(tmp_path) == folder


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners and modes")
@pytest.mark.parametrize("planted", ["writable by others", "link", "file", "of another user"])
def test_a_planted_folder_is_not_used(tmp_path: Path, planted: str, monkeypatch):
    """What lies in it would be loaded as code."""
    predictable = kernel_cache.make_private_folder(tmp_path)
    predictable.rmdir()
    if planted == "link":
        (tmp_path / "evil").mkdir()
        predictable.symlink_to(tmp_path / "evil")
    elif planted == "file":
        predictable.touch()
    else:
        predictable.mkdir()
        predictable.chmod(0o777 if planted == "writable by others" else 0o700)
    if planted == "of another user":
        owner = os.getuid()
        real = Path.lstat

        def lstat(path: Path) -> os.stat_result:
            found = list(real(path))
            if path == predictable:
                found[4] = owner + 1
            return os.stat_result(found)

        monkeypatch.setattr(Path, "lstat", lstat)
    folder = kernel_cache.make_private_folder(tmp_path)
    assert folder != predictable
    assert kernel_cache.is_private(folder)


SCRIPT = """
import sys
from napari_wedgefill.projector import ParallelBeam
import numba, numpy as np
numba.config.CACHE_DIR = sys.argv[1]
from napari_wedgefill.projector import numba_kernels, numba_tvm
from napari_wedgefill.reconstruct import iter_sart, iter_tvm, last
beam, answers = ParallelBeam([0.0, 50.0], 4), []
for n in map(int, sys.argv[2:]):
    rows = beam(np.arange(16 * n, dtype=np.float32).reshape(4, 4, n))
    answers += [float(last(solver(beam, rows, 3)).sum()) for solver in (iter_sart, iter_tvm)]
kernels = numba_kernels.project_rays, numba_kernels.descend_rays, numba_tvm.descend_tvm
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels), *answers)
"""


@pytest.mark.slow
def test_kernels_are_compiled_once_for_each_width_and_never_confused(tmp_path: Path):
    """One process a width, the cache empty, then one for both: it compiles nothing anew.

    Kernels of two widths that share a name in the cache once overwrote each other's memory.
    """

    def run(*widths: int) -> list[str]:
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "cache"), *map(str, widths)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return ran.stdout.split()

    narrow, wide, both = run(1), run(20), run(1, 20)
    assert narrow[0] == wide[0] == "3"
    assert both == ["0", *narrow[1:], *wide[1:]]


TINY_KERNEL = """
from napari_wedgefill.projector.kernel_cache import compile_kernel

@compile_kernel
def double(x):
    return 2 * x
"""


def test_damaged_kernels_are_compiled_anew(tmp_path: Path, monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    source = tmp_path / "tiny_kernel.py"
    source.write_text(TINY_KERNEL)

    def double_in_a_later_run() -> tuple[float, bool]:
        """Return what the kernel answers, and whether it had to be compiled."""
        spec = importlib.util.spec_from_file_location("tiny_kernel", source)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.double(21.0), not module.double.stats.cache_hits

    assert double_in_a_later_run() == (42.0, True)
    assert double_in_a_later_run() == (42.0, False)
    whole = {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.nb?")}
    assert {path.suffix for path in whole} == {".nbi", ".nbc"}
    for path, raw in whole.items():
        for damage in (b"no pickle", raw[: len(raw) // 2], b""):
            path.write_bytes(damage)
            assert double_in_a_later_run() == (42.0, True)
            assert double_in_a_later_run() == (42.0, False), "it is not kept anew"


def test_a_cache_that_cannot_be_written_only_costs_time():
    class Full:
        def save_overload(self, *_):
            raise OSError(28, "No space left on device")

        def load_overload(self, *_):
            raise EOFError

        def flush(self):
            raise OSError(28, "No space left on device")

    cache = kernel_cache._ForgivingCache(Full())
    cache.save_overload(None, None)
    assert cache.load_overload(None, None) is None
