"""Do other programs see what we write? Shapes, axes, handedness and voxel size, file by file.

    python -m benchmarks.quality.read_by_others

A handed object (its values grow differently along z, y and x) is written in every format and read
with tifffile, mrcfile, rosettasciio, h5py, zarr, gemmi and VTK. Each reader's array is brought to
(z, y, x) with row 0 at the bottom of the picture, by that program's own convention, and must then
be equal to what was written. Needs the extra ``formats``, and `pip install gemmi vtk`.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import MEASURED
from napari_wedgefill.io import write_tilt_series, write_volume
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import TiltRange, Volume

VOXEL_NM = (0.6, 0.5, 0.4)
ANGLES = np.array([-60.0, -20.0, 10.0, 55.0])
FIRST_SLICE = 100
#: Array (z, y, x) with row 0 at the bottom, voxel size (z, y, x) in nanometres or None.
Seen = tuple[np.ndarray, tuple[float, ...] | None]


def handed(shape: tuple[int, int, int]) -> np.ndarray:
    """Return an object that no mirror and no exchange of axes leaves as it is."""
    z, y, x = np.indices(shape)
    return (1.0 + z + 10.0 * y + 100.0 * x).astype(np.float32)


def by_mrcfile(path: Path) -> Seen:
    import mrcfile

    log = io.StringIO()
    if not mrcfile.validate(path, print_file=log):
        raise ValueError(log.getvalue())
    with mrcfile.open(path) as file:
        size = file.voxel_size
        return file.data.copy(), tuple(float(size[axis]) / 10 for axis in "zyx")


def by_gemmi(path: Path) -> Seen:
    import gemmi

    grid = gemmi.read_ccp4_map(str(path)).grid
    array = np.array(grid.array)  # (x, y, z)
    cell = grid.unit_cell
    edges = (cell.c / grid.nw, cell.b / grid.nv, cell.a / grid.nu)
    return array.transpose(2, 1, 0), tuple(edge / 10 for edge in edges)


def by_vtk(path: Path) -> Seen:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOImage import vtkMRCReader

    reader = vtkMRCReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    nx, ny, nz = image.GetDimensions()
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(nz, ny, nx)
    return array, tuple(edge / 10 for edge in image.GetSpacing()[::-1])


def by_tifffile(path: Path) -> Seen:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        array = tiff.asarray()[:, ::-1]  # row 0 on top
        tags = tiff.pages.first.tags
        edges = [
            tags[name].value[1] / tags[name].value[0] for name in ("YResolution", "XResolution")
        ]
        spacing = (tiff.imagej_metadata or {}).get("spacing")
    return array, (spacing, *edges) if spacing else (edges[-1],)


def by_rosettasciio(path: Path) -> Seen:
    from importlib import import_module

    module = {".mrc": "rsciio.mrc", ".emd": "rsciio.emd", ".tif": "rsciio.tiff"}[path.suffix]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signal = import_module(module).file_reader(str(path))[0]
    array, axes = np.asarray(signal["data"]), signal["axes"]
    names = [str(axis["name"]) for axis in axes]
    if path.suffix == ".emd":  # HyperSpy reverses the axes of EMD, and names tell them apart
        order = [names.index(name) for name in ("angles" if "angles" in names else "z", "y", "x")]
        array, axes = array.transpose(order), [axes[i] for i in order]
    if path.suffix == ".tif":
        array = array[:, ::-1]
    to_nm = {"nm": 1.0, "Å": 0.1, "µm": 1e3}
    edges = [float(axis["scale"]) * to_nm[axis["units"]] for axis in axes if axis["units"] in to_nm]
    return array, tuple(edges)


def by_h5py(path: Path) -> Seen:
    import h5py

    with h5py.File(path) as file:
        group = file["data/tomography"]
        array = group["data"][()]
        dims = [group[f"dim{i}"] for i in (1, 2, 3)]
        steps = {d.attrs["name"].decode(): float(np.diff(d[()]).mean()) for d in dims}
    if "angles" in steps:
        return array, (steps["x"],)
    return array.transpose(2, 1, 0), tuple(steps[name] for name in "zyx")


def by_zarr(path: Path) -> Seen:
    import zarr

    group = zarr.open_group(path, mode="r")
    level = group.attrs["multiscales"][0]["datasets"][0]
    scale = level["coordinateTransformations"][0]["scale"]
    return np.asarray(group[level["path"]])[:, ::-1], tuple(scale)


READERS: dict[str, dict[str, Callable[[Path], Seen]]] = {
    ".mrc": {
        "mrcfile": by_mrcfile, "gemmi": by_gemmi, "vtk": by_vtk, "rosettasciio": by_rosettasciio,
    },
    # Not VTK's: it takes the rows of several pages from the bottom, whatever their orientation.
    ".tif": {"tifffile": by_tifffile, "rosettasciio": by_rosettasciio},
    ".emd": {"h5py": by_h5py, "rosettasciio": by_rosettasciio},
    ".zarr": {"zarr": by_zarr},
}  # fmt: skip


def check(what: str, suffix: str, path: Path, wanted: np.ndarray, name: str) -> dict[str, Any]:
    """Read a file with one program; say what agrees."""
    row: dict[str, Any] = {"file": f"{what}{suffix}", "reader": name}
    try:
        array, edges = READERS[suffix][name](path)
    except Exception as error:
        return row | {"error": f"{type(error).__name__}: {str(error)[:120]}"}
    row["shape"] = array.shape == wanted.shape
    row["values, axes and hand"] = bool(row["shape"] and np.array_equal(array, wanted))
    known = VOXEL_NM if what == "volume" else (VOXEL_NM[2],) * 2  # tilts have no distance
    if edges:
        stated = edges[-len(known) :]
        row["voxel size"] = bool(np.allclose(stated, known[-len(stated) :], rtol=1e-4))
    return row


def run(folder: Path) -> list[dict[str, Any]]:
    """Write everything and read it with everything."""
    volume = Volume(
        handed((4, 5, 6)), VOXEL_NM, first_slice=FIRST_SLICE, tilt_range=TiltRange(-60.0, 60.0, 41)
    )
    series = TiltSeries.from_arrays(handed((4, 5, 6)), ANGLES, pixel_nm=VOXEL_NM[2])
    rows = []
    for suffix, readers in READERS.items():
        files = {
            "volume": (write_volume(folder / f"volume{suffix}", volume), volume.data),
            "series": (write_tilt_series(folder / f"series{suffix}", series), series.images),
        }
        for what, (path, wanted) in files.items():
            rows += [check(what, suffix, path, wanted, name) for name in readers]
    return rows


def render(rows: list[dict[str, Any]]) -> str:
    """Return the page as Markdown."""
    words = {True: "yes", False: "no", None: "not stated"}
    lines = [
        "# Read by others",
        "",
        "Printed by `python -m benchmarks.quality.read_by_others`: a handed object, written in",
        "every format and read by other programs.",
        "",
        "| file | read by | shape | values, axes and hand | voxel size |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [words[row.get(key)] for key in ("shape", "values, axes and hand", "voxel size")]
        if "error" in row:
            cells = [row["error"], "", ""]
        lines.append(f"| {row['file']} | {row['reader']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write, read, and put figures and page where they are wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=MEASURED / "read-by-others.json")
    parser.add_argument("--page", type=Path, default=MEASURED / "read-by-others.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = run(Path(name))
    args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    args.page.write_text(render(rows), encoding="utf-8")
    print(render(rows))


if __name__ == "__main__":
    main()
