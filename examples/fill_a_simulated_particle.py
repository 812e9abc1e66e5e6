"""Fill the wedge of a simulated particle and compare every method with the truth.

    python examples/fill_a_simulated_particle.py --slices 28:36

Writes one MRC volume a method into a folder, and prints how far each is from the truth.
"""

import argparse
from pathlib import Path

from napari_wedgefill import FillOptions, fill, write_volume
from napari_wedgefill.samples import simulated_particle
from napari_wedgefill.trust import psnr, wedge_correlation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="wbp,sart,tvm,gan")
    parser.add_argument("--slices", default="28:36", help="start:stop along the tilt axis")
    parser.add_argument("-o", "--output", type=Path, default=Path("particle"))
    arguments = parser.parse_args()
    start, stop = map(int, arguments.slices.split(":"))

    series, truth = simulated_particle()  # images (61, 64, 128), truth (128, 64, 128)
    options = FillOptions(methods=tuple(arguments.methods.split(",")), slices=(start, stop))
    result = fill(series, options)

    arguments.output.mkdir(parents=True, exist_ok=True)
    expected = truth.data[:, start:stop].transpose(0, 2, 1)  # the metrics take (z, x, y)
    for method, volume in result.volumes.items():
        write_volume(arguments.output / f"{volume.name}.mrc", volume)
        found = volume.data.transpose(0, 2, 1)
        print(
            f"{method:>4}: {psnr(found, expected):5.2f} dB, correlation inside the wedge "
            f"{wedge_correlation(found, expected, series.angles_deg):.2f}"
        )


if __name__ == "__main__":
    main()
