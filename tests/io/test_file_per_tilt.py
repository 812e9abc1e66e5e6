"""One file a tilt: which angle belongs to which file, and which files belong to the series."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, read_tilt_series
from napari_wedgefill.io.file_names import angles_in_names

ANGLES = np.array([-12.0, -6, 0, 6, 12])


def picture(angle):
    """An image that tells its angle: its mean."""
    return np.full((6, 8), 1000 + angle, np.float32) + np.arange(8, dtype=np.float32) - 3.5


def right_pairs(series):
    means = np.asarray(series.images).mean(axis=(1, 2)) - 1000
    return np.allclose(means, series.angles_deg)


@pytest.fixture
def write_folder(tmp_path):
    """Write a folder of TIFFs whose names `name` makes from each angle."""

    def write(name, angles=ANGLES):
        folder = tmp_path / "raw"
        folder.mkdir()
        for angle in angles:
            tifffile.imwrite(folder / name(angle), picture(angle))
        return folder

    return write


def write_list(path, angles):
    path.write_text("\n".join(map(str, angles)))
    return path


SIGNED_NAMES = {
    "minus": lambda a: f"tilt_{a:.0f}.tif",
    "point": lambda a: f"s_{a:+06.1f}.tif",
    "np": lambda a: f"star{'n' if a < 0 else 'p'}{abs(a):02.0f}.tif",
    "mp": lambda a: f"x_{'m' if a < 0 else 'p'}{abs(a):02.0f}_7.tif",
    "m": lambda a: f"{'m' if a < 0 else ''}{abs(a):03.0f}deg.tif",
    "serialem": lambda a: f"tomo20_{a:.1f}_May30_22.{int(a) % 60:02d}.28.tif",
    "counted": lambda a: f"TS_01_{int(a + 12) // 6:03d}_{a:.1f}.tif",
}


@pytest.mark.parametrize("kind", SIGNED_NAMES)
@pytest.mark.parametrize("order", [1, -1])
def test_signed_angles_in_names_pair_a_list_in_any_order(write_folder, tmp_path, kind, order):
    folder = write_folder(SIGNED_NAMES[kind])
    series = read_tilt_series(folder, angles=write_list(tmp_path / "l.tlt", ANGLES[::order]))
    assert right_pairs(series)
    assert series.angles_deg.tolist() == ANGLES.tolist()


@pytest.mark.parametrize("kind", SIGNED_NAMES)
def test_signed_angles_in_names_are_enough(write_folder, kind):
    series = read_tilt_series(write_folder(SIGNED_NAMES[kind]))
    assert right_pairs(series)
    assert series.sources["angles_deg"].startswith("names of the files, such as ")


def test_a_refined_list_is_paired_by_the_names_too(write_folder, tmp_path):
    folder = write_folder(SIGNED_NAMES["minus"])
    refined = ANGLES + 0.4
    series = read_tilt_series(folder, angles=write_list(tmp_path / "l.tlt", refined))
    means = np.asarray(series.images).mean(axis=(1, 2)) - 1000
    np.testing.assert_allclose(series.angles_deg, means + 0.4)


def test_a_list_that_contradicts_the_names_is_told(write_folder, tmp_path):
    folder = write_folder(SIGNED_NAMES["minus"])
    series = read_tilt_series(folder, angles=write_list(tmp_path / "l.tlt", [1, 20, 33, 41, 60]))
    assert "its name contradict each other" in " ".join(series.warnings)


def test_counts_are_no_angles_and_order_is_said_to_be_all(write_folder, tmp_path):
    folder = write_folder(lambda a: f"tilt_{int(a + 12) // 6 + 8}.tif")  # 8, 9, 10, 11, 12
    with pytest.raises(WedgefillError, match="no tilt angle was found for this file"):
        read_tilt_series(folder)
    series = read_tilt_series(folder, angles=write_list(tmp_path / "l.tlt", ANGLES))
    assert right_pairs(series)
    assert "tilt_8.tif is taken for -12 degrees, the first of l.tlt" in " ".join(series.warnings)


def test_files_given_one_by_one_are_in_order(write_folder, tmp_path):
    """Names that hold nothing; the order of the list is the user's word."""
    names = dict(zip(ANGLES, "caebd", strict=True))
    folder = write_folder(lambda a: f"{names[a]}.tif")
    paths = [folder / f"{names[a]}.tif" for a in ANGLES]
    given = write_list(tmp_path / "l.tlt", ANGLES)
    assert right_pairs(read_tilt_series(paths, angles=given))
    assert right_pairs(read_tilt_series(paths, angles=list(ANGLES)))
    assert right_pairs(read_tilt_series(paths, angles="-12:12"))
    assert describe(paths, angles=given)["angles_deg"] == ANGLES.tolist()


