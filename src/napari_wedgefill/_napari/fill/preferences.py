"""What a new dock begins with: the settings of the last fill, in napari's Preferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...joint_model.registry import read_summaries
from ...methods import METHODS

PLUGIN = "napari-wedgefill"
#: Fields that outlive a session; the others belong to a series.
KEPT = ("methods", "model", "device", "self_check", "trust_map")


def read_preferences() -> dict[str, Any]:
    """Return the kept values of the fields; none where napari does not know the plugin."""
    settings = _find_settings()
    if settings is None:
        return {}
    known = {name: getattr(settings.fill, name) for name in KEPT}
    known["methods"] = tuple(m for m in known["methods"].replace(",", " ").split() if m in METHODS)
    if known["model"] not in read_summaries():
        del known["model"]
    return {name: value for name, value in known.items() if value not in ("", ())}


def write_preferences(values: Mapping[str, Any]) -> None:
    """Keep the values of the fields for the next dock."""
    settings = _find_settings()
    if settings is None:
        return
    for name in KEPT:
        value = values[name]
        setattr(settings.fill, name, " ".join(value) if isinstance(value, tuple) else value)


def _find_settings() -> Any:
    from napari.settings import get_plugin_settings

    try:
        return get_plugin_settings(PLUGIN)
    except KeyError:
        return None
