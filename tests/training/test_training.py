"""Simulated acquisitions obey physics, training learns and resumes, ONNX answers as torch does."""

import dataclasses
import json
import shutil
import tomllib

import numpy as np
import onnxruntime
import pytest
import torch

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model import registry
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.training import batches, export, frames, phantoms, train
from napari_wedgefill.training.acquisition import (
    Scheme,
    add_noise,
    draw_scheme,
    record,
)
from napari_wedgefill.training.examples import simulate_group
from napari_wedgefill.training.losses import (
    adversarial_discriminator,
    back_projected_l1,
)
from napari_wedgefill.training.networks import (
    SinogramGenerator,
    TomogramGenerator,
    shipped_generator,
    shipped_weights,
)
from napari_wedgefill.training.stages import STAGES

CONTRACT = InputContract(n_rows=48, sart_sweeps=3, tvm_steps=9)


@pytest.mark.parametrize("name", sorted(phantoms.FAMILIES))
def test_families_draw_finite_objects_and_repeat_for_a_seed(name):
    at = frames.grid(64, 3)
    drawn = [
        phantoms.draw(np.random.default_rng(5), at, {name: phantoms.FAMILIES[name]})
        for _ in range(2)
    ]
    assert drawn[0].shape == (64, 64, 3)
    assert np.isfinite(drawn[0]).all()
    assert drawn[0].min() >= 0
    np.testing.assert_array_equal(*drawn)


def test_a_recording_is_the_projection_of_the_averaged_object():
    axis = np.arange(64) - 31.5
    fine = np.exp(-((axis[:, None] - 5) ** 2 + (axis[None, :] + 8) ** 2) / 50)[:, :, None]
    fine = np.repeat(fine, 2, axis=2).astype(np.float32)
    scheme = Scheme(np.array([-50.0, 0.0, 30.0]), 0.0, np.zeros(3))
    rows = record(fine, 32, scheme)
    beam = ParallelBeam(scheme.angles_deg, 32)
    expected = beam(frames.average_pairs(fine))
    np.testing.assert_allclose(rows, expected, atol=0.02 * expected.max())


def test_poisson_noise_has_the_variance_of_its_dose():
    rows = np.full((40, 50, 4), 3.0, np.float32)
    noisy = add_noise(np.random.default_rng(0), rows, electrons=100, readout=0, background=0)
    assert noisy.mean() == pytest.approx(3, rel=0.01)
    assert noisy.std() == pytest.approx(0.3, rel=0.05)


def test_schemes_are_ascending_and_within_reach():
    for seed in range(50):
        angles = draw_scheme(np.random.default_rng(seed)).angles_deg
        assert np.all(np.diff(angles) >= 0)
        assert len(angles) >= 15
        assert np.abs(angles).max() <= 90


def test_the_back_projected_loss_ignores_what_cannot_be_seen():
    rows = torch.linspace(0, 177, 60)
    assert back_projected_l1(torch.zeros(2, 1, 60, 32), rows) == 0
    constant = back_projected_l1(torch.ones(1, 1, 60, 32), rows)
    stripes = back_projected_l1((-1.0) ** torch.arange(32).expand(1, 1, 60, 32), rows)
    assert stripes > 3 * constant


def test_the_penalty_is_the_squared_slope_of_the_discriminator():
    torch.manual_seed(0)
    linear = torch.nn.Conv2d(1, 1, 8, bias=False)
    real, fake = torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8)
    _, margin, slope = adversarial_discriminator(linear, real, fake, 1.0)
    assert slope.item() == pytest.approx(2 * linear.weight.square().sum().item(), rel=1e-5)
    assert margin.item() == pytest.approx((linear(real) - linear(fake)).mean().item(), rel=1e-4)


def test_networks_see_no_batch_and_no_position():
    """No normalisation layer: a slice alone, in a batch or shifted by a multiple gives the same."""
    torch.manual_seed(0)
    network = TomogramGenerator(9).eval()
    x = torch.randn(2, 9, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), atol=1e-5, rtol=1e-4)
    assert not [m for m in network.modules() if "Norm" in type(m).__name__]


def test_measured_rows_pass_the_sinogram_network_untouched():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32)
    x[:, 2] = 0
    x[:, 2, ::3] = 1
    with torch.no_grad():
        answer = SinogramGenerator()(x)
    torch.testing.assert_close(answer[:, :, ::3], x[:, :1, ::3], rtol=0, atol=0)
    assert (answer - x[:, :1]).abs().max() > 0


