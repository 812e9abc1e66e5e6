"""Tilt series as other programs write them, each like a public one that was seen."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_wedgefill.disk_images import DiskImages
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, formats, kind_of, read_tilt_series, read_volume
from napari_wedgefill.io.formats import open_stack, open_stacks
from napari_wedgefill.io.signals import Axis, stack_of_signal
from napari_wedgefill.io.tilt_reader import stays_on_disk

from .dm3 import write_dm3

h5py = pytest.importorskip("h5py")
pytest.importorskip("rsciio")
zarr = pytest.importorskip("zarr")

ANGLES = np.arange(-60.0, 61.0, 30.0)


@pytest.fixture
def pictures() -> np.ndarray:
    """Five images of 6 x 8 pixels as a picture viewer shows them: row 0 on top."""
    return np.arange(5 * 6 * 8, dtype=np.int16).reshape(5, 6, 8)


def assert_is_series(path: Path, pictures: np.ndarray, angles=ANGLES, **given):
    series = read_tilt_series(path, **given)
    np.testing.assert_allclose(series.angles_deg, angles, atol=1e-3)
    np.testing.assert_array_equal(series.images, pictures[:, ::-1])
    return series


# DigitalMicrograph


def test_dm3_stack_with_angles_in_its_third_axis(tmp_path, pictures):
    """The value of an index is (index - origin) x scale: origin 2 and step 30 begin at -60."""
    calibrations = [(0, 2.5, "nm"), (0, 2.5, "nm"), (2, 30.0, "deg")]
    path = write_dm3(tmp_path / "tilts.dm3", pictures, calibrations=calibrations)
    series = assert_is_series(path, pictures)
    assert series.pixel_nm == pytest.approx(2.5)
    assert "DM3" in series.sources["angles_deg"]


def test_dm3_axis_without_a_unit_may_hold_angles(tmp_path):
    """Origin 45, step 2, 91 images: -90 to 90, as in a public series; nothing else goes so."""
    pictures = np.random.default_rng(0).integers(0, 99, (91, 4, 5)).astype(np.int16)
    calibrations = [(0, 0.5, "nm"), (0, 0.5, "nm"), (45, 2.0, "")]
    path = write_dm3(tmp_path / "tilts.dm3", pictures, calibrations=calibrations)
    assert_is_series(path, pictures, np.arange(-90, 91, 2))


def test_dm3_origin_may_be_the_first_angle_itself(tmp_path):
    """Programs that fill in "origin -90, scale 2" mean that the first angle is -90."""
    pictures = np.random.default_rng(0).integers(0, 99, (91, 4, 5)).astype(np.int16)
    calibrations = [(0, 0.5, "nm"), (0, 0.5, "nm"), (-90, 2.0, "")]
    path = write_dm3(tmp_path / "tilts.dm3", pictures, calibrations=calibrations)
    assert_is_series(path, pictures, np.arange(-90, 91, 2))


def test_dm3_stack_with_the_angles_of_its_setup(tmp_path, pictures):
    setup = {
        "Minimum tilt angle (deg)": np.float32(-60),
        "Maximum tilt angle (deg)": np.float32(60),
        "Tilt angle step (deg)": np.float32(30),
    }
    tags = {"Tomography": {"Tomography setup": {"Tilt angles": setup}}}
    assert_is_series(write_dm3(tmp_path / "a.dm3", pictures, tags=tags), pictures)


def test_dm3_stack_without_angles_asks_for_them(tmp_path, pictures):
    path = write_dm3(tmp_path / "a.dm3", pictures)
    assert kind_of(path) == "image"
    with pytest.raises(WedgefillError, match="no tilt angles were found"):
        read_tilt_series(path)
    np.savetxt(tmp_path / "a.rawtlt", ANGLES)
    assert_is_series(path, pictures)


def test_dm3_files_of_one_tilt_each_in_a_folder(tmp_path, pictures):
    """The stage's angle is in each file's tags; the names only count."""
    order = [3, 0, 4, 1, 2]
    for number, i in enumerate(order):
        tags = {"Microscope Info": {"Stage Position": {"Stage Alpha": np.float64(ANGLES[i])}}}
        calibrations = [(0, 0.019, "µm")] * 2
        write_dm3(
            tmp_path / f"BF_{number:03d}.dm3", pictures[i], tags=tags, calibrations=calibrations
        )
    series = assert_is_series(tmp_path, pictures)
    assert series.pixel_nm == pytest.approx(19.0, rel=1e-4)


def test_a_volume_of_dm3_is_no_tilt_series(tmp_path, pictures):
    path = write_dm3(tmp_path / "v.dm3", pictures, calibrations=[(0, 2.0, "nm")] * 3)
    assert kind_of(path) == "volume"
    assert read_volume(path).voxel_nm == pytest.approx((2, 2, 2))


# HyperSpy


def hspy(path, data, axes, **metadata):
    from rsciio.hspy import file_writer

    general = {"General": {"title": path.stem}, "Signal": {"signal_type": ""}}
    signal = {
        "data": data,
        "axes": [
            {"name": n, "units": u, "scale": s, "offset": o, "size": size, "navigate": i == 0}
            for i, ((n, u, s, o), size) in enumerate(zip(axes, data.shape, strict=True))
        ],
        "metadata": general | metadata,
        "original_metadata": {},
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
        "learning_results": {},
        "attributes": {"_lazy": False},
        "models": {},
        "tmp_parameters": {},
        "original_shape": data.shape,
    }
    file_writer(str(path), signal)
    return path


def test_hspy_axis_with_offset_and_scale(tmp_path, pictures):
    axes = [("Projections", "degrees", 30.0, -60.0), ("y", "nm", 3.36, 0), ("x", "nm", 3.36, 0)]
    series = assert_is_series(hspy(tmp_path / "a.hspy", pictures, axes), pictures)
    assert series.pixel_nm == pytest.approx(3.36)


def test_hspy_angles_in_the_metadata_of_etspy(tmp_path, pictures):
    axes = [("Projections", "", 1.0, 0.0), ("y", "nm", 3.36, 0), ("x", "nm", 3.36, 0)]
    tomography = {"tilts": ANGLES[:, None], "tiltaxis": 0}
    path = hspy(tmp_path / "a.hspy", pictures, axes, Tomography=tomography)
    series = assert_is_series(path, pictures)
    assert "Tomography.tilts" in series.sources["angles_deg"]


def test_no_client_of_dask_is_asked_for_angles(tmp_path, pictures):
    """One that a user opened may be closed, or look for the file on another machine."""
    dask = pytest.importorskip("dask")

    def refuse(*_, **__):
        raise RuntimeError("the client is closed")

    axes = [("Projections", "", 1.0, 0.0), ("y", "nm", 3.36, 0), ("x", "nm", 3.36, 0)]
    path = hspy(tmp_path / "a.hspy", pictures, axes, Tomography={"tilts": ANGLES[:, None]})
    with dask.config.set(scheduler=refuse):
        assert_is_series(path, pictures)


def test_a_spectral_map_becomes_the_sum_of_its_energies(tmp_path):
    counts = np.random.default_rng(0).integers(0, 9, (4, 5, 7)).astype(np.int32)
    axes = [("y", "nm", 1, 0), ("x", "nm", 1, 0), ("Energy", "keV", 0.01, 0)]
    stack = open_stack(hspy(tmp_path / "eds.hspy", counts, axes))
    np.testing.assert_array_equal(np.asarray(stack.pixels)[0], counts.sum(2)[::-1])
    assert any("sum over 7 energies" in warning for warning in stack.warnings)


# EMD


@pytest.mark.parametrize("suffix", [".hspy", ".h5"])
def test_a_text_that_damage_made_a_sequence_is_refused(tmp_path, pictures, suffix):
    """Read as it stands, it ends the process inside the HDF5 library."""
    axes = [("Projections", "degrees", 30.0, -60.0), ("y", "nm", 1, 0), ("x", "nm", 1, 0)]
    path = hspy(tmp_path / "a.hspy", pictures, axes)
    path = path.rename(path.with_suffix(suffix))
    with h5py.File(path, "a") as file:
        empty = np.empty(1, object)
        empty[0] = np.arange(2)
        file["Experiments"].attrs.create("units", empty, dtype=h5py.vlen_dtype(np.int64))
    with pytest.raises(WedgefillError, match="'units' of 'Experiments' is a sequence"):
        read_tilt_series(path)


@pytest.mark.parametrize("shape", [(-3, 4, 5), (3, 0, 5), ()])
def test_an_array_without_elements_is_no_stack(shape):
    """A damaged DM file may promise an image of minus three rows."""
    data = SimpleNamespace(shape=shape, dtype=np.dtype(np.float32))
    assert stack_of_signal(Path("a.dm3"), data, [Axis("", "", n) for n in shape], source="") is None


def test_names_that_are_not_text_are_shown_with_their_bytes(tmp_path, pictures):
    """A file damaged in a name, or written on a system with letters of its own."""
    with h5py.File(tmp_path / "a.emd", "w") as file:
        for name in (b"data/\xe9chantillon", b"data/second"):
            group = file.create_group(name)
            group.attrs["emd_group_type"] = 1
            group["data"] = pictures
            group.create_group(b"\xff")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file[b"\xe9chantillon"] = pictures
        file["second"] = pictures
    for name, folder in (("a.emd", "data/"), ("b.h5", "")):
        with pytest.raises(WedgefillError) as refused:
            read_tilt_series(tmp_path / name)
        assert f"'{folder}\\xe9chantillon'" in str(refused.value)
        assert f"'{folder}second'" in str(refused.value)


def test_emd_of_tomviz(tmp_path, pictures):
    """Its y points up, so that its first row is the bottom of the picture."""
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/tomography")
        group.attrs["emd_group_type"] = 1
        group["data"] = pictures
        values = (("angles", "[deg]", ANGLES), ("y", "[n_m]", np.arange(6) * 2.0))
        for i, (name, unit, numbers) in enumerate([*values, ("x", "[n_m]", np.arange(8) * 2.0)]):
            group[f"dim{i + 1}"] = numbers.astype(np.float32)
            group[f"dim{i + 1}"].attrs["name"] = name
            group[f"dim{i + 1}"].attrs["units"] = unit
    series = assert_is_series(tmp_path / "a.emd", pictures[:, ::-1])
    assert series.pixel_nm == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("columns", "pixel_nm"),
    [(np.arange(6) * 2.0, 2.0), ([0.0, 1.0, 5.0], None), ([b"?"] * 8, None), ([np.nan] * 8, None)],
)
def test_emd_columns_that_are_not_as_many_as_those_of_the_images(
    tmp_path, pictures, columns, pixel_nm
):
    """As tomviz's pipelines write them outside of its window: the spacing still tells."""
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("data/tomography")
        group.attrs["emd_group_type"] = np.uint32(1)
        group["data"] = pictures[:, ::-1]
        axes = (("angles", "[deg]", ANGLES), ("y", "[n_m]", np.arange(6) * 2.0))
        for i, (name, unit, values) in enumerate([*axes, ("x", "[n_m]", columns)]):
            group[f"dim{i + 1}"] = values
            group[f"dim{i + 1}"].attrs["name"], group[f"dim{i + 1}"].attrs["units"] = name, unit
    assert assert_is_series(tmp_path / "a.emd", pictures).pixel_nm == pixel_nm


