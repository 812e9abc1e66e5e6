"""From a tilt series to volumes: every method, exact where it must be, and independent of slabs."""

from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill import normalise
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model import stages
from napari_wedgefill.normalise import vacuum_level
from napari_wedgefill.pipeline import session as sessions
from napari_wedgefill.pipeline.events import Done, Finished
from napari_wedgefill.pipeline.fill import fill, iter_fill, iter_preview
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress, relay
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ANGLES = np.arange(-60, 61, 4.0)


def ball_series(n=32, n_slices=10, angles=ANGLES, offset=0.0, gain=1.0):
    axis = np.arange(n) - (n - 1) / 2
    y = np.arange(n_slices) - (n_slices - 1) / 2
    r = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + y[None, None, :] ** 2)
    truth = np.clip(9.5 - r, 0, 1).astype(np.float32)
    rows = ParallelBeam(angles, n)(truth) * gain + offset
    noise = np.random.default_rng(0).normal(0, 0.05 * gain, rows.shape)
    images = (rows + noise).transpose(0, 2, 1)
    series = TiltSeries.from_arrays(images, angles, pixel_nm=0.5, name="ball")
    return series, truth.transpose(0, 2, 1)


@pytest.fixture(scope="module")
def filled():
    series, truth = ball_series()
    events = list(iter_fill(series, FillOptions(device="cpu")))
    return series, truth, events


def psnr(volume, truth):
    basis = np.stack([volume.ravel(), np.ones(volume.size)], axis=1)
    fitted = basis @ np.linalg.lstsq(basis, truth.ravel(), rcond=None)[0]
    return -20 * np.log10(np.sqrt(np.mean((fitted - truth.ravel()) ** 2)) / truth.max())


def test_all_four_methods_come_in_order_with_progress_and_a_report(filled):
    _, _, events = filled
    assert [e.method for e in events if isinstance(e, Finished)] == ["wbp", "sart", "tvm", "gan"]
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert (np.diff(fractions) > -1e-12).all()  # but for rounding
    assert 0 <= fractions[0] < 0.1
    assert fractions[-1] == pytest.approx(1.0)
    report = events[-1].report
    assert isinstance(events[-1], Done)
    assert report["model"]["provider"] == "CPUExecutionProvider"
    assert set(report["seconds"]) == {"intensities", "wbp", "sart", "tvm", "gan"}


def test_volumes_carry_their_voxels_and_the_scale_of_the_series(filled):
    _series, truth, events = filled
    for event in events:
        if isinstance(event, Finished):
            assert event.volume.data.shape == truth.shape
            assert event.volume.voxel_nm == (0.5, 0.5, 0.5)
            core = event.volume.data[13:19, 4:6, 13:19].mean()
            assert core == pytest.approx(1.0, abs=0.35)


def test_the_network_is_closer_to_the_truth_than_wbp_and_sart(filled):
    _, truth, events = filled
    quality = {e.method: psnr(e.volume.data, truth) for e in events if isinstance(e, Finished)}
    assert quality["gan"] > quality["wbp"] + 3
    assert quality["gan"] > quality["sart"]


def test_the_final_volume_agrees_with_the_measurements(filled):
    series, _, events = filled
    volume = next(e.volume for e in events if isinstance(e, Finished) and e.method == "gan")
    beam = ParallelBeam(series.angles_deg, series.width)
    rows = beam(np.ascontiguousarray(volume.data.transpose(0, 2, 1)))
    measured = series.sinograms() - vacuum_level(series)
    error = np.sqrt(np.mean((rows - measured) ** 2))
    assert error < 0.05 * measured.max()


def test_offset_and_scale_of_the_intensities_cancel():
    options = FillOptions(methods=("wbp", "gan"), device="cpu")
    plain = fill(ball_series(n_slices=4)[0], options).volumes
    raw = fill(ball_series(n_slices=4, offset=-31000.0, gain=500.0)[0], options).volumes
    for method in options.methods:
        np.testing.assert_allclose(
            raw[method].data / 500, plain[method].data, atol=0.03 * plain[method].data.max()
        )


