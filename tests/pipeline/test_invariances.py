"""What a reconstruction must not depend on, for the network's whole path, SART and TVM.

Nothing here looks at how good a model is, so that all of it holds for any model. Differences are
given as the norm of the difference over the norm of the volume (`apart`).
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage

from napari_wedgefill.joint_model import model as joint_model
from napari_wedgefill.normalise import measure_vacuum, vacuum_level
from napari_wedgefill.pipeline import slabs
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ANGLES_DEG = np.arange(-60, 61, 4.0)
WIDTH, N_SLICES = 48, 8
METHODS = ("sart", "tvm", "gan")


def particle(width=WIDTH, shift_z=0, shift_x=0):
    """A core-shell ellipsoid beside a box, neither symmetric nor cut by the slab, (z, y, x)."""
    z, y, x = np.meshgrid(
        np.arange(width) - (width - 1) / 2 - shift_z,
        np.arange(N_SLICES) - (N_SLICES - 1) / 2,
        np.arange(width) - (width - 1) / 2 - shift_x,
        indexing="ij",
    )

    def inside(depth):
        return np.clip(depth + 0.5, 0, 1)

    shell = inside(8 - np.sqrt((z + 2) ** 2 + ((x - 2) / 1.2) ** 2 + (y / 0.35) ** 2))
    core = inside(3 - np.sqrt((z + 3) ** 2 + (x - 4) ** 2 + y**2))
    box = inside(4 - np.maximum(np.abs(z - 7), np.abs(x + 6))) * (np.abs(y - 1) < 1.6)
    return np.maximum(shell * (1 - 0.6 * core), 0.7 * box).astype(np.float32)


def recorded(truth, angles_deg=ANGLES_DEG, noise=0.0, seed=0):
    """Tilt series of a volume; `noise` is over the strongest path integral."""
    rows = ParallelBeam(angles_deg, truth.shape[0])(np.ascontiguousarray(truth.transpose(0, 2, 1)))
    rows = rows + np.random.default_rng(seed).normal(0, noise * rows.max(), rows.shape)
    return TiltSeries.from_arrays(rows.transpose(0, 2, 1), angles_deg)


def filled(series, methods=METHODS, **options):
    result = fill(series, FillOptions(methods=methods, device="cpu", **options))
    return {method: volume.data for method, volume in result.volumes.items()}


def apart(volume, reference):
    return float(np.linalg.norm(volume - reference) / np.linalg.norm(reference))


@pytest.fixture(scope="module")
def series():
    return recorded(particle())


@pytest.fixture(scope="module")
def plain(series):
    """Volumes of the noise-free series by method; every test changes one thing and compares."""
    return filled(series)


@pytest.mark.parametrize(("gain", "offset"), [(37.0, 0.0), (1e-5, 0.0), (500.0, -31000.0)])
def test_intensities_scale_the_volume_and_their_offset_goes(series, plain, gain, offset):
    """Detector units are arbitrary; what remains is the rounding of float32 beside the offset."""
    images = (series.images * gain + offset).astype(np.float32)
    for method, volume in filled(replace(series, images=images)).items():
        assert apart(volume / gain, plain[method]) < 1e-4


def test_slices_in_reverse_give_the_volume_in_reverse(series, plain):
    """Exactly so where slices are treated alone.

    The tomogram network sees neighbours in their order, and nothing but training makes it treat
    the one above and the one below alike.
    """
    found = filled(replace(series, images=np.ascontiguousarray(series.images[:, ::-1])))
    for method in ("sart", "tvm"):
        np.testing.assert_array_equal(found[method][:, ::-1], plain[method])
    assert apart(found["gan"][:, ::-1], plain["gan"]) < 0.08


def test_slices_of_vacuum_before_the_object_only_move_it(series, plain):
    """The intensities are measured on other slices then, hence not equality to the last bit."""
    images = np.pad(series.images, ((0, 0), (3, 0), (0, 0)))
    for method, volume in filled(replace(series, images=images)).items():
        # Beyond its ends a series is taken to go on, and vacuum is another neighbour than that.
        assert apart(volume[:, 4:-1], plain[method][:, 1:-1]) < 5e-3


@pytest.mark.parametrize(("shift_z", "shift_x"), [(0, 1), (3, 0), (-8, 5)])
def test_an_object_elsewhere_in_the_field_is_the_same_object(plain, shift_z, shift_x):
    """Within the error of discretisation: rays meet its voxels at other fractions of a pixel."""
    moved = filled(recorded(particle(shift_z=shift_z, shift_x=shift_x)))
    for method, volume in moved.items():
        assert apart(np.roll(volume, (-shift_z, -shift_x), (0, 2)), plain[method]) < 0.08


@pytest.mark.parametrize("margin", [3, 8])
def test_a_wider_detector_changes_little(series, plain, margin):
    """More vacuum is more knowledge, and SART spreads its corrections over more voxels."""
    wide = replace(series, images=np.pad(series.images, ((0, 0), (0, 0), (margin, margin))))
    inner = slice(margin, -margin)
    for method, volume in filled(wide).items():
        assert volume.shape == (WIDTH + 2 * margin, N_SLICES, WIDTH + 2 * margin)
        assert apart(volume[inner, :, inner], plain[method]) < 0.06


def test_odd_widths_are_as_good_as_even_ones():
    """The object lies alike between the pixels in both fields, so that errors can be compared."""
    truths = particle(shift_z=0.5, shift_x=0.5), particle(WIDTH - 1)
    even, odd = (filled(recorded(truth)) for truth in truths)
    for method in METHODS:
        assert apart(odd[method], truths[1]) < 1.1 * apart(even[method], truths[0]) + 0.001


def test_the_batch_does_not_matter(series, plain, monkeypatch):
    monkeypatch.setattr(joint_model, "CPU_BATCH", 4)
    assert apart(filled(series, ("gan",))["gan"], plain["gan"]) < 1e-5


def test_cutting_into_slabs_leaves_no_seam(series, plain, monkeypatch):
    # One slice, and the three on either side it depends on.
    monkeypatch.setattr(slabs, "strip_width", lambda *_: 7)
    for method, volume in filled(series).items():
        np.testing.assert_allclose(volume, plain[method], atol=1e-4)


def test_a_series_without_a_wedge_comes_back_nearly_as_it_is():
    """Nothing is missing, so nothing need be added: TVM's volume is all there is.

    A network that has never been shown a full range still touches up what needs none, which is
    what the bound leaves room for; it is no physical limit.
    """
    found = filled(recorded(particle(), np.arange(-90, 89, 3.0)))
    assert apart(found["gan"], found["tvm"]) < 0.12
    assert apart(found["gan"], found["sart"]) < 0.12


def test_noise_does_not_move_the_vacuum():
    """Its darkest pixels lie below it by what the noise took, and no more is given back."""
    noise = np.random.default_rng(0).normal(700, 5, (31, 8, 64))
    assert vacuum_level(TiltSeries.from_arrays(noise, ANGLES_DEG)) == pytest.approx(700, abs=1.5)
    found = vacuum_level(recorded(particle(), noise=0.05))
    sigma = 0.05 * float(recorded(particle()).images.max())
    assert found == pytest.approx(0, abs=0.5 * sigma)


@pytest.mark.parametrize("blur_px", [0.0, 0.7, 1.0, 1.5])
def test_smoothed_or_interpolated_noise_does_not_move_the_vacuum(blur_px):
    """Neighbours that share their noise differ by too little of it: the level used to be low.

    What was left of the vacuum then looked like a specimen that goes on outside the field.
    """
    rng, u = np.random.default_rng(0), np.arange(128) - 63.5
    needle = 2 * np.sqrt(np.clip(25**2 - u**2, 0, None))
    noise = rng.normal(0, 1, (ANGLES_DEG.size, 48, 128))
    noise = scipy.ndimage.gaussian_filter(noise, (0, blur_px, blur_px), mode="wrap")
    images = 100 + needle + 3 * noise / noise.std()
    assert vacuum_level(TiltSeries.from_arrays(images, ANGLES_DEG)) == pytest.approx(100, abs=1.5)


@pytest.mark.parametrize("rows", [6, 40])
def test_a_wide_specimen_in_few_rows_does_not_hide_that_noise_is_shared(rows):
    """Its edges go on growing with distance as correlated noise does, but not between tilts."""
    rng, u = np.random.default_rng(0), np.arange(96) - 47.5
    needle = 2 * np.sqrt(np.clip(33**2 - u**2, 0, None))
    noise = rng.normal(0, 1, (ANGLES_DEG.size, rows, 96))
    noise = scipy.ndimage.gaussian_filter(noise, (0, 1.0, 1.0), mode="wrap")
    series = TiltSeries.from_arrays(100 + needle + noise / noise.std(), ANGLES_DEG)
    assert vacuum_level(series) == pytest.approx(100, abs=0.5)
    assert measure_vacuum(series).shared_noise == pytest.approx(1.0, rel=0.2)
    assert 2.5 < measure_vacuum(series).smoothness < 3.6
    white = series.images + rng.normal(0, 5, series.images.shape).astype(np.float32)
    found = measure_vacuum(TiltSeries.from_arrays(white, ANGLES_DEG))
    assert (found.shared_noise, found.smoothness) == (0.0, 1.0)


def test_the_texture_of_a_film_is_not_taken_for_noise():
    rng = np.random.default_rng(0)
    texture = scipy.ndimage.gaussian_filter(rng.normal(0, 1, (31, 48, 96)), (0, 3, 3), mode="wrap")
    film = (20 + 2 * texture / texture.std()) / np.cos(np.deg2rad(ANGLES_DEG))[:, None, None]
    images = 100 + film + rng.normal(0, 0.5, film.shape)
    assert vacuum_level(TiltSeries.from_arrays(images, ANGLES_DEG)) == pytest.approx(100, abs=2.0)


@pytest.mark.parametrize("noise", [0.02, 0.05])
def test_noise_alone_does_not_grow_objects(noise):
    """No voxel of an empty field reaches half the density that an object has at the same noise.

    SART follows the noise and is not held to it.
    """
    sigma = noise * recorded(particle()).images.max()
    images = np.random.default_rng(1).normal(0, sigma, (ANGLES_DEG.size, N_SLICES, WIDTH))
    found = filled(TiltSeries.from_arrays(images, ANGLES_DEG))
    for method in ("tvm", "gan"):
        assert np.isfinite(found[method]).all()
        assert found[method].max() < 0.5
        assert np.mean(found[method]) < 0.02


@pytest.fixture(scope="module")
def answers():
    """What each network answers on a noisy series of 24 slices, (slices, h, w), by its stage."""
    truth = np.concatenate([particle()] * 3, axis=1)
    seen = {}
    run = joint_model.JointModel.run

    def listening(model, stage, batch):
        for answer in run(model, stage, batch):
            seen.setdefault(stage, []).append(answer[:, 0])
            yield answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint_model.JointModel, "run", listening)
        filled(recorded(truth, noise=0.05), ("gan",))
    return {stage: np.concatenate(parts) for stage, parts in seen.items()}


def pattern(images, keep, period):
    """Strength of what repeats every `period` pixels in both directions; 1 for white noise."""
    rough = images - scipy.ndimage.uniform_filter(images, (0, period, period))
    row, column = np.nonzero(keep)
    cell = (row % period) * period + column % period
    counts = np.bincount(cell, minlength=period**2) * len(images)
    sums = np.bincount(cell, weights=rough[:, row, column].sum(0), minlength=period**2)
    expected = rough[:, row, column].std() * np.sqrt(period**2 / counts.sum())
    return float(np.std(sums / counts) / expected)


@pytest.mark.parametrize(
    ("stage", "stride"), [("sinogram", 2), ("tomogram", 2), ("tomogram", 4), ("tomogram", 8)]
)
def test_the_networks_strides_leave_no_grid(answers, stage, stride):
    """What a network answers on vacuum repeats no more at its strides than beside them."""
    images = answers[stage]
    keep = np.zeros(images.shape[1:], bool)
    keep[4:-4, 4:-4] = True
    if stage == "tomogram":
        keep[12:-10, 10:-10] = False  # the object
    beside = [pattern(images, keep, period) for period in (stride - 1, stride + 1) if period > 1]
    assert pattern(images, keep, stride) < 2 * max(*beside, 1.0)
