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


def test_kernels_compile_into_that_folder_and_are_found_again(tmp_path: Path):
    """A fresh process, the cache empty, then another: the second compiles nothing."""
    script = (
        "from napari_wedgefill.projector import kernel_cache, ParallelBeam\n"
        "from pathlib import Path\n"
        "import numba, numpy as np\n"
        f"numba.config.CACHE_DIR = {str(tmp_path / 'cache')!r}\n"
        "from napari_wedgefill.projector import numba_kernels\n"
        "ParallelBeam([0.0, 50.0], 4)(np.ones((4, 4, 1), np.float32))\n"
        "stats = numba_kernels.forward_rays(16).stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))\n"
    )
    seen = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        seen.append(ran.stdout.split())
    assert seen == [["0", "1"], ["1", "0"]]
