"""How much memory there is, how much this process holds, and giving back what mapped files hold."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import sys
from pathlib import Path
from typing import Any

from .errors import WedgefillError

#: Share of the free memory that a job takes unless it is told how much.
DEFAULT_SHARE = 0.5
_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY_FACTORS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_CGROUP_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def parse_bytes(text: str) -> int:
    """Read an amount of memory such as "4GB", "512 MB" or "3.5GiB"; a bare number means bytes.

    Raises
    ------
    WedgefillError
        If it is none of these, or not above zero.
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMGT]?)(I?)B?\s*", text.upper())
    try:
        value = float(match[1]) if match else 0.0
    except ValueError:
        value = 0.0
    if match is None or value <= 0:
        raise WedgefillError(f"'{text}' is no amount of memory; give one such as 4GB or 512MB.")
    factor = _BINARY_FACTORS.get(match[2], 1) if match[3] else _FACTORS[match[2]]
    return int(value * factor)


def format_bytes(n_bytes: float) -> str:
    """Write an amount of memory the way `parse_bytes` reads it, rounded up: "3.2GB"."""
    if n_bytes < 0.95e9:
        return f"{-(-int(n_bytes) // 10**6)}MB"
    return f"{-(-int(n_bytes) // 10**8) / 10:g}GB"


def measure_free_bytes() -> int:
    """Memory that could be taken now without swapping, within the limits of a container."""
    if sys.platform == "win32":
        return _free_on_windows()
    free = _field(Path("/proc/meminfo"), "MemAvailable")
    if free is None:  # macOS keeps no such figure: half of what is built in
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    for limit, used in _CGROUP_FILES:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):  # no such control group, or "max"
            continue
        free = min(free, max(left, 0))
    return free


def measure_held_bytes() -> int:
    """Memory of this process that no file backs; 0 where the system does not tell."""
    return _field(Path("/proc/self/status"), "RssAnon") or 0


def release_pages(array: Any) -> None:
    """Drop the pages of a mapped file from this process' memory; the system keeps them cached.

    Reading through a map lets the resident memory grow up to the size of the file.
    """
    base = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "_mmap", None) or getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def _field(path: Path, name: str) -> int | None:
    """Return a field, in kB, of a file of the proc file system, in bytes."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


class _WindowsMemory(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
    )


def _free_on_windows() -> int:
    status = _WindowsMemory()
    status.length = ctypes.sizeof(status)
    kernel = ctypes.CDLL("kernel32.dll")
    kernel.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.free)
