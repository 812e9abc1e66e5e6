"""The one run: everything asked for, in order, under one progress, refused early or cancelled."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill import FillOptions, RunOptions, Session, TiltSeries, iter_run
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import MrcSink, read_volume
from napari_wedgefill.methods import METHODS
from napari_wedgefill.pipeline import session as sessions
from napari_wedgefill.progress import Clock
from napari_wedgefill.run import run as run_module
from napari_wedgefill.run.events import (
    Aligned,
    ComparisonPicture,
    Done,
    Field,
    Finished,
    ImagesOfNothing,
    Progress,
    QuickCheck,
    ResultsTable,
    SelfCheck,
    TrustMap,
)
from napari_wedgefill.run.folder import Provenance, Recorded, iter_run_into
from napari_wedgefill.run.run import share_out
from napari_wedgefill.volume import TiltRange

ANGLES_DEG = np.linspace(-60, 60, 25)
EVERYTHING = RunOptions(
    FillOptions(methods=("gan", "sart", "wbp"), device="cpu"),
    align=True,
    self_check=True,
    trust=True,
    table=True,
    picture=True,
)


@pytest.fixture(scope="module")
def series():
    images = np.random.default_rng(0).normal(10, 0.1, (ANGLES_DEG.size, 4, 24))
    images[:, 1:3, 8:15] += 40
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=0.5, name="block")


@pytest.fixture(scope="module")
def events(series):
    return list(iter_run(series, EVERYTHING))


def test_all_that_was_asked_for_comes_in_order(events):
    kinds = [type(event) for event in events if not isinstance(event, Progress)]
    checks = [QuickCheck, SelfCheck, TrustMap, ResultsTable, ComparisonPicture, Done]
    assert kinds == [Aligned, Field, Finished, Finished, Finished, *checks]
    methods = [event.method for event in events if isinstance(event, Finished)]
    assert methods == ["wbp", "sart", "gan"]  # by what they use; results list them as asked
    (table,) = (event for event in events if isinstance(event, ResultsTable))
    assert table.methods == ("gan", "sart", "wbp")


def test_the_volumes_history_tells_of_the_alignment(events):
    (aligned,) = (event for event in events if isinstance(event, Aligned))
    for event in events:
        if isinstance(event, Finished):
            _, *lines = (line.removeprefix("napari-wedgefill: ") for line in event.volume.history)
            assert " ".join(lines) == f"alignment: {aligned.report.sentence}"
            assert all(len(line) <= 80 for line in event.volume.history)


def test_one_progress_over_the_whole_run(events):
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert (np.diff(fractions) > -1e-12).all()
    assert fractions[0] < 0.05
    assert 0.9 < fractions[-1] <= 1
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert stages.index("measuring intensities") > 0  # the alignment came first


def test_the_report_holds_every_part(events):
    report = events[-1].report
    assert {
        "alignment",
        "gain",
        "check",
        "recommended",
        "self_check",
        "trust",
        "results",
        "versions",
        "geometry",
    } <= set(report)
    assert report["methods"] == ["gan", "sart", "wbp"]


def test_the_quick_check_is_left_out_where_it_is_not_wanted_or_no_network_ran(series):
    plain = FillOptions(methods=("wbp",), slices=(1, 3))
    for options in (RunOptions(plain), replace(EVERYTHING, check=False)):
        assert share_out(series, options).check == 0
    *_, done = iter_run(series, RunOptions(plain))
    assert "recommended" not in done.report


def test_time_left_is_that_of_the_run_and_not_of_the_step(monkeypatch):
    """At second 50 with a fifth done, 200 seconds are left, whatever a part says of itself."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock()
    now[0] += 50.0
    told = clock.tell_part(Progress("a step", 1.0, 0.0), 0.1, 0.1)
    assert told.fraction == pytest.approx(0.2)
    assert told.seconds_left == pytest.approx(200.0)
    assert Clock().tell("nothing to judge by yet", 0.5).seconds_left is None


