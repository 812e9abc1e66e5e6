"""`wedgefill train`: a thin call of the training loop."""

from __future__ import annotations

import sys

import pytest

from napari_wedgefill.cli import main


def test_without_torch_it_says_what_to_install(wedgefill, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("napari_wedgefill.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = wedgefill("train", "sinogram", "data", "out", "--minutes", "1")
    assert "pip install torch" in ran.complaint


def test_the_loop_reads_its_own_arguments(capsys):
    pytest.importorskip("torch")
    with pytest.raises(SystemExit) as left:
        main(["train", "sinogram", "--help"])
    assert left.value.code == 0
    assert "--minutes" in capsys.readouterr().out
