"""Series and results at addresses: a real S3 server on this machine, memory, and plain files."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from napari_wedgefill import FillOptions, RunOptions, WedgefillError, addresses
from napari_wedgefill.addresses import Address, Store, measure_state
from napari_wedgefill.batch.job import DONE, FAILED, KEPT, make_job
from napari_wedgefill.batch.many import fill_many
from napari_wedgefill.cli import main
from napari_wedgefill.io import read_tilt_series, read_volume, write_tilt_series, write_volume
from napari_wedgefill.run.folder import Provenance
from napari_wedgefill.run.stored import iter_run_to

WBP = RunOptions(FillOptions(methods=("wbp",)), picture=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 server with a bucket called ``microscope``, and an environment that leads to it."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        S3FileSystem.clear_instance_cache()
        S3FileSystem().mkdir("microscope")
        yield "s3://microscope"
        S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def bucket(server) -> Address:
    """A part of the bucket that no other test uses."""
    return Address(server) / uuid4().hex[:8]


@pytest.fixture
def put_series(make_series, tmp_path) -> Callable[..., Address]:
    """Write a series as Zarr at an address."""

    def put(address: Address, half_width: float = 8) -> Address:
        name = address.name.removesuffix(".zarr")
        path = write_tilt_series(
            tmp_path / address.name, make_series(half_width, name), overwrite=True
        )
        Store(address).remove("")
        Store(address).send(path, "")
        return address

    return put


def read_json(address: Address) -> dict:
    return json.loads(Store(address).read_bytes("report.json"))


@pytest.mark.slow
def test_a_batch_from_s3_to_s3_has_the_values_of_a_fill_on_the_disk(
    bucket, put_series, client, tmp_path
):
    address, out = put_series(bucket / "day1/s.zarr"), bucket / "filled"
    (ended,) = fill_many([address], WBP, folder=out, client=client)
    assert ended.state == DONE, ended.sentence
    alone = tmp_path / "alone"
    source = tmp_path / address.name
    assert main(["fill", str(source), "-o", str(alone), "--methods", "wbp", "--png"]) == 0
    expected = read_volume(alone / "s_wbp.mrc")
    found = read_volume(Store(out / "s/s_wbp.zarr").fetch(tmp_path / "back"))
    np.testing.assert_array_equal(found.data, expected.data)
    assert found.voxel_nm == pytest.approx(expected.voxel_nm)
    report, local = read_json(out / "s"), json.loads((alone / "report.json").read_text())
    assert report["sha256"] == local["sha256"]
    assert report["input"]["path"] == str(address)
    assert report["input"]["sha256"] == local["input"]["sha256"]
    assert Store(out / "s").read_bytes("s_comparison.png").startswith(b"\x89PNG")
    assert f",{DONE}," in Store(out).read_bytes("summary.csv").decode()
    assert b's/s_comparison.png"' in Store(out).read_bytes("index.html")
    assert not [name for name in Store(out).list_objects() if ".wedgefill" in name]
    assert fill_many([address], WBP, folder=out, client=client)[0].state == KEPT


def test_a_batch_goes_on_and_fetches_nothing_of_what_is_whole(put_series, client, monkeypatch):
    series = [put_series(Address(f"memory://in0/s{k}.zarr"), 6 + k) for k in range(2)]
    out, fetched = Address("memory://out0"), []

    fetch = Store.fetch

    def note_and_fetch(self, *args, **more):
        fetched.append(self.address)
        return fetch(self, *args, **more)

    monkeypatch.setattr(Store, "fetch", note_and_fetch)

    def run() -> list[str]:
        return [one.state for one in fill_many(series, WBP, folder=out, client=client)]

    assert run() == [DONE, DONE]
    fetched.clear()
    assert run() == [KEPT, KEPT]
    assert not fetched
    put_series(series[0], 9)  # another series
    assert run() == [DONE, KEPT]
    Store(out).remove("s1/s1_wbp.zarr/0/0/0/0")
    assert run() == [KEPT, DONE]


def test_a_series_that_is_written_anew_with_the_same_content_is_kept(put_series, client):
    address, out = put_series(Address("memory://in/tiny.zarr")), Address("memory://out")
    assert fill_many([address], WBP, folder=out, client=client)[0].state == DONE
    before = measure_state(address)
    put_series(address)
    assert measure_state(address) != before
    assert fill_many([address], WBP, folder=out, client=client)[0].state == KEPT


def test_fill_reads_and_writes_addresses(bucket, put_series, tmp_path, capsys):
    address, out = put_series(bucket / "tiny.zarr"), bucket / "filled"
    fill = ["fill", str(address), "-o", str(out), "--methods", "wbp"]
    assert main(fill) == 0
    assert f"wrote {out}/tiny_wbp.zarr" in capsys.readouterr().err
    assert main(fill) == 1
    assert "say --overwrite" in capsys.readouterr().err
    assert main([*fill, "--overwrite"]) == 0
    assert sorted({name.partition("/")[0] for name in Store(out).list_objects()}) == [
        "report.json", "tiny_wbp.zarr",
    ]  # fmt: skip
    capsys.readouterr()
    (tmp_path / "report.json").write_bytes(Store(out).read_bytes("report.json"))
    repeat = ["fill", "--from-report", str(tmp_path / "report.json"), "-o", str(tmp_path / "again")]
    assert main(repeat) == 0
    assert "all 1 volumes have the same bytes" in capsys.readouterr().err
    put_series(address, 9)
    assert main([*repeat[:-1], str(tmp_path / "third")]) == 1
    assert "this is another file" in capsys.readouterr().err


def test_the_run_of_another_series_at_an_address_keeps_its_report(write_series):
    place, options = Address("memory://out5"), RunOptions(FillOptions(methods=("wbp",)))
    path = write_series("first")
    series, provenance = read_tilt_series(path), Provenance(path)
    list(iter_run_to(place, series, options, provenance))
    before = read_json(place)
    other = replace(series, name="second")
    with pytest.raises(WedgefillError, match=r"another series \(first_wbp.zarr\).*another address"):
        next(iter_run_to(place, other, options, provenance, overwrite=True))
    assert read_json(place) == before
    Store(place).remove("first_wbp.zarr")
    list(iter_run_to(place, other, options, provenance, overwrite=True))
    assert read_json(place)["files"] == {"wbp": "second_wbp.zarr"}


def test_from_files_to_an_address_of_files(write_series, client, tmp_path):
    path, out = write_series("tiny"), Address(f"file://{tmp_path}/out")
    assert fill_many([path], WBP, folder=out, client=client)[0].state == DONE
    alone = tmp_path / "alone"
    fill_many([path], WBP, folder=alone, client=client)
    volumes = [read_volume(tmp_path / "out" / "tiny" / "tiny_wbp.zarr"),
               read_volume(alone / "tiny" / "tiny_wbp.mrc")]  # fmt: skip
    np.testing.assert_array_equal(volumes[0].data, volumes[1].data)
    assert volumes[0].voxel_nm == pytest.approx(volumes[1].voxel_nm)
    assert fill_many([path], WBP, folder=out, client=client)[0].state == KEPT


def test_a_store_is_looked_through_and_lists_may_name_addresses(
    put_series, client, tmp_path, monkeypatch, capsys
):
    from contextlib import contextmanager

    from napari_wedgefill.batch import cluster

    @contextmanager
    def start(n_workers: int):
        yield client

    monkeypatch.setattr(cluster, "_start_cluster", start)
    root = Address("memory://session")
    for name in ("day1/a.zarr", "day2/a.zarr"):
        put_series(root / name)
    volume = read_volume_like(tmp_path)
    Store(root).send(volume, "day1/volume.zarr")
    assert main(["batch", str(root), "-o", str(root / "out"), "--methods", "wbp"]) == 0
    said = capsys.readouterr().err
    assert "2 done, 0 kept" in said
    assert "volumes that napari-wedgefill wrote are passed over: day1/volume.zarr." in said
    assert "a_wbp.zarr/.zattrs" in "\n".join(Store(root / "out/day2/a").list_objects())
    assert main(["batch", str(root), "-o", str(root / "out"), "--methods", "wbp"]) == 0
    assert "0 done, 2 kept" in capsys.readouterr().err
    (tmp_path / "tilts.tlt").write_text("\n".join(str(angle) for angle in range(-36, 42, 6)))
    (tmp_path / "list.csv").write_text(f"file,angles\n{root}/day1/a.zarr,tilts.tlt\n")
    out = str(tmp_path / "out")
    assert main(["batch", str(tmp_path / "list.csv"), "-o", out, "--methods", "wbp"]) == 0
    report = json.loads((tmp_path / "out" / "a" / "report.json").read_text())
    assert report["geometry"]["angles_deg"][0] == -36
    assert (tmp_path / "out" / "a" / "a_wbp.mrc").exists()
    rows = ["file,name", *(f"{root}/day1/a.zarr,s{k}" for k in range(8)), f"{root}/no.zarr,x"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    assert main(["batch", str(tmp_path / "list.csv"), "-o", out]) == 1
    assert "line 10: memory://session/no.zarr: there is nothing" in capsys.readouterr().err


def read_volume_like(folder: Path) -> Path:
    """Write a volume as Zarr, which a search for series passes over."""
    from napari_wedgefill import Volume

    return write_volume(folder / "v.zarr", Volume(np.ones((4, 4, 4), np.float32), name="v"))


def test_what_is_in_the_way_at_an_address_stays(put_series, client):
    address, out = put_series(Address("memory://in2/tiny.zarr")), Address("memory://out2")
    Store(out).write_bytes("tiny/tiny_wbp.zarr/.zattrs", b"mine")
    (ended,) = fill_many([address], WBP, folder=out, client=client)
    assert ended.state == FAILED
    assert "is not from an earlier run of a batch" in ended.sentence
    assert Store(out).read_bytes("tiny/tiny_wbp.zarr/.zattrs") == b"mine"


def test_a_run_that_fails_while_sending_leaves_nothing_and_one_that_was_killed_is_replaced(
    put_series, client, monkeypatch
):
    address, out = put_series(Address("memory://in3/tiny.zarr")), Address("memory://out3")
    send = Store.send

    def send_volumes_only(self, source, name):
        if not name.endswith(".zarr"):
            raise WedgefillError(f"{self.address}: the store does not answer")
        send(self, source, name)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "send", send_volumes_only)
        (ended,) = fill_many([address], WBP, folder=out, client=client)
        assert ended.state == FAILED
        assert not Store(out / "tiny").list_objects()
        patch.setattr(Store, "remove", lambda *_: None)  # killed: nothing is tidied up
        fill_many([address], WBP, folder=out, client=client)
        assert Store(out / "tiny").list_objects()
    assert fill_many([address], WBP, folder=out, client=client)[0].state == DONE
    assert not [name for name in Store(out).list_objects() if ".wedgefill" in name]


def test_an_outline_describes_a_series_without_its_pixels(put_series, tmp_path):
    store = Store(put_series(Address("memory://in4/tiny.zarr")))
    whole, outline = store.fetch(tmp_path / "a"), store.fetch(tmp_path / "b", only_outline=True)
    assert read_tilt_series(whole).n_tilts == 13
    files = [path for path in outline.rglob("*") if path.is_file()]
    assert {path.name for path in files} <= {".zgroup", ".zarray", ".zattrs"}


@pytest.mark.parametrize(
    ("file", "out", "words"),
    [
        ("s3://nobody/tiny.zarr", "out", "check the spelling of the address, bucket included"),
        ("s3://microscope/none.zarr", "out", "there is nothing at this address"),
        ("s3://microscope/tiny.mrc", "out", "is read as Zarr"),
        ("nowhere://a/b.zarr", "out", "there is no such kind of address"),
        ("gs://bucket/a.zarr", "out", "gcsfs"),
        ("tiny.mrc", "s3://nobody/out", "check the spelling of the address, bucket included"),
    ],
)  # fmt: skip
def test_a_wrong_address_is_told_in_a_sentence(
    bucket, write_series, file, out, words, tmp_path, capsys
):
    path = file if "://" in file else str(write_series("tiny"))
    place = out if "://" in out else str(tmp_path / out)
    assert main(["fill", path, "-o", place, "--methods", "wbp"]) == 1
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert words in complaint
    assert "://" in complaint
    assert not (tmp_path / "out").exists()


def test_a_store_that_does_not_answer_is_told(server, monkeypatch):
    from s3fs import S3FileSystem

    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        S3FileSystem.clear_instance_cache()
        with pytest.raises(WedgefillError, match="s3://microscope/x: the store does not answer"):
            Store(Address("s3://microscope/x")).check_writable()
    S3FileSystem.clear_instance_cache()


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(addresses, "find_spec", lambda _: None)
    with pytest.raises(WedgefillError, match=r"pip install 'napari-wedgefill\[cluster\]'"):
        Store(Address("s3://microscope/x"))


def test_what_is_an_address():
    assert make_job("s3://b/day1/grid3.zarr", WBP).name == "grid3"
    assert make_job("C:/data/grid3.mrc", WBP).source == Path("C:/data/grid3.mrc")
