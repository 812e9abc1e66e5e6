"""Batches on workers of this machine: what a series costs beyond its fill, and what a death costs.

    python -m benchmarks.speed.batch

Fills the same small series alone and with one and two workers, with two of which one is killed in
mid-run, and once more when all results are whole. Fills one larger series whole and in parts, and
kills the worker once a part is there. From the measured times of a whole fill (see
docs/measured/speed.md and docs/cuda.md) it works out what an archive would take.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import MEASURED
from benchmarks.speed.page import describe_machine
from benchmarks.speed.sections import count_in_words, format_table
from napari_wedgefill import FillOptions, RunOptions, TiltSeries, read_tilt_series
from napari_wedgefill.batch.cluster import open_client
from napari_wedgefill.batch.job import Outcome, SeriesJob, make_job
from napari_wedgefill.batch.many import iter_many
from napari_wedgefill.batch.parts import PART_VOXELS
from napari_wedgefill.batch.series import run_series
from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.projector import ParallelBeam, strip_width

PAGE = MEASURED / "batch.md"
METHODS = ("wbp", "sart")
ANGLES_DEG = np.arange(-60.0, 61.0, 3.0)
#: The archive of the sum on paper.
ARCHIVE = {"series": 100_000, "width": 1024, "slices": 1024, "n_tilts": 61, "bytes_per_pixel": 2}
METHODS_OF_A_FILL = 4


def write_inputs(folder: Path, n: int, width: int, slices: int) -> list[SeriesJob]:
    """Write ellipses of different widths, and return the jobs that fill them."""
    folder.mkdir(exist_ok=True)
    z, x = np.mgrid[:width, :width] - (width - 1) / 2
    beam, jobs = ParallelBeam(ANGLES_DEG, width), []
    for k in range(n):
        ellipse = np.float32((z / (width / 5)) ** 2 + (x / (width / 4 + k)) ** 2 < 1)
        images = beam(np.repeat(ellipse[..., None], slices, 2)).transpose(0, 2, 1)
        series = TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=1.0, name=f"series{k}")
        path = write_tilt_series(folder / f"series{k}.mrc", series)
        jobs.append(make_job(path, RunOptions(FillOptions(methods=METHODS))))
    return jobs


def run_alone(jobs: list[SeriesJob], folder: Path) -> float:
    """Run the series one after the other in this process; seconds."""
    start = time.perf_counter()
    for job in jobs:
        assert run_series(job, folder).state == "done"
    return time.perf_counter() - start


def run_batch(
    jobs: list[SeriesJob],
    folder: Path,
    n_workers: int,
    disturb: Callable[[Any, list[Outcome]], None] | None = None,
    part_voxels: int = PART_VOXELS,
) -> dict[str, Any]:
    """Run a batch; `disturb` gets the client and what has ended, whenever something is told."""
    start = time.perf_counter()
    with open_client(n_workers=n_workers) as client:
        client.run(warm_up)
        ready = time.perf_counter()
        outcomes: list[Outcome] = []
        for event in iter_many(jobs, folder, client, part_voxels):
            if isinstance(event, Outcome):
                outcomes.append(event)
            if disturb is not None:
                disturb(client, outcomes)
        wall = time.perf_counter() - ready
        peaks = client.run(measure_peak_mb)
    states = [one.state for one in outcomes]
    return {
        "workers": n_workers,
        "start_s": ready - start,
        "wall_s": wall,
        "on_workers_s": sum(one.seconds for one in outcomes),
        "states": {state: states.count(state) for state in sorted(set(states))},
        "peak_mb": max(peaks.values()),
    }


def warm_up() -> None:
    """Load what a fill needs, so that the runs do not differ by it."""
    with tempfile.TemporaryDirectory() as folder:
        (job,) = write_inputs(Path(folder), 1, 32, 4)
        run_series(job, Path(folder) / "out")


def measure_peak_mb() -> float:
    """Peak resident memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


