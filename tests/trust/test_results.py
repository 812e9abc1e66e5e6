"""The results table: what is in it, that better volumes have better figures, and its CSV."""

import csv
import io
import json

import numpy as np
import pytest

from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust.results import MeasuredRange, iter_results
from napari_wedgefill.trust.results_table import ResultsRow
from napari_wedgefill.trust.verdicts import SelfCheck

ANGLES = np.delete(np.arange(-60, 61, 5.0), 7)  # one image was lost
N = 32


@pytest.fixture(scope="module")
def events():
    axis = np.arange(N) - (N - 1) / 2
    ball = np.clip(8 - np.hypot(axis[:, None] - 2, axis), 0, 1).astype(np.float32)
    rows = ParallelBeam(ANGLES, N)(ball[:, :, None].repeat(8, axis=2))
    series = TiltSeries.from_arrays(rows.transpose(0, 2, 1), ANGLES, pixel_nm=2.0, name="ball")
    options = FillOptions(methods=("wbp", "sart"), slices=(2, 6))
    filled = fill(series, options)
    checked = SelfCheck({"wbp": 0.2, "sart": 0.1}, {"wbp": 0.4, "sart": 0.3}, (), (), (2, 6))
    return list(
        iter_results(
            series, options, filled.volumes, seconds={"wbp": 1.0, "sart": 2.0}, self_check=checked
        )
    )


def rows_of(table):
    return {row["figure"]: row for row in csv.DictReader(io.StringIO(table.to_csv()))}


def test_figures_of_a_ball(events):
    rows = rows_of(events[-1])
    assert float(rows["missing wedge"]["series"]) == 60
    assert float(rows["widest step inside"]["series"]) == 10
    assert float(rows["elongation by the tilt range"]["series"]) == pytest.approx(1.55, abs=0.01)
    found = rows["elongation found"]
    assert float(found["wbp"]) > float(found["sart"]) > 1
    residual = rows["residual at the measured tilts"]
    assert float(residual["sart"]) < float(residual["wbp"])
    area = np.pi * 7.5**2 / N**2
    percent = float(rows["fraction of the volume above it"]["sart"])
    assert percent == pytest.approx(100 * area, rel=0.25)
    resolution = rows["resolution, half series, FSC 0.5"]
    assert resolution["unit"] == "nm"
    assert float(resolution["sart"]) >= 4  # twice the voxel
    inside = rows["error at withheld tilts, inside"]
    assert (inside["unit"], inside["wbp"]) == ("%", "20")


def test_every_row_of_the_short_table_says_what_it_means(events):
    for row in events[-1].figures:
        assert row.is_detail or row.meaning.endswith("."), row.name


def test_a_value_at_its_floor_is_no_measurement():
    row = ResultsRow("resolution", "nm", {"tvm": 6.72, "wbp": 11.234}, floor=6.72)
    assert row.write("tvm") == "not below 6.7"
    assert row.write("tvm", plain=True) == "6.72"
    assert row.write("wbp") == "11.2"
    assert row.write("wbp", plain=True) == "11.23"
    assert row.write("gan") == ""


def test_details_are_in_the_csv_and_not_in_the_text(events):
    table = events[-1]
    assert len(table.residuals["sart"]) == ANGLES.size
    assert "residual at -60.00" in rows_of(table)
    text = table.to_text()
    assert "residual at -60.00" not in text
    assert text.splitlines()[0].split() == ["figure", "unit", "series", "wbp", "sart"]
    assert "both halves" in text


def test_the_report_takes_it_all(events):
    plain = json.loads(json.dumps(events[-1].to_dict()))
    assert plain["measured_range"]["missing_middle_deg"] == 90
    assert sum(plain["histogram"]["sart"]["counts"]) == N * 4 * N
    assert set(plain["shell_correlation"]["methods"]) == {"wbp", "sart"}


def test_progress_rises(events):
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1


def test_a_tilted_range_has_its_wedge_elsewhere():
    seen = MeasuredRange.of(np.arange(-40, 71, 2.0))
    assert (seen.missing_deg, seen.missing_middle_deg) == (70.0, 105.0)
