"""What faults of the images' intensities cost: frames, slopes and correlated noise.

    python -m benchmarks.quality.intensities

Each fault is done to the images of a simulated specimen, which are filled as they are, with noise
taken for white, and as a fill corrects them. The truth is that of the specimen; where images are
smoothed, it is smoothed alike. Written to docs/measured/intensities.md, with the figures beside it.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from benchmarks import MEASURED, begin_figures, write_page
from benchmarks.quality import kinds
from napari_wedgefill import normalise
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.training.frames import grid
from napari_wedgefill.trust import psnr

Floats = NDArray[np.float32]
Fault = Callable[[np.random.Generator, Floats, float], Floats]

METHODS = ("sart", "tvm", "gan")
SHOWN = ("tvm", "gan")
#: Vacuum of the detector, over the brightest pixel.
PEDESTAL = 0.4
#: Largest displacement that an alignment took out, in pixels across the tilt axis.
MOVED_PX = 9
#: Rise of the background from the left end to the right, over the brightest pixel.
RISE = 0.12
#: Standard deviation of the smoothing, and of that by interpolating half-way twice, in pixels.
BLUR_PX, TWICE_PX = 1.0, 0.5**0.5


def keep(_: np.random.Generator, images: Floats, __: float) -> Floats:
    """Return the images as they are."""
    return images


def smooth(_: np.random.Generator, images: Floats, __: float) -> Floats:
    """Smooth every image, as a microscope's software does for display."""
    return scipy.ndimage.gaussian_filter(images, (0, BLUR_PX, BLUR_PX), mode="nearest")


def interpolate(_: np.random.Generator, images: Floats, __: float) -> Floats:
    """Shift every image by half a pixel and back, by linear interpolation."""
    for shift in (0.5, -0.5):
        images = scipy.ndimage.shift(images, (0, shift, shift), order=1, mode="nearest")
    return images


def frame_with_zeros(rng: np.random.Generator, images: Floats, _: float) -> Floats:
    """Blank what an alignment moved in from outside, with zeros as tomviz and ETSpy do."""
    return _frame(rng, images, lambda image: 0.0)


def frame_with_means(rng: np.random.Generator, images: Floats, _: float) -> Floats:
    """Blank what an alignment moved in from outside, with each image's mean as IMOD does."""
    return _frame(rng, images, lambda image: float(image.mean()))


def _frame(rng: np.random.Generator, images: Floats, choose: Callable[[Floats], float]) -> Floats:
    out = images.copy()
    for image in out:
        moved = int(rng.integers(-MOVED_PX, MOVED_PX + 1))
        image[:, slice(moved) if moved > 0 else slice(image.shape[1] + moved, None)] = choose(image)
    return out


def slope(_: np.random.Generator, images: Floats, peak: float) -> Floats:
    """Add the same ramp along the detector to every image."""
    ramp = np.linspace(0.0, RISE * peak, images.shape[2], dtype=np.float32)
    return images + ramp


def slope_of_each(rng: np.random.Generator, images: Floats, peak: float) -> Floats:
    """Add another ramp, up or down, to each image."""
    ramp = np.linspace(-0.5, 0.5, images.shape[2], dtype=np.float32) * np.float32(RISE * peak)
    return images + rng.uniform(-1, 1, (len(images), 1, 1)).astype(np.float32) * ramp


FAULTS: dict[str, Fault] = {
    "none": keep,
    "smoothed by 1 px": smooth,
    "interpolated twice": interpolate,
    "frame of zeros": frame_with_zeros,
    "frame of the image's mean": frame_with_means,
    "background with a slope": slope,
    "a slope in each image": slope_of_each,
}


def make_particles(rng: np.random.Generator) -> kinds.Recorded:
    """Return particles, +-60 degrees in steps of 2, 400 electrons."""
    fine = kinds.particles(rng, grid(2 * kinds.WIDTH, kinds.SLICES), 14, 0.5, (0.08, 0.2))
    return kinds.observe(rng, fine, kinds.tilt(60, 2), 400)


#: How a fault smooths the truth, in pixels.
SMOOTHED = {"smoothed by 1 px": BLUR_PX, "interpolated twice": TWICE_PX}

SPECIMENS: dict[str, Callable[[np.random.Generator], kinds.Recorded]] = {
    "needle": kinds.isolated_needle,
    "particles": make_particles,
    "cupped needle": kinds.cupped_needle,
    "needle, 60 electrons": kinds.dim_needle,
    "atomic film": kinds.atomic_film,
}


def _take_for_white(_: Any) -> tuple[float, float]:
    return 1.0, 0.0


def measure(specimen: str, fault: str, model: str, session: Session) -> dict[str, Any]:
    """Fill one series with and without what is corrected before a fill."""
    made = SPECIMENS[specimen](np.random.default_rng(0))
    images = np.asarray(made.series.images)
    peak = float(np.percentile(images, 99.5))
    spoiled = FAULTS[fault](np.random.default_rng(1), images + np.float32(PEDESTAL * peak), peak)
    series = replace(made.series, images=np.ascontiguousarray(spoiled, np.float32))
    truth = made.truth
    if fault in SMOOTHED:
        truth = scipy.ndimage.gaussian_filter(truth, SMOOTHED[fault], mode="nearest")
    row: dict[str, Any] = {"specimen": specimen, "fault": fault}
    for name, corrects in (("as it is", False), ("corrected", True)):
        series = replace(series)  # nothing measured for one fill serves the other
        options = FillOptions(methods=METHODS, model=model, gain=corrects)
        white = mock.patch.object(normalise, "_measure_shared_noise", _take_for_white)
        with contextlib.nullcontext() if corrects else white:
            result = fill(series, options, session=session)
        row[name] = {m: round(psnr(result.volumes[m].data, truth), 2) for m in SHOWN}
        if corrects:
            parts = [result.report[part] for part in ("frames", "slope", "gain")]
            row["told"] = [part["sentence"] for part in parts if part["corrected"]]
    return row


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Frames, slopes and correlated noise",
        "",
        f"Printed by `benchmarks/quality/intensities.py` with the model `{found['model']}` "
        f"(refinement {found['refinement_sha256'][:8]}). PSNR in dB against the truth, of images "
        f"of {kinds.WIDTH} px with a vacuum of {PEDESTAL:g} of the brightest part: filled as they "
        "are (`--no-gain`, and all noise taken for white), and as a fill does by default. The "
        "truth of smoothed and interpolated images is smoothed as they are, so that edges which "
        "GAN sharpens beyond that count as errors. Films leave the field; a slope of theirs is not "
        "corrected.",
        "",
        "| specimen | fault | TVM, as it is | corrected | GAN, as it is | corrected |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        scores = [f"{row[how][m]:.1f}" for m in SHOWN for how in ("as it is", "corrected")]
        lines.append("| " + " | ".join([row["specimen"], row["fault"], *scores]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--specimen", choices=SPECIMENS, help="only this one; nothing is written")
    parser.add_argument("--fault", choices=FAULTS, help="only this one; nothing is written")
    parser.add_argument("--out", type=Path, default=MEASURED / "intensities.md")
    given = parser.parse_args()
    model, session = load(given.model), Session()
    found = begin_figures(model)
    for specimen in [given.specimen] if given.specimen else SPECIMENS:
        for fault in [given.fault] if given.fault else FAULTS:
            found["rows"].append(measure(specimen, fault, given.model, session))
            print(found["rows"][-1], flush=True)
    if given.specimen or given.fault:
        return
    write_page(given.out, render(found), found)


if __name__ == "__main__":
    main()
