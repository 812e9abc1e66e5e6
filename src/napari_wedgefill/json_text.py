"""JSON that every reader takes: Python would write NaN and Infinity, which are none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def write_json(value: Any) -> str:
    """Write a value as JSON, indented; numbers that are NaN or infinite become null."""
    return json.dumps(_replace_odd_numbers(value), indent=2, allow_nan=False)


def _replace_odd_numbers(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _replace_odd_numbers(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_odd_numbers(item) for item in value]
    return value
