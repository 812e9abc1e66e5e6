"""Series that get into each other's way are told before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill import FillOptions, RunOptions, WedgefillError
from napari_wedgefill.batch.job import DONE, Outcome, check_jobs, make_job, name_results
from napari_wedgefill.batch.summary import COLUMNS, to_csv

WBP = RunOptions(FillOptions(methods=("wbp",)))


def test_no_series_is_refused():
    with pytest.raises(WedgefillError, match="No series was given"):
        check_jobs([])


def test_the_same_series_twice_is_refused_with_both_places():
    jobs = [replace(make_job("a.mrc", WBP), where=f"list.csv, line {n}") for n in (3, 7)]
    with pytest.raises(WedgefillError, match=r"line 7: .*given before .*line 3"):
        check_jobs(jobs)


def test_the_same_series_by_another_path_is_the_same(tmp_path):
    (tmp_path / "deep").mkdir()
    jobs = [make_job(tmp_path / "a.mrc", WBP), make_job(tmp_path / "deep" / ".." / "a.mrc", WBP)]
    with pytest.raises(WedgefillError, match="given before"):
        check_jobs(jobs)


def test_the_same_address_twice_is_refused_and_two_of_one_name_too():
    places = ("s3://b/day1/a.zarr", "s3://b/day1/a.zarr/", "s3://b/day2/a.zarr")
    jobs = [make_job(place, WBP) for place in places]
    with pytest.raises(WedgefillError, match=r"day1/a\.zarr: .*given before"):
        check_jobs(jobs[:2])
    with pytest.raises(WedgefillError, match=r"day2/a\.zarr: .*same folder 'a'"):
        check_jobs(jobs[1:])


def test_a_series_may_come_twice_with_other_settings_and_another_name():
    other = RunOptions(FillOptions(methods=("sart",)))
    jobs = [make_job("a.mrc", WBP), make_job("a.mrc", other)]
    with pytest.raises(WedgefillError, match="same folder 'a'"):
        check_jobs(jobs)
    check_jobs([jobs[0], replace(jobs[1], name="a-sart")])


def test_two_series_that_would_write_the_same_files_are_refused():
    jobs = [make_job("day1/Grid.mrc", WBP), make_job("day2/grid.mrc", WBP)]
    with pytest.raises(WedgefillError, match=r"day2.grid.mrc: .*same folder.*day1.Grid.mrc"):
        check_jobs(jobs)


@pytest.mark.parametrize("name", ["", "../up", "/root", ".hidden", "a/.b", "c:d", "a\\b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name):
    with pytest.raises(WedgefillError, match="cannot be the name of a folder"):
        check_jobs([replace(make_job("a.mrc", WBP), name=name)])


@given(st.lists(st.sampled_from(["a", "b", "A", "c/a", "c"]), min_size=1, max_size=5))
def test_jobs_pass_exactly_if_their_folders_differ(names):
    jobs = [replace(make_job(f"{k}.mrc", WBP), name=name) for k, name in enumerate(names)]
    if len({name.lower() for name in names}) == len(names):
        check_jobs(jobs)
    else:
        with pytest.raises(WedgefillError, match="same folder"):
            check_jobs(jobs)


def test_results_are_named_after_the_file(tmp_path):
    assert name_results(Path("x/ts_1.mrc")) == "ts_1"
    assert name_results(Path("x/ts_1.mrc.gz")) == "ts_1"
    (tmp_path / "grid.3").mkdir()
    assert name_results(tmp_path / "grid.3") == "grid.3"


def test_a_summary_has_a_heading_even_without_series():
    assert to_csv([]) == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("corrected", [True, False])
def test_what_the_checks_said_is_in_the_summary(corrected):
    report = {
        "check": {"sentence": "Do not use GAN here."},
        "frames": {"corrected": corrected, "sentence": "Edges of one value."},
        "gain": {"corrected": corrected, "sentence": "They differ."},
    }
    row = to_csv([Outcome("a", Path("a.mrc"), DONE, report=report)]).splitlines()[1]
    assert "Do not use GAN here." in row
    assert ("They differ." in row) is corrected
    assert ("Edges of one value." in row) is corrected


@pytest.mark.parametrize("name", ["summary.csv", "Index.html"])
def test_a_folder_is_not_called_like_a_file_of_the_batch(name):
    with pytest.raises(WedgefillError, match="writes a file of this name"):
        check_jobs([replace(make_job("a.mrc", WBP), name=name)])


def test_names_of_files_that_other_disks_do_not_take_make_names_of_folders():
    job = make_job("grid 12:30?.mrc", WBP)
    assert job.name == "grid 12_30_"
    check_jobs([job])
