"""Units of length and of angle, as the many programs that write images spell them."""

from __future__ import annotations

import math
import re

NM_PER_UNIT = {
    "m": 1e9, "meter": 1e9, "metre": 1e9, "cm": 1e7, "mm": 1e6, "millimeter": 1e6, "um": 1e3,
    "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3, "nm": 1.0,
    "nanometer": 1.0, "nanometers": 1.0, "nanometre": 1.0, "nanometres": 1.0, "pm": 1e-3,
    "picometer": 1e-3, "a": 0.1, "å": 0.1, "ang": 0.1, "angstrom": 0.1, "angstroms": 0.1,
    "ångström": 0.1,
}  # fmt: skip
DEGREE_UNITS = ("deg", "degs", "degree", "degrees", "°", "º")
RADIAN_UNITS = ("rad", "rads", "radian", "radians")


def nm_per(unit: object) -> float | None:
    """Nanometres in one `unit`, or None if it is no length."""
    return NM_PER_UNIT.get(_plain(unit))


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
    """Bring a unit to lower case letters: ImageJ escapes the micro sign, EMD writes ``[n_m]``."""
    text = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit or "")
    # Chr(0xb5) is the micro sign, chr(0x3bc) the letter mu, chr(0x212b) the angstrom sign.
    text = re.sub(r"\\u00b5|[\u00b5\u03bc]", "u", text.strip(), flags=re.IGNORECASE)
    text = re.sub(r"\\u00c5|\u212b", "\u00e5", text, flags=re.IGNORECASE)
    return text.strip("[]() ").replace("_", "").lower()