def velox(path, detectors):
    import json

    with h5py.File(path, "w") as file:
        for number, (name, frames, tilts) in enumerate(detectors):
            group = file.create_group(f"Data/Image/{number:032x}")
            group["Data"] = frames.transpose(1, 2, 0)
            size = {"width": "1.5e-09", "height": "1.5e-09"}
            texts = [
                json.dumps(
                    {
                        "BinaryResult": {"Detector": name, "PixelSize": size, "PixelUnitX": "m"},
                        "Stage": {"AlphaTilt": str(np.deg2rad(tilt))},
                    }
                ).encode()
                for tilt in tilts
            ]
            length = max(map(len, texts)) + 10
            columns = [np.frombuffer(text.ljust(length, b"\0"), np.uint8) for text in texts]
            group["Metadata"] = np.stack(columns, axis=1)
    return path


def test_velox_detectors_are_series_by_name(tmp_path, pictures):
    detectors = [("HAADF", pictures, ANGLES), ("BF-S", pictures + 7, ANGLES)]
    path = velox(tmp_path / "a.emd", detectors)
    with pytest.raises(WedgefillError, match=r"2 data sets: 'HAADF' \(5 x 6 x 8\), 'BF-S'"):
        read_tilt_series(path)
    series = assert_is_series(path, pictures + 7, dataset="BF-S")
    assert series.pixel_nm == pytest.approx(1.5)
    assert series.name == "a BF-S"
    with pytest.raises(WedgefillError, match="no data set is called 'ABF'"):
        read_tilt_series(path, dataset="ABF")


