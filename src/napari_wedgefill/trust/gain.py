"""How much error a model's movement stands for: a number that belongs to the model."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ..errors import WedgefillError

#: For models that do not say; of the small model when it was fitted.
DEFAULT_GAIN = 3.3


def trust_gain(folder: Path) -> float | None:
    """Error over movement, as ``[trust] gain`` in a model's `model.toml` says; None if it does not.

    ``python -m benchmarks.quality.trust_calibration --fit`` measures it.

    Raises
    ------
    WedgefillError
        If it is not a number above zero.
    """
    path = folder / "model.toml"
    described = tomllib.loads(path.read_text(encoding="utf-8")).get("trust", {})
    gain = described.get("gain") if isinstance(described, dict) else described
    if gain is None:
        return None
    if not isinstance(gain, int | float) or not gain > 0:
        raise WedgefillError(
            f"{path}: the gain of its trust map is {gain!r}, not a number above zero; correct it, "
            "or remove it."
        )
    return float(gain)
