"""Files that appear under their final name only when complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import WedgefillError


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, and rename it to `path` if all went well.

    Whatever goes wrong, Ctrl-C included, the temporary file is removed and an older file of the
    final name is left as it was.

    Raises
    ------
    WedgefillError
        If the folder is missing or not writable, or the disk is full.
    """
    if path.is_dir():
        raise WedgefillError(f"{path}: this is a folder; give the name of a file in it.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise WedgefillError(f"{path}: {_advise(error, path)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _advise(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no room left on the disk; free some, or write elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this place must not be written to; choose another folder."
    if error.errno == errno.ENOENT:
        return f"the folder {path.parent} does not exist; make it first."
    return f"it could not be written ({error.strerror or error}); try another folder."
