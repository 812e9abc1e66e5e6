"""Sound files of every format, as small as they get: what `fuzz_readers` damages."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE, get_ext_header_dtype

from napari_wedgefill.io import write_tilt_series, write_volume
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume

N, H, W = 5, 6, 8
ANGLES = np.linspace(-60.0, 60.0, N)
IMAGES = np.random.default_rng(20191).integers(0, 200, (N, H, W)).astype(np.float32)
SERIES = TiltSeries.from_arrays(IMAGES, ANGLES, pixel_nm=0.5)


@dataclass(frozen=True)
class Seed:
    """A sound file, or a folder with several.

    Attributes
    ----------
    kind : str
        The format, as the page counts it.
    name : str
        Which one of this format.
    opened : Path
        What is opened.
    damaged : tuple of Path
        The files of which one at a time is damaged.
    """

    kind: str
    name: str
    opened: Path
    damaged: tuple[Path, ...]


def write_seeds(folder: Path) -> list[Seed]:
    """Write all seeds, each into a folder of its own."""
    seeds = []
    for kind, name, write in WRITERS:
        place = folder / f"{len(seeds):02}_{name.strip('.').replace(' ', '_')}"
        place.mkdir(parents=True)
        opened, *beside = write(place)
        files = sorted(file for file in opened.rglob("*") if file.is_file())
        damaged = tuple(beside) or (tuple(files) if opened.is_dir() else (opened,))
        seeds.append(Seed(kind, name, opened, damaged))
    return seeds


def _mrc(folder: Path, images: np.ndarray = IMAGES, **fields: Any) -> Path:
    """Write an MRC file byte by byte; `extended` goes between header and pixels."""
    order = fields.pop("byte_order", "<")
    extended: bytes = fields.pop("extended", b"")
    words: tuple[int, int] = fields.pop("words", (0, 0))
    header = np.zeros(1, HEADER_DTYPE.newbyteorder(order))[0]
    header["nz"], header["ny"], header["nx"] = images.shape
    header["mz"], header["my"], header["mx"] = images.shape
    header["cella"] = tuple(5.0 * n for n in images.shape[::-1])
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["mode"] = {"i1": 0, "u1": 0, "i2": 1, "f4": 2, "u2": 6}[images.dtype.str[1:]]
    header["map"], header["nsymbt"] = b"MAP ", len(extended)
    header["machst"] = (68, 68, 0, 0) if order == "<" else (17, 17, 0, 0)
    header["dmin"], header["dmax"] = images.min(), images.max()
    extra = bytearray(84)
    extra[16:20] = np.array(words, f"{order}i2").tobytes()
    header["extra2"] = bytes(extra)
    header["nlabl"] = 1
    header["label"][0] = b"Fei Company".ljust(80)
    for name, value in fields.items():
        header[name] = value
    pixels = images.astype(images.dtype.newbyteorder(order)).tobytes()
    path = folder / "x.mrc"
    path.write_bytes(header.tobytes() + extended + pixels)
    return path


def _fei_records(folder: Path) -> list[Path]:
    records = np.zeros((1024, 32), "<f4")
    records[:N, 0], records[:N, 10], records[:N, 11] = ANGLES, 86.0, 2e-9
    return [_mrc(folder, IMAGES.astype(np.int16), extended=records.tobytes(), words=(128, 32))]


def _fei(code: bytes) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        dtype = get_ext_header_dtype(code, "<")
        records = np.zeros(N, dtype)
        records["Metadata size"], records["Bitmask 1"] = dtype.itemsize, 0xFFFFFFFF
        records["Alpha tilt"], records["Pixel size X"] = ANGLES, 2e-9
        return [_mrc(folder, extended=records.tobytes(), exttyp=code, nversion=20140)]

    return write


def _bytes_big_endian(folder: Path) -> list[Path]:
    path = _mrc(folder, IMAGES.astype(np.uint8), byte_order=">")
    return [path, path, *_list_beside(path)]


def _list_beside(path: Path) -> list[Path]:
    beside = path.with_suffix(".tlt")
    np.savetxt(beside, ANGLES, fmt="%.2f")
    return [beside]


def _written(suffix: str) -> Callable[[Path], list[Path]]:
    return lambda folder: [write_tilt_series(folder / f"x{suffix}", SERIES)]


def _volume(suffix: str) -> Callable[[Path], list[Path]]:
    volume = Volume(IMAGES, (0.5, 0.5, 0.5), history=("napari-wedgefill",), first_slice=3)
    return lambda folder: [write_volume(folder / f"x{suffix}", volume)]


def _packed(pack: Callable[[bytes], bytes], suffix: str) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        plain = _mrc(folder)
        packed = plain.with_name(f"x.mrc{suffix}")
        packed.write_bytes(pack(plain.read_bytes()))
        plain.unlink()
        return [packed]

    return write


def _tiff(**options: Any) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        import tifffile

        path = folder / "x.tif"
        tifffile.imwrite(path, IMAGES, photometric="minisblack", **options)
        _list_beside(path)
        return [path]

    return write


def _ome(folder: Path) -> list[Path]:
    import tifffile

    path = folder / "x.ome.tif"
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm"}
    tifffile.imwrite(path, IMAGES, ome=True, metadata=metadata)
    _list_beside(path)
    return [path]


def _dm3(folder: Path) -> list[Path]:
    from tests.io.dm3 import write_dm3

    axes = [(0.0, 0.5, "nm"), (0.0, 0.5, "nm"), (2.0, 30.0, "deg")]
    return [write_dm3(folder / "x.dm3", IMAGES, calibrations=axes)]


def _dm3_image(folder: Path) -> list[Path]:
    from tests.io.dm3 import write_dm3

    for angle in ANGLES:
        tags = {"Microscope Info": {"Stage Position": {"Stage Alpha": np.float64(angle)}}}
        write_dm3(folder / f"s_{angle:+03.0f}.dm3", IMAGES[0].astype(np.uint16), tags=tags)
    return [folder, next(folder.iterdir())]


def _velox(folder: Path) -> list[Path]:
    import json

    import h5py

    path = folder / "x.emd"
    with h5py.File(path, "w") as file:
        group = file.create_group("Data/Image/0123456789abcdef")
        group.create_dataset(
            "Data", data=IMAGES.astype(np.uint16).transpose(1, 2, 0), chunks=(H, W, 1)
        )
        texts = np.zeros((600, N), np.uint8)
        for i, angle in enumerate(ANGLES):
            frame = {
                "BinaryResult": {
                    "PixelSize": {"width": "5e-10", "height": "5e-10"},
                    "PixelUnitX": "m",
                    "Detector": "HAADF",
                },
                "Stage": {"AlphaTilt": str(np.deg2rad(angle))},
            }
            raw = json.dumps(frame).encode()
            texts[: len(raw), i] = np.frombuffer(raw, np.uint8)
        group["Metadata"] = texts
    return [path]


HYPERSPY_AXES = (
    ("Projections", "degrees", 30.0, -60.0, N),
    ("y", "nm", 1.0, 0.0, H),
    ("x", "nm", 1.0, 0.0, W),
)


def _hspy(folder: Path) -> list[Path]:
    import h5py

    path = folder / "x.hspy"
    with h5py.File(path, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.1"
        _fill_experiment(file)
        file["Experiments/a"].create_dataset(
            "data", data=IMAGES, chunks=(1, H, W), compression="gzip"
        )
    return [path]


def _zspy(folder: Path) -> list[Path]:
    import zarr

    path = folder / "x.zspy"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.attrs.update({"file_format": "ZSPY", "file_format_version": "3.3"})
    _fill_experiment(root)
    root["Experiments/a"].create_array("data", data=IMAGES, chunks=(2, H, W))
    return [path]


def _fill_experiment(root: Any) -> None:
    """Write HyperSpy's groups, the same in HDF5 and in Zarr, without the data."""
    group = root.create_group("Experiments/a")
    group.attrs.update({"package": "hyperspy", "package_version": "2.3.0"})
    for i, (name, unit, scale, offset, n) in enumerate(HYPERSPY_AXES):
        group.create_group(f"axis-{i}").attrs.update(
            {
                "_type": "UniformDataAxis",
                "name": name,
                "units": unit,
                "navigate": not i,
                "scale": scale,
                "offset": offset,
                "size": n,
            }
        )
    for name, values in (
        ("metadata/General", {"title": "a"}),
        ("metadata/Signal", {"signal_type": ""}),
        ("original_metadata", {}),
        ("learning_results", {}),
    ):
        group.create_group(name).attrs.update(values)


