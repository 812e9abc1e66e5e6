"""One's own volumes as training objects."""

import numpy as np
import pytest

from napari_wedgefill.cli import main
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import write_volume
from napari_wedgefill.training.frames import grid
from napari_wedgefill.training.own_objects import (
    LONGEST,
    SHORTEST,
    OwnObjects,
    add_family,
    read_objects,
    to_density,
)
from napari_wedgefill.training.phantoms import FAMILIES, draw
from napari_wedgefill.volume import Volume
from tests.training.bricks import brick


def refused(sentence, volume, **options):
    with pytest.raises(WedgefillError, match=sentence):
        to_density(volume, "mine.mrc", **options)


@pytest.mark.parametrize(("empty", "full"), [(0.0, 7.0), (-500.0, 300.0), (250.0, 30.0)])
def test_intensities_become_densities_and_margins_go(empty, full):
    """Whatever the detector's units, and for objects that are darker than their surroundings."""
    density = to_density(brick(empty=empty, full=full), "mine.mrc")
    assert density.shape == (12, 20, 28)
    np.testing.assert_allclose(density, 1.0, atol=1e-5)


def test_an_object_that_fills_its_box_needs_the_level_of_the_surroundings():
    volume = np.full((16, 16, 16), 5.0, np.float32)
    volume[4:9, 4:9, 4:9] = 9.0
    density = to_density(volume, "mine.mrc", empty=1.0)
    assert density.shape == volume.shape
    np.testing.assert_allclose(density[0, 0, 0], 0.5, atol=1e-5)


def test_large_and_thin_volumes_are_brought_to_size():
    volume = np.zeros((10, 2 * LONGEST, 2 * LONGEST), np.float32)
    volume[:, 20:-20, 60:-60] = 1
    density = to_density(volume, "mine.mrc", empty=0.0)
    assert max(density.shape) <= LONGEST
    assert min(density.shape) == SHORTEST
    assert density.max() == 1


def test_what_is_no_object_is_refused():
    refused(r"mine\.mrc: every voxel has the same value", np.ones((9, 9, 9), np.float32))
    refused("at least 8 voxels along each axis", np.ones((3, 99, 99), np.float32))
    spoilt = brick()
    spoilt[0, 0, 0] = np.nan
    refused("NaN or infinite", spoilt)


def test_draws_differ_repeat_for_a_seed_and_keep_their_densities():
    own = OwnObjects((to_density(brick(), "brick"),))
    at = grid(64, 4)
    drawn = [own(np.random.default_rng(seed), at) for seed in range(30)]
    assert all(d.shape == (64, 64, 4) for d in drawn)
    assert all(0 <= d.min() <= d.max() <= 1 for d in drawn)
    assert sum(d.any() for d in drawn) > 25  # few miss the slab
    np.testing.assert_array_equal(own(np.random.default_rng(3), at), drawn[3])
    assert len({round(float(d.sum()), 3) for d in drawn}) > 25


def test_about_the_tilt_axis_a_long_object_stays_along_it():
    """A bar along y is seen as its own small cross section in every slice that it meets."""
    bar = OwnObjects((np.ones((10, 80, 10), np.float32),), turn_all_ways=False)
    at = grid(64, 2)
    for seed in range(10):
        drawn = bar(np.random.default_rng(seed), at)
        assert np.count_nonzero(drawn[:, :, 0]) < 0.12 * 64 * 64
        np.testing.assert_array_equal(drawn[:, :, 0] > 0, drawn[:, :, 1] > 0)


@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
def test_the_share_of_own_objects_is_kept(share):
    drawn = []

    def own(rng, at):
        drawn.append(1)
        return np.zeros((8, 8, 1), np.float32)

    rng, at = np.random.default_rng(0), grid(8, 1)
    families = add_family(FAMILIES, own, share)
    built_in = {n: lambda rng, at: np.zeros((8, 8, 1), np.float32) for n in FAMILIES}
    quick = {n: own if f is own else built_in[n] for n, f in families.items()}
    for _ in range(400):
        draw(rng, at, quick)
    assert len(drawn) / 460 == pytest.approx(share, abs=0.1)  # 15 of 100 objects are two in one


def test_volumes_are_read_from_files_and_folders(tmp_path):
    write_volume(tmp_path / "a.mrc", Volume(brick()))
    write_volume(tmp_path / "b.mrc", Volume(brick((14, 14, 14))))
    assert len(read_objects([tmp_path])) == 2
    assert len(read_objects([tmp_path / "a.mrc", tmp_path])) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(WedgefillError, match="holds no volume"):
        read_objects([tmp_path / "empty"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--groups", "0"], "There is nothing to simulate"),
        (["--groups", "1", "--share", "2"], "--share 2 is not a share"),
        (["--groups", "1", "--width", "50"], "--width 50 cannot be used"),
        (["--groups", "1", "--objects", "nowhere.mrc"], "nowhere.mrc: there is no such file"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_one_line(tmp_path, capsys, options, sentence):
    assert main(["simulate", str(tmp_path / "data"), *options]) == 1
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert complaint.count("\n") == 1
    assert not list(tmp_path.rglob("*.npz"))