class Killer:
    """Kills one worker's process the hard way, once, as soon as it is time."""

    def __init__(self, is_time: Callable[[list[Outcome]], bool]) -> None:
        self.is_time, self.has_killed = is_time, False

    def __call__(self, client: Any, outcomes: list[Outcome]) -> None:
        if not self.has_killed and self.is_time(outcomes):
            self.has_killed = True
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)


def read_and_count(log: Path, path: Path) -> TiltSeries:
    """Read a series, and note that it was begun."""
    with log.open("a") as file:
        file.write(f"{path.name}\n")
    return read_tilt_series(path)


def hash_volumes(folder: Path, jobs: list[SeriesJob]) -> list[dict[str, str]]:
    """Return the volumes' SHA-256 of every report."""
    return [json.loads((folder / job.name / "report.json").read_text())["sha256"] for job in jobs]


def measure(n: int, width: int, slices: int) -> dict[str, Any]:
    """Measure everything on `n` series."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        jobs = write_inputs(folder, n, width, slices)
        warm_up()
        alone = run_alone(jobs, folder / "alone")
        one = run_batch(jobs, folder / "one", 1)
        two = run_batch(jobs, folder / "two", 2)
        log = folder / "begun.txt"
        counted = [replace(job, read=partial(read_and_count, log)) for job in jobs]
        killed = run_batch(counted, folder / "killed", 2, Killer(bool))
        killed["begun"] = len(log.read_text().splitlines())
        again = run_batch(jobs, folder / "two", 1)
        expected = hash_volumes(folder / "alone", jobs)
        same = all(hash_volumes(folder / run, jobs) == expected for run in ("one", "two", "killed"))
        parts = measure_parts(folder, width)
    return {
        "machine": describe_machine(),
        "series": n,
        "width": width,
        "slices": slices,
        "n_tilts": len(ANGLES_DEG),
        "methods": list(METHODS),
        "alone_s": alone,
        "one": one,
        "two": two,
        "killed": killed,
        "again": again,
        "same_bytes": same,
        "parts": parts,
    }


def measure_parts(folder: Path, width: int) -> dict[str, Any]:
    """Fill one series of three strips whole and in parts, and kill the worker in between."""
    strip = strip_width(width, width, 256 << 20)
    (job,) = write_inputs(folder / "tall", 1, width, 3 * strip)
    part_voxels = strip * width * width
    whole = run_batch([job], folder / "whole", 1)
    cut = run_batch([job], folder / "cut", 1, part_voxels=part_voxels)
    watched = PartWatch(folder / "cut_killed" / f".{job.name}.parts")
    killed = run_batch([job], folder / "cut_killed", 1, watched, part_voxels)
    expected = hash_volumes(folder / "whole", [job])
    runs = ("cut", "cut_killed")
    return {
        "slices": 3 * strip,
        "n_parts": 3 * len(METHODS),
        "whole": whole,
        "cut": cut,
        "killed": killed,
        "there_at_the_kill": watched.n_there,
        "solved_again": watched.n_again,
        "same_bytes": all(hash_volumes(folder / run, [job]) == expected for run in runs),
    }


class PartWatch(Killer):
    """Kills the worker once a part is there, and sees whether any part is written twice."""

    def __init__(self, folder: Path) -> None:
        super().__init__(lambda _: any(self.folder.glob("*.npy")))
        self.folder, self.n_there = folder, 0
        self._written: dict[str, set[int]] = {}

    def __call__(self, client: Any, outcomes: list[Outcome]) -> None:
        had_killed = self.has_killed
        super().__call__(client, outcomes)
        for part in self.folder.glob("*.npy"):
            with suppress(FileNotFoundError):  # the series is complete, and its parts go
                self._written.setdefault(part.name, set()).add(part.stat().st_mtime_ns)
        if self.has_killed and not had_killed:
            self.n_there = len(self._written)

    @property
    def n_again(self) -> int:
        """Parts that were written twice."""
        return sum(len(times) > 1 for times in self._written.values())


def sum_up(
    cpu: dict[str, Any], gpu: dict[str, Any], overhead_s: float, overhead_part_s: float
) -> dict[str, float]:
    """Work out what the archive takes, from a fill measured on cores and one on a GPU.

    The methods' cost goes with the voxels of the volume at the same number of tilts; `cpu` and
    `gpu` have "width", "slices" and the seconds of all methods.
    """
    voxels = ARCHIVE["slices"] * ARCHIVE["width"] ** 2
    n = ARCHIVE["series"]
    pixels = ARCHIVE["n_tilts"] * ARCHIVE["slices"] * ARCHIVE["width"]
    bytes_in = pixels * ARCHIVE["bytes_per_pixel"]
    bytes_out = METHODS_OF_A_FILL * 4 * voxels
    cpu_s = cpu["cpu_s"] * voxels / (cpu["slices"] * cpu["width"] ** 2)
    n_parts = METHODS_OF_A_FILL * voxels // PART_VOXELS
    gpu_s = gpu["seconds"]["all"] * voxels / (gpu["slices"] * gpu["width"] ** 2)
    return {
        "cpu_core_hours": n * cpu_s / 3600,
        "gpu_hours": n * gpu_s / 3600,
        "n_parts": n_parts,
        "overhead_hours": n * (overhead_s + n_parts * overhead_part_s) / 3600,
        "read_tb": 2 * n * bytes_in / 1e12,  # once to fill, once for the SHA-256
        "written_tb": n * bytes_out / 1e12,
        "written_mb_per_s_and_gpu": bytes_out / gpu_s / 1e6,
        "written_mb_per_s_and_core": bytes_out / cpu_s / 1e6,
    }


def read_fills() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the whole fill of docs/measured/speed.json, and the last one of gpu_fill.json."""
    speed = json.loads((MEASURED / "speed.json").read_text())["fill"]
    everything = next(row for row in speed["rows"] if row["what"] == "all")
    gpu = json.loads((MEASURED / "gpu_fill.json").read_text())
    fills = [row for row in gpu["rows"] if row["what"] == "fill"]
    return speed | everything, fills[-1] | {"gpu": gpu["machine"]["gpu"]}


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    n, one = found["series"], found["one"]
    overhead = (one["wall_s"] - one["on_workers_s"]) / n
    blocks = [
        "# Cost of batches",
        "Printed by `python -m benchmarks.speed.batch`; `docs/measured/batch.json` holds the "
        "figures.",
        f"{n} series of {found['slices']} slices of {found['width']} x {found['width']} from "
        f"{found['n_tilts']} tilts, {', '.join(found['methods'])}, on "
        f"{count_in_words(found['machine']['cores'])}. Other work shared the cores, so compare "
        "times within this table only.",
        *render_runs(found, overhead),
        *render_parts(found["parts"], found["width"]),
        *render_archive(overhead, measure_overhead_of_part(found["parts"])),
    ]
    return "\n\n".join(blocks) + "\n"


