"""Solvers: bounds from projection to reconstruction, progress, constraints."""

import itertools
from functools import partial

import numpy as np
import pytest
import scipy.ndimage

from napari_wedgefill.projector import ParallelBeam, processor, processor_tvm, threads
from napari_wedgefill.reconstruct import (
    TvmOptions,
    iter_sart,
    iter_sirt,
    iter_tvm,
    last,
    wbp,
)
from napari_wedgefill.reconstruct.tvm import noise_level
from napari_wedgefill.reconstruct.wbp import ramp_response

N = 48
#: Fixed weights of the total variation to hold the automatic one against.
LADDER = (0.02, 0.1, 0.5, 2.0, 8.0)


@pytest.fixture(scope="module")
def discs():
    """Two discs in four slices, anti-aliased."""
    axis = (np.arange(4 * N) + 0.5) / (4 * N) * 2 - 1
    z, x = axis[:, None], axis[None, :]
    fine = 1.0 * (z**2 + x**2 < 0.6**2) - 0.5 * ((z - 0.2) ** 2 + (x + 0.1) ** 2 < 0.25**2)
    slice_ = fine.reshape(N, 4, N, 4).mean(axis=(1, 3)).astype(np.float32)
    return np.repeat(slice_[:, :, None], 4, axis=2)


def relative_error(x, truth):
    return np.linalg.norm(x - truth) / np.linalg.norm(truth)


