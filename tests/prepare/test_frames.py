"""Edges and corners that were never measured: found where they are, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage

from napari_wedgefill.disk_images import DiskImages
from napari_wedgefill.normalise import vacuum_level
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.prepare.frames import find_frames
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust import psnr

ANGLES_DEG = np.arange(-60, 61, 4.0)
WIDTH, HEIGHT, VACUUM = 64, 20, 30.0


def draw(reach=10.0, half_depth=8.0):
    """Draw some balls in a plate of so many voxels; beyond the field the plate may go on."""
    rng, axis = np.random.default_rng(3), np.arange(2 * WIDTH) - (2 * WIDTH - 1) / 2
    z, x = axis[:, None, None], axis[None, :, None]
    y = np.arange(HEIGHT) - (HEIGHT - 1) / 2
    volume = ((abs(z) < half_depth) & (abs(x) < reach)) * np.ones(HEIGHT) * 0.3
    for _ in range(12):
        at = rng.uniform(-1, 1, 3) * (half_depth, reach, 8)
        volume[(z - at[0]) ** 2 + (x - at[1]) ** 2 + (y - at[2]) ** 2 < 16] = 1.0
    return volume.astype(np.float32)


def record(volume, noise=0.5, vacuum=VACUUM):
    """Record it with noise; of the volume, the middle 64 px are the field."""
    rows = ParallelBeam(ANGLES_DEG, 2 * WIDTH)(volume)[:, WIDTH // 2 : -WIDTH // 2]
    images = vacuum + rows.transpose(0, 2, 1)
    images += np.random.default_rng(0).normal(0, noise, images.shape)
    return TiltSeries.from_arrays(images.astype(np.float32), ANGLES_DEG)


def frame(series, value=0.0, reach=5, turn_deg=0.0, order=1):
    """Align images as other programs do: moved and turned, with one value from outside."""
    rng, images = np.random.default_rng(1), np.array(series.images)
    flags = np.zeros(images.shape, bool)
    for image, missing in zip(images, flags, strict=True):
        filled = float(image.mean()) if value is None else value
        y, x = rng.integers(-2, 3), rng.integers(-reach, reach + 1)
        kept = np.ones(image.shape)
        kept = scipy.ndimage.shift(kept, (y, x), order=0, cval=0.0)
        turn = rng.uniform(-turn_deg, turn_deg)
        kept = scipy.ndimage.rotate(kept, turn, reshape=False, order=order, cval=0.0)
        missing[:] = kept < 1.0
        image[:] = kept * image + (1.0 - kept) * filled
        image[kept <= 0.0] = filled
    return replace(series, images=images), flags


@pytest.fixture(scope="module")
def isolated():
    return record(draw())


@pytest.mark.parametrize("value", [0.0, None, -500.0])
def test_a_frame_is_found_and_the_vacuum_is_that_without_it(isolated, value):
    framed, flags = frame(isolated, value)
    found = find_frames(framed)
    with_frame = {k for k in range(len(flags)) if flags[k].any()}
    assert set(found.by_image) == with_frame
    for k, one in found.by_image.items():
        assert (one.missing | ~flags[k]).all()  # all that was not measured, and a little more
        assert one.missing.mean() < flags[k].mean() + 0.25
    corrected = found.correct(framed)
    assert vacuum_level(corrected) == pytest.approx(vacuum_level(isolated), abs=0.2)
    # What no frame reached is as it was, to the bit.
    k = next(iter(with_frame))
    kept = ~found.by_image[k].missing
    assert (corrected.images[k][kept] == framed.images[k][kept]).all()


def test_the_corners_of_turned_images_are_frames(isolated):
    framed, _ = frame(isolated, 0.0, reach=0, turn_deg=8.0)
    found = find_frames(framed)
    assert len(found.by_image) > 0.9 * len(ANGLES_DEG)
    corrected = found.correct(framed)
    assert vacuum_level(corrected) == pytest.approx(vacuum_level(isolated), abs=0.3)
    assert "edges or corners of one value" in found.sentence


@pytest.mark.parametrize("reach", [24.0, 200.0], ids=["particles at the edge", "film"])
def test_a_frame_that_cuts_the_specimen_is_filled_with_what_other_tilts_say(reach):
    clean = record(draw(reach))
    framed, _ = frame(clean, 0.0)
    found = find_frames(framed)
    corrected = found.correct(framed)
    missing = {k: one.missing for k, one in found.by_image.items()}
    wrong = [corrected.images[k][at] - clean.images[k][at] for k, at in missing.items()]
    shown = [clean.images[k][at] - VACUUM for k, at in missing.items()]
    error = np.sqrt(np.mean(np.concatenate(wrong) ** 2))
    assert error < 0.35 * np.sqrt(np.mean(np.concatenate(shown) ** 2))


def test_a_fill_is_as_good_as_without_a_frame(isolated):
    truth = draw()[WIDTH // 2 : -WIDTH // 2, WIDTH // 2 : -WIDTH // 2].transpose(0, 2, 1)
    framed, _ = frame(isolated, 0.0)
    options = FillOptions(methods=("sart",))
    clean = psnr(fill(isolated, options).volumes["sart"].data, truth)
    result = fill(framed, options)
    assert psnr(result.volumes["sart"].data, truth) > clean - 0.5
    told = result.report["frames"]
    assert told["corrected"]
    assert 0.02 < told["share"] < 0.4
    left = fill(framed, replace(options, gain=False))
    assert psnr(left.volumes["sart"].data, truth) < clean - 3.0
    assert "frames" not in left.report


def pad(series, value, moves=False, by=(8, 32)):
    """Pad images to a larger size, as programs do that align by shifting without any loss."""
    rng = np.random.default_rng(1)
    images = np.pad(series.images, ((0, 0), (by[0],) * 2, (by[1],) * 2), constant_values=value)
    if moves:
        images = np.stack([np.roll(image, int(rng.integers(-6, 7)), 1) for image in images])
    return TiltSeries.from_arrays(images, series.angles_deg)


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("value", [0.0, VACUUM + 2.0])
def test_padding_on_all_sides_is_a_frame(isolated, value, moves):
    padded = pad(isolated, value, moves)
    found = find_frames(padded)
    assert len(found.by_image) == len(ANGLES_DEG)
    corrected = found.correct(padded)
    assert vacuum_level(corrected) == pytest.approx(vacuum_level(isolated), abs=0.2)
    if not moves:
        inner = np.s_[:, 10:26, 34:94]  # beyond what interpolation could have mixed
        np.testing.assert_array_equal(corrected.images[inner], isolated.images[:, 2:18, 2:62])
    # Nothing is invented above and below: the specimen's mirror image does not go on there.
    assert corrected.images[:, :4].max() < VACUUM + 6 * 0.5


@pytest.mark.parametrize("wall", [3.0, 5.0, 7.0, 40.0])
@pytest.mark.parametrize("radius", [6.0, 10.0, 16.0, 24.0])
def test_a_round_wire_or_tube_in_exact_vacuum_is_not_padding(radius, wall):
    """It has one width at every tilt, straight edges, and noise only where it is."""
    axis = np.arange(WIDTH) - (WIDTH - 1) / 2
    off = np.hypot(axis[:, None], axis)
    body = np.repeat(((off < radius) & (off > radius - wall))[..., None], HEIGHT, axis=2)
    rows = ParallelBeam(ANGLES_DEG, WIDTH)(body.astype(np.float32))
    counts = np.random.default_rng(0).poisson(40.0 * rows.transpose(0, 2, 1))
    counts = np.pad(counts, ((0, 0), (6, 6), (0, 0)))
    assert not find_frames(TiltSeries.from_arrays(counts, ANGLES_DEG)).is_corrected


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("reach", [10.0, 30.0, 200.0])
def test_a_series_without_a_frame_is_the_very_same(reach, noise):
    for vacuum in (0.0, VACUUM):
        series = record(draw(reach), noise, vacuum)
        found = find_frames(series)
        assert not found.is_corrected
        assert found.correct(series) is series


def test_a_shell_in_an_exact_vacuum_has_no_frame():
    """Its wall makes a step at once, and what is inside it is level, as beside a frame."""
    axis = np.arange(2 * WIDTH) - (2 * WIDTH - 1) / 2
    off = np.hypot(axis[:, None] / 28, axis / 22)
    shell = np.where(off < 1, np.where(off > 0.85, 2.0, 0.2), 0.0)[:, :, None]
    series = record(np.repeat(shell, HEIGHT, axis=2).astype(np.float32), noise=0.0, vacuum=0.0)
    assert not find_frames(series).is_corrected


def test_counts_of_nothing_are_no_frame():
    counts = np.random.default_rng(0).poisson(0.3, (31, 20, 64))
    counts[:, :, 20:44] += np.random.default_rng(1).poisson(3.0, (31, 20, 24))
    assert not find_frames(TiltSeries.from_arrays(counts, ANGLES_DEG)).is_corrected


def test_a_frame_at_the_level_of_the_vacuum_is_none(isolated):
    framed, _ = frame(isolated, VACUUM)
    assert not find_frames(framed).is_corrected


def test_images_that_stay_in_their_file_are_filled_as_they_are_read(isolated, tmp_path):
    framed, _ = frame(isolated, 0.0)
    np.save(tmp_path / "images.npy", framed.images)
    source = np.load(tmp_path / "images.npy", mmap_mode="r")
    on_disk = replace(framed, images=DiskImages.of(source))
    expected, corrected = (find_frames(s).correct(s) for s in (framed, on_disk))
    assert isinstance(corrected.images, DiskImages)
    np.testing.assert_array_equal(corrected.images[:], expected.images)
    np.testing.assert_array_equal(corrected.images[3, ::4], expected.images[3, ::4])
    np.testing.assert_array_equal(corrected.images[5, 2], expected.images[5, 2])
    np.testing.assert_array_equal(corrected.images[:, 4:9, 1:7], expected.images[:, 4:9, 1:7])
    part, whole = corrected.tilts([2, 9, 11]).rows(3, 8), expected.tilts([2, 9, 11]).rows(3, 8)
    np.testing.assert_array_equal(part.sinograms(1, 4), whole.sinograms(1, 4))
    np.testing.assert_array_equal(part.mirrored().images[:], whole.mirrored().images)
    # Of some rows of the file, frames are counted from the first of them.
    cut = replace(framed, images=DiskImages.of(source)).rows(4, 16)
    np.testing.assert_array_equal(
        find_frames(cut).correct(cut).images[:],
        find_frames(framed.rows(4, 16)).correct(framed.rows(4, 16)).images,
    )


@pytest.mark.parametrize("turn_deg", [1.0, 3.0, 12.0])
@pytest.mark.parametrize("is_padded", [False, True], ids=["enlarged", "padded before"])
def test_the_frame_of_turned_images_that_were_made_larger_is_found(turn_deg, is_padded):
    """Turned by whoever keeps all pixels: four corners, which reach around the whole image."""
    high = np.repeat(record(draw()).images, 3, axis=1)
    images = np.pad(high, ((0, 0), (8, 8), (32, 32))) if is_padded else high
    turned = [
        scipy.ndimage.rotate(image, turn_deg, reshape=not is_padded, order=1) for image in images
    ]
    series = TiltSeries.from_arrays(np.stack(turned), ANGLES_DEG)
    found = find_frames(series)
    assert len(found.by_image) == len(ANGLES_DEG)
    assert vacuum_level(found.correct(series)) == pytest.approx(VACUUM, abs=0.5)


@pytest.mark.parametrize("turn_deg", [3.0, 12.0])
@pytest.mark.parametrize("radius", [10.0, 24.0])
def test_a_turned_wire_in_exact_vacuum_is_not_padding(radius, turn_deg):
    axis, y = np.arange(2 * WIDTH) - (2 * WIDTH - 1) / 2, np.arange(3 * HEIGHT)[:, None]
    off = axis * np.cos(np.deg2rad(turn_deg)) + (y - 30) * np.sin(np.deg2rad(turn_deg))
    thickness = 2 * np.sqrt(np.clip(radius**2 - off**2, 0, None))
    rng = np.random.default_rng(0)
    counts = [rng.poisson(4.0 * thickness) for _ in ANGLES_DEG]
    series = TiltSeries.from_arrays(np.pad(counts, ((0, 0), (6, 6), (0, 0))), ANGLES_DEG)
    assert not find_frames(series).is_corrected


def record_lattice(along_y):
    """Record a film that fills the field, its rows of atoms across or along the tilt axis."""
    y, x = np.arange(HEIGHT), np.arange(2 * WIDTH) - (2 * WIDTH - 1) / 2
    wave = np.cos(2 * np.pi * y / 9)[None] if along_y else np.cos(2 * np.pi * x / 9)[:, None]
    film = np.zeros((2 * WIDTH, 2 * WIDTH, HEIGHT), np.float32)
    film[WIDTH - 6 : WIDTH + 6] = 2 * (1 + 0.2 * wave)
    return record(film)


@pytest.mark.parametrize("inner", [0.0, None], ids=["zeros", "means"])
@pytest.mark.parametrize("outer", [0.0, None], ids=["in zeros", "in means"])
def test_images_that_were_moved_and_then_padded_have_two_frames(isolated, inner, outer):
    """Their measured parts differ in width, and the inner frame has no corner of the image."""
    moved, missing = frame(isolated, inner)
    padded = []
    for image in moved.images:
        value = float(image.mean()) if outer is None else outer
        padded.append(np.pad(image, ((8, 8), (24, 24)), constant_values=value))
    series = TiltSeries.from_arrays(np.stack(padded), ANGLES_DEG)
    found = find_frames(series)
    assert len(found.by_image) == len(ANGLES_DEG)
    n_measured = np.count_nonzero(~missing)
    assert found.share == pytest.approx(1 - n_measured / series.images.size, abs=0.01)
    assert vacuum_level(found.correct(series)) == pytest.approx(VACUUM, abs=0.5)


@pytest.mark.parametrize(
    "images",
    [
        record(draw(reach=20.0)).images + np.linspace(0, 4, HEIGHT)[:, None].astype(np.float32),
        record_lattice(along_y=True).images,
        record_lattice(along_y=False).images,
    ],
    ids=["wide, not level along y", "rows across", "rows along"],
)
def test_padding_is_found_whatever_crosses_its_edges(images):
    series = TiltSeries.from_arrays(np.pad(images, ((0, 0), (8, 8), (24, 24))), ANGLES_DEG)
    found = find_frames(series)
    assert len(found.by_image) == len(ANGLES_DEG)
    assert found.share == pytest.approx(1 - images.size / series.images.size, abs=1e-6)


def test_padding_that_was_smoothed_after_it_is_found(isolated):
    images = np.pad(isolated.images, ((0, 0), (8, 8), (24, 24)))
    images = scipy.ndimage.gaussian_filter(images, (0, 0.7, 0.7))
    series = TiltSeries.from_arrays(images, ANGLES_DEG)
    found = find_frames(series)
    assert len(found.by_image) == len(ANGLES_DEG)
    assert vacuum_level(found.correct(series)) == pytest.approx(VACUUM, abs=0.5)


def test_padding_on_one_side_moves_the_axis_and_says_so(isolated):
    images = np.pad(isolated.images, ((0, 0), (0, 0), (0, 30)))
    series = TiltSeries.from_arrays(images, ANGLES_DEG)
    assert "give it with --axis-shift -15." in find_frames(series).sentence
    known = replace(series, axis_shift_px=-15.0)
    assert "--axis-shift" not in find_frames(known).sentence
    both = TiltSeries.from_arrays(np.pad(isolated.images, ((0, 0), (0, 0), (30, 30))), ANGLES_DEG)
    assert "--axis-shift" not in find_frames(both).sentence


@pytest.mark.parametrize("counts", [1.0, 6.0, 40.0])
def test_a_thin_plate_in_exact_vacuum_is_not_padding(counts):
    """Its edges are straight and steep, and have one level for a few pixels at every tilt."""
    axis = np.arange(80) - 39.5
    turn = np.deg2rad(3.0)
    z = np.cos(turn) * axis[:, None] - np.sin(turn) * axis
    x = np.sin(turn) * axis[:, None] + np.cos(turn) * axis
    plate = ((abs(z) < 4) & (abs(x) < 30)).astype(np.float32)
    rows = ParallelBeam(ANGLES_DEG, 80)(np.repeat(plate[..., None], 36, axis=2))
    seen = np.random.default_rng(0).poisson(counts * rows.transpose(0, 2, 1))
    series = TiltSeries.from_arrays(np.pad(seen, ((0, 0), (6, 6), (0, 0))), ANGLES_DEG)
    assert not find_frames(series).is_corrected