@pytest.mark.parametrize("version", [7, 11])
def test_velox_maps_of_elements_go_by_their_labels(tmp_path, pictures, version):
    import json

    maps = [("SuperX", pictures + i, ANGLES) for i in range(2)]
    path = velox(tmp_path / "a.emd", [("HAADF", pictures, ANGLES), *maps])
    with h5py.File(path, "a") as file:
        file["Data/SpectrumImage/0/Data"] = np.zeros((6, 8, 20), np.uint8)
        for number, label in enumerate(("HAADF", "Fe", "Cu")):
            shown = {"dataPath": f"/Data/Image/{number:032x}", "display": {"label": label}}
            if version == 11:
                reference = f"/SharedProperties/ImageSeriesDataReference/{number}"
                file[reference] = [json.dumps(shown).encode()]
                display, shown = "Displays/ImageDisplay", {"id": label, "data": reference}
            else:
                display = "Presentation/Displays/ImageDisplay"
            file[f"{display}/{number}"] = [json.dumps(shown).encode()]
    with pytest.raises(WedgefillError, match=r"3 data sets: 'HAADF'.*'Fe'.*'Cu'"):
        read_tilt_series(path)
    series = assert_is_series(path, pictures + 1, dataset="Cu")
    assert any("spectra are not read" in warning for warning in series.warnings)


