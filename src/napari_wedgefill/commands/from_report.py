"""--from-report: the command line that a report stands for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import WedgefillError
from .series_arguments import paths_from_json, paths_to_json

#: What a report keeps of the command line; paths become absolute.
PATHS = ("file", "angles")
SETTINGS = (
    *PATHS,
    "dataset", "flip", "signed_bytes", "pixel_nm", "axis", "axis_shift", "bin", "negate_angles",
    "align", "methods", "model", "device", "slices", "stop", "box", "self_check", "trust",
    "table", "png", "no_check", "no_gain",
)  # fmt: skip
#: What may be given again beside --from-report: where things lie now.
ALLOWED = {
    "--from-report", "--output", "--overwrite", "--angles", "--model", "--max-memory", "--debug",
}  # fmt: skip


def collect_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Collect all of a fill's command line that changes what it writes, ready for JSON."""
    settings: dict[str, Any] = {}
    for name in SETTINGS:
        value = getattr(args, name)
        if name in PATHS:
            value = paths_to_json(value)
        settings[name] = list(value) if isinstance(value, tuple) else value
    if Path(args.model).is_dir():
        settings["model"] = str(Path(args.model).resolve())
    return settings


def restore_arguments(args: argparse.Namespace) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Return the command line that `args.from_report` stands for, and the report.

    FILE, --angles and --model of `args` win over the report's: they say where things lie now.

    Raises
    ------
    WedgefillError
        If the report cannot be used, another option was given, or the input or the model is not
        the one of the report.
    """
    from ..run.repeat import check_input, check_model
    from ..run.report import read_report

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
    check_input(again.file, report)
    check_model(again.model, again.methods, report)
    return again, report
