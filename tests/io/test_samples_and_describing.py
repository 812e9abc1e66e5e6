"""Sample data, and the plain description of files."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from napari_wedgefill.io import describe, read_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.samples import needle_path, simulated_particle


def test_description_agrees_with_reading_and_is_json():
    found = json.loads(json.dumps(describe(needle_path())))
    series = read_tilt_series(needle_path())
    assert found["kind"] == "tilt series"
    assert found["shape"] == list(series.images.shape)
    assert found["dtype"] == "int16"
    assert found["angles_deg"] == series.angles_deg.tolist()
    assert found["pixel_nm"] == series.pixel_nm
    assert found["tilt_axis_deg"] == series.axis_deg
    assert found["sources"] == dict(series.sources)
    assert found["warnings"] == []


def test_description_follows_what_the_user_gives(tmp_path):
    angles = tmp_path / "mine.tlt"
    angles.write_text("\n".join(str(a) for a in range(77)))
    found = describe(needle_path(), angles=angles, pixel_nm=1.5, axis="y")
    assert found["angles_deg"] == list(range(77))
    assert (found["pixel_nm"], found["tilt_axis_deg"]) == (1.5, 0.0)
    assert set(found["sources"].values()) == {"mine.tlt (given)", "given"}


def test_volume_of_imods_tilt_is_told_apart(write_mrc, stack):
    labels = ("TILT: Tomographic reconstruction", "clip: rotx - rotation by -90 about X")
    turned = describe(write_mrc(stack, "a.rec", labels=labels))
    raw = describe(write_mrc(stack, "b.rec", labels=labels[:1], pixel_a=1.0))
    assert turned["warnings"] == []
    assert "trimvol" in " ".join(raw["warnings"])
    assert "doubtful" in raw["warnings"][0]


def test_the_needle_ships_with_its_notice():
    names = {file.name for file in needle_path().parent.iterdir()}
    assert {"HAADF.mrc", "HAADF.rawtlt", "HAADF.txt", "LICENSE", "NOTICE.txt"} <= names


@pytest.fixture(scope="module")
def particle():
    return simulated_particle()


def test_simulated_particle_is_the_projection_of_its_truth(particle):
    series, truth = particle
    exact = ParallelBeam(series.angles_deg, series.width)(
        np.ascontiguousarray(truth.data.transpose(0, 2, 1))
    ).transpose(0, 2, 1)
    noise = series.images - exact
    assert abs(noise.mean()) < 0.01
    bright = exact > 30
    # Poisson: the variance of counts is their mean, at 20 counts per voxel.
    assert np.mean(noise[bright] ** 2 / exact[bright]) == pytest.approx(1 / 20, rel=0.02)


def test_simulated_particle_is_repeatable_and_cheap(particle):
    start = time.perf_counter()
    again, truth = simulated_particle()
    assert time.perf_counter() - start < 2.0
    np.testing.assert_array_equal(again.images, particle[0].images)
    assert not np.array_equal(simulated_particle(seed=1)[1].data, truth.data)


def test_simulated_particle_stays_in_the_field_of_view_and_has_soft_edges(particle):
    _, truth = particle
    n = truth.data.shape[0]
    z, x = np.mgrid[:n, :n] - (n - 1) / 2
    assert truth.data.transpose(0, 2, 1)[np.hypot(z, x) > n / 2 - 1].max() == 0
    assert truth.data.min() == 0
    assert truth.data.max() == 1
    between = (truth.data > 0.6) & (truth.data < 0.95)
    assert 0.001 < between.mean() < 0.05
