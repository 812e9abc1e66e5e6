"""Compiled kernels survive where the package and the home folder must not be written to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from napari_wedgefill.projector import kernel_cache


def test_numba_is_left_alone_where_it_finds_a_place():
    assert kernel_cache.fallback_folder(lambda folder: folder == kernel_cache.PACKAGE) is None
    home = kernel_cache.user_cache_folder()
    assert kernel_cache.fallback_folder(lambda folder: folder == home) is None


def test_a_folder_of_the_users_own_is_the_last_resort():
    folder = kernel_cache.fallback_folder(lambda folder: False)
    assert folder is not None
    assert folder.name.startswith("wedgefill-kernels")
    assert folder == kernel_cache.fallback_folder(lambda folder: False)


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
