"""Groups in memory are what a fill gives the networks, and what its passes make of them."""

import os
import time

import numpy as np
import pytest
import torch

from napari_wedgefill.joint_model import registry
from napari_wedgefill.joint_model.contract import (
    FirstEstimates,
    InputContract,
    refinement_input,
    tomogram_input,
)
from napari_wedgefill.training.groups import log_rmse, read_arrays
from napari_wedgefill.training.networks import TomogramGenerator
from napari_wedgefill.training.run_folder import copy_earlier_networks
from napari_wedgefill.training.simulate import OBJECTS, SLICES, simulate_group
from napari_wedgefill.training.stage import split_batch
from napari_wedgefill.training.stages import RefinementStage, SinogramStage, TomogramStage

CPU, CONTRACT = torch.device("cpu"), InputContract()
SMALL = registry.find_bundled_folder() / "small"
EVERYTHING = torch.arange(OBJECTS * SLICES)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A group."""
    folder = tmp_path_factory.mktemp("groups")
    group = simulate_group(1002, 32, InputContract(sart_sweeps=2, tvm_steps=6))
    np.savez(folder / "group_1002.npz", **group)
    return folder / "group_1002.npz"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with the networks that ship."""
    folder = tmp_path_factory.mktemp("run")
    copy_earlier_networks("refinement", SMALL, folder)
    return folder


@pytest.fixture(scope="module")
def stage(run):
    return RefinementStage(run, CPU, CONTRACT)


def to_solver(slices):
    return np.ascontiguousarray(slices.float().numpy().transpose(1, 2, 0))


def stack_objects(stack, *volumes):
    """Input of a network as the contract has it, an object at a time."""
    parts = [slice(k * SLICES, (k + 1) * SLICES) for k in range(OBJECTS)]
    return np.concatenate([stack(*(v[:, :, s] for v in volumes)) for s in parts])


def test_the_tomogram_network_sees_what_a_fill_gives_it(run, path):
    group = TomogramStage(run, CPU, CONTRACT).read_group(path)
    volumes = [to_solver(v) for v in (group.completed, group.sart, group.tvm)]
    expected = stack_objects(
        lambda w, s, t: tomogram_input(w, FirstEstimates(s, t), CONTRACT), *volumes
    )
    np.testing.assert_array_equal(group.inputs(EVERYTHING), expected)
    (truth,) = read_arrays(path, "truth")
    found = group.targets(EVERYTHING)[:, 0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(found, truth, atol=2e-3, rtol=2e-3)


def test_the_refinement_sees_what_a_fill_gives_it(stage, path):
    group = stage.read_group(path)
    volumes = [to_solver(v) for v in (group.now[0], group.tvm, group.now[1])]
    expected = stack_objects(lambda *v: refinement_input(*v, CONTRACT), *volumes)
    np.testing.assert_array_equal(group.inputs(EVERYTHING), expected)


def test_what_earlier_networks_made_is_used_until_they_change(run, path, monkeypatch):
    first = TomogramStage(run, CPU, CONTRACT).read_group(path)
    stage = TomogramStage(run, CPU, CONTRACT)
    monkeypatch.setattr(stage, "sinogram", None)  # it cannot be asked again
    torch.testing.assert_close(stage.read_group(path).completed, first.completed)
    later = time.time() + 5
    os.utime(run / "sinogram.pt", (later, later))
    with pytest.raises(TypeError):
        stage.read_group(path)


def test_a_group_begins_again_after_its_last_pass(stage, path):
    group = stage.read_group(path)
    seen = [group.now]
    for _ in registry.VIEWS:
        stage.advance(group, TomogramGenerator())
        seen.append(group.now)
    assert group.passes == 0
    assert seen[-1] is seen[0]
    assert len({id(now) for now in seen}) == len(registry.VIEWS)


def test_a_batch_holds_fewer_slices_of_larger_images():
    assert split_batch(64, 128, 8) == (8, 8)
    assert split_batch(64, 256, 8) == (8, 2)
    assert split_batch(2, 32, 8) == (2, 1)
    assert split_batch(1, 1024, 8) == (1, 1)
    assert split_batch(8, 128, 1) == (1, 8)


def test_the_rows_of_a_sinogram_batch_share_their_angles(run, path):
    stage = SinogramStage(run, CPU, CONTRACT)
    stage.groups = [stage.read_group(path)]
    batch = stage.draw_batch(np.random.default_rng(0), 8)
    assert len(batch.rows_deg) == batch.x.shape[2] == batch.y.shape[2] == CONTRACT.n_rows
    # The measured fraction is kept, however intensities vary.
    fractions, known = (
        x[:, 2].float().unique().tolist() for x in (batch.x, stage.groups[0].stacks)
    )
    assert set(fractions) <= set(known)


def test_slices_without_anything_to_fill_do_not_count():
    truth = torch.zeros(2, 1, 4, 4)
    where = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 4, 1)
    torch.testing.assert_close(log_rmse(truth + 0.5, truth, where).exp(), torch.tensor([0.5]))
