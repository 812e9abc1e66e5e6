"""What the box of the specimen saves, and whether it costs anything.

    python -m benchmarks.speed.box

Time: rods of several diameters, and the needle that comes with the package (aligned), are filled by
`gan` with and without the box, in turn in one process. Finding the box is timed apart: it is done
once for a series, however many slices are filled. Quality: held-back families, made small and
put somewhere into a field of vacuum, alone or in a halo, are filled both ways and compared with the
truth. Processor time adds up over the cores and means something on a busy machine, too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.simulate import CHOSEN_ON, FAMILIES, MIDDLE_Y
from benchmarks.speed.page import read_part, record
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.prepare import iter_align
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training import acquisition
from napari_wedgefill.training.frames import average_pairs, grid
from napari_wedgefill.training.phantoms import draw

Floats = NDArray[np.float32]

METHODS = ("sart", "tvm", "gan")
#: Diameters of the rods over the width of the field.
DIAMETERS = (0.15, 0.3, 0.45, 0.9)
#: Middle slices of the needle that are timed: a few, and as many as the processor's vectors hold.
NEEDLE_SLICES = ((126, 130), (120, 136))
#: Each is filled so often, on the whole field and in the box in turn; the shortest time counts.
REPEATS = 2
#: Pixels of the quality comparison, its slices, and how much smaller than usual its objects are.
WIDTH, SLICES, ZOOM = 192, 3, 2.9


@dataclass(frozen=True)
class Scene:
    """Objects of held-back families in a field of vacuum.

    Attributes
    ----------
    name : str
        For the table.
    families : tuple of str
        One for each object.
    places : tuple of tuples of float
        Their centres (z, x) in half fields of view.
    electrons : float
        Mean electrons per pixel of the objects.
    halo : float
        Density of a halo at its centre, 0.6 half fields of view wide.
    n_draws : int
        Objects that are drawn, each with its own noise.
    """

    name: str
    families: tuple[str, ...]
    places: tuple[tuple[float, float], ...]
    electrons: float
    halo: float = 0.0
    n_draws: int = 1


SCENES = (
    Scene("small, centred", ("head",), ((0.0, 0.0),), np.inf),
    Scene("small, centred", ("virions",), ((0.0, 0.0),), 400.0),
    Scene("small, centred", ("alloy",), ((0.0, 0.0),), 100.0, n_draws=6),
    Scene("off the axis", ("cells",), ((0.2, -0.25),), 400.0),
    Scene("off the axis", ("chromatin",), ((-0.2, 0.2),), np.inf),
    Scene("off the axis", ("aggregate",), ((-0.2, -0.2),), 100.0),
    Scene("in a faint halo", ("mesopore",), ((0.0, 0.0),), 400.0, 0.02),
)


def simulate(scene: Scene, seed: int = 0) -> tuple[TiltSeries, Floats]:
    """Record a scene at 41 tilts up to 60 degrees; return the series and the truth (z, x, y)."""
    rng = np.random.default_rng(seed)
    z, x, y = grid(2 * WIDTH, SLICES, y0=MIDDLE_Y)
    fine = np.zeros(np.broadcast_shapes(z.shape, x.shape, y.shape), np.float32)
    for family, (z_place, x_place) in zip(scene.families, scene.places, strict=True):
        at = tuple(
            np.float32(ZOOM) * axis
            for axis in (z - np.float32(z_place), x - np.float32(x_place), y)
        )
        chosen = {family: FAMILIES[family]}
        drawn = draw(rng, at, chosen) if family in CHOSEN_ON else FAMILIES[family](rng, at)
        fine += np.where(np.hypot(at[0], at[1]) < 1.0, drawn, np.float32(0.0))
        if scene.halo:
            radius = np.hypot(z - np.float32(z_place), x - np.float32(x_place)) / np.float32(0.6)
            fine += np.float32(scene.halo) * np.clip(1 - radius**2, 0, 1, dtype=np.float32)
    angles = np.arange(-60.0, 60.1, 3.0)
    rows = acquisition.record(fine, WIDTH, acquisition.Scheme(angles, 0.0, np.zeros(angles.size)))
    readout = 0.01 if np.isfinite(scene.electrons) else 0.0
    rows = acquisition.add_noise(rng, rows, scene.electrons, readout, 0.0)
    return TiltSeries.from_arrays(rows.transpose(0, 2, 1), angles), average_pairs(fine)


def make_rod(diameter: float, width: int, n_slices: int) -> TiltSeries:
    """Return 61 images of a rod along the tilt axis, a little noisy."""
    angles = np.arange(-60.0, 60.1, 2.0)
    rng = np.random.default_rng(0)
    u = np.arange(width) - (width - 1) / 2
    chord = 2 * np.sqrt(np.clip((diameter * width / 2) ** 2 - u**2, 0, None))
    images = np.broadcast_to(chord, (angles.size, n_slices, width))
    noisy = images + rng.normal(0, 0.01 * chord.max(), images.shape)
    return TiltSeries.from_arrays(noisy.astype(np.float32), angles)


def time_both(
    series: TiltSeries, slices: tuple[int, int] | None, session: Session
) -> dict[str, Any]:
    """Seconds of `gan` by itself on the whole field and in the box, and of finding the box.

    What both need (kernels, open networks, what is measured on the series) is there before.
    """
    first = (0, 1) if slices is None else (slices[0], slices[0] + 1)
    fill(series, FillOptions(("sart",), slices=first, whole_field=True), session=session)
    corrected, *_ = session.correct(series, FillOptions())
    start = time.process_time()
    box = session.find_field(corrected).box
    found: dict[str, Any] = {
        "box": None if box is None else [box.depth, box.width],
        "find_cpu_s": time.process_time() - start,
    }
    for name, in_box in (("whole", False), ("box", True)) * REPEATS:
        options = FillOptions(("gan",), device="cpu", slices=slices, whole_field=not in_box)
        start = time.perf_counter(), time.process_time()
        fill(series, options, session=session)
        took = time.perf_counter() - start[0], time.process_time() - start[1]
        for clock, seconds in zip(("wall", "cpu"), took, strict=True):
            key = f"{name}_{clock}_s"
            found[key] = min(found.get(key, seconds), seconds)
    return found


def time_all(width: int, n_slices: int) -> list[dict[str, Any]]:
    """Time rods of every diameter, and the needle."""
    rows = []
    session = Session()
    for diameter in DIAMETERS:
        row = time_both(make_rod(diameter, width, n_slices), None, session)
        share = np.pi / 4 * diameter**2
        rows.append(
            {"what": f"rod, {diameter:g} of the width", "width": width, "share": share} | row
        )
        print(rows[-1], flush=True)
    *_, aligned = iter_align(read_tilt_series(needle_path()))
    needle = aligned.series
    for slices in NEEDLE_SLICES:
        row = time_both(needle, slices, Session())
        what = f"needle, {slices[1] - slices[0]} slices"
        rows.append({"what": what, "width": needle.width, "share": None} | row)
        print(rows[-1], flush=True)
    return rows


def measure_psnr(volume: Floats, truth: Floats) -> float:
    """PSNR in dB of a volume (z, y, x) against densities (z, x, y)."""
    error = np.mean(np.square(volume.transpose(0, 2, 1) - truth), dtype=np.float64)
    return float(10 * np.log10(truth.max() ** 2 / error))


def compare_quality(scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """PSNR on the whole field and in the box, by object and method.

    What a mirrored view of the same images changes says how far the networks' answer depends on
    chance.
    """
    rows = []
    draws = [(scene, seed) for scene in scenes for seed in range(scene.n_draws)]
    for scene, seed in draws:
        series, truth = simulate(scene, seed)
        session = Session()
        box = session.find_field(series).box
        row: dict[str, Any] = {
            "what": scene.name,
            "families": list(scene.families),
            "electrons": None if np.isinf(scene.electrons) else scene.electrons,
            "box": None if box is None else [box.depth, box.width],
        }
        if box is not None:
            for name, in_box in (("whole", False), ("box", True)):
                options = FillOptions(METHODS, device="cpu", whole_field=not in_box)
                volumes = fill(series, options, session=session).volumes
                row[f"{name}_db"] = {m: measure_psnr(v.data, truth) for m, v in volumes.items()}
            options = FillOptions(("gan",), device="cpu", whole_field=True)
            mirrored = fill(series.mirrored(), options).volumes["gan"].data
            row["mirrored_db"] = measure_psnr(mirrored[::-1, :, ::-1], truth)
        rows.append(row)
        print(row, flush=True)
    return rows


def main() -> None:
    """Measure, and put the tables into docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--slices", type=int, default=3)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    parser.add_argument(
        "--times-only", action="store_true", help="leave the quality as it was measured last"
    )
    given = parser.parse_args()
    figures = {
        "slices": given.slices,
        "times": time_all(given.width, given.slices),
        "width": WIDTH,
        "quality": read_part("box")["quality"] if given.times_only else compare_quality(SCENES),
    }
    if not given.dry:
        record("box", figures)


if __name__ == "__main__":
    main()