def test_velox_spectra_alone_are_refused_in_words(tmp_path):
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file["Data/SpectrumStream/0/Data"] = np.zeros(9, np.uint16)
    with pytest.raises(WedgefillError, match="spectra and no images; export maps"):
        read_tilt_series(tmp_path / "a.emd")


def test_velox_files_of_one_tilt_each(tmp_path, pictures):
    for i, angle in enumerate(ANGLES):
        velox(tmp_path / f"{i}.emd", [("HAADF", pictures[i : i + 1], [angle])])
    assert_is_series(tmp_path, pictures)


# HDF5, NumPy, MATLAB, Zarr


def test_hdf5_data_exchange(tmp_path, pictures):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"] = pictures
        file["exchange/data_white"] = np.ones((3, 6, 8), np.int16)
        file["exchange/theta"] = ANGLES
    series = assert_is_series(tmp_path / "a.h5", pictures)
    assert any("data_white" in warning and "not applied" in warning for warning in series.warnings)


def test_npz_by_the_names_of_its_arrays(tmp_path, pictures):
    np.savez(tmp_path / "a.npz", images=pictures, angles_deg=ANGLES, pixel_nm=0.75)
    series = assert_is_series(tmp_path / "a.npz", pictures)
    assert series.pixel_nm == pytest.approx(0.75)


def test_npy_with_angles_beside_it(tmp_path, pictures):
    np.save(tmp_path / "a.npy", pictures)
    np.savetxt(tmp_path / "a.tlt", ANGLES)
    assert_is_series(tmp_path / "a.npy", pictures)


def test_radians_are_told_from_degrees(tmp_path, pictures):
    np.savez(tmp_path / "a.npz", images=pictures, theta=np.deg2rad(ANGLES))
    series = assert_is_series(tmp_path / "a.npz", pictures)
    assert "radians" in series.sources["angles_deg"]


def save_mat(path, version, **variables):
    if version == "5":
        from scipy.io import savemat

        savemat(path, variables)
        return path
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            fields = value.items() if isinstance(value, dict) else [("", value)]
            for field, numbers in fields:
                file["/".join(filter(None, (name, field)))] = np.asarray(numbers).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("in_a_struct", [False, True])