@pytest.mark.parametrize(("network", "channels"), [(SinogramGenerator, 3), (TomogramGenerator, 9)])
def test_onnx_answers_as_torch_does_at_any_size(tmp_path, network, channels):
    torch.manual_seed(1)
    made = network() if channels == 3 else network(channels)
    path = tmp_path / "net.onnx"
    export.export(made, channels, path, {"model": "test"}, 16)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"model": "test"}
    assert str(tmp_path).encode() not in path.read_bytes()
    for shape in ((1, channels, 32, 48), (3, channels, 64, 16)):
        x = torch.randn(shape)
        with torch.no_grad():
            expected = made(x).numpy()
        (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        np.testing.assert_allclose(answer, expected, atol=1e-4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight tiny groups: six validate, two train."""
    folder = tmp_path_factory.mktemp("groups")
    for seed in range(batches.N_VALIDATION + 2):
        group = simulate_group(seed, 32, InputContract(sart_sweeps=2, tvm_steps=6))
        np.savez(folder / f"group_{1000 + seed}.npz", **group)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Every stage, for seconds: enough to run every part of the loop, adversarial term included."""
    out = tmp_path_factory.mktemp("run")
    for stage in STAGES:
        train.main([stage, str(data), str(out), "--steps", "20", "--batch", "2"])
    return out


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The run as a model folder."""
    folder = tmp_path_factory.mktemp("exported")
    export.main([str(trained), str(folder), "--name", "mine"])
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """A tomogram network with weights that are not zero, and the folder that holds it alone."""
    torch.manual_seed(3)
    network, folder = TomogramGenerator(), tmp_path_factory.mktemp("shipped")
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    export.export(network, 9, folder / "tomogram.onnx", {}, 16)
    return network, folder


def test_every_stage_trains_with_pixel_loss_then_adversarially(trained):
    for stage in STAGES:
        record = json.loads((trained / f"{stage}.json").read_text())
        curves = record["curves"]
        assert "deceit" not in curves[0]
        assert "deceit" in curves[-1]
        assert np.isfinite([c["validation"] for c in curves]).all()
        assert curves[-1]["validation"] < 1.5 * curves[-1]["start"]


def test_training_goes_on_where_it_stopped(trained, data):
    before = json.loads((trained / "sinogram.json").read_text())["curves"]
    train.main(["sinogram", str(data), str(trained), "--steps", "28", "--batch", "2"])
    after = json.loads((trained / "sinogram.json").read_text())["curves"]
    assert after[: len(before)] == before
    assert after[-1]["step"] > before[-1]["step"]


def test_a_discriminator_can_start_anew_beside_a_trained_generator(trained):
    state = train.start(STAGES["tomogram"], train.Plan(steps=1), torch.device("cpu"))
    judge = state.discriminator.last.weight.clone()
    before = state.generator.last.weight.clone()
    state.load(trained / "tomogram.ckpt", torch.device("cpu"), fresh_judge=True)
    assert torch.equal(state.discriminator.last.weight, judge)
    assert not torch.equal(state.generator.last.weight, before)
    state.load(trained / "tomogram.ckpt", torch.device("cpu"))
    assert not torch.equal(state.discriminator.last.weight, judge)


def test_the_tomogram_stage_asks_for_the_sinogram_stage(data, tmp_path):
    with pytest.raises(WedgefillError, match="train that stage to its end"):
        train.main(["tomogram", str(data), str(tmp_path), "--steps", "2"])


def test_what_a_run_made_of_a_group_is_its_own(trained, data, tmp_path):
    """Another first stage completes sinograms otherwise; its tomogram network must see those."""
    kept = sorted(p.name for p in (trained / "completed").iterdir())
    assert kept == sorted(f"{p.stem}.npy" for p in data.glob("group_*.npz"))
    torch.manual_seed(9)
    other = SinogramGenerator()
    torch.nn.init.normal_(other.last.bias, std=1.0)
    torch.save(other.state_dict(), tmp_path / "sinogram.pt")
    train.main(["tomogram", str(data), str(tmp_path), "--steps", "2", "--batch", "2"])
    one, another = (np.load(run / "completed" / kept[0]) for run in (trained, tmp_path))
    assert np.abs(one - another).max() > 0.01


def test_the_refinement_asks_for_the_tomogram_stage(trained, data, tmp_path):
    (tmp_path / "sinogram.pt").write_bytes((trained / "sinogram.pt").read_bytes())
    with pytest.raises(WedgefillError, match="no finished tomogram stage"):
        train.main(["refinement", str(data), str(tmp_path), "--steps", "2"])


def test_the_refinement_begins_with_the_tomogram_network_and_no_correction(shipped):
    network, folder = shipped
    state = train.start(
        STAGES["refinement"], train.Plan(steps=1), torch.device("cpu"), model=folder
    )
    torch.testing.assert_close(state.generator.enter.weight.detach(), network.enter.weight.detach())
    x = torch.rand(1, 9, 16, 16)
    with torch.no_grad():  # channel 7: the slice itself in the third kind of input
        torch.testing.assert_close(state.generator(x), x[:, 7:8], atol=0.1, rtol=0)


def test_a_folder_that_lacks_an_earlier_network_is_told(shipped, data, tmp_path):
    """With its own earlier stages a run needs no more of that folder than the one network."""
    _, folder = shipped
    command = ["tomogram", str(data), str(tmp_path / "run"), "--steps", "2", "--batch", "2"]
    with pytest.raises(WedgefillError, match="sinogram network cannot be taken over") as found:
        train.main([*command, "--from", str(folder)])
    assert "\n" not in str(found.value)
    torch.save(SinogramGenerator().state_dict(), tmp_path / "run" / "sinogram.pt")
    train.main([*command, "--from", str(folder)])
    assert (tmp_path / "run" / "tomogram.ckpt").is_file()


def test_training_can_go_on_from_a_shipped_model(tmp_path):
    torch.manual_seed(3)
    shipped = SinogramGenerator()
    for weight in shipped.parameters():  # a fresh network's biases are zero, and stored once
        torch.nn.init.normal_(weight, std=0.05)
    export.export(shipped, 3, tmp_path / "sinogram.onnx", {}, 16)
    plan = train.Plan(steps=1)
    state = train.start(STAGES["sinogram"], plan, torch.device("cpu"), tmp_path)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(state.generator(x), shipped(x), atol=1e-4, rtol=1e-4)
    with pytest.raises(WedgefillError, match="another network than TomogramGenerator"):
        shipped_weights(TomogramGenerator(), tmp_path / "sinogram.onnx")
    export.export(torch.nn.Conv2d(3, 1, 3), 3, tmp_path / "other.onnx", {}, 16)
    with pytest.raises(WedgefillError, match="not hold a network that can be trained on"):
        shipped_generator(tmp_path / "other.onnx")


def test_a_trained_run_becomes_a_model_that_loads(exported):
    model = registry.load(exported)
    assert model.name == "mine"
    assert model.stages == ("sinogram", "tomogram", "refinement")
    assert model.reach == (1 + len(registry.VIEWS)) * model.contract.neighbours
    assert dataclasses.asdict(model.contract) == InputContract().to_dict()


def test_a_refinement_can_be_trained_for_an_exported_model(trained, exported, data, tmp_path):
    """Its earlier networks are taken over, and can be exported again with the new one.

    Its refinement goes over the groups of odd seeds before the new one sees them.
    """
    run = tmp_path / "run"
    start = ["--from", str(exported), "--steps", "20", "--batch", "2"]
    train.main(["refinement", str(data), str(run), *start])
    before, after = (torch.load(r / "tomogram.pt", weights_only=True) for r in (trained, run))
    assert all(torch.equal(before[name], after[name]) for name in before)
    for path in data.glob("group_*.npz"):
        one, other = (np.load(batches.estimate_path(path, r)) for r in (trained, run))
        changed = np.linalg.norm((one - other).astype(float)) / np.linalg.norm(one.astype(float))
        assert (changed > 0.01) == (int(path.stem.split("_")[1]) % 2 == 1)
    export.main([str(run), str(tmp_path / "again"), "--name", "again"])
    assert registry.load(tmp_path / "again").refines


def test_the_last_network_can_be_the_mean_of_its_own_and_another_models(
    trained, exported, tmp_path
):
    """The others are the run's, and the model says what it was averaged with."""
    nothing = ["--name", "m", "--average", str(tmp_path)]
    with pytest.raises(WedgefillError, match="to average with; name the folder"):
        export.main([str(trained), str(tmp_path / "m"), *nothing])
    assert not (tmp_path / "m").exists()
    run = shutil.copytree(trained, tmp_path / "run")
    for stage in ("tomogram", "refinement"):
        own = torch.load(run / f"{stage}.pt", weights_only=True)
        torch.save({name: weight + 1.0 for name, weight in own.items()}, run / f"{stage}.pt")
    export.main([str(run), str(tmp_path / "m"), "--name", "m", "--average", str(exported)])
    for stage, moved in {"tomogram": 1.0, "refinement": 0.5}.items():
        other, found = (
            shipped_weights(TomogramGenerator(), folder / f"{stage}.onnx")
            for folder in (exported, tmp_path / "m")
        )
        for name, weight in found.items():
            torch.testing.assert_close(weight, other[name] + moved)
    training = tomllib.loads((tmp_path / "m" / "model.toml").read_text())["training"]
    averaged = {s: p["averaged_with"] for s, p in training.items() if "averaged_with" in p}
    own = registry.load(exported).sha256["refinement"]
    assert averaged == {"refinement": [own]}
    # Of three models, two of which are alike.
    export.main(
        [str(run), str(tmp_path / "m"), "--name", "m", "--average", str(exported), str(exported)]
    )
    other, found = (
        shipped_weights(TomogramGenerator(), folder / "refinement.onnx")
        for folder in (exported, tmp_path / "m")
    )
    for name, weight in found.items():
        torch.testing.assert_close(weight, other[name] + 1 / 3)
