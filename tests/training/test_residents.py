"""Groups that stay on the device are what the stages and the network's passes make them."""

import json

import numpy as np
import pytest
import torch

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model import registry
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.training import batches, export, pruning, resident, supply, train
from napari_wedgefill.training.examples import OBJECTS, SLICES, simulate_group
from napari_wedgefill.training.networks import TomogramGenerator, tomogram_generator_of
from napari_wedgefill.training.residents import MIXED, PASSES, Residents, slices_each
from napari_wedgefill.training.stages import STAGES
from napari_wedgefill.training.state import adopt_earlier
from napari_wedgefill.training.teaching import Teacher

CPU = torch.device("cpu")
SMALL = registry.find_bundled_folder() / "small"


@pytest.fixture(scope="module", autouse=True)
def one_group_validates():
    """Six, as in earnest, would only take longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "N_VALIDATION", 1)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One group that validates, one to train on."""
    folder = tmp_path_factory.mktemp("groups")
    for seed in (1000, 1002):
        group = simulate_group(seed, 32, InputContract(sart_sweeps=2, tvm_steps=6))
        np.savez(folder / f"group_{seed}.npz", **group)
    return folder


@pytest.fixture
def residents(tmp_path):
    """Groups as the networks that ship reconstruct them."""
    adopt_earlier(STAGES["refinement"], SMALL, tmp_path, InputContract())
    return Residents(tmp_path, CPU, InputContract())


def test_a_resident_is_seen_as_the_stages_see_a_group_on_disk(residents, data, tmp_path):
    path = batches.groups(data, validation=False)[0]
    group = residents.admit(path)
    STAGES["refinement"].prepare(tmp_path, CPU)(path, InputContract())
    expected, truth = batches.refinement_examples(path, tmp_path, InputContract())
    everything = torch.arange(OBJECTS * SLICES)
    for k, kind in enumerate(("the completed WBP", "TVM", "the volume")):
        ours, theirs = (x[:, 3 * k : 3 * k + 3] for x in (group.inputs(everything), expected))
        torch.testing.assert_close(ours, theirs, atol=4e-3, rtol=4e-3, msg=lambda m, k=kind: k + m)
    torch.testing.assert_close(group.truth[:, None].float(), truth, atol=2e-3, rtol=2e-3)


def test_a_sinogram_that_an_earlier_stage_completed_is_not_completed_again(
    residents, data, tmp_path, monkeypatch
):
    path = batches.groups(data, validation=False)[0]
    made = residents.admit(path)
    (tmp_path / "first" / f"{path.stem}.npy").unlink()
    batches.complete(path, tmp_path, residents.networks[0], InputContract())
    monkeypatch.setattr(residents, "networks", [None, residents.networks[1]])
    again = residents.admit(path)
    for kept, expected in zip(again.first, made.first, strict=True):
        torch.testing.assert_close(kept, expected, atol=4e-3, rtol=4e-3)


def test_a_supplied_group_needs_no_earlier_network(tmp_path):
    made, run = tmp_path / "data", tmp_path / "run"
    arguments = [str(made), str(run), "--from", str(SMALL), "--width", "32", "--first-seed", "7"]
    supply.main([*arguments, "--minutes", "0.001"])
    (path,) = made.glob("*.npz")
    assert path.name == "group_7.npz"
    residents = Residents(run, CPU, InputContract())
    residents.networks = []
    group = residents.admit(path)
    assert group.first[0].shape == (OBJECTS * SLICES, 32, 32)
    assert torch.isfinite(group.inputs(torch.tensor([3]))).all()


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


@pytest.mark.parametrize("options", [[], ["--grow", "large"]])
def test_a_refinement_is_trained_and_becomes_part_of_a_model(options, data, tmp_path):
    out, folder = tmp_path / "out", tmp_path / "again"
    arguments = [str(data), str(out), "--from", str(SMALL), "--device", "cpu", *options]
    resident.main([*arguments, "--batch", "1", "--round", "4", "--steps", "4"])
    curves = json.loads((out / "refinement.json").read_text())["curves"]
    assert np.isfinite([[c["start"], c["once"], c["validation"]] for c in curves]).all()
    # It goes on where it was, now with the adversarial term.
    resident.main([*arguments, "--batch", "1", "--round", "1", "--steps", "5"])
    longer = json.loads((out / "refinement.json").read_text())["curves"]
    assert longer[: len(curves)] == curves
    assert longer[-1]["step"] > curves[-1]["step"]
    assert "deceit" in longer[-1]
    if options:  # that one of the usual shape can be exported, another test says
        export.main([str(out), str(folder), "--name", "again"])
        assert registry.load(folder).refines


def test_a_narrowed_refinement_is_trained_on_and_exported(data, tmp_path):
    run, weights = tmp_path / "run", tmp_path / "pruned.pt"
    given = [str(data), str(run), "--from", str(SMALL)]
    pruning.main(["refinement", *given, "--features", "8", "-o", str(weights)])
    options = ["--weights", str(weights), "--device", "cpu", "--batch", "1", "--steps", "4"]
    resident.main([*given, *options, "--round", "4"])
    resident.main([*given, *options[:-1], "5", "--round", "1"])  # now with the adversarial term
    export.main([str(run), str(tmp_path / "lean"), "--name", "lean"])
    stored = torch.load(run / "refinement.pt", weights_only=True)
    assert len(stored["enter.bias"]) == 8
    assert registry.load(tmp_path / "lean").refines


def test_a_narrowed_tomogram_network_learns_from_the_one_that_ships(data, tmp_path):
    run, weights = tmp_path / "run", tmp_path / "pruned.pt"
    given = [str(data), str(run), "--from", str(SMALL)]
    pruning.main(["tomogram", *given, "--features", "16", "-o", str(weights)])
    teacher = ["--teacher", str(SMALL), "--taught", "1"]
    train.main(["tomogram", *given, *teacher, "--weights", str(weights), "--steps", "20"])
    curves = json.loads((run / "tomogram.json").read_text())["curves"]
    assert curves[-1]["loss"] < curves[0]["loss"]
    assert len(torch.load(run / "tomogram.pt", weights_only=True)["enter.bias"]) == 16


def test_a_pupil_may_err_where_its_teacher_does():
    """As far as the teacher counts, and as it errs from both sides."""

    class Uneven(torch.nn.Module):
        def forward(self, x):
            return x + torch.linspace(0.0, 1.0, x.shape[-1])

    x = torch.rand(2, 1, 4, 8)
    for share in (0.0, 0.5, 1.0):
        excused = Teacher(Uneven(), share).excused(x, x)
        torch.testing.assert_close(excused, torch.full_like(x, 0.5 * share))


def test_a_narrow_refinement_learns_from_the_one_that_ships(data, tmp_path):
    """Where the teacher is all that counts, nothing is to be learned from the truth."""
    arguments = [str(data), str(tmp_path), "--from", str(SMALL), "--teacher", str(SMALL)]
    options = ["--taught", "1", "--device", "cpu", "--batch", "1", "--steps", "4", "--round", "4"]
    resident.main([*arguments, *options])
    taught = json.loads((tmp_path / "refinement.json").read_text())["curves"][-1]
    resident.main([*arguments[:-2], *options, "--steps", "8"])
    alone = json.loads((tmp_path / "refinement.json").read_text())["curves"][-1]
    assert taught["loss"] < 0.5 * alone["loss"]


def test_an_empty_folder_is_told(tmp_path):
    arguments = [str(tmp_path), str(tmp_path / "out"), "--from", str(SMALL), "--steps", "1"]
    with pytest.raises(WedgefillError, match="holds too few groups"):
        resident.main(arguments)
