"""Amounts of memory in words, and mapped pages that are given back."""

from __future__ import annotations

import mmap

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.memory import (
    format_bytes,
    measure_free_bytes,
    measure_held_bytes,
    parse_bytes,
    release_pages,
)


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("4GB", 4e9), ("512 mb", 512e6), ("1.5GiB", 1.5 * 2**30), ("2G", 2e9), ("1000000", 1e6)],
)
def test_amounts_are_read(text, n_bytes):
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "much", "0GB", "-1GB", "4 apples", "1.2.3GB"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(WedgefillError, match="is no amount of memory"):
        parse_bytes(text)


@pytest.mark.parametrize("n_bytes", [3, 512e6, 3.21e9, 64e9])
def test_an_amount_in_words_is_enough(n_bytes):
    """An error that says how much to allow must not say too little."""
    assert parse_bytes(format_bytes(n_bytes)) >= n_bytes


def test_there_is_memory():
    assert measure_free_bytes() > 1e6
    held = measure_held_bytes()
    if held == 0:  # not every system tells
        return
    # Private pages, as numpy asks for them; numpy itself may give some that were held before.
    with mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        for start in range(0, len(block), mmap.PAGESIZE):
            block[start] = 1
        assert measure_held_bytes() >= held + 0.8 * len(block)


def test_released_pages_come_back(tmp_path):
    written = np.arange(100_000, dtype=np.float32).reshape(100, 1000)
    path = tmp_path / "a.raw"
    path.write_bytes(written.tobytes())
    mapped = np.memmap(path, np.float32, "r", shape=written.shape)
    for array in (mapped, mapped[::-1, 3:], np.asarray(mapped), written):
        before = array.copy()
        release_pages(array)
        np.testing.assert_array_equal(array, before)
