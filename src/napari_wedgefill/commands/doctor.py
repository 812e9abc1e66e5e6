"""Say what runs on this machine, and why not faster. Ends with status 1 if something is broken."""

from __future__ import annotations

import argparse

from ..json_text import write_json

SUMMARY = "say what runs here, and why not faster"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the diagnosis."""
    from ..doctor import diagnose
    from ..errors import WedgefillError

    found = diagnose()
    print(write_json(found.to_dict()) if args.json else found.to_text())
    if found.problems:
        n = len(found.problems)
        raise WedgefillError(f"{n} problem{'s' if n > 1 else ''} found; the repair is shown above.")