@pytest.mark.parametrize("which", ["align", "check", "self_check", "trust", "table"])
def test_the_parts_make_up_the_whole(series, which):
    shares = share_out(series, EVERYTHING)
    assert sum(vars(shares).values()) == pytest.approx(1)
    assert getattr(shares, which) > 0
    assert getattr(share_out(series, replace(EVERYTHING, **{which: False})), which) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (RunOptions(FillOptions(methods=("magic",)), align=True, trust=True), "no method 'magic'"),
        (RunOptions(FillOptions(methods=("sart",)), align=True, trust=True), "gan was not chosen"),
        (RunOptions(FillOptions(methods=("wbp",), slices=(2, 9)), align=True), "2:9|but it has 4"),
        (RunOptions(FillOptions(model="nonsense"), align=True), "no model 'nonsense'"),
        (RunOptions(FillOptions(methods=("tvm",), max_memory=10**7), align=True), "--max-memory"),
        (RunOptions(FillOptions(methods=("wbp",), stop="never"), align=True), "no stopping rule"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_first_step(series, options, words):
    with pytest.raises(WedgefillError, match=words):
        next(iter_run(series, options))


def test_too_few_tilts_for_a_self_check_are_refused_at_once(series):
    few = series.tilts(np.arange(5))
    options = RunOptions(FillOptions(methods=("wbp",)), self_check=True)
    with pytest.raises(WedgefillError, match="at least 9 angles, but there are 5"):
        next(iter_run(few, options))


def test_closing_cancels_and_leaves_no_file(series, tmp_path):
    run = iter_run(series, RunOptions(FillOptions(methods=("sirt",))), MrcSink(tmp_path))
    while not list(tmp_path.iterdir()):
        next(run)
    run.close()
    assert not list(tmp_path.iterdir())
    with pytest.raises(StopIteration):
        next(run)


def test_a_session_measures_a_series_once(series, monkeypatch):
    measured = []
    real = sessions.measure_calibration
    monkeypatch.setattr(
        sessions, "measure_calibration", lambda series: measured.append(series) or real(series)
    )
    session, options = Session(), RunOptions(FillOptions(methods=("wbp",)))
    for _ in range(2):
        list(iter_run(series, options, session=session))
    assert len(measured) == 1


class TestFolder:
    """A run into a folder: what is written, what is told, and what is left of a failure."""

    def test_every_file_is_told_once_it_is_there(self, series, tmp_path):
        source = tmp_path / "block.mrc"
        source.write_bytes(b"anything")
        folder = tmp_path / "out"
        options = replace(EVERYTHING, fill=FillOptions(methods=("sart", "wbp")), trust=False)
        what = {}
        for event in iter_run_into(folder, series, options, Provenance(source, ["by", "hand"])):
            if isinstance(event, Recorded):
                assert event.path.stat().st_size > 0
                what[event.what] = event.path.name
        assert isinstance(event, Done)
        assert list(what) == ["wbp", "sart", "results", "png", "report"]
        assert event.report["files"] == {k: v for k, v in what.items() if k != "report"}
        assert set(event.report["sha256"]) == {"wbp", "sart"}
        assert event.report["command"] == ["by", "hand"]
        assert event.report["input"]["bytes"] == 8
        assert sorted(path.name for path in folder.iterdir()) == sorted(what.values())

    def test_a_refusal_leaves_no_folder(self, series, tmp_path):
        source = tmp_path / "block.mrc"
        source.write_bytes(b"anything")
        options = RunOptions(FillOptions(methods=("sart",)), trust=True)
        with pytest.raises(WedgefillError, match="gan was not chosen"):
            next(iter_run_into(tmp_path / "out", series, options, Provenance(source)))
        assert not (tmp_path / "out").exists()

    def test_an_earlier_run_is_replaced_only_when_asked_for(self, series, tmp_path):
        source = tmp_path / "block.mrc"
        source.write_bytes(b"anything")
        options = RunOptions(FillOptions(methods=("wbp",), slices=(2, 4)))
        where = (tmp_path / "out", series, options, Provenance(source))
        list(iter_run_into(*where))
        name = f"{series.name}_wbp.mrc"
        before = (tmp_path / "out" / name).read_bytes()
        with pytest.raises(WedgefillError, match="there already"):
            next(iter_run_into(*where))
        assert (tmp_path / "out" / name).read_bytes() == before
        list(iter_run_into(*where, overwrite=True))
        volume = read_volume(tmp_path / "out" / name)
        assert volume.first_slice == 2
        assert volume.tilt_range == pytest.approx(TiltRange.of(series.angles_deg), abs=1e-3)
        other = (where[0], replace(series, name="other"), *where[2:])
        with pytest.raises(WedgefillError, match=f"another series .{name}.*another folder"):
            next(iter_run_into(*other, overwrite=True))


def test_only_some_planes_are_kept_of_what_the_whole_run_computes(events, tmp_path, monkeypatch):
    """Volumes are crops of the whole ones to the byte; all that is measured is of the whole."""
    (series,) = (event.series for event in events if isinstance(event, Aligned))
    (trust,) = (event for event in events if isinstance(event, TrustMap))
    judged = []

    def repeat_trust_map(_series, _options, filled, **_):
        judged.append(filled.data.shape)
        yield trust

    # The networks take long, and what they say of a volume is known from the whole run.
    monkeypatch.setattr(run_module, "iter_trust_map", repeat_trust_map)
    monkeypatch.setattr(run_module, "choose_learned", lambda _: METHODS["sart"])
    fill = FillOptions(methods=("sart", "wbp"))
    options = RunOptions(fill, trust=True, table=True, planes=(5, 12))
    (source := tmp_path / "block.raw").write_bytes(b"as it was read")
    thin = list(iter_run_into(tmp_path, series, options, Provenance(source)))
    whole = {event.method: event.volume for event in events if isinstance(event, Finished)}
    for name, volume in (("sart", whole["sart"]), ("wbp", whole["wbp"]), ("trust", trust.volume)):
        written = read_volume(tmp_path / f"block_{name}.mrc")
        assert written.data.tobytes() == volume.data[5:12].tobytes()
        assert (written.first_plane, written.whole_depth) == (5, 24)
    assert judged == [(24, 4, 24)]
    (before,) = (event.report for event in events if isinstance(event, Done))
    (after,) = (event.report for event in thin if isinstance(event, Done))
    assert after["planes"] == [5, 12]
    assert "planes" not in before
    known = {row["figure"]: row for row in before["results"]["figures"]}
    same = [
        row["figure"]
        for row in after["results"]["figures"]
        if all(known.get(row["figure"], {}).get(what) == value for what, value in row.items())
    ]
    assert len(same) == len([row for row in after["results"]["figures"] if row["unit"] != "s"])


def test_planes_outside_the_volume_are_refused_before_anything_is_computed(series):
    options = RunOptions(FillOptions(methods=("wbp",)), planes=(20, 30))
    with pytest.raises(
        WedgefillError, match=r"block: planes 20:30 .* it has 24 along the beam .*<= 24"
    ):
        next(iter_run(series, options))


def test_images_that_show_nothing_are_told_before_they_are_filled():
    """Nothing is left out that nobody asked to leave out, but nobody can overlook it either."""
    rng = np.random.default_rng(3)
    images = rng.normal(10, 0.5, (ANGLES_DEG.size, 24, 32))
    images[:, 6:18, 10:20] += 40
    images[:, 9:12, 14:22] += 20
    options = RunOptions(FillOptions(methods=("wbp",)), check=False)
    clean = TiltSeries.from_arrays(images, ANGLES_DEG)
    told = list(iter_run(clean, options))
    assert not [event for event in told if isinstance(event, ImagesOfNothing)]
    assert told[-1].report["images_of_nothing"] == []
    images[7] = rng.normal(30, 8, images.shape[1:])
    told = list(iter_run(TiltSeries.from_arrays(images, ANGLES_DEG), options))
    (event,) = (event for event in told if isinstance(event, ImagesOfNothing))
    assert "7 (-25.0 degrees)" in event.sentence
    assert "wedgefill prepare leaves them out" in event.sentence
    (listed,) = told[-1].report["images_of_nothing"]
    assert (listed["tilt"], listed["angle_deg"]) == (7, -25.0)
    assert told[-1].report["geometry"]["n_tilts"] == ANGLES_DEG.size