def test_wbp_of_a_full_range_is_the_object(discs):
    beam = ParallelBeam(np.arange(0, 180, 1.5), N)
    volume = wbp(beam, beam(discs))
    assert relative_error(volume, discs) < 0.12
    assert volume[N // 2 - 8, N // 2 - 8, 0] == pytest.approx(1.0, abs=0.05)
    axis = np.arange(N) - (N - 1) / 2
    seen = np.hypot(axis[:, None], axis[None, :]) < N / 2  # every tilt sees these voxels
    assert abs(volume[seen].sum() / discs.sum() - 1) < 0.02


def test_wbp_does_not_care_how_a_full_range_is_sampled(discs):
    rng = np.random.default_rng(0)
    angles = np.sort(np.arange(0, 180, 1.5) + rng.uniform(-0.5, 0.5, 120))
    beam = ParallelBeam(angles, N)
    assert relative_error(wbp(beam, beam(discs)), discs) < 0.13


def test_the_hann_window_takes_noise_away(discs):
    beam = ParallelBeam(np.arange(0, 180, 3.0), N)
    noise = np.random.default_rng(0).standard_normal((60, N, 4)).astype(np.float32)
    assert wbp(beam, noise, "hann").std() < 0.6 * wbp(beam, noise).std()
    with pytest.raises(ValueError, match="unknown window"):
        ramp_response(64, "boxcar")


@pytest.mark.parametrize(("solver", "sweeps"), [(iter_sart, 15), (iter_sirt, 150)])
def test_algebraic_solvers_reach_a_full_range_object(discs, solver, sweeps):
    beam = ParallelBeam(np.arange(0, 180, 3.0), N)
    assert relative_error(last(solver(beam, beam(discs), sweeps)), discs) < 0.08


def test_sirt_residuals_fall(discs):
    beam = ParallelBeam(np.arange(-60, 61, 4.0), N)
    rows = beam(discs)
    residuals = [np.linalg.norm(beam(s.x) - rows) for s in iter_sirt(beam, rows, 12)]
    assert all(b < a for a, b in itertools.pairwise(residuals))


def test_tvm_restores_discs_that_sart_cannot(discs):
    """60 degrees missing: a piecewise constant object is the home of total variation."""
    beam = ParallelBeam(np.arange(-60, 61, 3.0), N)
    rows = beam(discs)
    sart = relative_error(last(iter_sart(beam, rows, 15)), discs)
    tvm = relative_error(last(iter_tvm(beam, rows, 150, TvmOptions(weight=0.05))), discs)
    assert tvm < 0.7 * sart


@pytest.mark.parametrize("noise", [0.05, 0.3, 1.5])
def test_tvm_finds_its_weight_for_any_noise(discs, noise):
    """Unaided, nearly as close to the truth as the best of a ladder of fixed weights."""
    beam = ParallelBeam(np.arange(-60, 61, 3.0), N)
    rng = np.random.default_rng(1)
    rows = beam(discs) + rng.normal(0, noise, (41, N, 4)).astype(np.float32)
    ladder = [
        relative_error(last(iter_tvm(beam, rows, 60, TvmOptions(weight=w))), discs) for w in LADDER
    ]
    unaided = relative_error(last(iter_tvm(beam, rows, 60)), discs)
    assert unaided < 1.25 * min(ladder)
    assert unaided < 0.7 * max(ladder)


def test_tvm_of_a_specimen_full_of_edges_comes_to_rest():
    """Its weight follows what it leaves unexplained, and must not swing with it."""
    rng = np.random.default_rng(0)
    blobs = scipy.ndimage.gaussian_filter(rng.normal(size=(N, N)), 1.5) > 0
    truth = np.repeat(blobs[:, :, None], 2, axis=2).astype(np.float32)
    beam = ParallelBeam(np.arange(-60, 61, 5.0), N)
    rows = beam(truth) + rng.normal(0, 1.0, (25, N, 2)).astype(np.float32)
    start = last(iter_sart(beam, rows, 10))
    errors = [relative_error(s.x, truth) for s in iter_tvm(beam, rows, 60, x0=start)]
    assert max(errors[30:]) < 1.05 * min(errors[30:])
    ladder = [
        relative_error(last(iter_tvm(beam, rows, 60, TvmOptions(weight=w))), truth) for w in LADDER
    ]
    assert errors[-1] < 1.3 * min(ladder)


def test_tvm_weighs_no_intensity_scale(discs):
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    rows = beam(discs)
    one, many = (last(iter_tvm(beam, f * rows, 100)) / f for f in (1.0, 3.0))
    assert relative_error(many, one) < 0.05


def test_tvm_comes_to_rest_at_its_minimum(discs):
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    rows = beam(discs)

    def objective(x):
        steps = np.diff(x, axis=0, append=x[-1:]), np.diff(x, axis=1, append=x[:, -1:])
        variation = np.sum(np.hypot(*steps), dtype=np.float64)
        return 0.5 * np.sum(np.square(beam(x) - rows), dtype=np.float64) + variation

    long = objective(last(iter_tvm(beam, rows, 1000, TvmOptions(weight=1.0))))
    assert long < objective(last(iter_tvm(beam, rows, 60, TvmOptions(weight=1.0)))) < 1.01 * long
    assert objective(discs) > long


def test_tvm_keeps_the_edges_of_its_prior(discs):
    """The nearer to the object, the more the true object as a prior counts."""
    beam = ParallelBeam(np.arange(-50, 51, 10.0), N)
    rows = beam(discs) + np.random.default_rng(0).normal(0, 2.0, (11, N, 4)).astype(np.float32)
    errors = [
        relative_error(last(iter_tvm(beam, rows, 60, TvmOptions(share=share), prior=discs)), discs)
        for share in (0.0, 0.4, 0.8)
    ]
    assert errors[2] < 0.7 * errors[1] < 0.7 * errors[0], errors
    np.testing.assert_allclose(
        last(iter_tvm(beam, rows, 400, TvmOptions(weight=2.0, share=0.0), prior=discs)),
        last(iter_tvm(beam, rows, 400, TvmOptions(weight=2.0))),
        atol=0.01,
    )


def test_tvm_takes_one_weight_or_one_a_slice(discs):
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    rows = beam(discs)
    one = last(iter_tvm(beam, rows, 5, TvmOptions(weight=0.3)))
    many = last(iter_tvm(beam, rows, 5, TvmOptions(weight=np.array([0.3, 0.3, 5.0, 0.3]))))
    np.testing.assert_allclose(many[:, :, [0, 1, 3]], one[:, :, [0, 1, 3]], atol=1e-6)
    assert relative_error(many[:, :, 2], one[:, :, 2]) > 0.01


def test_solvers_report_and_respect_their_start(discs):
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    rows = beam(discs)
    start = discs.copy()
    tvm = partial(iter_tvm, options=TvmOptions(weight=0.1))
    for solver in (iter_sart, iter_sirt, tvm):
        sweeps = [(s.done, s.total) for s in solver(beam, rows, 3, x0=start)]
        assert sweeps == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_array_equal(start, discs)
    assert last(iter_sart(beam, -rows, 2)).min() >= 0
    assert last(iter_sart(beam, -rows, 2, nonnegative=False)).min() < 0


@pytest.mark.parametrize("n_slices", [1, 16])
def test_the_noise_level_is_found(n_slices):
    rng = np.random.default_rng(0)
    u = np.linspace(0, 3, 200)[None, :, None]
    smooth = np.repeat(np.sin(u), 20, axis=0) + np.zeros((1, 1, n_slices))
    noisy = smooth + rng.normal(0, 0.2, smooth.shape)
    assert noise_level(noisy.astype(np.float32)) == pytest.approx(0.2, rel=0.06)


@pytest.mark.parametrize(("solver", "cap"), [(iter_sart, 40), (iter_sirt, 300)])
def test_the_discrepancy_principle_stops_before_noise_is_fitted(discs, solver, cap):
    """Stopped at the noise, a volume is nearer the truth than after as many sweeps as allowed."""
    beam = ParallelBeam(np.arange(-80, 81, 2.0), N)
    clean, sigma = beam(discs), 1.5
    noisy = clean + np.random.default_rng(0).normal(0, sigma, clean.shape).astype(np.float32)
    stopped = list(solver(beam, noisy, cap, stop_at=sigma))
    unexplained = np.sqrt(np.mean((beam(stopped[-1].x) - noisy) ** 2))
    assert 1 < len(stopped) < cap
    assert stopped[-1].total == cap
    assert unexplained == pytest.approx(sigma, rel=0.1)
    to_the_end = last(solver(beam, noisy, cap))
    assert relative_error(stopped[-1].x, discs) < 0.9 * relative_error(to_the_end, discs)


def test_each_slice_stops_at_its_own_noise(discs):
    """A noisy neighbour neither stops a clean slice early nor keeps going with it."""
    beam = ParallelBeam(np.arange(-80, 81, 4.0), N)
    sigmas = np.array([3.0, 3.0, 0.1, 0.1], np.float32)
    rows = beam(discs) + sigmas * np.random.default_rng(0).normal(size=(41, N, 4)).astype("f4")
    noisy_alone = last(iter_sart(beam, rows[:, :, :2], 30, stop_at=sigmas[:2]))
    together = last(iter_sart(beam, rows, 30, stop_at=sigmas))
    np.testing.assert_array_equal(together[:, :, :2], noisy_alone)
    assert relative_error(together[:, :, 2:], discs[:, :, 2:]) < 0.1


def test_slices_are_rounded_alike_however_they_are_grouped(discs):
    """Exact, so that no result depends on how much memory there is."""
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    many = np.concatenate([discs * (k + 1) for k in range(18)], axis=2)
    rows = beam(many)
    together = [last(iter_sart(beam, rows, 2)), last(iter_tvm(beam, rows, 2))]
    filtered = wbp(beam, rows)
    for k in (0, 17, 70):
        one = np.ascontiguousarray(many[:, :, [k]])
        np.testing.assert_array_equal(beam(one)[:, :, 0], rows[:, :, k])
        np.testing.assert_array_equal(wbp(beam, rows[:, :, [k]])[:, :, 0], filtered[:, :, k])
        for solver, expected in zip((iter_sart, iter_tvm), together, strict=True):
            alone = last(solver(beam, rows[:, :, [k]], 2))
            np.testing.assert_array_equal(alone[:, :, 0], expected[:, :, k])


def test_a_solver_goes_on_from_the_dual_variable_that_it_left(discs):
    """So it need not find out anew what the measurements say; without noise, that is."""
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    rows = beam(discs)
    dual = np.zeros_like(rows)
    begun = last(iter_tvm(beam, rows, 100, TvmOptions(weight=2.0), dual=dual))
    np.testing.assert_array_equal(begun, last(iter_tvm(beam, rows, 100, TvmOptions(weight=2.0))))
    np.testing.assert_allclose(dual, beam(begun) - rows, atol=0.05 * np.abs(dual).max())
    end = last(iter_tvm(beam, rows, 600, TvmOptions(weight=2.0)))
    cold = last(iter_tvm(beam, rows, 10, TvmOptions(weight=2.0), x0=begun))
    warm = last(iter_tvm(beam, rows, 10, TvmOptions(weight=2.0), x0=begun, dual=dual))
    assert np.linalg.norm(warm - end) < 0.8 * np.linalg.norm(cold - end)


def tvm_near_a_ramp(beam, rows, n_sweeps):
    ramp = np.linspace(0, 1, beam.depth * beam.width * rows.shape[2], dtype=np.float32)
    prior = ramp.reshape(beam.depth, beam.width, rows.shape[2])
    return iter_tvm(beam, rows, n_sweeps, TvmOptions(share=0.5), prior=prior)


def test_cores_are_woken_for_large_steps_only(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 16)
    shares = [threads.count_shares(int(k * threads.SMALL_STEP)) for k in (0, 1, 1.9, 2, 3, 99)]
    assert shares == [1, 1, 1, 8, 12, 16]
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    assert threads.count_shares(99 * threads.SMALL_STEP) == 1


@pytest.mark.parametrize(("small_step", "is_shared"), [(threads.SMALL_STEP, False), (1, True)])
def test_a_small_step_wakes_no_other_core(monkeypatch, discs, small_step, is_shared):
    asked, run = [], processor_tvm.run
    monkeypatch.setattr(
        processor_tvm,
        "run",
        lambda tasks, parallel: asked.append(parallel) or run(tasks, parallel=False),
    )
    monkeypatch.setattr(threads, "SMALL_STEP", small_step)
    for module in (processor_tvm, threads):
        monkeypatch.setattr(module, "available_cores", lambda: 4)
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N)
    last(iter_tvm(beam, beam(discs), 1))
    tile, *steps = asked
    assert tile == (not is_shared)
    assert set(steps) == {is_shared}


@pytest.mark.parametrize("solver", [iter_sart, iter_tvm, tvm_near_a_ramp])
@pytest.mark.parametrize("depth", [N, 21])
def test_cores_that_share_a_tile_change_nothing(monkeypatch, discs, solver, depth):
    beam = ParallelBeam(np.arange(-60, 61, 6.0), N, depth)
    rows = beam(discs[:depth])
    answers = []
    monkeypatch.setattr(threads, "SMALL_STEP", 1)
    for cores in (1, 3, 16):
        for module in (processor, processor_tvm, threads):
            monkeypatch.setattr(module, "available_cores", lambda n=cores: n)
        answers.append(last(solver(beam, rows, 3)))
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])
