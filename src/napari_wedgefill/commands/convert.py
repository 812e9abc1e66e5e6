"""Convert a tilt series or a volume to another format, which the suffix of OUT names.

  wedgefill convert needle.dm4 needle.mrc
  wedgefill convert volume.mrc volume.zarr
  wedgefill convert volume.mrc thin.mrc --planes 100:156

Formats written are MRC, TIFF (ImageJ), EMD (tomviz) and OME-Zarr. A tilt series is written as it is
read: sorted by angle, its tilt axis along y.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .series_arguments import (
    add_reading_arguments,
    add_shaping_arguments,
    close_range,
    read_range,
    read_series,
    refuse_to_replace_inputs,
)

if TYPE_CHECKING:
    from ..volume import Volume

SUMMARY = "convert a tilt series or a volume to another format"
MODES = {"float32": 2, "int16": 1, "uint16": 6, "float16": 12}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add IN, OUT, what overrides the file's own values, and how values are stored."""
    add_reading_arguments(parser)
    add_shaping_arguments(parser)
    parser.add_argument("output", type=Path, metavar="OUT", help="file to write")
    parser.add_argument(
        "--kind",
        choices=("auto", "series", "volume"),
        default="auto",
        help="take FILE for a tilt series or a volume; auto decides by its contents (auto)",
    )
    parser.add_argument(
        "--values",
        choices=tuple(MODES),
        default="float32",
        help="how an MRC file stores them; scaled where they do not fit, which a label tells",
    )
    parser.add_argument(
        "--planes",
        type=read_range,
        metavar="A:B",
        help="keep only these planes of a volume along the beam (z), counted as `info` counts "
        "them: in the whole volume; they stay in their place",
    )
    add_overwrite_argument(parser)


def add_overwrite_argument(parser: argparse.ArgumentParser) -> None:
    """Add --overwrite."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that are there already"
    )


def run(args: argparse.Namespace) -> None:
    """Read, and write under the other name."""
    from ..errors import WedgefillError
    from ..io import check_target, kind_of, read_volume, write_tilt_series, write_volume
    from .follow import say_warnings
    from .interrupt import list_series_files, tell_which_are_complete
    from .progress_line import ProgressLine

    mode = MODES[args.values]
    refuse_to_replace_inputs(args, args.output)
    check_target(args.output, overwrite=args.overwrite, mode=mode)
    files = list_series_files(args.output)
    with ProgressLine() as progress, tell_which_are_complete(*files):
        kind = args.kind
        if kind == "auto":
            is_volume = args.angles is None and kind_of(args.file, dataset=args.dataset) == "volume"
            kind = "volume" if is_volume else "series"
        if kind == "volume":
            volume = read_volume(
                args.file,
                dataset=args.dataset,
                flip=args.flip,
                signed_bytes=args.signed_bytes,
            )
            if args.pixel_nm is not None:
                volume = replace(volume, voxel_nm=(args.pixel_nm,) * 3)
            if args.planes is not None:
                if volume.whole_depth is None:
                    close_range(volume.name, "planes", args.planes, len(volume.data))
                volume = volume.crop_planes_of_whole(*args.planes)
            written = write_volume(args.output, volume, overwrite=args.overwrite, mode=mode)
            held = tell_planes(volume)
        elif args.planes is not None:
            raise WedgefillError(
                f"{args.file}: it is a tilt series, and --planes cuts volumes along z; fill it "
                "first, or say --kind volume."
            )
        else:
            series = read_series(args)
            say_warnings(series, progress)
            written = write_tilt_series(args.output, series, overwrite=args.overwrite, mode=mode)
            held = ""
        progress.say(f"wrote {written}{held}")


def tell_planes(volume: Volume) -> str:
    """Say which planes of the whole a volume holds; "" if all."""
    if volume.whole_depth is None:
        return ""
    start, stop = volume.first_plane, volume.first_plane + len(volume.data)
    return f": planes {start}:{stop} of {volume.whole_depth} along the beam (z)"