def _exchange(folder: Path) -> list[Path]:
    import h5py

    path = folder / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("exchange/data", data=IMAGES, chunks=(1, H, W), compression="gzip")
        file["exchange/theta"] = ANGLES
    return [path]


def _matlab(*, struct: bool = False, compressed: bool = True) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        from scipy.io import savemat

        content: dict[str, Any] = {"stack": IMAGES.T, "angles": ANGLES}
        savemat(folder / "x.mat", {"s": content} if struct else content, do_compression=compressed)
        return [folder / "x.mat"]

    return write


def _matlab_73(folder: Path) -> list[Path]:
    import h5py

    path = folder / "x.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["stack"], file["angles"] = IMAGES, ANGLES[:, None]
    return [path]


def _npy(folder: Path) -> list[Path]:
    path = folder / "x.npy"
    np.save(path, IMAGES)
    _list_beside(path)
    return [path]


def _npz(folder: Path) -> list[Path]:
    np.savez_compressed(folder / "x.npz", images=IMAGES, angles=ANGLES)
    return [folder / "x.npz"]


def _zarr_3(folder: Path) -> list[Path]:
    import zarr

    path = folder / "x.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.create_array("images", data=IMAGES, chunks=(2, H, W))
    root.create_array("angles", data=ANGLES)
    return [path]