def mdoc_text(names, angles, pixel_a=8.0):
    head = f"PixelSpacing = {pixel_a}\n[T =     Tilt axis angle = 90.0, binning = 1]\n"
    return head + "".join(
        f"\n[ZValue = {z}]\nTiltAngle = {a}\nSubFramePath = D:\\frames\\{name}\n"
        for z, (name, a) in enumerate(zip(names, angles, strict=True))
    )


@pytest.mark.parametrize("is_given", [True, False])
def test_an_mdoc_names_its_files(write_folder, is_given):
    """In order of acquisition, of frames under another ending; axis and pixel size come along."""
    names = dict(zip(ANGLES, "caebd", strict=True))
    folder = write_folder(lambda a: f"{names[a]}.tif")
    acquired = [0.0, 6, -6, -12, 12]
    mdoc = folder / "tomo.mrc.mdoc"
    mdoc.write_text(mdoc_text([names[a].upper() + ".eer" for a in acquired], acquired))
    series = read_tilt_series(folder, angles=mdoc if is_given else None)
    assert np.allclose(np.asarray(series.images).mean(axis=(1, 2)) - 1000, series.angles_deg)
    assert series.sources["angles_deg"].endswith("by the names of the files")
    assert series.pixel_nm == pytest.approx(0.8)
    assert series.axis_deg == 90.0


def test_files_that_the_mdoc_does_not_name_are_left_out_and_told(write_folder):
    folder = write_folder(SIGNED_NAMES["minus"])
    tifffile.imwrite(folder / "gain.tif", picture(50))
    names = [f"tilt_{a:.0f}.tif" for a in ANGLES[1:]]
    (folder / "t.mdoc").write_text(mdoc_text([*names, "lost.tif"], [*ANGLES[1:], 18]))
    series = read_tilt_series(folder)
    assert series.angles_deg.tolist() == [-6, 0, 6, 12]
    told = " ".join(series.warnings)
    assert "gain.tif, tilt_-12.tif were left out" in told
    assert "names 5 files, of which 4 are here" in told


def test_a_table_names_its_files(write_folder, tmp_path):
    names = dict(zip(ANGLES, "caebd", strict=True))
    folder = write_folder(lambda a: f"{names[a]}.tif")
    rows = "".join(f"{names[a]}.tif;{a:.1f};3\n".replace(".", ",", 2).replace(",tif", ".tif")
                   for a in ANGLES[::-1])  # fmt: skip
    table = tmp_path / "list.csv"
    table.write_text("File;Tilt angle;Beta tilt\n" + rows)
    assert right_pairs(read_tilt_series(folder, angles=table))


@pytest.mark.parametrize("name", ["x_180deg.tif", "flat.tif", "tilt_180.tif", "Thumb_1.tif"])
def test_foreign_images_in_the_folder_are_left_out_and_told(write_folder, tmp_path, name):
    folder = write_folder(SIGNED_NAMES["minus"])
    tifffile.imwrite(folder / name, picture(500))
    for angles in (None, write_list(tmp_path / "l.tlt", ANGLES)):
        series = read_tilt_series(folder, angles=angles)
        assert right_pairs(series)
        assert f"{name} was left out" in " ".join(series.warnings)


def test_a_blank_image_in_the_folder_is_left_out_and_told(write_folder, tmp_path):
    folder = write_folder(SIGNED_NAMES["minus"])
    tifffile.imwrite(folder / "tilt_18.tif", np.zeros((6, 8), np.float32))
    series = read_tilt_series(folder)
    assert right_pairs(series)
    assert "tilt_18.tif was left out: every pixel has the same value" in " ".join(series.warnings)


def test_a_failed_exposure_takes_its_angle_along(write_folder):
    folder = write_folder(lambda a: f"im{int(a + 12) // 6}.tif")
    tifffile.imwrite(folder / "im2.tif", np.zeros((6, 8), np.float32))
    series = read_tilt_series(folder, angles="-12:12")
    assert series.angles_deg.tolist() == [-12, -6, 6, 12]
    assert right_pairs(series)


