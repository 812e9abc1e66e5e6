"""The self-check predicts withheld tilts, and knows a good volume from a bad one."""

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust.self_check import choose_withheld_tilts, iter_self_check
from napari_wedgefill.trust.verdicts import SelfCheck


@pytest.fixture(scope="module")
def checked():
    n, angles = 32, np.arange(-60, 61, 5.0)
    axis = np.arange(n) - (n - 1) / 2
    r = np.hypot(axis[:, None] - 3, axis[None, :] + 4)
    disc = np.clip(8 - r, 0, 1).astype(np.float32)[:, :, None].repeat(6, axis=2)
    series = TiltSeries.from_arrays(ParallelBeam(angles, n)(disc).transpose(0, 2, 1), angles)
    options = FillOptions(methods=("wbp", "sart", "tvm"))
    return list(iter_self_check(series, options))


def test_better_methods_predict_withheld_tilts_better(checked):
    result = checked[-1]
    for errors in (result.spread, result.outermost):
        assert errors["tvm"] < errors["sart"] < errors["wbp"]
        assert errors["tvm"] < 0.1
    assert set(result.outermost_deg) == {-60.0, -55.0, 55.0, 60.0}
    assert not set(result.spread_deg) & set(result.outermost_deg)


def test_progress_rises_over_both_tests(checked):
    fractions = [step.fraction for step in checked[:-1]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)


def test_the_sentence_says_who_wins():
    result = SelfCheck({}, {"sart": 0.10, "tvm": 0.08, "gan": 0.06}, (), (60.0,), (0, 16))
    assert "25 % better than TVM" in result.sentence
    close = SelfCheck({}, {"tvm": 0.0361, "gan": 0.0347}, (), (60.0,), (0, 16))
    assert "3 % better than TVM (3.5 % against 3.6 %)" in close.verdict
    worse = SelfCheck({}, {"tvm": 0.05, "gan": 0.06}, (), (60.0,), (0, 16))
    assert "20 % worse than TVM" in worse.sentence
    assert worse.to_dict()["sentence"] == worse.sentence


def test_every_withheld_angle_has_its_error(checked):
    result = checked[-1]
    rows = result.by_angle()
    assert [row[0] for row in rows] == sorted((*result.spread_deg, *result.outermost_deg))
    assert {where for _, where, _ in rows} == {"inside", "outermost"}
    for method, error in result.outermost.items():
        each = result.outermost_by_tilt[method]
        assert min(each) <= error <= max(each)
    assert list(result.to_dict()["spread_by_tilt"]) == ["wbp", "sart", "tvm"]


def test_images_of_one_angle_are_withheld_together():
    """Otherwise a method would be asked for an image that it was given."""
    angles = np.repeat(np.arange(-60, 61, 5.0), 2) + np.tile((0.0, 0.01), 25)
    for withheld in choose_withheld_tilts(angles):
        kept = np.setdiff1d(np.arange(angles.size), withheld)
        assert np.abs(angles[withheld][:, None] - angles[kept]).min() > 4.9
    with pytest.raises(WedgefillError, match="at least 9 angles, but there are 8"):
        choose_withheld_tilts(np.repeat(np.arange(8.0), 2))


def test_enough_tilts_are_left():
    for n in (9, 25, 77, 181):
        spread, outermost = choose_withheld_tilts(np.linspace(-60, 60, n))
        assert not set(spread) & set(outermost)
        assert len(spread) < n / 4
        assert len(outermost) < n / 4
    with pytest.raises(WedgefillError, match="needs at least 9 angles, but there are 5"):
        choose_withheld_tilts(np.arange(5.0))
