"""Repeat a fill from its report, and say plainly what differs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WedgefillError
from .progress_line import ProgressLine
from .provenance import fingerprint, versions
from .report_file import read_report
from .series_arguments import paths_from_json, paths_to_json

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries

#: What a report keeps of the command line; paths become absolute.
PATHS = ("file", "angles")
SETTINGS = (
    *PATHS,
    "dataset", "flip", "signed_bytes", "pixel_nm", "axis", "axis_shift", "bin", "negate_angles",
    "align", "methods", "model", "device", "slices", "stop", "self_check", "trust", "table", "png",
)  # fmt: skip
#: What may be given again beside --from-report: where things lie now.
ALLOWED = {"--from-report", "--output", "--angles", "--model", "--max-memory", "--debug"}


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Everything of a fill's command line that changes what it writes, ready for JSON."""
    settings: dict[str, Any] = {}
    for name in SETTINGS:
        value = getattr(args, name)
        if name in PATHS:
            value = paths_to_json(value)
        settings[name] = list(value) if isinstance(value, tuple) else value
    if Path(args.model).is_dir():
        settings["model"] = str(Path(args.model).resolve())
    return settings


def repeated(args: argparse.Namespace) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Return the command line that `args.from_report` stands for, and the report.

    FILE, --angles and --model of `args` win over the report's: they say where things lie now.

    Raises
    ------
    WedgefillError
        If the report cannot be used, another option was given, or the input or the model is not
        the one of the report.
    """
    given = {word.split("=")[0] for word in args.command_line if word.startswith("--")}
    if others := sorted(given - ALLOWED):
        raise WedgefillError(
            f"{others[0]} was given together with --from-report, which repeats a run as it was; "
            "leave one of them out."
        )
    report = read_report(args.from_report)
    settings = dict(report["settings"])
    if missing := [name for name in SETTINGS if name not in settings]:
        raise WedgefillError(
            f"{args.from_report}: this report does not say what {missing[0]} was; it comes from "
            "another version, so give the settings on the command line."
        )
    for name in PATHS:
        now = getattr(args, name) or settings[name]
        settings[name] = paths_from_json(now, name)
    if "--model" in given:
        settings["model"] = args.model
    for name in ("methods", "slices"):
        settings[name] = None if settings[name] is None else tuple(settings[name])
    if (report.get("model") or {}).get("provider") == "CPUExecutionProvider":
        settings["device"] = "cpu"  # what "auto" came to
    again = argparse.Namespace(**{**vars(args), **{name: settings[name] for name in SETTINGS}})
    _check_input(again.file, report)
    _check_model(again, report)
    return again, report


def _check_input(source: Path | list[Path], report: Mapping[str, Any]) -> None:
    files = source if isinstance(source, list) else [source]
    for file in (file for file in files if not file.exists()):
        raise WedgefillError(
            f"{file}: the report's input is not there; say where it lies now: "
            "wedgefill fill FILE --from-report ..."
        )
    then, now = report["input"]["sha256"], fingerprint(source)["sha256"]
    if then != now:
        raise WedgefillError(
            f"{source}: its SHA-256 is {now[:12]}..., but the report's input had {then[:12]}...; "
            "this is another file, so give the one of that time as FILE."
        )


def _check_model(args: argparse.Namespace, report: Mapping[str, Any]) -> None:
    if "gan" not in args.methods:
        return
    from ..joint_model.registry import load

    then, now = report["model"]["sha256"], load(args.model).sha256
    for stage, expected in then.items():
        if now.get(stage) != expected:
            raise WedgefillError(
                f"model {args.model}: the SHA-256 of its {stage} network is "
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


def tell_differences(
    then: Mapping[str, Any], now: Mapping[str, Any], progress: ProgressLine
) -> None:
    """Say what differs between a report and its repetition: versions, device, and the voxels."""
    here = versions()
    for name, version in then["versions"].items():
        if here.get(name) != version:
            progress.say(
                f"note: {name} was {version} and is {here.get(name, 'not installed')} now."
            )
    was, is_now = ((r.get("model") or {}).get("provider") for r in (then, now))
    if was != is_now:
        progress.say(f"note: the networks ran on {was} and now on {is_now}.")
    before, after = then.get("sha256", {}), now["sha256"]
    differing = [what for what in before if after.get(what) != before[what]]
    if differing:
        progress.say(f"Not the same bytes as in the report: {', '.join(differing)}.")
    else:
        progress.say(f"Repeated: all {len(before)} volumes have the same bytes as in the report.")