def test_a_gain_reference_of_another_size_is_left_out_and_told(write_folder):
    folder = write_folder(SIGNED_NAMES["minus"])
    tifffile.imwrite(folder / "gain.tif", np.zeros((12, 16), np.float32))
    series = read_tilt_series(folder)
    assert right_pairs(series)
    assert "gain.tif was left out: its images have 12 x 16 pixels" in " ".join(series.warnings)


def test_names_beat_headers_that_all_say_zero(write_mrc, tmp_path):
    for a in ANGLES:
        records = np.zeros(1, "<i2").tobytes()
        write_mrc(picture(a)[None], f"t_{a:+.0f}.mrc", extended=records, exttyp=b"SERI",
                  words_128=(2, 1))  # fmt: skip
    assert right_pairs(read_tilt_series(tmp_path))


def test_frames_of_a_tilt_are_averaged(tmp_path):
    for a in ANGLES:
        frames = picture(a) + np.array([-1, 0, 1], np.float32)[:, None, None]
        tifffile.imwrite(tmp_path / f"t_{a:+.0f}.tif", frames)
    series = read_tilt_series(tmp_path)
    assert right_pairs(series)
    assert "mean of 3 frames" in " ".join(series.warnings)


@pytest.fixture
def ome_folder(tmp_path):
    """One plane a file; each file describes the whole set, as Micro-Manager and OME's tools do."""
    names = [f"s_T{i:02d}.ome.tif" for i in range(5)]
    planes = "".join(
        f'<TiffData FirstT="{i}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:0-{i}'
        "</UUID></TiffData>"
        for i, name in enumerate(names)
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        'OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        'Type="float" SizeX="8" SizeY="6" SizeC="1" SizeZ="1" SizeT="5" PhysicalSizeX="0.5" '
        f'PhysicalSizeXUnit="nm">{planes}</Pixels></Image></OME>'
    )
    for name, a in zip(names, ANGLES, strict=True):
        tifffile.imwrite(tmp_path / name, picture(a), description=xml, metadata=None)
    return tmp_path


def test_members_of_an_ome_set_are_one_image_each(ome_folder):
    series = read_tilt_series(ome_folder, angles="-12:12")
    assert right_pairs(series)
    assert series.pixel_nm == 0.5
    assert "frames" not in " ".join(series.warnings)


def test_one_member_of_an_ome_set_stands_for_the_set_if_it_is_there(ome_folder):
    first = ome_folder / "s_T00.ome.tif"
    assert right_pairs(read_tilt_series(first, angles="-12:12"))
    (ome_folder / "s_T03.ome.tif").unlink()
    with pytest.raises(WedgefillError, match=r"1 of them, such as s_T03\.ome\.tif, do not lie"):
        read_tilt_series(first, angles="-12:12")


@pytest.mark.parametrize(
    "names",
    [
        ["BF_001", "BF_002", "BF_003"],
        ["tilt-001", "tilt-002", "tilt-003"],
        ["film06", "film12", "film18"],
        ["a_20230401", "a_20230402", "a_20230403"],
        ["n01", "n02", "n03"],
        ["a", "b", "c"],
    ],
)
def test_names_without_angles(names):
    assert angles_in_names([f"{name}.mrc" for name in names]) is None


@given(
    angles=st.lists(st.integers(-70, 70), min_size=4, max_size=40, unique=True).filter(
        lambda angles: min(angles) < 0 < max(angles)
    ),
    before=st.sampled_from(["tilt_", "run7_", "A-b_", "2024-05-01_x_", ""]),
    after=st.sampled_from(["", "_HAADF", "deg", "_0001"]),
    style=st.sampled_from(["{:d}", "{:+d}", "{:+.1f}", "{:+06.2f}"]),
)
def test_any_signed_names_give_their_angles(angles, before, after, style):
    names = [f"{before}{style.format(float(a) if 'f' in style else a)}{after}.tif" for a in angles]
    assert angles_in_names(names) == [float(a) for a in angles]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=12))
def test_any_names_are_harmless(names):
    found = angles_in_names(names)
    assert found is None or len(found) == len(names)


def test_a_folder_of_several_stacks_is_named_as_that_before_a_damaged_file_in_it(write_mrc, stack):
    folder = write_mrc(stack, "b.mrc", angles=ANGLES).parent
    write_mrc(stack, "c.mrc", angles=ANGLES)
    (folder / "a.mrc").write_bytes(b"damaged")
    for read in (describe, read_tilt_series):
        with pytest.raises(WedgefillError, match=r"several stacks.*name it .b.mrc, c.mrc"):
            read(folder)