def test_slabs_leave_no_seam():
    """The same slices, once inside a slab and once at its border."""
    series, _ = ball_series(n=16, n_slices=66, angles=np.arange(-60, 61, 10.0))
    options = FillOptions(methods=("gan",), device="cpu")
    whole = fill(series, options).volumes["gan"].data
    part = fill(series, replace(options, slices=(55, 66))).volumes["gan"].data
    # The part's first slice has no lower neighbour; the rest must not know where slabs were cut.
    np.testing.assert_allclose(part[:, 1:], whole[:, 56:], atol=1e-4 * whole.max())


def test_a_preview_of_one_slice_is_possible():
    series, _ = ball_series(n=16, n_slices=6, angles=np.arange(-60, 61, 10.0))
    result = fill(series, FillOptions(slices=(3, 4), device="cpu"))
    assert all(v.data.shape == (16, 1, 16) for v in result.volumes.values())


def test_cancelling_is_closing():
    series, _ = ball_series(n=16, n_slices=4, angles=np.arange(-60, 61, 10.0))
    job = iter_fill(series, FillOptions(methods=("tvm",)))
    for _ in range(3):
        next(job)
    job.close()
    with pytest.raises(StopIteration):
        next(job)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (FillOptions(methods=("wpb",)), "no method 'wpb'; choose from wbp, sart"),
        (FillOptions(methods=()), "No method was chosen"),
        (FillOptions(model="nonsense"), "no model 'nonsense'"),
        (FillOptions(methods=("wbp",), slices=(3, 99)), "but it has 4"),
        (FillOptions(device="tpu"), "Unknown device"),
    ],
)
def test_options_that_cannot_be_met_are_refused_before_any_work(options, sentence):
    series, _ = ball_series(n=16, n_slices=4, angles=np.arange(-60, 61, 10.0))
    with pytest.raises(WedgefillError, match=sentence):
        next(iter_fill(series, options))


def test_vacuum_is_found_behind_isolated_and_filling_objects():
    series, _ = ball_series(offset=-2000.0)
    assert vacuum_level(series) == pytest.approx(-2000, abs=0.1)
    angles = np.arange(-60, 61, 4.0)
    film = 40 / np.cos(np.deg2rad(angles))[:, None, None] + 100
    ripple = np.random.default_rng(0).normal(0, 0.3, (angles.size, 12, 64))
    series = TiltSeries.from_arrays(film + ripple, angles)
    assert vacuum_level(series) == pytest.approx(100, abs=3)


def test_a_preview_lies_on_the_grid_of_the_series():
    """Wide images are binned for speed; the slice comes back at full width, in its place."""
    series, truth = ball_series(n=162, n_slices=7, angles=np.arange(-60, 61, 10.0))
    events = list(iter_preview(series, 3, FillOptions(methods=("sart",))))
    volume = next(e.volume for e in events if isinstance(e, Finished))
    assert volume.data.shape == (162, 1, 162)
    assert volume.voxel_nm == (0.5, 0.5, 0.5)
    assert np.corrcoef(volume.data[:, 0].ravel(), truth[:, 3].ravel())[0, 1] > 0.8


def test_what_holds_for_a_series_is_measured_once(monkeypatch):
    """Preview, second preview, fill: vacuum, noise and scales are looked for once."""
    measured = []
    real = sessions.measure_calibration
    monkeypatch.setattr(
        sessions, "measure_calibration", lambda series: measured.append(series) or real(series)
    )
    kept = sessions.Session()
    series, _ = ball_series(n=16, n_slices=6, angles=np.arange(-60, 61, 10.0))
    options = FillOptions(methods=("wbp",))
    for _ in range(2):
        list(iter_preview(series, 3, options, kept))
    fill(series, options, session=kept)
    assert len(measured) == 1
    fill(replace(series, axis_shift_px=1.0), options, session=kept)
    assert len(measured) == 2
    fill(series, options)  # in a session of its own
    assert len(measured) == 3