def render_runs(found: dict[str, Any], overhead: float) -> list[str]:
    """Return the table of the runs, and what follows from it."""
    one, two, killed = (found[key] for key in ("one", "two", "killed"))
    rows = [["none: one after the other, in one process", f"{found['alone_s']:.1f}", "", "", ""]]
    for what, run in (
        ("1", one),
        ("2", two),
        ("2, one of them killed after the first series", killed),
        ("1, when all results are whole", found["again"]),
    ):
        states = ", ".join(f"{count} {state}" for state, count in run["states"].items())
        figures = (f"{run[key]:.1f}" for key in ("wall_s", "on_workers_s"))
        rows.append([what, *figures, f"{run['peak_mb']:.0f}", states])
    same = "are the same to the byte" if found["same_bytes"] else "DIFFER"
    return [
        format_table(
            ["workers", "wall (s)", "on the workers (s)", "peak of a worker (MB)", "ended"], rows
        ),
        f"With one worker, a series takes {overhead:.2f} s beyond the time on the worker. Two "
        f"workers took {two['wall_s'] / one['wall_s']:.2f} times as long as one. Starting them "
        f"took {one['start_s']:.1f} s and {two['start_s']:.1f} s, loading the kernels included. "
        f"Where a worker was killed, {killed['begun']} series were begun for {found['series']}. "
        f"The volumes of all runs {same}.",
    ]


