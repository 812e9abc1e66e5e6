"""Repeating a run from its report: whether all is as it was, and what differs afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WedgefillError
from ..methods import METHODS
from .report import compute_fingerprint, list_versions

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries


def check_input(source: Path | list[Path], report: Mapping[str, Any]) -> None:
    """Raise `WedgefillError` if a file, or files, are not those that a report was made from."""
    files = source if isinstance(source, list) else [source]
    for file in (file for file in files if not file.exists()):
        raise WedgefillError(
            f"{file}: the report's input is not there; say where it lies now: "
            "wedgefill fill FILE --from-report ..."
        )
    then, now = report["input"]["sha256"], compute_fingerprint(source)["sha256"]
    if then != now:
        raise WedgefillError(
            f"{source}: its SHA-256 is {now[:12]}..., but the report's input had {then[:12]}...; "
            "this is another file, so give the one of that time as FILE."
        )


def check_model(name_or_folder: str, methods: tuple[str, ...], report: Mapping[str, Any]) -> None:
    """Raise `WedgefillError` if the methods need a model that is not the report's."""
    if not any(METHODS[name].needs_model for name in methods if name in METHODS):
        return
    from ..joint_model.registry import load

    if not report.get("model"):
        raise WedgefillError(
            "The report's methods need a model, but it does not say which one was used; give a "
            "report that 'wedgefill fill' of this version wrote."
        )
    then, now = report["model"]["sha256"], load(name_or_folder).sha256
    for stage, expected in then.items():
        if now.get(stage) != expected:
            raise WedgefillError(
                f"model {name_or_folder}: the SHA-256 of its {stage} network is "
                f"{now.get(stage, '')[:12]}..., but the report's had {expected[:12]}...; give the "
                "model of that time with "
                "--model FOLDER."
            )


def check_series(series: TiltSeries, report: Mapping[str, Any]) -> None:
    """Raise `WedgefillError` where angles or pixel size came out otherwise than in the report."""
    then = report["geometry"]
    angles = np.asarray(then["angles_deg"])
    if angles.shape != series.angles_deg.shape or np.abs(angles - series.angles_deg).max() > 1e-3:
        raise WedgefillError(
            f"{series.name}: its tilt angles are not those of the report; the file beside it that "
            "gives them was changed, so restore it or name the right one with --angles."
        )
    if then["pixel_nm"] != series.pixel_nm:
        raise WedgefillError(
            f"{series.name}: its pixel size is {series.pixel_nm} nm, but {then['pixel_nm']} nm in "
            "the report; what was found beside the file has changed, so restore it."
        )


def find_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what differs between a report and its repetition: versions, device, and the voxels."""
    here = list_versions()
    found = [
        f"note: {name} was {version} and is {here.get(name, 'not installed')} now."
        for name, version in then["versions"].items()
        if here.get(name) != version
    ]
    was, is_now = ((r.get("model") or {}).get("provider") for r in (then, now))
    if was != is_now:
        found.append(f"note: the networks ran on {was} and now on {is_now}.")
    before, after = then.get("sha256", {}), now["sha256"]
    differing = [what for what in before if after.get(what) != before[what]]
    if differing:
        found.append(f"Not the same bytes as in the report: {', '.join(differing)}.")
    else:
        found.append(f"Repeated: all {len(before)} volumes have the same bytes as in the report.")
    return found
