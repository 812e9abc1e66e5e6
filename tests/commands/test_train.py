"""`wedgefill train` and `export`: thin calls of the training room."""

from __future__ import annotations

import sys

import pytest

from napari_wedgefill.cli import main


@pytest.mark.parametrize("command", ["train", "export"])
def test_without_torch_it_says_what_to_install(wedgefill, monkeypatch, command):
    for name in [name for name in sys.modules if name.startswith("napari_wedgefill.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = wedgefill(command, "one", "two")
    assert "pip install torch" in ran.complaint


@pytest.mark.parametrize(("command", "option"), [("train", "--minutes"), ("export", "--name")])
def test_the_training_room_reads_its_own_arguments(capsys, command, option):
    with pytest.raises(SystemExit) as left:
        main([command, "sinogram", "--help"])
    assert left.value.code == 0
    assert option in capsys.readouterr().out
