"""The README's Python runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill.inference.registry import available_models
from napari_wedgefill.io import read_volume, write_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.skipif(not available_models(), reason="no trained model in this checkout")
def test_the_python_of_the_readme(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    z, x, _ = np.mgrid[-16:16, -16:16, :4].astype(np.float32)
    angles = np.arange(-60.0, 61.0, 6.0)
    images = ParallelBeam(angles, 32)(np.float32((z / 6) ** 2 + (x / 10) ** 2 < 1))
    series = TiltSeries.from_arrays(images.transpose(0, 2, 1), angles, pixel_nm=0.5)
    write_tilt_series(Path("tilts.mrc"), series)
    exec(compile(code, str(README), "exec"), {})
    assert read_volume(tmp_path / "tilts_gan.mrc").data.shape == (32, 4, 32)


def test_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!http)([^)#]+)", README.read_text(encoding="utf-8"))
    assert "docs/cli.md" in links
    missing = [link for link in links if not (README.parent / link).exists()]
    assert not missing
