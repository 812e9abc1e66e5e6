"""How long it takes to open series too large to be read, in every format that is not read at once.

    python -m benchmarks.speed.opening

Files of four gigabytes with holes in them: only the images that are looked at when a series is
opened take room on the disk. Opening a series ends with its angles, pixel size, and the contrast
for its layer. Each file is opened in a process of its own, after a small one of its format, so that
imports do not count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import MEASURED
from napari_wedgefill.disk_images import N_SURVEYED, DiskImages
from napari_wedgefill.io import describe, read_tilt_series

EDGE, N_TILTS, SMALL = 4096, 61, 64


def _fill(pixels: Any, n: int, edge: int) -> None:
    """Give the images that will be looked at some contrast; the others stay holes."""
    image = np.random.default_rng(0).random((edge, edge), dtype=np.float32)
    for i in np.linspace(0, n - 1, N_SURVEYED).round().astype(int):
        pixels[i] = image


def write_mrc(path: Path, n: int, edge: int) -> None:
    """Write an MRC stack."""
    import mrcfile

    with mrcfile.new_mmap(path, (n, edge, edge), mrc_mode=2) as file:
        file.set_image_stack()
        file.voxel_size = 5.0
        _fill(file.data, n, edge)


def write_tiff(path: Path, n: int, edge: int) -> None:
    """Write a BigTIFF of one piece."""
    import tifffile

    pixels = tifffile.memmap(
        path, shape=(n, edge, edge), dtype=np.float32, bigtiff=True, photometric="minisblack"
    )
    _fill(pixels, n, edge)
    pixels.flush()


def write_npy(path: Path, n: int, edge: int) -> None:
    """Write NumPy's own format."""
    pixels = np.lib.format.open_memmap(path, "w+", np.float32, (n, edge, edge))
    _fill(pixels, n, edge)
    pixels.flush()


def write_hdf5(path: Path, n: int, edge: int) -> None:
    """Write data exchange, an image a chunk."""
    import h5py

    with h5py.File(path, "w") as file:
        shape, chunks = (n, edge, edge), (1, edge, edge)
        pixels = file.create_dataset("exchange/data", shape, np.float32, chunks=chunks)
        _fill(pixels, n, edge)


def write_emd(path: Path, n: int, edge: int) -> None:
    """Write what tomviz writes, in one piece."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("data/tomography")
        group.attrs["emd_group_type"] = 1
        pixels = group.create_dataset("data", (n, edge, edge), np.float32)
        _fill(pixels, n, edge)
        described = [("angles", "[deg]", _angles(n))]
        described += [(name, "[n_m]", 0.5 * np.arange(edge)) for name in "yx"]
        for i, (name, unit, values) in enumerate(described, start=1):
            group[f"dim{i}"] = values
            group[f"dim{i}"].attrs["name"], group[f"dim{i}"].attrs["units"] = name, unit


def write_hspy(path: Path, n: int, edge: int) -> None:
    """Write HyperSpy's layout in HDF5."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.1"
        group = file.create_group("Experiments/a")
        shape, chunks = (n, edge, edge), (1, edge, edge)
        _fill(group.create_dataset("data", shape, np.float32, chunks=chunks), n, edge)
        for i, (name, unit, scale, offset) in enumerate(
            (("Projections", "degrees", 2.0, -60.0), ("y", "nm", 0.5, 0.0), ("x", "nm", 0.5, 0.0))
        ):
            axis = {"name": name, "units": unit, "scale": scale, "offset": offset}
            axis |= {"_type": "UniformDataAxis", "size": shape[i], "navigate": not i}
            group.create_group(f"axis-{i}").attrs.update(axis)
        for name in ("metadata/General", "metadata/Signal", "original_metadata"):
            group.create_group(name)


def write_zarr(path: Path, n: int, edge: int) -> None:
    """Write plain Zarr, an image a chunk."""
    import zarr

    root = zarr.open_group(path, mode="w")
    shape, chunks = (n, edge, edge), (1, edge, edge)
    _fill(root.create_array("images", shape=shape, chunks=chunks, dtype="float32"), n, edge)
    root.create_array("angles", data=_angles(n))


def write_mat(path: Path, n: int, edge: int) -> None:
    """Write MATLAB's version 7.3."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        shape, chunks = (n, edge, edge), (1, edge, edge)
        _fill(file.create_dataset("stack", shape, np.float32, chunks=chunks), n, edge)
        file["angles"] = _angles(n)[:, None]


WRITERS: dict[str, Callable[[Path, int, int], None]] = {
    "x.mrc": write_mrc,
    "x.tif": write_tiff,
    "x.npy": write_npy,
    "x.h5": write_hdf5,
    "x.emd": write_emd,
    "x.hspy": write_hspy,
    "x.zarr": write_zarr,
    "x.mat": write_mat,
}


def _angles(n: int) -> np.ndarray:
    return np.linspace(-60.0, 60.0, n)


def write_series(folder: Path, name: str, n: int, edge: int) -> Path:
    """Write one series, with its angles beside it."""
    folder.mkdir()
    WRITERS[name](folder / name, n, edge)
    np.savetxt(folder / "x.tlt", _angles(n), fmt="%.2f")
    return folder / name


def time_opening(small: Path, large: Path, out: Any) -> None:
    """Open a file in this process, after a small one; tell seconds and memory."""
    describe(small)
    read_tilt_series(small)
    before = _peak_bytes()
    began = time.process_time()
    facts = describe(large)
    described = time.process_time()
    series = read_tilt_series(large)
    opened = time.process_time()
    if not isinstance(series.images, DiskImages):
        raise SystemExit(f"{large.name}: it was read whole")
    out.send(
        {
            "gigabytes": round(4 * float(np.prod(facts["shape"])) / 1e9, 2),
            "described_s": round(described - began, 3),
            "opened_s": round(opened - described, 3),
            "memory_mb": (_peak_bytes() - before) // 10**6,
        }
    )


def _peak_bytes() -> int:
    """Most memory that this process held; what its parent held does not count, as in rusage."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def measure(folder: Path, name: str, n: int, edge: int) -> dict[str, Any]:
    """Write and open a series of one format."""
    small = write_series(folder / f"small_{name}", name, 5, SMALL)
    large = write_series(folder / f"large_{name}", name, n, edge)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=time_opening, args=(small, large, sender))
    process.start()
    sender.close()
    found: dict[str, Any] = receiver.recv()
    process.join()
    return {"file": name, **found}


def render(rows: list[dict[str, Any]]) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Opening large series",
        "",
        "Printed by `python -m benchmarks.speed.opening`. Each series is too large to be read when",
        f"it is opened: angles, pixel size and the contrast of {N_SURVEYED} images are what is",
        "taken from it. The files have holes where nobody looks: the figures are seconds of the",
        "processor, not of a disk. Memory is what opening takes beyond a small file of the format.",
        "Needs Linux.",
        "",
        "| file | pixels, GB | `wedgefill info`, s | opened, s | memory, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| `{row['file']}` | {row['gigabytes']:.1f} | {row['described_s']:.2f} "
        f"| {row['opened_s']:.2f} | {row['memory_mb']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write and open every series, and put figures and page where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=EDGE)
    parser.add_argument("--tilts", type=int, default=N_TILTS)
    parser.add_argument("--page", type=Path, default=MEASURED / "opening.md")
    args = parser.parse_args()
    rows = []
    for name in WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(Path(folder), name, args.tilts, args.edge))
        print(rows[-1], flush=True)
    args.page.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    args.page.write_text(render(rows), encoding="utf-8")
    print(render(rows))


if __name__ == "__main__":
    main()