def test_wbp_of_a_preview_waits_neither_for_the_networks_nor_for_the_box(monkeypatch):
    order = []
    for name in ("open_model", "find_field"):
        real = getattr(sessions.Session, name)
        monkeypatch.setattr(
            sessions.Session,
            name,
            lambda *args, real=real, name=name, **how: order.append(name) or real(*args, **how),
        )
    series, _ = ball_series(n=16, n_slices=6, angles=np.arange(-60, 61, 10.0))
    options = FillOptions(("gan", "wbp"), device="cpu")
    for event in iter_preview(series, 3, options):
        if isinstance(event, Finished):
            order.append(event.method)
    assert order[0] == "wbp"
    assert order[-1] == "gan"
    assert {"open_model", "find_field"} <= set(order)
    assert event.report["methods"] == ["gan", "wbp"]


@pytest.mark.parametrize("options", [FillOptions(("fbp",)), FillOptions(())])
def test_a_preview_of_methods_that_do_not_exist_is_refused_at_once(options):
    series, _ = ball_series(n=16, n_slices=6, angles=np.arange(-60, 61, 10.0))
    with pytest.raises(WedgefillError, match="method"):
        next(iter_preview(series, 3, options))


def test_a_preview_takes_fewer_steps_to_the_end(monkeypatch):
    taken = {}
    real = stages.iter_consistency

    def counting(*args, cautious=False, **how):
        steps = real(*args, cautious=cautious, **how)
        taken.setdefault(cautious, 0)

        def count(step):
            taken[cautious] += 1
            return step

        return (yield from relay(steps, count))

    monkeypatch.setattr(stages, "iter_consistency", counting)
    series, _ = ball_series(n=16, n_slices=2, angles=np.arange(-60, 61, 10.0))
    options = FillOptions(("gan",), device="cpu")
    counts = []
    for preview in (False, True):
        taken.clear()
        fill(series, replace(options, preview=preview))
        counts.append(taken[True])
    assert counts[1] == pytest.approx(counts[0] / 3, abs=1)


def test_stopping_at_the_noise_is_reported(monkeypatch):
    monkeypatch.setattr(normalise, "measure_vacuum", lambda series: normalise.Vacuum(0.0))
    series, truth = ball_series()
    noise = np.random.default_rng(1).normal(0, 0.8, series.images.shape)
    series = TiltSeries.from_arrays(series.images + noise, series.angles_deg)
    options = FillOptions(methods=("sart",), stop="discrepancy")
    result = fill(series, options)
    fewest, most = result.report["sweeps_taken"]["sart"]
    assert 1 <= fewest <= most < options.count_passes()["sart"] == 30
    assert psnr(result.volumes["sart"].data, truth) > 15
    with pytest.raises(WedgefillError, match="no stopping rule 'never'"):
        next(iter_fill(series, FillOptions(stop="never")))


def test_the_report_shares_out_the_time(filled):
    shares = filled[-1][-1].report["share_of_stage"]
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    assert {"WBP", "SART", "TVM", "GAN: sinogram network", "GAN: tomogram network"} <= set(shares)


def test_the_networks_take_the_sart_and_tvm_that_are_there_already(monkeypatch):
    series, _ = ball_series(n_slices=4)
    together = fill(series, FillOptions(("sart", "tvm", "gan"), device="cpu"))
    alone = fill(series, FillOptions(("gan",), device="cpu"))
    np.testing.assert_allclose(together.volumes["gan"].data, alone.volumes["gan"].data, atol=2e-4)
    from napari_wedgefill.joint_model import contract

    def again(*_):
        raise AssertionError("computed twice")

    monkeypatch.setattr(contract, "compute_first_estimates", again)
    fill(series, FillOptions(("sart", "tvm", "gan"), device="cpu"))
