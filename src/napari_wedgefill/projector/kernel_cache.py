"""Compiled kernels, and where they are kept between runs.

numba keeps them beside the source, or in the user's cache folder where the package may not be
written to; where neither can be written, as in many containers, it refuses to import the kernels.
What it keeps is loaded as code, so it must be a folder that nobody else can write to. A kept kernel
that is damaged or cannot be written only costs its compilation.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
#: How every kernel is compiled. Without "fastmath": it would let sums be reordered, and differently
#: for tiles of another width.
OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}


def compile_kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, and keep it for later runs."""
    import numba

    return _forgive_a_bad_cache(numba.njit(**OPTIONS)(function))


def compile_into_callers(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of each kernel that calls it."""
    import numba

    return numba.njit(inline="always", **OPTIONS)(function)


def _forgive_a_bad_cache(kernel: Any) -> Any:
    if hasattr(kernel, "_cache"):  # not where compiling is switched off (NUMBA_DISABLE_JIT)
        kernel._cache = _ForgivingCache(kernel._cache)
    return kernel


class _ForgivingCache:
    """A numba cache of which a damaged file, or a disk without room, costs no more than time."""

    def __init__(self, kept: Any) -> None:
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)

    def load_overload(self, signature: Any, context: Any) -> Any:
        try:
            return self._kept.load_overload(signature, context)
        except Exception:  # whatever unpickling a damaged file raises
            with suppress(Exception):
                self._kept.flush()
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        with suppress(Exception):  # a full disk, a folder that is gone, a damaged index
            self._kept.save_overload(signature, compiled)


def settle_cache_folder() -> None:
    """Give numba a temporary folder where it would find none; the user's own setting stays."""
    if "NUMBA_CACHE_DIR" not in os.environ and needs_folder():
        folder = str(make_private_folder())
        os.environ["NUMBA_CACHE_DIR"] = folder
        if "numba" in sys.modules:  # it has read the environment already
            sys.modules["numba"].config.CACHE_DIR = folder


def needs_folder(is_writable: Callable[[Path], bool] | None = None) -> bool:
    """Tell whether numba finds no place of its own to keep kernels in."""
    is_writable = is_writable or _is_writable
    return not (is_writable(PACKAGE) or is_writable(user_cache_folder()))


def make_private_folder(parent: Path | None = None) -> Path:
    """Make, or find again, a folder for temporary files that nobody else can write to.

    Anybody may have made a folder of that name before; one that is not this user's, or that others
    may write to, is not used. The folder is then a new one, which goes with this process.
    """
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    folder = (parent or Path(tempfile.gettempdir())) / f"wedgefill-kernels-{owner}"
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    if is_private(folder):
        return folder
    folder = Path(tempfile.mkdtemp(prefix=f"wedgefill-kernels-{owner}-", dir=parent))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def is_private(folder: Path) -> bool:
    """Tell whether a path is a folder of this user's, no link, that only this user may write to."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "getuid"):  # on Windows, the temporary folder is the user's own
        return True
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def user_cache_folder() -> Path:
    """Return the folder that numba takes second."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path("~").expanduser())))
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _is_writable(folder: Path) -> bool:
    """Tell whether a folder can be written to, or made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)
