"""What the table of quality rests on: the objects, the baselines and the kept results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import __main__ as command
from benchmarks.quality import (
    atoms,
    cache,
    conditions,
    methods,
    real_tables,
    report,
    simulated,
    tables,
    tooth,
)
from benchmarks.quality.conditions import Condition
from benchmarks.quality.families import aggregate
from benchmarks.quality.measures import (
    find_rows_inside,
    gain_db,
    interpolate_across_wedge,
    prediction_error,
)
from benchmarks.quality.methods import (
    TUNED,
    TVM,
    normalise_rows,
    reconstruct_classically,
    reconstruct_quickly,
)
from benchmarks.quality.simulate import FAMILIES, SPHERES, simulate
from napari_wedgefill.geometry import missing_range_deg
from napari_wedgefill.joint_model.angular_grid import grid_for
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.trust import psnr

SMALL = Condition(32, 60.0, 5.0, np.inf, 1)


def test_the_missing_range_is_as_asked_for():
    for condition in conditions.list_all():
        assert missing_range_deg(condition.angles_deg) == pytest.approx(condition.missing_deg)
        steps = np.diff(condition.angles_deg)
        np.testing.assert_allclose(steps, condition.step_deg, rtol=0.01)


@pytest.mark.parametrize("family", [*FAMILIES, SPHERES])
def test_objects_are_repeatable_and_inside_the_field(family):
    first, again, other = (simulate(family, s, SMALL, SMALL.angles_deg[:1]) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.rows, again.rows)
    assert np.abs(first.truth - other.truth).max() > 0.1
    axis = np.arange(32) - 15.5
    outside = np.hypot(axis[:, None], axis[None, :]) > 16.5
    for found in (first, other):
        assert found.truth.min() >= 0
        assert np.count_nonzero(found.truth) > 0.005 * found.truth.size
        assert not found.truth[outside].any()


def test_an_aggregate_is_one_piece_of_spheres_that_touch():
    centres = aggregate._cluster_aggregation(np.random.default_rng(0), 40, 1.8)
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    assert distance[np.triu_indices(40, 1)].min() > 1.8 - 1e-9
    touching = np.linalg.matrix_power((distance < 1.8 + 0.021).astype(float), 40)
    assert np.all(touching > 0)
    gyration = np.sqrt(np.mean(np.sum((centres - centres.mean(0)) ** 2, axis=1)))
    assert gyration > 4  # a compact heap of 40 unit spheres has less than 3


def test_the_linear_baseline_meets_both_sides_of_the_wedge():
    """At its first and last row it is nearly the measured one there, mirrored or not."""
    condition = Condition(32, 60.0, 1.5, np.inf, 1)
    grid = grid_for(condition.angles_deg, 120)
    found = simulate("branches", 0, condition, grid.angles_deg)
    linear, ideal = interpolate_across_wedge(grid, found.rows), found.ideal[find_rows_inside(grid)]
    gains = [gain_db(linear[k] - ideal[k], ideal[k]) for k in (0, len(ideal) // 2, -1)]
    assert gains[0] > 12
    assert gains[2] > 12
    assert gains[1] < min(gains[0], gains[2])


def test_tuning_on_the_truth_is_never_behind_the_automatic_weight():
    found = [simulate(f, 0, SMALL, SMALL.angles_deg[:1]) for f in ("aggregate", "branches")]
    beam = ParallelBeam(SMALL.angles_deg, 32)
    measured = [normalise_rows(beam, o.rows) for o in found]
    quick = reconstruct_quickly(beam, measured, InputContract())
    volumes, _ = reconstruct_classically(
        beam, measured, quick, lambda k, v: psnr(v, found[k].truth)
    )
    for k, o in enumerate(found):
        assert psnr(volumes[TUNED][k], o.truth) >= psnr(volumes[TVM][k], o.truth)


def test_tuning_goes_on_where_the_best_weight_is_the_least_that_was_tried(monkeypatch):
    monkeypatch.setattr(methods, "TUNED_STEPS", 360)
    monkeypatch.setattr(methods, "FACTOR_LIMITS", (0.02, 50.0))
    beam = ParallelBeam(SMALL.angles_deg, 32)
    rows = beam(simulate("head", 0, SMALL, SMALL.angles_deg[:1]).truth[:, :, :2])
    measured = normalise_rows(beam, rows)

    def agreement(k, volume):
        return -float(np.linalg.norm(beam(volume) - measured.rows))

    quick = reconstruct_quickly(beam, [measured], InputContract())
    assert min(reconstruct_classically(beam, [measured], quick, agreement)[1]) < 0.05


def test_predicted_images_of_the_object_itself_have_no_error():
    found = simulate("head", 0, SMALL, SMALL.angles_deg[:1])
    beam = ParallelBeam(SMALL.angles_deg, 32)
    kept, withheld = np.arange(4, 21), np.r_[:4, 21:25]
    measured = beam(found.truth)
    assert prediction_error(beam, 3 * found.truth, measured, kept, withheld) < 1e-5
    assert prediction_error(beam, found.truth[::-1], measured, kept, withheld) > 0.1


def test_half_a_turn_mirrors_a_row_of_the_tooth():
    rng = np.random.default_rng(0)
    theta, rows = np.arange(0, 180, 1.0), rng.random((180, 9, 1), dtype=np.float32)
    found = tooth.rows_at(rows, theta, np.array([10.0, 190.0, -170.0, 10.5, 179.5]))
    np.testing.assert_allclose(found[0], rows[10], atol=1e-6)
    np.testing.assert_allclose(found[1], rows[10, ::-1], atol=1e-6)
    np.testing.assert_allclose(found[2], rows[10, ::-1], atol=1e-6)
    np.testing.assert_allclose(found[3], (rows[10] + rows[11]) / 2, atol=1e-6)
    np.testing.assert_allclose(found[4], (rows[179] + rows[0, ::-1]) / 2, atol=1e-6)


def test_a_missing_tooth_is_one_clear_sentence(tmp_path):
    with pytest.raises(tooth.ToothError, match=r"no such file; the tooth is .*tooth\.h5"):
        tooth.read(tmp_path / "absent.h5")


def test_results_are_computed_once_and_belong_to_their_condition(tmp_path):
    kept = cache.Cache(tmp_path / "new", load("small"))
    first = kept.path("a", "classical", [1])
    assert kept.get_or(first, lambda: [{"x": 1.0}]) == [{"x": 1.0}]
    assert kept.get_or(first, lambda: pytest.fail("computed twice")) == [{"x": 1.0}]
    others = {kept.path("a", "network", [1]), kept.path("a", "classical", [2]), first}
    assert len(others) == 3


def test_only_the_families_that_are_not_kept_are_computed_again(tmp_path):
    kept = cache.Cache(tmp_path, load("small"))
    paths = {name: kept.path(name, "classical") for name in ("head", "cells")}
    asked = []

    def rows(families):
        asked.append(families)
        return [{"family": f, "psnr": k} for f in families for k in range(2)]

    kept.complete({"head": paths["head"]}, rows)
    kept.complete(paths, rows)
    kept.complete(paths, rows)
    assert asked == [["head"], ["cells"]]
    assert kept.get(paths["cells"]) == [{"family": "cells", "psnr": k} for k in range(2)]


def test_a_comment_makes_no_result_stale_but_code_does(tmp_path):
    file: Path = tmp_path / "solver.py"
    prints = []
    for text in ("x = 1\n", "x = 1  # one\n\n", "x = 2\n"):
        file.write_text(text)
        prints.append(cache.fingerprint([file]))
    assert prints[0] == prints[1] != prints[2]


def _results(gan: float) -> tables.Results:
    rows = [
        {"method": m, "family": f, "seed": 0, "psnr": 30.0 + (gan if m == "GAN" else 0.0)}
        | {"ssim": 0.9, "wedge": 0.8, "dice": 0.9}
        for m in tables.METHODS
        for f in FAMILIES
    ]
    rows += [{"method": m, "family": SPHERES, "elongation": float("nan")} for m in tables.METHODS]
    gains = {"over_linear": 7.0, "over_warm_start": 1.0}
    rows += [{"method": "sinogram", "family": f} | gains for f in FAMILIES]
    return {SMALL: rows}


def render(results):
    found = report.summarise(load("small"), results, [], [])
    return report.render(json.loads(report.write_json(found)), None)


def test_the_page_says_so_where_the_aim_is_missed():
    missed = render(_results(-0.5))
    assert "-0.50" in missed
    assert "is missed under 1 of 1 conditions" in missed
    assert "was not measured in this run" in missed  # the tooth
    met = render(_results(2.5))
    assert "is met under every condition" in met
    assert "lost" in met  # spheres that nobody found have no elongation


def test_the_numbers_are_valid_json():
    found = json.loads(report.write_json(report.summarise(load("small"), _results(0.25), [], [])))
    assert found["conditions"][0]["families"]["cells"]["GAN"]["psnr"] == 30.25
    assert found["conditions"][0]["elongation"]["WBP"] is None


def test_measured_data_are_read_as_errors_where_less_is_better():
    rows = [
        {"method": m, "limit_deg": 60.0, "n_withheld": 16, "withheld": 0.04 + 0.01 * k}
        for k, m in enumerate(reversed(tables.METHODS))
    ]
    line = real_tables.describe_needle(rows)[-2]
    assert line.startswith("| ±60° | 16 |")
    assert line.endswith("| **4.0** |")


def test_results_of_an_earlier_commit_stand_in_and_are_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(simulated, "KINDS", ("head",))
    now, before = (cache.Cache(tmp_path / name, load("small")) for name in ("now", "before"))
    wanted = [replace(SMALL, electrons=electrons) for electrons in (100.0, 400.0, np.inf)]
    for kept, condition, psnr_db in (
        (before, wanted[0], 1.0), (before, wanted[1], 2.0), (now, wanted[1], 3.0),
    ):  # fmt: skip
        for part in simulated.PARTS:
            path = simulated.locate_result(kept, condition, part, "head")
            row = {"method": TVM, "family": "head", "psnr": psnr_db}
            kept.get_or(path, lambda row=row: [row])
    found = simulated.read_kept(now, wanted, (before, "abc1234"))
    assert [(c.electrons, c.earlier, rows[0]["psnr"]) for c, rows in found.items()] == [
        (100.0, "abc1234", 1.0),
        (400.0, "", 3.0),
    ]
    assert [tables.format_condition(c)[0] for c in found] == ["32 †", "32"]
    assert "abc1234" in report._describe_earlier(found)[0]
    assert simulated.read_kept(now, wanted).keys() == {wanted[1]}


def test_a_page_without_measurements_says_that_there_are_none(tmp_path, monkeypatch):
    out = tmp_path / "quality.md"
    words = ["quality", "--report", "--cache", str(tmp_path / "kept"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", words)
    command.main()
    assert "No condition has been measured yet." in out.read_text()
    assert json.loads(out.with_suffix(".json").read_text())["conditions"] == []


def test_an_unknown_model_is_one_clear_sentence(tmp_path, monkeypatch):
    words = ["quality", "--report", "--model", "absent", "--cache", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit, match="no model 'absent'"):
        command.main()


def test_atoms_are_traced_between_voxels_and_false_ones_are_counted():
    true = np.array([[6.3, 6.0, 6.2], [6.0, 11.4, 6.0], [12.0, 6.0, 11.6]])
    axes = np.meshgrid(*[np.arange(20.0)] * 3, indexing="ij")
    volume = np.zeros((20, 20, 20), np.float32)
    for place in [*true[:2], [15.0, 15.0, 15.0]]:  # one is missing, one is false
        distance = sum((axis - at) ** 2 for axis, at in zip(axes, place, strict=True))
        volume += np.exp(-distance / (2 * atoms.SIGMA_PX**2))
    found = atoms.compare(true, atoms.trace(volume))
    assert found["found"] == pytest.approx(2 / 3)
    assert found["false"] == pytest.approx(1 / 3)
    assert found["rms_px"] < 0.1
