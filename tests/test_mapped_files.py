"""Files that change under a map: an error in one sentence instead of the end of the process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill import mapped_files
from napari_wedgefill.disk_images import DiskImages
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.mapped_files import read_mapped

pytestmark = pytest.mark.skipif(
    not hasattr(os, "preadv"), reason="this system does not let mapped files shrink"
)
SHAPE = (5, 6, 7)


def make_map(folder: Path, dtype: str = ">i2", offset: int = 13) -> np.memmap:
    path = folder / "images.raw"
    values = np.arange(np.prod(SHAPE)).astype(dtype)
    path.write_bytes(b"h" * offset + values.tobytes())
    return np.memmap(path, dtype, "r", offset, SHAPE)


def slices(n: int) -> st.SearchStrategy[slice]:
    ends = st.one_of(st.none(), st.integers(-n - 1, n + 1))
    return st.builds(slice, ends, ends, st.sampled_from([None, -1, 1, 2, -3]))


@given(keys=st.tuples(*(st.one_of(slices(n), st.integers(-n, n - 1)) for n in SHAPE)))
def test_every_view_of_a_map_is_read_as_the_map_shows_it(tmp_path_factory, keys):
    for dtype, offset in ((">i2", 13), ("<f4", 1024), ("u1", 5000)):
        mapped = make_map(tmp_path_factory.mktemp("map"), dtype, offset)
        view = mapped[keys]
        found = read_mapped(view)
        assert found.dtype == np.asarray(view).dtype
        np.testing.assert_array_equal(found, view)


def test_what_is_no_map_is_left_as_it_is():
    array = np.arange(6.0).reshape(2, 3)[::-1]
    assert read_mapped(array) is array


def test_a_file_cut_short_under_the_map_is_told(tmp_path: Path):
    images = DiskImages.of(make_map(tmp_path))
    assert images[4].shape == SHAPE[1:]
    os.truncate(tmp_path / "images.raw", 13 + 2 * 42 * 3)
    assert images[2].shape == SHAPE[1:]
    with pytest.raises(WedgefillError, match=r"images\.raw: the file was cut short"):
        images[4]
    with pytest.raises(WedgefillError, match=r"images\.raw: the file was cut short"):
        images.sinograms(0, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
def test_a_file_that_is_removed_or_replaced_is_read_to_its_end(tmp_path: Path):
    images = DiskImages.of(make_map(tmp_path))
    expected = images[:]
    (tmp_path / "images.raw").unlink()
    (tmp_path / "images.raw").write_bytes(b"another")
    np.testing.assert_array_equal(images[:], expected)


def test_descriptors_go_with_their_maps(tmp_path: Path):
    images = DiskImages.of(make_map(tmp_path))
    (descriptor,) = set(mapped_files._OPENED.values())
    mapped = os.fstat(descriptor)
    del images
    gc.collect()
    assert not mapped_files._OPENED
    with suppress(OSError):  # another thread may have opened another file under the number
        assert not os.path.samestat(os.fstat(descriptor), mapped)


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    images = DiskImages.of(make_map(tmp_path))
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(WedgefillError, match=r"can no longer be read \(Input/output error\)"):
        images[0]


@pytest.mark.parametrize("size", [(8, 32), (2100, 2100)], ids=["small", "large"])
@pytest.mark.parametrize("axis", ["y", 10.0])
def test_a_series_whose_file_shrinks_never_ends_the_process(tmp_path: Path, size, axis):
    """In a process of its own: SIGBUS would end this one."""
    path = tmp_path / "a.npy"
    np.save(path, np.ones((4, *size), np.float32) + np.arange(size[1], dtype=np.float32))
    code = f"""if True:
        import os, sys
        from napari_wedgefill.errors import WedgefillError
        from napari_wedgefill.io import read_tilt_series, read_volume
        series = read_tilt_series({str(path)!r}, angles=[0, 1, 2, 3], axis={axis!r})
        volume = read_volume({str(path)!r})
        os.truncate({str(path)!r}, 200)
        try:
            print(float(series.images[3].max()), end=" ")
        except WedgefillError as error:
            print("cut short" in str(error), end=" ")
        print(float(volume.data.max()))
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, highest = ran.stdout.split()
    # Beyond 64 MB the images stay in their file, unless they had to be interpolated.
    assert (found == "True") == (size[0] > 1000 and axis == "y")
    assert float(highest) == size[1]
