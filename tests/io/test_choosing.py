"""Which angles, pixel size and axis win, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import find_angles, read_tilt_series, tilt_reader

ANGLES = np.array([-60.0, -30, 0, 30, 60])


def mdoc_text(angles, head="PixelSpacing = 8.0\n[T = SerialEM: somewhere]\n"):
    images = (f"\n[ZValue = {z}]\nTiltAngle = {a}\n" for z, a in enumerate(angles))
    return head + "".join(images)


@pytest.fixture
def folder(stack, write_mrc):
    """Write images with four sidecars that tell four different sets of angles."""
    path = write_mrc(stack, pixel_a=1.0, angles=ANGLES + 4)
    path.with_suffix(".rawtlt").write_text("\n".join(map(str, ANGLES + 3)))
    path.with_suffix(".mrc.mdoc").write_text(mdoc_text(ANGLES + 2))
    path.with_suffix(".mdoc").write_text(mdoc_text(ANGLES + 1))
    return path


def test_sidecars_win_in_order(folder):
    for shift, name in ((4, "x.tlt"), (3, "x.rawtlt"), (2, "x.mrc.mdoc"), (1, "x.mdoc")):
        angles, source = find_angles(folder)
        assert (source, angles.tolist()) == (name, (ANGLES + shift).tolist())
        assert read_tilt_series(folder).sources["angles_deg"] == name
        folder.with_name(name).unlink()
    assert find_angles(folder) is None


def test_given_angles_win_over_all(folder, tmp_path):
    given = tmp_path / "mine.txt"
    given.write_text("60\n30\n0\n-30\n-60\n")
    series = read_tilt_series(folder, angles=given)
    assert series.angles_deg.tolist() == ANGLES.tolist()
    assert series.file_order.tolist() == [4, 3, 2, 1, 0]
    assert series.sources["angles_deg"] == "mine.txt (given)"
    for name in ("x.tlt", "x.rawtlt", "x.mrc.mdoc"):
        assert f"The tilt angles given and those by {name} contradict" in " ".join(series.warnings)


def test_given_angles_that_do_not_fit_are_refused(folder, tmp_path):
    given = tmp_path / "mine.tlt"
    given.write_text("1\n2\n3\n")
    with pytest.raises(WedgefillError, match=r"5 images, but mine\.tlt 3 angles"):
        read_tilt_series(folder, angles=given)


def test_a_sidecar_that_does_not_fit_is_passed_over_with_a_warning(folder):
    folder.with_suffix(".tlt").write_text("1\n2\n3\n4\n")
    series = read_tilt_series(folder)
    assert series.sources["angles_deg"] == "x.rawtlt"
    assert "x.tlt holds 4 angles" in series.warnings[0]


def test_only_sidecar_that_does_not_fit_is_refused(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES[:4])
    with pytest.raises(WedgefillError, match=r"x\.tlt holds 4 angles, but x\.mrc 5 images"):
        read_tilt_series(path)


def test_no_angles_anywhere_names_what_was_looked_for(stack, write_mrc):
    with pytest.raises(WedgefillError, match=r"no tilt angles.*x\.tlt, x\.rawtlt, x\.mdoc"):
        read_tilt_series(write_mrc(stack))


def test_mdoc_sections_are_counted_by_their_z(stack, write_mrc):
    path = write_mrc(stack)
    text = "".join(f"[ZValue = {z}]\nTiltAngle = {ANGLES[z]}\n" for z in (3, 0, 4, 1, 2))
    path.with_suffix(".mdoc").write_text(text)
    np.testing.assert_array_equal(read_tilt_series(path).images, stack)


def test_several_images_of_one_angle_stay_apart(stack, write_mrc):
    series = read_tilt_series(write_mrc(stack, angles=[0, 0, 30, 30, 60]))
    assert series.angles_deg.tolist() == [0, 0, 30, 30, 60]
    np.testing.assert_array_equal(series.images, stack)


def test_pixel_size_of_the_mdoc_when_the_cell_knows_nothing(folder):
    series = read_tilt_series(folder)
    assert series.pixel_nm == pytest.approx(0.8)
    assert series.sources["pixel_nm"] == "x.mrc.mdoc"


@pytest.mark.parametrize("pixel_nm", [0.0, -1.0, np.nan, np.inf])
def test_impossible_pixel_sizes_are_refused(folder, pixel_nm):
    with pytest.raises(WedgefillError, match="positive number"):
        read_tilt_series(folder, pixel_nm=pixel_nm)


@pytest.mark.parametrize(
    ("title", "rotation", "axis_deg"),
    [("Tilt axis angle = -90.0, binning = 2", None, -90.0),
     ("TiltAxisAngle = 180 Binning = 1", None, 180.0),
     ("SerialEM: camera", 180.0, 90.0), ("something else", 180.0, 0.0)],
)  # fmt: skip
def test_axis_of_the_mdoc(stack, write_mrc, title, rotation, axis_deg):
    path = write_mrc(stack)
    text = mdoc_text(ANGLES, f"[T = {title}]\n")
    if rotation is not None:
        text = text.replace("\nTiltAngle", f"\nRotationAngle = {rotation}\nTiltAngle")
    path.with_suffix(".mdoc").write_text(text)
    assert read_tilt_series(path).axis_deg == axis_deg


def test_axis_of_the_label_and_of_the_user(stack, write_mrc):
    path = write_mrc(stack, angles=ANGLES, labels=("SerialEM", "   Tilt axis angle = 90.0, bin"))
    assert read_tilt_series(path).axis_deg == 90.0
    assert read_tilt_series(path, axis="y").axis_deg == 0.0
    assert read_tilt_series(path, axis="-90").axis_deg == -90.0
    with pytest.raises(WedgefillError, match="'x', 'y', or an angle"):
        read_tilt_series(path, axis="z")


@pytest.mark.parametrize("name", ["x.ali", "x_ali.mrc"])
def test_aligned_stacks_are_upright_already(stack, write_mrc, name):
    """IMOD copies the label of the raw stack and keeps the angles under the raw stack's name."""
    path = write_mrc(stack, name, labels=("Tilt axis angle = 85.3",))
    path.with_name("x.tlt").write_text("\n".join(map(str, ANGLES)))
    series = read_tilt_series(path)
    assert series.axis_deg == 0.0
    np.testing.assert_array_equal(series.images, stack)


