"""Families that training never draws: what they draw is what they say."""

import numpy as np
import pytest

from benchmarks.quality.families import (
    FAMILIES,
    UNTOUCHED,
    alloy,
    cathode,
    chromatin,
    list_sources,
    mesopore,
    nucleocapsids,
)
from benchmarks.quality.families.thylakoids import Membranes, Stack, draw_stack
from napari_wedgefill.training import phantoms
from napari_wedgefill.training.frames import grid

WIDTH, SLICES = 128, 8
AT = grid(WIDTH, SLICES)


@pytest.mark.parametrize("name", ["mesopore", "chromatin", "alloy", "grana", *UNTOUCHED])
def test_objects_are_repeatable_and_inside_the_field(name):
    family = FAMILIES[name]
    outside = np.hypot(AT[0], AT[1])[..., 0] > 0.95
    # Viruses may be few and small, or the paler part of a pale stain.
    faintest, emptiest = (0.2, 0.005) if name == "virions" else (0.3, 0.02)
    for seed in range(4):
        found = family(np.random.default_rng(seed), AT)
        if seed < 1:
            np.testing.assert_array_equal(found, family(np.random.default_rng(seed), AT))
        assert found.shape == (WIDTH, WIDTH, SLICES)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert faintest < found.max() <= 1
        assert np.all(np.count_nonzero(found, axis=(0, 1)) > emptiest * WIDTH**2)
        assert not found[outside].any()


def test_no_family_has_the_name_of_another():
    assert not FAMILIES.keys() & phantoms.FAMILIES.keys()
    assert len(FAMILIES) == 10


def test_results_on_a_family_depend_on_the_files_that_draw_it():
    names = {
        name: {path.stem for path in list_sources(family)} for name, family in FAMILIES.items()
    }
    assert names["head"] == {"head"}
    assert names["grana"] == {"grana", "thylakoids", "drawing"}
    assert names["virions"] == {"virions", "envelopes", "nucleocapsids", "drawing"}


@pytest.mark.parametrize("seed", range(3))
def test_channels_along_the_tilt_axis_make_six_equal_peaks(monkeypatch, seed):
    monkeypatch.setattr(mesopore, "rotation", lambda _: np.eye(3))
    found = mesopore.mesopore(np.random.default_rng(seed), grid(256, 8))[..., 4] > 0
    window = np.outer(np.hanning(256), np.hanning(256))
    power = np.abs(np.fft.fftshift(np.fft.fft2(found * window, (512, 512)))) ** 2
    axis = np.fft.fftshift(np.fft.fftfreq(512, 2 / 256))
    z, x = axis[:, None], axis[None, :]
    # Below lies the outline; the longest period asked for has its peak at 5.8.
    power[np.hypot(z, x) < 5] = 0
    k, m = np.unravel_index(np.argmax(power), power.shape)
    peak = axis[k] + 1j * axis[m]
    assert 0.075 < 2 / np.sqrt(3) / np.abs(peak) < 0.21
    turned = [peak * np.exp(1j * np.pi / 3 * n) for n in range(6)]
    near = [power[np.hypot(z - p.real, x - p.imag) < 1].max() for p in turned]
    between = [p * np.exp(1j * np.pi / 6) for p in turned]
    far = [power[np.hypot(z - p.real, x - p.imag) < 1].max() for p in between]
    assert min(near) > 3 * max(far)


def test_headings_along_a_free_chain_forget_one_another_exponentially():
    outline = chromatin._Outline(np.random.default_rng(0))
    outline.depth = lambda z, x: np.ones_like(z)
    beads = chromatin._chains(np.random.default_rng(1), outline, (200, 400), 0.01, 0.2, 0.0, 100.0)
    headings = np.diff(beads, axis=0) / 0.01
    for n in (5, 10, 20, 40):
        found = np.mean(np.sum(headings[n:] * headings[:-n], axis=2))
        assert found == pytest.approx(np.exp(-n * 0.01 / 0.2), abs=0.05)


def test_chromatin_is_neither_empty_nor_solid():
    for seed in range(3):
        found = chromatin.chromatin(np.random.default_rng(seed), AT)
        share = np.count_nonzero(found > 0.25) / np.count_nonzero(found)
        assert 0.04 < share < 0.5


