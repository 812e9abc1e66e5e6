"""--from-report: the command line that a report stands for."""

from __future__ import annotations

import argparse
from typing import Any

from ..addresses import Address
from ..errors import WedgefillError
from .fill import make_run_options
from .series_arguments import paths_from_json, paths_to_json

#: Settings of reading that are paths, which become absolute, and the others.
PATHS = ("file", "angles")
READING = (
    "dataset", "flip", "signed_bytes", "pixel_nm", "axis", "axis_shift", "bin", "negate_angles",
)  # fmt: skip
#: What may be given again beside --from-report: where things lie now.
ALLOWED = {
    "--from-report", "--output", "--overwrite", "--angles", "--model", "--max-memory", "--debug",
}  # fmt: skip


def collect_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Collect all of a fill's command line that changes what it writes, ready for JSON."""
    return {
        **{name: paths_to_json(getattr(args, name)) for name in PATHS},
        **{name: getattr(args, name) for name in READING},
        **make_run_options(args).to_settings(),
    }


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
    from ..run.report_schema import Settings

    given = {word.split("=")[0] for word in args.command_line if word.startswith("--")}
    if others := sorted(given - ALLOWED):
        raise WedgefillError(
            f"{others[0]} was given together with --from-report, which repeats a run as it was; "
            "leave one of them out."
        )
    report = read_report(args.from_report)
    names = [name for name, field in Settings.model_fields.items() if not field.exclude]
    # What older reports do not know, such as planes, was not asked for.
    settings = {name: report["settings"].get(name) for name in names}
    for name in PATHS:
        now = getattr(args, name) or settings[name]
        settings[name] = paths_from_json(now, name)
    if "--model" in given:
        settings["model"] = args.model
    for name in ("methods", "slices", "planes"):
        settings[name] = settings[name] and tuple(settings[name])
    if (report.get("model") or {}).get("provider") == "CPUExecutionProvider":
        settings["device"] = "cpu"  # what "auto" came to
    again = argparse.Namespace(**{**vars(args), **settings})
    if not isinstance(again.file, Address):  # that is looked at when it has been fetched
        check_input(again.file, report)
    check_model(again.model, again.methods, report)
    return again, report
