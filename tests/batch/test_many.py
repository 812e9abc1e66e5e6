"""Many series through a client: the same bytes as a fill, and none waits for one that fails."""

from __future__ import annotations

import csv
import errno
from dataclasses import replace
from pathlib import Path

import pytest

from napari_wedgefill import FillOptions, RunOptions, WedgefillError
from napari_wedgefill.batch import submitted
from napari_wedgefill.batch.job import DONE, FAILED, KEPT, NOT_BEGUN, Outcome, make_job
from napari_wedgefill.batch.many import fill_many, hold_place, iter_many
from napari_wedgefill.cli import main
from napari_wedgefill.io import mrc_sink

CLASSICAL = RunOptions(FillOptions(methods=("wbp", "sart")), picture=True)


@pytest.fixture
def paths(write_series) -> list[Path]:
    return [write_series(f"s{k}", 6 + k) for k in range(3)]


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def read_summary(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_bytes_are_those_of_a_fill(paths, out, client, tmp_path):
    ended = fill_many(paths, CLASSICAL, folder=out, client=client)
    assert [one.state for one in ended] == [DONE] * 3
    for path in paths:
        alone = tmp_path / "alone" / path.stem
        assert main(["fill", str(path), "-o", str(alone), "--methods", "wbp,sart", "--png"]) == 0
        for file in (*alone.glob("*.mrc"), *alone.glob("*.png")):
            assert (out / path.stem / file.name).read_bytes() == file.read_bytes()


def test_a_series_that_fails_is_reported_and_the_rest_is_filled(paths, out, client):
    paths[1].write_bytes(paths[1].read_bytes()[:2000])
    ended = fill_many(paths, CLASSICAL, folder=out, client=client)
    assert [one.state for one in ended] == [DONE, FAILED, DONE]
    rows = read_summary(out)
    assert [row["state"] for row in rows] == [DONE, FAILED, DONE]
    assert "s1.mrc" in rows[1]["verdict"]
    page = (out / "index.html").read_text()
    assert 'src="s0/s0_comparison.png"' in page
    assert 'href="s2/s2_sart.mrc"' in page
    assert 'src="s1/' not in page
    ended = fill_many(paths, CLASSICAL, folder=out, client=client)
    assert [one.state for one in ended] == [KEPT, FAILED, KEPT]


def test_two_batches_at_once_do_not_share_a_folder(paths, out, client):
    """The second would clear away what the first has half-made."""
    with hold_place(out), pytest.raises(WedgefillError, match="another run is writing into"):
        fill_many(paths, CLASSICAL, folder=out, client=client)
    assert not list(out.iterdir())


def test_the_page_shows_names_and_sentences_as_text(write_series, out, client):
    path = write_series("a&b <i>")
    path.write_bytes(b"junk")
    fill_many([replace(make_job(path, CLASSICAL), name="a&b")], folder=out, client=client)
    page = (out / "index.html").read_text()
    assert "a&amp;b &lt;i&gt;" in page
    assert "<i>" not in page


def test_verdicts_of_the_checks_are_in_the_summary(paths, out, client):
    options = replace(CLASSICAL, self_check=True)
    ended = fill_many(paths[:1], options, folder=out, client=client)
    assert ended[0].verdicts == [ended[0].report["self_check"]["sentence"]]
    assert ended[0].verdicts[0] in read_summary(out)[0]["verdict"]


def test_progress_is_that_of_the_whole_batch(paths, out, client):
    told = []
    fill_many(paths, CLASSICAL, folder=out, client=client, on_progress=told.append)
    assert told[-1].fraction == 1
    assert told[-1].stage.startswith("3 of 3 series")


def test_a_full_disk_ends_the_batch_and_loses_nothing(paths, out, client, monkeypatch):
    fill_many(paths[:1], CLASSICAL, folder=out, client=client)

    def fill_up(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mrc_sink, "_write_all", fill_up)
    monkeypatch.setattr(submitted, "MOST_SUBMITTED", 1)
    ended = fill_many(paths, CLASSICAL, folder=out, client=client)
    assert [one.state for one in ended] == [KEPT, FAILED, NOT_BEGUN]
    assert ended[1].disk_is_full
    assert [row["state"] for row in read_summary(out)] == [KEPT, FAILED, NOT_BEGUN]
    assert (out / "s0" / "s0_wbp.mrc").exists()
    assert not list(out.glob(".*"))
    monkeypatch.undo()
    ended = fill_many(paths, CLASSICAL, folder=out, client=client)
    assert [one.state for one in ended] == [KEPT, DONE, DONE]


def test_a_batch_that_is_stopped_tells_how_far_it_came(paths, out, client, monkeypatch):
    monkeypatch.setattr(submitted, "MOST_SUBMITTED", 1)
    steps = iter_many([make_job(path, CLASSICAL) for path in paths], out, client)
    first = next(step for step in steps if isinstance(step, Outcome))
    steps.close()
    assert first.state == DONE
    states = [row["state"] for row in read_summary(out)]
    assert states[0] == DONE
    assert set(states[1:]) <= {DONE, NOT_BEGUN}
    assert not list(out.glob(".*"))


def test_a_worker_of_another_version_that_came_later_is_refused(paths, out, client, monkeypatch):
    version = submitted.__version__
    begin = submitted.Submitted._submit

    def submit_for_another_version(self):
        with monkeypatch.context() as patch:
            patch.setattr(submitted, "__version__", "0.0.9")
            begin(self)

    monkeypatch.setattr(submitted.Submitted, "_submit", submit_for_another_version)
    ended = fill_many(paths[:1], CLASSICAL, folder=out, client=client)
    assert ended[0].state == FAILED
    assert f"The worker has napari-wedgefill {version}" in ended[0].sentence
    assert not (out / "s0").exists()


def test_a_batch_whose_workers_are_gone_for_good_ends(paths, out, client, monkeypatch):
    monkeypatch.setattr(submitted, "LOST_SECONDS", 0.0)
    monkeypatch.setattr(submitted.Submitted, "_count_workers", lambda self: 0)
    monkeypatch.setattr(submitted.Submitted, "_submit", lambda self: None)
    with pytest.raises(WedgefillError, match="No worker is left"):
        fill_many(paths, CLASSICAL, folder=out, client=client)
    assert {row["state"] for row in read_summary(out)} == {NOT_BEGUN}


def test_a_folder_that_cannot_be_made(paths, client, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WedgefillError, match=r"taken: this folder cannot be made"):
        fill_many(paths, CLASSICAL, folder=tmp_path / "taken", client=client)
