"""Files that appear under their final name only when complete, whoever else writes beside them.

What is written lies in a hidden folder of its own until it is complete. Its name cannot be guessed
and only its owner may enter it, so nobody can plant a link where the data go, and two runs never
share one. A lock in it says that its writer is alive: what killed runs left behind is recognised by
a lock that nobody holds, and removed by the next run that writes beside it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import WedgefillError

#: Begin and end of the names of the hidden folders.
PREFIX, SUFFIX = ".wedgefill-", ".part"
#: Names in them that no output has.
LOCK, NEW_LOCK, REPLACED = ".wedgefill-lock", ".wedgefill-new", ".wedgefill-replaced"
#: A hidden folder without a lock is one in the making, unless it is older than this.
SECONDS_TO_LOCK = 600.0
#: Where a file system has no locks, nothing can be told from them.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def refuse_to_replace(path: Path, *, overwrite: bool = False) -> None:
    """Raise `WedgefillError` if something lies at `path` already, unless it may be replaced.

    A name that the disk will not take is refused as well, before anything is computed for it.
    """
    _refuse_long_name(path)
    if not overwrite and (path.exists() or path.is_symlink()):
        raise WedgefillError(
            f"{path}: this is there already and was left as it is; give another name, or say "
            f"--overwrite to replace it."
        )


def _refuse_long_name(path: Path) -> None:
    if sys.platform == "win32":
        return
    longest = None
    for folder in path.absolute().parents:
        with suppress(OSError):
            longest = os.pathconf(folder, "PC_NAME_MAX")
            break
    if longest is not None and len(os.fsencode(path.name)) > longest:
        raise WedgefillError(f"{path}: {_advise(OSError(errno.ENAMETOOLONG, ''), path)}")


def make_folder(folder: Path) -> None:
    """Make a folder for results, and those above it, unless it is there.

    Raises
    ------
    WedgefillError
        If a file is in the way, or the place cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            raise WedgefillError(
                f"{folder}: results go into a folder, but a file is in the way; give another name."
            ) from error
        raise WedgefillError(f"{folder}: {_advise(error, folder)}") from error


@contextmanager
def write_beside(path: Path, *, as_folder: bool = False) -> Iterator[Path]:
    """Give a temporary path on the same disk, and rename it to `path` if all went well.

    Whatever goes wrong, Ctrl-C included, the temporary file is removed and an older file of the
    final name is left as it was. What was written is on the disk before it gets its name, so that
    a power cut leaves the old file or the new one.

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
    if os.path.isdir(path) and not as_folder:  # Path.is_dir raises where the name is too long
        raise WedgefillError(f"{path}: this is a folder; give the name of a file in it.")
    try:
        remove_leftovers(path.parent)
        with _make_hidden_folder(path.parent) as hidden:
            temporary = hidden / path.name
            yield temporary
            _flush_to_disk(temporary)
            if as_folder and os.path.exists(path):
                _swap_folders(temporary, path, hidden)
            else:
                os.replace(temporary, path)
            _flush_folder(path.parent)
    except OSError as error:
        raise WedgefillError(f"{path}: {_advise(error, path)}") from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed runs left in a folder: hidden folders whose writer is gone.

    Those of living writers, of other users, and those that cannot be removed stay.
    """
    with suppress(OSError):
        for left in folder.glob(f"{PREFIX}*{SUFFIX}"):
            if left.is_dir() and not left.is_symlink() and _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def _is_abandoned(hidden: Path) -> bool:
    try:
        lock = os.open(hidden / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - hidden.stat().st_mtime > SECONDS_TO_LOCK
    except OSError:
        return False
    try:
        return _try_lock(lock) is True
    finally:
        os.close(lock)


@contextmanager
def _make_hidden_folder(parent: Path) -> Iterator[Path]:
    hidden = Path(tempfile.mkdtemp(SUFFIX, PREFIX, parent))
    lock = -1
    try:
        # Locked before it has its name: whoever finds the lock finds it held.
        lock = os.open(hidden / NEW_LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _try_lock(lock)
        os.rename(hidden / NEW_LOCK, hidden / LOCK)
        yield hidden
    finally:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(hidden, ignore_errors=True)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep a folder for one run while the block runs.

    Raises
    ------
    WedgefillError
        If another run, on this machine or another one that shares the disk, writes into it now.
    """
    path = folder / f"{PREFIX}run.lock"
    try:
        held = _hold(path)
    except OSError as error:
        raise WedgefillError(f"{folder}: {_advise(error, path)}") from error
    if held is None:
        raise WedgefillError(
            f"{folder}: another run is writing into this folder; wait until it has ended, or "
            "choose another folder."
        )
    try:
        yield
    finally:
        if sys.platform == "win32":  # nothing that is open is removed there
            os.close(held)
        with suppress(OSError):
            path.unlink()
        if sys.platform != "win32":
            os.close(held)


def _hold(path: Path) -> int | None:
    """Open and lock a file that its last holder may be removing; None if somebody holds it."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = os.open(path, flags, 0o600)
        if _try_lock(file) is False:
            os.close(file)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)


def _try_lock(file: int) -> bool | None:
    """Lock an open file until it is closed; False if another holds it, None if nobody can tell."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    return True


def _swap_folders(new: Path, path: Path, hidden: Path) -> None:
    """Put a folder in the place of another: no system call replaces one that is not empty."""
    old = hidden / REPLACED
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise


def _flush_to_disk(path: Path) -> None:
    """Have the system write a file, or all files of a folder, from its memory to the disk."""
    for file in path.rglob("*") if path.is_dir() else (path,):
        if file.is_file():
            with file.open("r+b") as opened:
                os.fsync(opened.fileno())


def _flush_folder(folder: Path) -> None:
    """Have the system write the names in a folder, where it knows how to."""
    if sys.platform == "win32":
        return
    with suppress(OSError):  # not every file system has it for folders
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _advise(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no room left on the disk; free some, or write elsewhere."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "this place must not be written to; choose another folder."
    if error.errno == errno.ENAMETOOLONG:
        return "this name is too long for the disk; choose a shorter one."
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        return f"the folder {path.parent} does not exist; make it first."
    return f"it could not be written ({error.strerror or error}); try another folder."