def _prz(folder: Path) -> list[Path]:
    import json

    calibration = {
        "name": "Length",
        "value": 5e-10,
        "unit": "m",
        "offset": 0.0,
        "pixel_factor": 1.0,
    }
    described = [{"type": "Stack", "device.calib": [calibration, calibration, None]}]
    path = folder / "x.prz"
    with path.open("wb") as file:
        np.savez(
            file,
            data=IMAGES.astype(np.uint16),
            meta_data_json=np.array(json.dumps(described)),
            file_format_version=np.array(7),
        )
    return [path]


def _beside(text: str, suffix: str, images: Callable[[Path], Any] = _npy) -> Any:
    """Write images and a text beside them; the text is what is damaged."""

    def write(folder: Path) -> list[Path]:
        opened = images(folder)
        path = opened if isinstance(opened, Path) else opened[0]
        path.with_suffix(".tlt").unlink(missing_ok=True)
        beside = path.with_suffix(suffix)
        beside.write_text(text, encoding="utf-8")
        return [path, beside]

    return write


def _file_per_tilt(folder: Path) -> list[Path]:
    """Write a file for each tilt and the mdoc that names them."""
    lines = list(SERIALEM)
    for z, angle in enumerate(ANGLES):
        _mrc(folder, IMAGES[z : z + 1]).rename(folder / f"t_{z}.mrc")
        lines += [f"[ZValue = {z}]", f"TiltAngle = {angle}", f"SubFramePath = D:\\t_{z}.mrc", ""]
    path = folder / "t.mdoc"
    path.write_text("\n".join(lines), encoding="utf-8")
    return [folder, path]


