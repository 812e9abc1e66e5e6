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
    parser.add_argument(
        "--no-window", action="store_true", help="do not open napari even if there is a display"
    )


def run(args: argparse.Namespace) -> None:
    """Fill the needle with every method, then open napari or say where the pictures are."""
    from ..doctor import has_display
    from ..io import read_tilt_series
    from ..pipeline.pipeline import METHODS, FillOptions
    from ..samples import needle_path
    from .filling import fill_into
    from .progress_line import ProgressLine

    needle = needle_path()
    with ProgressLine() as progress:
        progress.say("Reading and aligning the needle, then filling its wedge with every method")
        written = fill_into(
            args.output,
            read_tilt_series(needle),
            FillOptions(methods=METHODS),
            source=needle,
            progress=progress,
            align_first=True,
            png=True,
            command_line=args.command_line,
        )
    if args.no_window or not has_display() or find_spec("napari") is None:
        print(f"The comparison is a picture: {written['png']}")
        print(f"The volumes are beside it, in {args.output}; napari shows them.")
        return
    print("Opening napari")
    shown = [str(needle), *(str(written[method]) for method in METHODS)]
    # In a process of its own: only _napari may import napari, and a window that dies is not ours.
    subprocess.run([sys.executable, "-m", "napari_wedgefill._napari.window", *shown], check=False)
