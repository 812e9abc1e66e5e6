"""The families that were held back last: what they draw is what they say."""

import numpy as np
import pytest

from benchmarks.quality import held_back, known, untouched
from napari_wedgefill.training import phantoms
from napari_wedgefill.training.frames import grid

WIDTH, SLICES = 128, 8
AT = grid(WIDTH, SLICES)


@pytest.mark.parametrize("name", untouched.FAMILIES)
def test_objects_are_repeatable_and_inside_the_field(name):
    family = untouched.FAMILIES[name]
    outside = np.hypot(AT[0], AT[1])[..., 0] > 0.95
    for seed in range(20):
        found = family(np.random.default_rng(seed), AT)
        if seed < 3:
            np.testing.assert_array_equal(found, family(np.random.default_rng(seed), AT))
        assert found.shape == (WIDTH, WIDTH, SLICES)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert 0.3 < found.max() <= 1.5
        assert np.all(np.count_nonzero(found, axis=(0, 1)) > 0.02 * WIDTH**2)
        assert not found[outside].any()


def test_no_family_has_the_name_of_another():
    others = phantoms.FAMILIES | held_back.FAMILIES | known.FAMILIES
    assert not untouched.FAMILIES.keys() & others.keys()


@pytest.mark.parametrize("seed", range(8))
def test_channels_along_the_tilt_axis_make_six_equal_peaks(monkeypatch, seed):
    monkeypatch.setattr(untouched, "rotation", lambda _: np.eye(3))
    found = untouched.mesopore(np.random.default_rng(seed), grid(256, 8))[..., 4] > 0
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
    outline = untouched._Outline(np.random.default_rng(0))
    outline.depth = lambda z, x: np.ones_like(z)
    beads = untouched._chains(np.random.default_rng(1), outline, (200, 400), 0.01, 0.2, 0.0, 100.0)
    headings = np.diff(beads, axis=0) / 0.01
    for n in (5, 10, 20, 40):
        found = np.mean(np.sum(headings[n:] * headings[:-n], axis=2))
        assert found == pytest.approx(np.exp(-n * 0.01 / 0.2), abs=0.05)


def test_chromatin_is_neither_empty_nor_solid():
    for seed in range(8):
        found = untouched.chromatin(np.random.default_rng(seed), AT)
        share = np.count_nonzero(found > 0.25) / np.count_nonzero(found)
        assert 0.04 < share < 0.5
