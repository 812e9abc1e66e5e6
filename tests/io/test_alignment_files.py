"""Alignments of IMOD and AreTomo: read, written, and equal to our own shifts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import affine_transform, gaussian_filter

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io.alignment_files import read_alignment, write_alignment
from napari_wedgefill.prepare import Found
from napari_wedgefill.prepare.pose import Binned, Pose
from napari_wedgefill.prepare.transforms import make_transforms, take_found_from
from napari_wedgefill.tilt_series import TiltSeries


def series_of(n: int = 5) -> TiltSeries:
    rng = np.random.default_rng(0)
    return TiltSeries.from_arrays(rng.random((n, 20, 24)), np.linspace(-40, 40, n), name="s")


def found_of(series: TiltSeries, axis_deg: float) -> Found:
    rng = np.random.default_rng(1)
    pose = Pose(rng.uniform(-4, 4, (series.n_tilts, 2)).round(2), 1.5, axis_deg)
    shape = (series.height, series.width)
    return Found(np.arange(series.n_tilts), series.angles_deg, pose, series.angles_deg, shape)


@pytest.mark.parametrize("suffix", [".xf", ".aln"])
@pytest.mark.parametrize("axis_deg", [0.0, -11.5, 84.0])
def test_what_is_written_is_read_back_as_the_same_pose(
    tmp_path: Path, suffix: str, axis_deg: float
) -> None:
    series = series_of()
    found = found_of(series, axis_deg)
    path = tmp_path / f"s{suffix}"
    written = write_alignment(path, make_transforms(found))
    assert path in written
    back = take_found_from(read_alignment(path), series, path.name)
    total = found.pose.offsets_px + np.array([0.0, found.pose.axis_shift_px])
    np.testing.assert_allclose(back.pose.offsets_px, total, atol=2e-3)
    assert back.pose.axis_deg == pytest.approx(axis_deg, abs=1e-3)
    np.testing.assert_allclose(back.angles_deg, series.angles_deg, atol=0.01)


def test_an_xf_line_moves_the_image_as_imod_would() -> None:
    """Aligned pixels lie at A (p - centre) + d + centre, whatever the order of our own arrays."""
    rng = np.random.default_rng(2)
    image = gaussian_filter(rng.random((1, 20, 24)).astype(np.float32), (0, 2, 2))
    found = Found(
        np.arange(1), np.zeros(1), Pose(np.array([[2.0, -3.0]]), 0.0, 10.0), np.zeros(1), (20, 24)
    )
    transforms = make_transforms(found)
    middle = np.array([(24 - 1) / 2, (20 - 1) / 2])  # (x, y)
    back = np.linalg.inv(transforms.matrices[0])
    flip = np.array([[0, 1], [1, 0]])
    start = flip @ (middle - back @ (middle + transforms.shifts_px[0]))
    by_imod = affine_transform(image[0], flip @ back @ flip, start, order=3, mode="nearest")
    ours = Binned.of(image, 1).align(found.pose)[0]
    np.testing.assert_allclose(ours[6:-6, 6:-6], by_imod[6:-6, 6:-6], atol=1e-3)


def test_an_aln_that_leaves_out_images_keeps_the_rest(tmp_path: Path) -> None:
    series = series_of()
    path = tmp_path / "s.aln"
    write_alignment(path, make_transforms(found_of(series, 3.0)))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("    2 ")))
    assert take_found_from(read_alignment(path), series, path.name).kept.tolist() == [0, 1, 3, 4]


def test_stretched_images_and_turned_series_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.xf"
    path.write_text("1.05 0 0 1 0 0\n" * 5)
    with pytest.raises(WedgefillError, match="stretches or turns"):
        take_found_from(read_alignment(path), series_of(), path.name)
    path.write_text("1 0 0 1 0 0\n" * 4)
    with pytest.raises(WedgefillError, match="4 lines"):
        take_found_from(read_alignment(path), series_of(), path.name)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".xf", ".aln"):
            path = Path(folder) / f"a{suffix}"
            path.write_text(text, encoding="utf-8")
            try:
                transforms = read_alignment(path)
            except WedgefillError:
                continue
            assert np.all(np.isfinite(transforms.shifts_px))