def test_matlab_stacks_are_x_y_tilt(tmp_path, pictures, version, in_a_struct):
    fields = {"stack": pictures.transpose(2, 1, 0), "angles": ANGLES[None]}
    variables = {"tomo": fields} if in_a_struct else fields
    path = save_mat(tmp_path / "a.mat", version, **variables)
    series = assert_is_series(path, pictures)
    assert any("(x, y, tilt)" in warning for warning in series.warnings)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_angles_as_euler_triples(tmp_path, pictures, version):
    triples = np.zeros((5, 3))
    triples[:, 1] = ANGLES
    stack = pictures.transpose(2, 1, 0)
    assert_is_series(
        save_mat(tmp_path / "a.mat", version, projections=stack, angles=triples), pictures
    )
    triples[:, 0] = [0, 90, 0, 90, 0]
    path = save_mat(tmp_path / "b.mat", version, projections=stack, angles=triples)
    with pytest.raises(WedgefillError, match="2 vary; only series about one tilt axis"):
        read_tilt_series(path)


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab_stacks_that_python_wrote_are_tilt_y_x(tmp_path, pictures, version):
    path = save_mat(tmp_path / "a.mat", version, stack=pictures, angles=ANGLES)
    series = assert_is_series(path, pictures)
    assert any("5 x 6 x 8 in MATLAB) is taken as (tilt, row, column)" in w for w in series.warnings)


def test_matlab_stack_of_rows_and_columns_is_set_right_as_its_note_says(tmp_path, pictures):
    stack = pictures.transpose(1, 2, 0)
    path = save_mat(tmp_path / "a.mat", "5", stack=stack, angles=ANGLES)
    assert any("give --axis x --flip" in w for w in read_tilt_series(path).warnings)
    assert_is_series(path, pictures, axis="x", flip=True)


def test_the_only_series_of_a_file_is_taken_and_the_rest_told(tmp_path, pictures):
    path = tmp_path / "a.npz"
    np.savez(path, images=pictures, angles=ANGLES, volume=np.zeros((8, 6, 9), np.float32))
    series = assert_is_series(path, pictures)
    assert any("the others are 'volume' (8 x 6 x 9)" in w for w in series.warnings)
    assert describe(path)["kind"] == "tilt series"


def test_matlab_variables_are_chosen_by_name(tmp_path, pictures):
    stack = pictures.transpose(2, 1, 0)
    path = save_mat(tmp_path / "a.mat", "5", raw=stack, aligned=stack + 5, angles=ANGLES)
    with pytest.raises(WedgefillError, match=r"'raw' \(5 x 6 x 8\), 'aligned'.*--dataset"):
        describe(path)
    assert_is_series(path, pictures + 5, dataset="aligned")


def test_plain_zarr_group(tmp_path, pictures):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name, values in (("tilts/images", pictures), ("tilts/angles", ANGLES)):
        array = group.create_array(name, shape=values.shape, dtype=values.dtype)
        array[...] = values
    assert_is_series(tmp_path / "a.zarr", pictures)


def test_ome_zarr_with_channels(tmp_path, pictures):
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=2)
    both = np.stack([pictures, pictures + 3])
    array = group.create_array("0", shape=both.shape, dtype=both.dtype)
    array[...] = both
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"
    ]
    scale = {"type": "scale", "scale": [1, 0.02, 0.01, 0.01]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [level]}]
    assert [stack.dataset for stack in open_stacks(tmp_path / "a.ome.zarr")] == [
        "a.ome channel 0",
        "a.ome channel 1",
    ]
    volume = read_volume(tmp_path / "a.ome.zarr", dataset="a.ome channel 1")
    np.testing.assert_array_equal(volume.data, pictures[:, ::-1] + 3)
    assert volume.voxel_nm == pytest.approx((20, 10, 10))


# Whatever the format


def test_what_is_missing_is_told_with_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.dm4").write_bytes(b"")
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "rsciio" else there(name)
    )
    with pytest.raises(WedgefillError, match=r"pip install 'napari-wedgefill\[formats\]'"):
        describe(tmp_path / "a.dm4")


