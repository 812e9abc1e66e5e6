"""Where compiled kernels are kept between runs.

numba keeps them beside the source, or in the user's cache folder where the package may not be
written to; where neither can be written, as in many containers, it refuses to import the kernels.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def settle_cache_folder() -> None:
    """Give numba a temporary folder where it would find none; the user's own setting stays."""
    if "NUMBA_CACHE_DIR" not in os.environ and (folder := fallback_folder()) is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
        if "numba" in sys.modules:  # it has read the environment already
            sys.modules["numba"].config.CACHE_DIR = str(folder)


def fallback_folder(is_writable: Callable[[Path], bool] | None = None) -> Path | None:
    """Return a folder of this user's for temporary files; None where numba needs no help."""
    is_writable = is_writable or _is_writable
    if is_writable(PACKAGE) or is_writable(user_cache_folder()):
        return None
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"wedgefill-kernels-{owner}"


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