LIST = "\n".join(f"{angle:.2f}" for angle in ANGLES) + "\n"
TABLE = "name;tilt angle\n" + "\n".join(f"t_{i};{a}" for i, a in enumerate(ANGLES)) + "\n"
SERIALEM = ["PixelSpacing = 5", "[T = SerialEM: Tilt axis angle = 85.3, binning = 1]", ""]
MDOC = "\n".join(
    SERIALEM
    + [f"[ZValue = {z}]\nTiltAngle = {a}\nRotationAngle = 175.3\n" for z, a in enumerate(ANGLES)]
)
TOMOGRAPHY = "\n".join(
    ["PixelSpacing = 5", "[T = Tomography 5; TiltAxisAngle = -85,3, Binning = 1]", ""]
    + [f"[ZValue = {z}]\nTiltAngle = {a}\nRotationAngle = -4.7\n" for z, a in enumerate(ANGLES)]
)
ALN = "# AreTomo Alignment / Priims bprmMn\n# RawSize = 8 6 5\n# NumPatches = 0\n" + "\n".join(
    f"{i} 85.0 1.0 0.0 0.0 1.0 1.0 1.0 0.0 {a:.2f}" for i, a in enumerate(ANGLES)
)
XF = "\n".join(["0.9986 -0.0523 0.0523 0.9986 1.0 -2.0"] * N) + "\n"
LOG = (
    "Tilt axis angle [deg]: 4.5\nImage pixel size [nm]: 0.5\nStarts at high angle\n"
    "Start tilt (skipping angles) [deg]: -60\nLow tilt step [deg]: 30\nHigh tilt step [deg]: 30\n"
    "High tilt switch [deg]: 90\nMax negative tilt [deg]: 60\nMax positive tilt [deg]: 60\n"
)
WRITERS: list[tuple[str, str, Callable[[Path], list[Path]]]] = [
    ("MRC", "SerialEM", _written(".mrc")),
    ("MRC", "volume", _volume(".rec")),
    ("MRC", "FEI records", _fei_records),
    ("MRC", "FEI1", _fei(b"FEI1")),
    ("MRC", "FEI2", _fei(b"FEI2")),
    ("MRC", "big-endian bytes", _bytes_big_endian),
    ("MRC, compressed", "gzip", _packed(gzip.compress, ".gz")),
    ("MRC, compressed", "bzip2", _packed(bz2.compress, ".bz2")),
    ("TIFF", "ImageJ", _written(".tif")),
    ("TIFF", "ImageJ volume", _volume(".tif")),
    ("TIFF", "deflate", _tiff(compression="zlib")),
    ("TIFF", "big", _tiff(bigtiff=True)),
    ("TIFF", "OME", _ome),
    ("DM", "stack", _dm3),
    ("DM", "file a tilt", _dm3_image),
    ("EMD", "tomviz", _written(".emd")),
    ("EMD", "volume", _volume(".emd")),
    ("EMD", "Velox", _velox),
    ("HyperSpy", "HSPY", _hspy),
    ("HyperSpy", "ZSPY", _zspy),
    ("HDF5", "exchange", _exchange),
    ("MATLAB", "compressed", _matlab()),
    ("MATLAB", "struct", _matlab(struct=True, compressed=False)),
    ("MATLAB", "version 7.3", _matlab_73),
    ("NumPy", "npy", _npy),
    ("NumPy", "npz", _npz),
    ("Zarr", "OME", _written(".zarr")),
    ("Zarr", "version 3", _zarr_3),
    ("PantaRhei", "prz", _prz),
    ("list of angles", "tlt", _beside(LIST, ".tlt")),
    ("list of angles", "rawtlt", _beside(LIST, ".rawtlt")),
    ("list of angles", "csv", _beside(TABLE, ".csv")),
    ("mdoc", "SerialEM", _beside(MDOC, ".mdoc")),
    ("mdoc", "Tomography 5", _beside(TOMOGRAPHY, ".mdoc")),
    ("mdoc", "file a tilt", _file_per_tilt),
    ("aln, xf, FEI log", "aln", _beside(ALN, ".aln")),
    ("aln, xf, FEI log", "xf", _beside(XF, ".xf", _written(".mrc"))),
    ("aln, xf, FEI log", "log", _beside(LOG, ".txt", lambda folder: _mrc(folder))),
]


def kinds() -> Iterator[str]:
    """Yield each format once, in the order of the page."""
    yield from dict.fromkeys(kind for kind, _, _ in WRITERS)