def measure_overhead_of_part(parts: dict[str, Any]) -> float:
    """Return the seconds that a part takes beyond its share of a series in one piece."""
    return (parts["cut"]["wall_s"] - parts["whole"]["wall_s"]) / parts["n_parts"]


def render_parts(parts: dict[str, Any], width: int) -> list[str]:
    """Return what cutting a series costs, and what a death costs then."""
    rows = [
        [what, f"{run['wall_s']:.1f}", f"{run['peak_mb']:.0f}"]
        for what, run in (
            ("whole", parts["whole"]),
            (f"in {parts['n_parts']} parts", parts["cut"]),
            ("in parts, the worker killed once the first was there", parts["killed"]),
        )
    ]
    same = "are the same to the byte" if parts["same_bytes"] else "DIFFER"
    return [
        "## A large series in parts",
        f"One series of {parts['slices']} slices of {width} x {width}, one worker.",
        format_table(["series", "wall (s)", "peak of a worker (MB)"], rows),
        f"A part takes {measure_overhead_of_part(parts):.2f} s beyond its share of the series in "
        f"one piece. Parts that were there when the worker was killed: "
        f"{parts['there_at_the_kill']}; parts that were solved twice: {parts['solved_again']}. "
        f"The volumes {same}.",
    ]


def render_archive(overhead: float, overhead_part: float) -> list[str]:
    """Return the sum on paper."""
    cpu, gpu = read_fills()
    paper = sum_up(cpu, gpu, max(overhead, 0.0), max(overhead_part, 0.0))
    size = f"{ARCHIVE['slices']} x {ARCHIVE['width']} x {ARCHIVE['n_tilts']}"
    costs = [
        ["processor, all four methods", f"{paper['cpu_core_hours']:,.0f} core-hours"],
        [f"or GPU ({gpu['gpu']}), all four methods", f"{paper['gpu_hours']:,.0f} GPU-hours"],
        [
            f"batch, beyond the fills, {paper['n_parts']} parts per series included",
            f"{paper['overhead_hours']:,.0f} hours of one worker",
        ],
        ["read", f"{paper['read_tb']:,.0f} TB"],
        ["written and stored", f"{paper['written_tb']:,.0f} TB"],
    ]
    return [
        f"## {ARCHIVE['series']:,} series of {size}, on paper",
        format_table(["what", "sum"], costs),
        f"From a whole fill of {cpu['slices']} slices of {cpu['width']} x {cpu['width']} from "
        f"{cpu['n_tilts']} tilts in {cpu['cpu_s']:.0f} s of processor time ([speed](speed.md)), "
        f"and of {gpu['slices']} of {gpu['width']} x {gpu['width']} in "
        f"{gpu['seconds']['all']:.1f} s on the GPU ([CUDA kernels](../cuda.md)), scaled by the "
        f"number of voxels; {ARCHIVE['bytes_per_pixel']} bytes per measured pixel, four volumes "
        "of float32, and every input read twice, the second time for its SHA-256.",
        f"A GPU writes {paper['written_mb_per_s_and_gpu']:.0f} MB/s and a core "
        f"{paper['written_mb_per_s_and_core']:.2f} MB/s, which one disk or one connection to an "
        "object store can take, so the time is bounded by computing and the archive by the room "
        "for its volumes. Keep one method, or a few slices, of each series (`--methods`, "
        "`--slices`, `--bin`). While a series is in work, its parts take as much room again.",
    ]


def main() -> None:
    """Measure, print and write docs/measured/batch.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--series", type=int, default=6)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    parser.add_argument("--render", action="store_true", help="only print the page again")
    given = parser.parse_args()
    data = PAGE.with_suffix(".json")
    found = (
        json.loads(data.read_text())
        if given.render
        else measure(given.series, given.width, given.slices)
    )
    if not given.dry:
        data.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(render(found))
    print(render(found))


if __name__ == "__main__":
    main()
