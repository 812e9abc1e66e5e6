"""The check that results keep their bytes: a changed, a missing and a new volume are all told."""

from __future__ import annotations

import pytest

from benchmarks.quality.same_bytes import compare, hash_volumes


@pytest.fixture
def folders(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a_wbp.mrc").write_bytes(b"voxels")
    return tmp_path / "old", tmp_path / "new"


def test_equal_volumes_are_the_same(folders, capsys):
    old, new = map(hash_volumes, folders)
    assert compare(old, new)
    assert "the same" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "content"), [("a_wbp.mrc", b"voxelz"), ("a_gan.mrc", b"voxels")])
def test_one_byte_or_one_file_more_is_a_difference(folders, capsys, name, content):
    (folders[1] / name).write_bytes(content)
    old, new = map(hash_volumes, folders)
    assert not compare(old, new)
    assert f"{name}: " in capsys.readouterr().out


def test_nothing_is_not_the_same_as_nothing():
    assert not compare({}, {})
