"""Formats of single vendors, written here byte by byte: nobody gives away such files freely."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import kind_of, read_tilt_series
from napari_wedgefill.io.formats import open_stack

numcodecs = pytest.importorskip("numcodecs")
pytest.importorskip("rsciio")
zarr = pytest.importorskip("zarr")

ANGLES = np.arange(-60.0, 61.0, 30.0)


@pytest.fixture
def pictures() -> np.ndarray:
    """Five images of 6 x 8 pixels as a picture viewer shows them: row 0 on top."""
    return np.arange(5 * 6 * 8, dtype=np.uint16).reshape(5, 6, 8)


def write_prz(path: Path, pictures: np.ndarray, save) -> Path:
    length = {"name": "Length", "value": 0.5e-9, "unit": "m", "offset": 0.0, "pixel_factor": 2.0}
    described = [{"type": "Stack", "device.calib": [length, length, None]}]
    with path.open("wb") as file:
        save(file, data=pictures, meta_data_json=np.array(json.dumps(described)))
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_pantarhei_stacks_are_read_compressed_or_not(tmp_path, pictures, save):
    """rosettasciio maps compressed data as if they were plain, which gives noise without a word."""
    path = write_prz(tmp_path / "s.prz", pictures, save)
    np.savetxt(tmp_path / "s.rawtlt", ANGLES)
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, pictures[:, ::-1])
    assert series.pixel_nm == pytest.approx(1.0)


def test_pantarhei_in_capitals_is_refused_with_what_to_do(tmp_path, pictures):
    path = write_prz(tmp_path / "S.PRZ", pictures, np.savez)
    with pytest.raises(WedgefillError, match=r"rename it to end in '\.prz'"):
        open_stack(path)


def write_ser(path: Path, pictures: np.ndarray, pixel_m: float) -> Path:
    """Write a series of images as TIA does: a header, the images, and where each of them lies."""
    n, h, w = pictures.shape
    dimension = struct.pack("<IddI", n, 0.0, 1.0, 0) + struct.pack("<I6sI", 6, b"Number", 0)
    start = 30 + len(dimension)
    images = [
        struct.pack("<ddIddIHII", 0.0, pixel_m, 0, 0.0, pixel_m, 0, 2, w, h) + one.tobytes()
        for one in pictures[:, ::-1]  # TIA's y points up
    ]
    places = [start + sum(map(len, images[:i])) for i in range(n)]
    tags_at = start + sum(map(len, images))
    tags = struct.pack("<HHI", 0x4152, 0, 1_300_000_000) * n
    marks = [tags_at + 8 * i for i in range(n)]
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, n, n)
    head += struct.pack("<II", tags_at + len(tags), 1)
    index = struct.pack(f"<{2 * n}I", *places, *marks)
    path.write_bytes(head + dimension + b"".join(images) + tags + index)
    return path


@pytest.mark.parametrize("suffix", [".ser", ".SER"])
def test_series_of_tia(tmp_path, pictures, suffix):
    path = write_ser(tmp_path / f"s_1{suffix}", pictures, 0.8e-9)
    assert kind_of(path) == "image"
    np.savetxt(tmp_path / "s_1.rawtlt", ANGLES)
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, pictures[:, ::-1])
    assert series.pixel_nm == pytest.approx(0.8)


def write_zspy(path: Path, pictures: np.ndarray) -> None:
    """Write a signal as HyperSpy does, with markers that no version of zarr after 2 can open."""
    root = zarr.open_group(path, mode="w", zarr_format=2)
    group = root.create_group("Experiments/needle")
    described = (
        ("Projections", "degrees", 30.0, -60.0),
        ("y", "nm", 3.36, 0),
        ("x", "nm", 3.36, 0),
    )
    for i, (name, units, scale, offset) in enumerate(described):
        axis = group.create_group(f"axis-{i}")
        axis.attrs.update({"name": name, "units": units, "scale": scale, "offset": offset})
        axis.attrs.update({"size": pictures.shape[i], "navigate": not i})
    group.create_group("metadata/General").attrs["title"] = "needle"
    group.create_array("data", data=pictures, chunks=(2, 6, 8))


@pytest.mark.parametrize("is_zip", [False, True])
def test_hyperspy_in_zarr(tmp_path, pictures, is_zip):
    path = folder = tmp_path / "s.zspy"
    write_zspy(folder, pictures)
    markers = folder / "Experiments" / "needle" / "metadata" / "Markers"
    markers.mkdir()
    (markers / ".zarray").write_text('{"dtype": "|O", "filters": [{"id": "vlen-array"}]}')
    if is_zip:
        path = tmp_path / "z.zspy"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder))
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.images, pictures[:, ::-1])
    np.testing.assert_allclose(series.angles_deg, ANGLES)
    assert series.pixel_nm == pytest.approx(3.36)


def test_hyperspy_in_zarr_with_the_angles_of_etspy(tmp_path, pictures):
    path = tmp_path / "s.zspy"
    write_zspy(path, pictures)
    group = zarr.open_group(path, mode="r+")["Experiments/needle"]
    group.create_group("metadata/Tomography").create_array("tilts", data=ANGLES[:, None] / 2)
    series = read_tilt_series(path)
    np.testing.assert_allclose(series.angles_deg, ANGLES / 2)
    assert any("contradict" in warning for warning in series.warnings)


@pytest.mark.parametrize("suffix", [".bcf", ".ser", ".emi", ".prz", ".zspy"])
def test_what_is_none_of_them_is_refused_in_one_sentence(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(WedgefillError) as caught:
        open_stack(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chunk_that_lies_about_its_length_is_refused(tmp_path, pictures, zarr_format):
    """Blosc reads on behind its end, and the window would be gone."""
    path = tmp_path / "s.zarr"
    blosc = {
        2: {"compressors": numcodecs.Blosc()},
        3: {"compressors": zarr.codecs.BloscCodec()},
    }[zarr_format]
    root = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    root.create_array("images", data=pictures, chunks=(2, 6, 8), **blosc)
    root.create_array("angles", data=ANGLES)
    np.testing.assert_array_equal(read_tilt_series(path).images, pictures[:, ::-1])
    chunk = next(file for file in sorted((path / "images").rglob("*")) if file.name[0] not in ".z")
    chunk = chunk if chunk.is_file() else next(f for f in sorted(chunk.rglob("*")) if f.is_file())
    raw = bytearray(chunk.read_bytes())
    raw[12:16] = (1 << 28).to_bytes(4, "little")
    chunk.write_bytes(raw)
    with pytest.raises(WedgefillError, match="not as long as it says"):
        read_tilt_series(path)
