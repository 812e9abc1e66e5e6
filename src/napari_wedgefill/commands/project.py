"""Project a volume at the tilt angles of a file and write the images as a tilt series."""

from __future__ import annotations

import argparse
from pathlib import Path

from .convert import add_overwrite_argument
from .series_arguments import angles

SUMMARY = "project a volume to a tilt series"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add VOLUME, --angles and the output."""
    parser.add_argument("volume", type=Path, metavar="VOLUME", help="volume (z, y, x)")
    parser.add_argument(
        "--angles",
        type=angles,
        required=True,
        metavar="FILE|RANGE",
        help="tilt angles: a file (.tlt, .rawtlt, .mdoc, .csv, .aln), or a range such as -60:60:2",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.mrc", help="file for the images"
    )
    add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Read the volume, project it, and write the series with its angles beside it."""
    import numpy as np

    from ..errors import WedgefillError
    from ..io import angles_from_text, check_target, read_angles, read_volume, write_tilt_series
    from ..projector import ParallelBeam
    from ..tilt_series import TiltSeries
    from .interrupt import list_series_files, tell_which_are_complete
    from .progress_line import ProgressLine
    from .series_arguments import refuse_to_replace_inputs

    refuse_to_replace_inputs(args, args.output)
    check_target(args.output, overwrite=args.overwrite)
    files = list_series_files(args.output)
    with ProgressLine() as progress, tell_which_are_complete(*files):
        volume = read_volume(args.volume).restore_planes()
        voxel_nm = volume.voxel_nm
        if voxel_nm is not None and max(voxel_nm) > 1.001 * min(voxel_nm):
            raise WedgefillError(
                f"{args.volume}: its voxels are not cubes ({voxel_nm} nm as z, y, x), which the "
                "projector needs; resample the volume first."
            )
        depth, _, width = volume.data.shape
        is_typed = isinstance(args.angles, str)
        angles_deg = angles_from_text(args.angles) if is_typed else read_angles(args.angles)
        beam = ParallelBeam(np.sort(angles_deg), width, depth)
        progress.show(f"projecting at {beam.n_tilts} angles", 0.0)
        sinograms = beam(np.ascontiguousarray(volume.data.transpose(0, 2, 1)))
        series = TiltSeries.from_arrays(
            sinograms.transpose(0, 2, 1),
            beam.angles_deg,
            pixel_nm=None if voxel_nm is None else voxel_nm[2],
            name=args.output.stem,
        )
        written = write_tilt_series(args.output, series, overwrite=args.overwrite)
        progress.say(f"wrote {written}")
