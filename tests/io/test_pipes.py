"""Pipes and devices are refused at once: reading one may wait, or go on, for ever."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, read_tilt_series


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
@pytest.mark.parametrize("name", ["a.mrc", "a.tif", "a.mrc.gz", "a.emd"])
def test_a_pipe_is_refused(tmp_path: Path, name: str):
    os.mkfifo(tmp_path / name)
    for read in (describe, read_tilt_series):
        with pytest.raises(WedgefillError, match="a pipe or a device"):
            read(tmp_path / name)