def test_images_transformed_after_the_label_was_written_warn(stack, write_mrc):
    labels = ("Tilt axis angle = 90.0", "NEWSTACK: Images copied, transformed")
    series = read_tilt_series(write_mrc(stack, angles=ANGLES, labels=labels))
    assert "aligned already" in series.warnings[0]


def test_isolated_bad_pixels_take_the_median(stack, write_mrc):
    stack[1, 2, 3], stack[4, 0, 0] = np.nan, np.inf
    series = read_tilt_series(write_mrc(stack, angles=ANGLES, dmin=0, dmax=1))
    assert series.images[1, 2, 3] == np.median(stack[1][np.isfinite(stack[1])])
    assert np.isfinite(series.images).all()
    assert "2 pixels were NaN" in series.warnings[-1]


@pytest.mark.parametrize(("value", "found"), [(np.nan, "every pixel is NaN"), (7.0, "same value")])
def test_images_that_hold_nothing_are_refused(stack, write_mrc, value, found):
    path = write_mrc(np.full_like(stack, value), angles=ANGLES)
    with pytest.raises(WedgefillError, match=found):
        read_tilt_series(path)


def test_two_tilts_are_too_few(stack, write_mrc):
    with pytest.raises(WedgefillError, match="only 2 tilts"):
        read_tilt_series(write_mrc(stack[:2], angles=[-10, 10]))


def test_unknown_suffixes_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "x.png"
    with pytest.raises(WedgefillError, match="no such file"):
        read_tilt_series(path)
    path.write_bytes(b"")
    with pytest.raises(WedgefillError, match=r"ending in '\.png' cannot be read"):
        read_tilt_series(path)
    with pytest.raises(WedgefillError, match="holds no images"):
        read_tilt_series(tmp_path)


def test_folder_of_whole_series_is_refused(stack, write_mrc):
    path = write_mrc(stack, "a.mrc", angles=ANGLES)
    write_mrc(stack, "b.mrc", angles=ANGLES)
    with pytest.raises(WedgefillError, match="one series at a time"):
        read_tilt_series(path.parent)


def test_files_of_one_tilt_in_natural_order_with_given_angles(stack, write_mrc, tmp_path):
    for i, image in enumerate(stack):
        write_mrc(image[None], f"t_{i + 8}.mrc")
    given = tmp_path / "angles.csv"
    given.write_text("angle\n-60\n-30\n0\n30\n60\n")
    series = read_tilt_series(tmp_path, angles=given)
    np.testing.assert_array_equal(series.images, stack)
    given.write_text("1\n2\n")
    with pytest.raises(WedgefillError, match="2 angles for 5 files"):
        read_tilt_series(tmp_path, angles=given)
    write_mrc(stack[0][None, :4], "t_99.mrc")
    with pytest.raises(WedgefillError, match="4 x 8 pixels"):
        read_tilt_series(tmp_path, angles=given)


@pytest.mark.parametrize("name", ["x.mdoc", "x.TLT", "x.xf", "x.rawtlt"])
def test_files_that_lie_beside_images_are_told_from_them(tmp_path, name):
    (tmp_path / name).write_text("1 0 0 1 0 0")
    with pytest.raises(WedgefillError, match="belongs to images, and holds none itself"):
        read_tilt_series(tmp_path / name)


def test_a_file_without_a_suffix(tmp_path):
    (tmp_path / "stack").write_bytes(bytes(2048))
    with pytest.raises(WedgefillError, match="stack: it has no suffix"):
        read_tilt_series(tmp_path / "stack")


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("axis", ["y", "x", 10.0])
def test_blank_images_of_a_stack_are_named(stack, write_mrc, monkeypatch, is_large, axis):
    """By their place in the series, whatever their order in the file."""
    if is_large:
        monkeypatch.setattr(tilt_reader, "IN_MEMORY_BYTES", 0)
    stack[3] = 7.0
    series = read_tilt_series(write_mrc(stack, angles=[60.0, 30, 0, -30, -60]), axis=axis)
    told = [warning for warning in series.warnings if "lank" in warning]
    assert len(told) == 1
    assert "same value: 1 (-30.0 degrees). A fill takes them for measurements;" in told[0]
    assert "wedgefill fill --align leaves them out, and wedgefill prepare --no-shifts" in told[0]


def test_an_image_of_no_numbers_is_named(stack, write_mrc):
    stack[3] = np.nan
    path = write_mrc(stack, angles=[60.0, 30, 0, -30, -60])
    with pytest.raises(WedgefillError, match=r"in image 1 \(-30\.0 degrees\)"):
        read_tilt_series(path)
