"""Fill a simulated particle, check the result and keep everything in a folder.

    python examples/run_with_checks.py -o run

Does what `wedgefill fill --self-check --table` does, from Python: it writes an MRC volume for every
method, the results table and report.json, and says how far it is and how long the rest takes.
"""

import argparse
from pathlib import Path

from napari_wedgefill import FillOptions, RunOptions, write_tilt_series
from napari_wedgefill.run.events import Progress, SelfCheck
from napari_wedgefill.run.folder import Provenance, Recorded, iter_run_into
from napari_wedgefill.samples import simulated_particle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="wbp,sart,tvm,gan")
    parser.add_argument("--slices", default="28:36", help="start:stop along the tilt axis")
    parser.add_argument("-o", "--output", type=Path, default=Path("run"))
    arguments = parser.parse_args()
    start, stop = map(int, arguments.slices.split(":"))

    series, _ = simulated_particle()  # images (61, 64, 128)
    arguments.output.mkdir(parents=True, exist_ok=True)
    source = write_tilt_series(arguments.output / "particle.mrcs", series)
    fill = FillOptions(methods=tuple(arguments.methods.split(",")), slices=(start, stop))
    options = RunOptions(fill, self_check=True, table=True)

    percent = -1
    for event in iter_run_into(arguments.output, series, options, Provenance(source)):
        if isinstance(event, Progress):
            if int(100 * event.fraction) > percent and event.seconds_left is not None:
                percent = int(100 * event.fraction)
                print(f"{percent} %, {event.seconds_left:.0f} s left: {event.stage}")
        elif isinstance(event, Recorded):
            print(f"{event.what}: {event.path}")
        elif isinstance(event, SelfCheck):
            print(event.sentence)


if __name__ == "__main__":
    main()
