"""Whatever a fill refuses, `info` says in the same words, and the other way round."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, read_tilt_series

ANGLES = np.arange(-60.0, 61.0, 30.0)


def one_angle_too_many(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack))
    np.savetxt(folder / "x.tlt", [*ANGLES, 70])


def no_angles(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack))


def no_angles_of_a_stack(folder, stack, mrc):
    (folder / "x.st").write_bytes(mrc(stack))


def volume(folder, stack, mrc):
    (folder / "x.rec").write_bytes(mrc(stack))


def volume_with_a_misfit(folder, stack, mrc):
    volume(folder, stack, mrc)
    np.savetxt(folder / "x.tlt", ANGLES[:3])


def single_image(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack[:1]))


def two_images(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack[:2]))
    np.savetxt(folder / "x.tlt", ANGLES[:2])


def one_angle_for_all(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack))
    np.savetxt(folder / "x.tlt", np.zeros(5))


def impossible_angle(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack))
    np.savetxt(folder / "x.tlt", [*ANGLES[:4], 400])


def unreadable_list(folder, stack, mrc):
    (folder / "x.mrc").write_bytes(mrc(stack))
    (folder / "x.tlt").write_text("-60 0.1 3\nnorth\n")


def colours(folder, stack, mrc):
    tifffile.imwrite(folder / "x.tif", np.zeros((6, 8, 3), np.uint8), photometric="rgb")


def plain_tiff(folder, stack, mrc):
    tifffile.imwrite(folder / "x.tif", stack, photometric="minisblack")


def several_data_sets(folder, stack, mrc):
    np.savez(folder / "x.npz", one=stack, other=stack)


def compressed_and_cut(folder, stack, mrc):
    import gzip

    (folder / "x.mrc.gz").write_bytes(gzip.compress(mrc(stack)[:-9]))


def axis_outside(folder, stack, mrc):
    label = "napari-wedgefill: tilt axis along y, at +99.0000 px from the centre"
    (folder / "x.mrc").write_bytes(mrc(stack, labels=(label,)))
    np.savetxt(folder / "x.tlt", ANGLES)


@pytest.mark.parametrize(
    "write",
    [
        one_angle_too_many, no_angles, no_angles_of_a_stack, volume, volume_with_a_misfit,
        single_image, two_images, one_angle_for_all, impossible_angle, unreadable_list, colours,
        plain_tiff, several_data_sets, compressed_and_cut, axis_outside,
    ],
)  # fmt: skip
def test_info_refuses_what_a_fill_refuses_in_the_same_words(tmp_path, stack, make_mrc_bytes, write):
    write(tmp_path, stack, make_mrc_bytes)
    (path,) = (file for file in tmp_path.iterdir() if file.suffix != ".tlt")
    with pytest.raises(WedgefillError) as by_fill:
        read_tilt_series(path)
    try:
        by_info = describe(path)["refusal"]
    except WedgefillError as error:
        by_info = str(error)
    assert by_info == str(by_fill.value)


def test_what_a_fill_takes_is_a_tilt_series_to_info(tmp_path, stack, make_mrc_bytes):
    """Among data sets of which one has angles, too."""
    np.savez(tmp_path / "x.npz", images=stack, angles=ANGLES, flat=stack[:2])
    series, found = read_tilt_series(tmp_path / "x.npz"), describe(tmp_path / "x.npz")
    assert (found["kind"], found["shape"]) == ("tilt series", list(series.images.shape))
    assert found["warnings"] == list(series.warnings)
