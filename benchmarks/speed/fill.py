"""How long a whole fill takes: every method, from a file on disk to files on disk.

    python -m benchmarks.speed.fill

One fresh process computes everything, as `wedgefill fill` does: the whole field, as where the
specimen fills it, and once the box of the specimen, which is isolated here. A first, tiny fill
takes care of what has to be compiled. Wall time is what a user waits for, and means something only
if nothing else runs; processor time adds up over the cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from benchmarks.speed.page import record
from napari_wedgefill.io import MrcSink, read_tilt_series
from napari_wedgefill.joint_model.registry import list_models
from napari_wedgefill.pipeline.events import Done, Finished
from napari_wedgefill.pipeline.fill import iter_fill
from napari_wedgefill.pipeline.options import FillOptions

METHODS = ("wbp", "sart", "tvm", "gan")
ANGLES_DEG = np.arange(-60.0, 60.1, 2.0)
#: What 256 slices of 256 x 256 from 61 tilts may take on two cores.
AIM_SECONDS = 180.0
#: The tier whose methods are all in the table; of the others, the networks alone.
TIER = FillOptions.model


def write_series(path: Path, n_slices: int, width: int) -> None:
    """Write tilted boxes in a noisy background, as int16: what is in it hardly changes the time."""
    rng = np.random.default_rng(0)
    x = np.arange(width) - (width - 1) / 2
    images = rng.normal(1000, 20, (ANGLES_DEG.size, n_slices, width))
    for image, angle in zip(images, np.deg2rad(ANGLES_DEG), strict=True):
        for z_box, x_box, half in ((-0.1, -0.15, 0.09), (0.05, 0.1, 0.14), (0.2, 0.0, 0.06)):
            u = x - width * (x_box * np.cos(angle) + z_box * np.sin(angle))
            image += 40 * np.sqrt(np.clip((half * width) ** 2 - u**2, 0, None))
    with mrcfile.new(path, np.round(images).astype(np.int16)) as file:
        file.set_image_stack()
        file.voxel_size = 8.0
    np.savetxt(path.with_suffix(".tlt"), ANGLES_DEG, "%.2f")


def fill(
    folder: Path, n_slices: int, width: int, model: str = TIER, *, whole_field: bool = True
) -> dict[str, Any]:
    """Fill one series; return the seconds of each method, and the share of each stage."""
    folder = folder / f"{n_slices}_{model}_{whole_field}"
    path, out = folder / "tilts.mrc", folder / "out"
    out.mkdir(parents=True)
    write_series(path, n_slices, width)
    rows, report = [], {}
    start = wall, cpu = time.perf_counter(), time.process_time()
    options = FillOptions(METHODS, model, "cpu", whole_field=whole_field)
    for event in iter_fill(read_tilt_series(path), options, MrcSink(out)):
        if isinstance(event, Finished):
            now = time.perf_counter(), time.process_time()
            rows.append({"what": event.method, "wall_s": now[0] - wall, "cpu_s": now[1] - cpu})
            wall, cpu = now
        elif isinstance(event, Done):
            report = event.report
    total = {"wall_s": time.perf_counter() - start[0], "cpu_s": time.process_time() - start[1]}
    return {
        "slices": n_slices,
        "width": width,
        "n_tilts": ANGLES_DEG.size,
        "aim_s": AIM_SECONDS if (n_slices, width) == (256, 256) else None,
        "rows": [*rows, {"what": "all", **total}],
        "share_of_stage": report["share_of_stage"],
        "box": report["box"],
    }


def _gan_seconds(figures: dict[str, Any]) -> float:
    return next(float(row["wall_s"]) for row in figures["rows"] if row["what"] == "gan")


def main() -> None:
    """Fill, and put the table into docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--slices", type=int, default=256)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # Short and full tiles are compiled apart.
        fill(Path(folder), min(2, arguments.slices - 1), 32)
        fill(Path(folder), 63, 32)
        figures = fill(Path(folder), arguments.slices, arguments.width)
        boxed = fill(Path(folder), arguments.slices, arguments.width, whole_field=False)
        figures["boxed"] = {"box": boxed["box"], **boxed["rows"][-1]}
        figures["gan_s_of"] = {
            model.name: _gan_seconds(
                fill(Path(folder), arguments.slices, arguments.width, model.name)
            )
            for model in list_models()
            if model.name != TIER
        }
    print("gan with other tiers:", figures["gan_s_of"])
    for row in figures["rows"]:
        print(row)
    if not arguments.dry:
        record("fill", figures)


if __name__ == "__main__":
    main()
