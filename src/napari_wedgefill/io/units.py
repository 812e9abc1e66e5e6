"""Units of length and of angle, as the many programs that write images spell them."""

from __future__ import annotations

import math

from .tiff import nm_per_unit

DEGREE_UNITS = ("deg", "degs", "degree", "degrees", "°", "º")
RADIAN_UNITS = ("rad", "rads", "radian", "radians")


def nm_per(unit: object) -> float | None:
    """Nanometres in one `unit`, or None if it is no length."""
    return nm_per_unit(_plain(unit))


def degrees_per(unit: object) -> float | None:
    """Degrees in one `unit`, or None if it is no angle."""
    plain = _plain(unit)
    if plain in DEGREE_UNITS:
        return 1.0
    return 180.0 / math.pi if plain in RADIAN_UNITS else None


def is_energy(unit: object) -> bool:
    """Tell whether a unit is one of spectra."""
    return _plain(unit) in ("ev", "kev", "mev")


def _plain(unit: object) -> str:
    """Return a unit without what EMD puts around and into it: ``[n_m]``."""
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit or "")
    return text.strip().strip("[]() ").replace("_", "").lower()
