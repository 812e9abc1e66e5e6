"""A choice between models rests on the same objects for all of them."""

import numpy as np
import pytest

from benchmarks.quality import choosing
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.joint_model.registry import find_bundled_folder
from napari_wedgefill.training.simulate import simulate_group


@pytest.fixture
def one_condition(monkeypatch):
    for name, value in {"STEPS_DEG": (5.0,), "ELECTRONS": (100.0,)}.items():
        monkeypatch.setattr(choosing, name, value)


@pytest.mark.usefixtures("one_condition")
def test_a_model_is_no_better_than_itself(tmp_path, capsys):
    np.savez(tmp_path / "group_7.npz", **simulate_group(7, 32, InputContract(tvm_steps=6)))
    small = str(find_bundled_folder() / "small")
    choosing.main([small, small, "--groups", str(tmp_path), "--objects", "1", "--width", "32"])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" (")[0] for row in rows] == [
        "| validation groups",
        "| 32 px, 5 degrees, 100",
    ]
    assert all(row.endswith("| +0.00 |") for row in rows)