@pytest.mark.parametrize("seed", range(2))
def test_plates_of_a_crystal_lie_on_three_planes_at_right_angles(seed):
    rng = np.random.default_rng(seed)
    crystal = alloy.rotation(rng)
    plates = alloy._plates(rng, AT, crystal)
    along = np.abs(np.array([p.axes[2] for p in plates]) @ crystal.T)
    np.testing.assert_allclose(
        np.sort(along, axis=1), np.tile([0, 0, 1.0], (len(along), 1)), atol=1e-9
    )
    assert along.sum(axis=0).min() > 0.5
    least, greatest = alloy.ASPECT
    assert all(least - 1e-6 < 2 * p.radius / p.thickness < greatest + 1e-6 for p in plates)


def test_a_drawn_plate_is_thin_along_its_normal():
    axis = np.linspace(-0.5, 0.5, 96, dtype=np.float32)
    at = axis[:, None, None], axis[None, :, None], axis[None, None, :]
    plate = alloy.Plate(np.zeros(3), alloy.rotation(np.random.default_rng(3)), 0.4, 0.08)
    found = np.zeros((96,) * 3, np.float32)
    alloy.draw_plate(found, at, plate, np.ones(found.shape, bool), 1.0)
    spread, ways = np.linalg.eigh(np.cov(axis[np.argwhere(found).T]))
    assert np.abs(ways[:, 0] @ plate.axes[2]) > 0.999
    # The variance of a layer is its thickness squared over 12, that of a disc its radius over 4.
    assert np.sqrt(12 * spread[0]) == pytest.approx(0.08, rel=0.1)
    np.testing.assert_allclose(2 * np.sqrt(spread[1:]), 0.4, rtol=0.05)


@pytest.mark.parametrize("n", [3, 6, 9])
def test_discs_of_a_stack_are_parallel_and_a_spacing_apart(n):
    turn = np.deg2rad(30)
    axes = np.array([[-np.sin(turn), np.cos(turn), 0], [0, 0, 1], [np.cos(turn), np.sin(turn), 0]])
    membranes = Membranes(0.026, 0.034, 1.0, 0.1)
    stack = Stack(np.array([0.1, -0.05, 0]), axes, np.full(n, 0.25), np.zeros((n, 2)), 0.086, 0.0)
    at = grid(512, 4)
    found = np.zeros((512, 512, 4), np.float32)
    draw_stack(found, at, stack, membranes)
    height = np.arange(-0.6, 0.6, 0.001)
    for across in (-0.15, 0.0, 0.15):
        place = stack.centre + height[:, None] * axes[2] + across * axes[0]
        index = np.rint((place[:, :2] + 1) * 256 - 0.5).astype(int)
        pale = found[index[:, 0], index[:, 1], 1] == np.float32(0.1)
        edges = np.diff(pale.astype(int), prepend=0)
        lumens = (height[edges == 1] + height[edges == -1]) / 2
        np.testing.assert_allclose(lumens, 0.086 * (np.arange(n) - (n - 1) / 2), atol=0.005)


def test_a_capsid_is_an_icosahedron():
    axis = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    at = axis[:, None, None], axis[None, :, None], axis[None, None, :]
    kind = nucleocapsids.Kind("naked", (), 0, 0.7, 0.1, 0, 0.01, 0, 0, 0, 0)
    found = np.zeros((100,) * 3, np.float32)
    axes = alloy.rotation(np.random.default_rng(0))
    nucleocapsids.draw_capsid(found, at, np.zeros(3), axes, 0.3, kind)
    # One whose faces are at a distance of one has a volume of 5.054 and a circumradius of 1.258.
    volume = np.count_nonzero(found) * (axis[1] - axis[0]) ** 3
    assert volume == pytest.approx(5.054 * 0.3**3, rel=0.01)
    farthest = np.linalg.norm(axis[np.argwhere(found)], axis=1).max()
    assert farthest == pytest.approx(1.258 * 0.3, rel=0.03)


@pytest.mark.parametrize("seed", range(2))
def test_cracks_of_a_cathode_can_open_only_between_grains(seed):
    """Where two neighbouring voxels belong to different grains, both are next to a boundary."""
    everywhere = np.ones((WIDTH, WIDTH, SLICES), bool)
    rng = np.random.default_rng(seed)
    grains = cathode._grains(rng, AT, everywhere, np.zeros(3), 0.7, 0.25)
    which, edge = grains.which.reshape(everywhere.shape), grains.edge.reshape(everywhere.shape)
    apart = which[1:] != which[:-1]
    assert 0.01 < apart.mean() < 0.3
    voxel = 2 / WIDTH
    assert np.quantile(edge[1:][apart], 0.95) < 1.5 * voxel
    assert np.median(edge[1:][~apart]) > 1.5 * voxel
