"""Files that appear under their final name only when complete, and replace nothing unasked."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import WedgefillError


def refuse_to_replace(path: Path, *, overwrite: bool = False) -> None:
    """Raise `WedgefillError` if something lies at `path` already, unless it may be replaced."""
    if not overwrite and (path.exists() or path.is_symlink()):
        raise WedgefillError(
            f"{path}: this is there already and was left as it is; give another name, or say "
            f"--overwrite to replace it."
        )


@contextmanager
def write_beside(path: Path, *, as_folder: bool = False) -> Iterator[Path]:
    """Give a temporary path in the same folder, and rename it to `path` if all went well.

    Whatever goes wrong, Ctrl-C included, the temporary file is removed and an older file of the
    final name is left as it was.

    Parameters
    ----------
    path : Path
        The final name. What lies there is replaced.
    as_folder : bool
        What is written is a folder, as Zarr's are.

    Raises
    ------
    WedgefillError
        If the folder is missing or not writable, or the disk is full.
    """
    if path.is_dir() and not as_folder:
        raise WedgefillError(f"{path}: this is a folder; give the name of a file in it.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if as_folder and path.exists():
            _swap_folders(temporary, path)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise WedgefillError(f"{path}: {_advise(error, path)}") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _swap_folders(new: Path, path: Path) -> None:
    """Put a folder in the place of another: no system call replaces one that is not empty."""
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink(missing_ok=True)


def _advise(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no room left on the disk; free some, or write elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this place must not be written to; choose another folder."
    if error.errno == errno.ENOENT:
        return f"the folder {path.parent} does not exist; make it first."
    return f"it could not be written ({error.strerror or error}); try another folder."
