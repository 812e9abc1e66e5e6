"""Groups that stay on the device are what the stages and the network's passes make them."""

import json

import numpy as np
import pytest
import torch

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.inference import registry
from napari_wedgefill.inference.contract import InputContract
from napari_wedgefill.training import batches, export, resident, train
from napari_wedgefill.training.examples import OBJECTS, SLICES, simulate_group
from napari_wedgefill.training.networks import TomogramGenerator, tomogram_generator_of
from napari_wedgefill.training.residents import MIXED, PASSES, Residents, slices_each
from napari_wedgefill.training.stages import STAGES

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six groups that validate, one to train on."""
    folder = tmp_path_factory.mktemp("groups")
    for seed in range(batches.N_VALIDATION + 1):
        group = simulate_group(seed, 32, InputContract(sart_sweeps=2, tvm_steps=6))
        np.savez(folder / f"group_{1000 + 2 * seed}.npz", **group)
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run whose networks were trained for seconds."""
    out = tmp_path_factory.mktemp("run")
    for stage in STAGES:
        train.main([stage, str(data), str(out), "--steps", "20", "--batch", "2"])
    return out


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    """The run as a model folder."""
    folder = tmp_path_factory.mktemp("model")
    export.main([str(run), str(folder), "--name", "mine"])
    return folder


@pytest.fixture
def residents(run, tmp_path):
    """The run's groups, reconstructed here anew."""
    for stage in ("sinogram", "tomogram"):
        (tmp_path / f"{stage}.pt").write_bytes((run / f"{stage}.pt").read_bytes())
    return Residents(tmp_path, CPU, InputContract())


def test_a_resident_is_seen_as_the_stages_see_a_group_on_disk(residents, data, run):
    path = batches.groups(data, validation=False)[0]
    group = residents.admit(path)
    expected, truth = batches.refinement_examples(path, run, InputContract())
    everything = torch.arange(OBJECTS * SLICES)
    for k, kind in enumerate(("the completed WBP", "TVM", "the volume")):
        ours, theirs = (x[:, 3 * k : 3 * k + 3] for x in (group.inputs(everything), expected))
        torch.testing.assert_close(ours, theirs, atol=4e-3, rtol=4e-3, msg=lambda m, k=kind: k + m)
    torch.testing.assert_close(group.truth[:, None].float(), truth, atol=2e-3, rtol=2e-3)


def test_neighbours_of_a_slice_are_of_its_object(residents, data):
    group = residents.admit(batches.groups(data, validation=False)[0])
    first_of_second = group.inputs(torch.tensor([SLICES]))[0]
    torch.testing.assert_close(first_of_second[0], first_of_second[1])
    assert (first_of_second[1] != first_of_second[2]).any()


def test_a_group_begins_anew_after_its_last_pass(residents, data):
    group = residents.admit(batches.groups(data, validation=False)[0])
    seen = [group.now]
    for _ in range(PASSES):
        residents.advance(group, TomogramGenerator())
        seen.append(group.now)
    assert group.passes == 0
    assert seen[-1] is seen[0]
    assert len({id(now) for now in seen}) == PASSES


def test_batches_hold_as_many_pixels_whatever_the_width():
    assert MIXED * slices_each(64, 128) == 64
    assert MIXED * slices_each(64, 256) == 16
    assert slices_each(1, 1024) == 1


@pytest.mark.parametrize("tier", sorted(resident.TIERS))
def test_weights_tell_the_shape_of_their_network(tier):
    widths, blocks = resident.TIERS[tier]
    weights = TomogramGenerator(9, widths, blocks).state_dict()
    tomogram_generator_of(weights).load_state_dict(weights)


@pytest.mark.parametrize("options", [[], ["--new", "large"]])
def test_a_refinement_is_trained_and_becomes_part_of_a_model(options, data, model, tmp_path):
    out, folder = tmp_path / "out", tmp_path / "again"
    arguments = [str(data), str(out), "--from", str(model), "--device", "cpu", *options]
    quick = ["--batch", "1", "--round", "1", "--steps"]
    resident.main([*arguments, *quick, "1"])
    curves = json.loads((out / "refinement.json").read_text())["curves"]
    assert np.isfinite([[c["start"], c["once"], c["validation"]] for c in curves]).all()
    resident.main([*arguments, *quick, "5"])  # goes on, with the adversarial term
    longer = json.loads((out / "refinement.json").read_text())["curves"]
    assert longer[: len(curves)] == curves
    assert longer[-1]["step"] > curves[-1]["step"]
    assert "deceit" in longer[-1]
    export.main([str(out), str(folder), "--name", "again"])
    assert registry.load(folder).refines


def test_an_empty_folder_is_told(model, tmp_path):
    with pytest.raises(WedgefillError, match="holds too few groups"):
        resident.main(
            [str(tmp_path), str(tmp_path / "out"), "--from", str(model), "--minutes", "1"]
        )