def test_reading_mrc_loads_none_of_the_extra_packages():
    import subprocess

    names = ["h5py", "zarr", "rsciio", "dask"]
    script = f"import napari_wedgefill.io, sys; print([n for n in {names} if n in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("suffix", sorted({*formats.IMAGE_SUFFIXES} - {".zarr", ".zspy"}))
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"nothing of the kind " * 99])
def test_files_that_are_none_are_refused_in_one_sentence(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(WedgefillError) as caught:
        read_tilt_series(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layout", ["h5 chunks", "h5 contiguous", "npy", "dm3", "zarr"])
def test_large_series_stay_on_disk_in_any_format(tmp_path, pictures, layout, monkeypatch):
    monkeypatch.setattr("napari_wedgefill.io.tilt_reader.IN_MEMORY_BYTES", 0)
    if layout.startswith("h5"):
        path = tmp_path / "a.h5"
        chunks = (1, 3, 4) if "chunks" in layout else None
        with h5py.File(path, "w") as file:
            file.create_dataset("tilts/data", data=pictures, chunks=chunks)
            file["tilts/angles"] = ANGLES
    elif layout == "npy":
        path = tmp_path / "a.npy"
        np.save(path, pictures)
        np.savetxt(tmp_path / "a.tlt", ANGLES)
    elif layout == "dm3":
        path = write_dm3(tmp_path / "a.dm3", pictures)
        np.savetxt(tmp_path / "a.tlt", ANGLES)
    else:
        path = tmp_path / "a.zarr"
        array = zarr.open_array(path, mode="w", shape=pictures.shape, dtype="i2", chunks=(1, 3, 8))
        array[...] = pictures
        np.savetxt(tmp_path / "a.tlt", ANGLES)
    assert stays_on_disk(open_stack(path).pixels)
    series = assert_is_series(path, pictures, axis="y")
    assert isinstance(series.images, DiskImages)
    np.testing.assert_array_equal(
        series.sinograms(1, 3), pictures[:, ::-1][:, 1:3].transpose(0, 2, 1)
    )
    turned = read_tilt_series(path, axis="x").images
    np.testing.assert_array_equal(turned, np.rot90(pictures[:, ::-1], axes=(1, 2)))


def test_a_folder_of_blank_dm3_files_keeps_its_angles(tmp_path):
    """As NIST published some: every pixel 0. Pixels of DM3 files are read chunk by chunk."""
    for name, alpha in (("a1", -72.0), ("a2", -69.0), ("a3", -66.0)):
        tags = {"Microscope Info": {"Stage Position": {"Stage Alpha": np.float64(alpha)}}}
        write_dm3(tmp_path / f"{name}.dm3", np.zeros((4, 5), np.int16), tags=tags)
    facts = describe(tmp_path)
    np.testing.assert_allclose(facts["angles_deg"], [-72, -69, -66])
    assert "In each of the files, every pixel has the same value." in facts["warnings"]
    with pytest.raises(WedgefillError, match="every pixel has the same value"):
        read_tilt_series(tmp_path)


def test_a_folder_of_dm_files_named_by_their_angles(tmp_path, pictures):
    """As in a public series: no tag holds the tilt, and the names say it."""
    for angle, picture in zip(ANGLES, pictures, strict=True):
        write_dm3(tmp_path / f"{angle:.0f}.dm3", picture, calibrations=[(0, 0.5, "nm")] * 2)
    series = assert_is_series(tmp_path, pictures)
    assert "names of the files" in series.sources["angles_deg"]
    assert series.pixel_nm == pytest.approx(0.5)


@pytest.mark.parametrize("chunks", [1, 5])
def test_files_are_read_here_whatever_computes_elsewhere(tmp_path, pictures, chunks, monkeypatch):
    """A scheduler that the user connected to may not see this machine's disk."""
    import dask

    def refuse(*_, **__):
        raise AssertionError("sent away")

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("exchange/data", data=pictures, chunks=(chunks, 6, 8))
        file["exchange/theta"] = ANGLES
    with dask.config.set(scheduler=refuse):
        assert_is_series(tmp_path / "a.h5", pictures)
        monkeypatch.setattr("napari_wedgefill.io.tilt_reader.IN_MEMORY_BYTES", 0)
        assert_is_series(tmp_path / "a.h5", pictures)
