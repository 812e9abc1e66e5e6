"""A writer of DigitalMicrograph files (DM3), just large enough for tests: no library has one."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

VERSION, LITTLE_ENDIAN = 3, 1
GROUP, DATA = 20, 21
#: Gatan's numbers for the types of single values, and for those of pixels.
TAG_TYPES = {"i2": 2, "i4": 3, "u2": 4, "u4": 5, "f4": 6, "f8": 7}
ARRAY = 20
PIXEL_TYPES = {"i2": 1, "f4": 2, "u1": 6, "i4": 7, "u2": 10, "u4": 11}


def write_dm3(
    path: Path,
    images: np.ndarray,
    *,
    calibrations: Sequence[tuple[float, float, str]] = (),
    tags: Mapping[str, Any] | None = None,
) -> Path:
    """Write an image (y, x) or a stack (n, y, x).

    Parameters
    ----------
    calibrations : sequence of (origin, scale, units)
        Of x, y and the third axis; a value is ``(index - origin) * scale``.
    tags : mapping
        The image's own tags, nested.
    """
    n_axes = images.ndim
    known = list(calibrations) + [(0.0, 1.0, "")] * (n_axes - len(calibrations))
    dimension = [
        {"Origin": np.float32(origin), "Scale": np.float32(scale), "Units": units}
        for origin, scale, units in known
    ]
    image = {
        "ImageData": {
            "Calibrations": {
                "Brightness": {
                    "Origin": np.float32(0),
                    "Scale": np.float32(1),
                    "Units": "",
                },
                "Dimension": dimension,
                "DisplayCalibratedUnits": np.int32(1),
            },
            "Data": images.ravel(),
            "DataType": np.int32(PIXEL_TYPES[images.dtype.str[1:]]),
            "Dimensions": [np.int32(n) for n in images.shape[::-1]],
            "PixelDepth": np.int32(images.dtype.itemsize),
        },
        "ImageTags": dict(tags or {}),
        "Name": path.stem,
    }
    body = _group({"ImageList": [image], "InImageMode": np.int32(1)})
    path.write_bytes(struct.pack(">3i", VERSION, len(body), LITTLE_ENDIAN) + body + bytes(8))
    return path


def _group(entries: Mapping[str, Any] | Sequence[Any]) -> bytes:
    named = entries.items() if isinstance(entries, Mapping) else [("", item) for item in entries]
    parts = [_entry(name, value) for name, value in named]
    return struct.pack(">BBi", 1, 0, len(parts)) + b"".join(parts)


def _entry(name: str, value: Any) -> bytes:
    letters = name.encode("latin-1")
    is_group = isinstance(value, (Mapping, list, tuple))
    head = struct.pack(">BH", GROUP if is_group else DATA, len(letters)) + letters
    if is_group:
        return head + _group(value)
    if isinstance(value, str):
        value = np.frombuffer(value.encode("utf-16-le"), "<u2")
    array = np.asarray(value)
    kind = TAG_TYPES[array.dtype.str[1:]]
    info = (kind,) if array.ndim == 0 else (ARRAY, kind, array.size)
    raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return head + struct.pack(f">4si{len(info)}i", b"%%%%", len(info), *info) + raw
