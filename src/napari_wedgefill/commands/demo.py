"""Fill the wedge of a real tilt series that comes with the package, then show the results.

The series is a needle measured at NIST: 77 HAADF images from -76 to 76 degrees. The folder
receives a volume for every method, a picture that compares them and report.json. Where there is a
display (and napari), a window then opens with everything loaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from .convert import add_overwrite_argument

SUMMARY = "fill a real tilt series that comes with the package"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the output folder and --no-window."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="folder for the results (demo-output)",
    )
    add_overwrite_argument(parser)
    parser.add_argument(
        "--no-window", action="store_true", help="do not open napari even if there is a display"
    )


def run(args: argparse.Namespace) -> None:
    """Fill the needle with every method, then open napari or say where the pictures are."""
    from ..doctor import has_display
    from ..io import read_tilt_series
    from ..methods import DEFAULT_METHODS
    from ..pipeline.options import FillOptions
    from ..run.events import Done
    from ..run.folder import Provenance, iter_run_into, list_targets
    from ..run.options import RunOptions
    from ..samples import needle_path
    from .follow import follow, refuse_to_be_incomplete
    from .interrupt import tell_which_are_complete
    from .progress_line import ProgressLine

    needle = needle_path()
    options = RunOptions(FillOptions(methods=DEFAULT_METHODS), align=True, picture=True)
    with ProgressLine() as line:
        line.say("Reading and aligning the needle, then filling its wedge with every method")
        series = read_tilt_series(needle)
        provenance = Provenance(needle, args.command_line)
        events = iter_run_into(args.output, series, options, provenance, overwrite=args.overwrite)
        with tell_which_are_complete(*list_targets(args.output, series.name, options)):
            done = follow(events, line, Done)
        refuse_to_be_incomplete(done.report)
    files = {what: args.output / name for what, name in done.report["files"].items()}
    if args.no_window or not has_display() or find_spec("napari") is None:
        print(f"The comparison is a picture: {files['png']}")
        print(f"The volumes are beside it, in {args.output}; napari shows them.")
        return
    print("Opening napari")
    shown = [str(needle), *(str(files[method]) for method in DEFAULT_METHODS)]
    # In a process of its own: only _napari may import napari, and a window that dies is not ours.
    subprocess.run([sys.executable, "-m", "napari_wedgefill._napari.window", *shown], check=False)
