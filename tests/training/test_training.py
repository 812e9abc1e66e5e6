"""The whole way from one's own volumes to a filled series: simulate, train, export, fill.

Each step is taken once, for seconds, and looked at by many tests.
"""

import dataclasses
import json
import shutil
import tomllib

import mrcfile
import numpy as np
import onnxruntime
import pytest
import torch

from napari_wedgefill.cli import main
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import write_volume
from napari_wedgefill.joint_model import registry
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.training import export, train
from napari_wedgefill.training.networks import TomogramGenerator, load_generator, read_weights
from napari_wedgefill.training.run_folder import copy_earlier_networks, load_trained
from napari_wedgefill.training.stage import Plan
from napari_wedgefill.training.stages import STAGES
from napari_wedgefill.training.state import start
from napari_wedgefill.training.teacher import Teacher
from napari_wedgefill.volume import Volume
from tests.training.bricks import brick

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("in_miniature")


def wedgefill(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Volume of one's own, a brick."""
    path = tmp_path_factory.mktemp("mine") / "brick.mrc"
    return write_volume(path, Volume(brick(), voxel_nm=(1.0, 1.0, 1.0)))


def simulate(folder, mine):
    """Three tiny groups: one validates, two train."""
    wedgefill("simulate", folder, "--objects", mine, "--groups", 3, "--width", 32, "--share", 0.8)
    return folder


@pytest.fixture(scope="module")
def data(mine, tmp_path_factory):
    """Folder of groups."""
    return simulate(tmp_path_factory.mktemp("groups"), mine)


@pytest.fixture(scope="module")
def trained(in_miniature, data, tmp_path_factory):
    """Every stage, for seconds: enough to run every part of the loop, adversarial term included."""
    run = tmp_path_factory.mktemp("run")
    for stage in STAGES:
        wedgefill("train", stage, data, run, "--steps", 8, "--batch", 2)
    return run


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The run as a model folder."""
    folder = tmp_path_factory.mktemp("exported")
    wedgefill("export", trained, folder, "--name", "mine", "--summary", "knows bricks")
    return folder


def test_groups_that_are_there_are_kept_and_those_that_lack_are_made(data, mine, tmp_path):
    again = shutil.copytree(data, tmp_path / "again")
    lost = again / "group_1001.npz"
    lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in again.iterdir()}
    simulate(again, mine)
    assert sorted(again.iterdir()) == sorted([*kept, lost])
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    with np.load(lost) as found, np.load(data / lost.name) as first:
        for name in first.files:
            np.testing.assert_array_equal(found[name], first[name])


@pytest.mark.slow
def test_a_series_is_filled_by_the_model_of_ones_own_volumes(mine, exported, tmp_path):
    (tmp_path / "tilts.tlt").write_text("\n".join(str(a) for a in range(-60, 61, 10)))
    series, angles, filled = (tmp_path / name for name in ("tilts.mrc", "tilts.tlt", "filled"))
    wedgefill("project", mine, "--angles", angles, "-o", series)
    options = ["--methods", "gan", "--model", exported, "--device", "cpu", "--slices", "18:22"]
    wedgefill("fill", series, "-o", filled, *options)
    report = json.loads((filled / "report.json").read_text())
    assert report["model"]["name"] == "mine"
    assert report["model"]["precision"] == "float32"
    assert "sinogram_fp16" in report["model"]["sha256"]
    with mrcfile.open(filled / "tilts_gan.mrc") as file:
        volume = file.data.copy()
    truth = brick()[:, 18:22]
    assert np.corrcoef(volume.ravel(), truth.ravel())[0, 1] > 0.8


@pytest.mark.parametrize(("stage", "channels"), [("sinogram", 3), ("tomogram", 9)])
def test_onnx_answers_as_torch_does_at_any_size(trained, exported, stage, channels):
    """And so does a network that is made from the file again."""
    made, path = load_trained(stage, trained), exported / f"{stage}.onnx"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map["model"] == "mine"
    assert str(exported.parent).encode() not in path.read_bytes()
    again = load_generator(path)
    for shape in ((1, channels, 32, 48), (3, channels, 64, 16)):
        x = torch.randn(shape)
        with torch.no_grad():
            expected = made(x)
            torch.testing.assert_close(again(x), expected, atol=1e-5, rtol=1e-5)
        (answer,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        np.testing.assert_allclose(answer, expected, atol=1e-4)


def read_curves(run, stage):
    return json.loads((run / f"{stage}.json").read_text())["curves"]


def test_every_stage_trains_with_pixel_loss_then_adversarially(trained):
    for stage in STAGES:
        curves = read_curves(trained, stage)
        assert "deceit" not in curves[0]
        assert "deceit" in curves[-1]
        assert np.isfinite([[c["start"], c["validation"]] for c in curves]).all()
        assert curves[-1]["validation"] < 1.01 * curves[0]["validation"]
        assert curves[-1]["groups"] == 2


def test_training_goes_on_where_it_stopped(trained, data, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    before = read_curves(run, "sinogram")
    train.main(["sinogram", str(data), str(run), "--steps", "28", "--batch", "2"])
    after = read_curves(run, "sinogram")
    assert after[: len(before)] == before
    assert after[-1]["step"] > before[-1]["step"]


def test_a_training_that_is_done_stays_as_it_is(trained, data):
    before = {path: path.read_bytes() for path in trained.glob("*.*")}
    for stage in STAGES:
        train.main([stage, str(data), str(trained), "--steps", "8", "--batch", "2"])
    assert {path: path.read_bytes() for path in trained.glob("*.*")} == before


def test_a_checkpoint_of_another_shape_is_refused(trained, data):
    command = ["refinement", str(data), str(trained), "--steps", "30", "--size", "large"]
    with pytest.raises(WedgefillError, match=r"refinement\.ckpt is of a network of another shape"):
        train.main(command)


def test_a_folder_of_too_few_groups_is_refused(trained, tmp_path):
    with pytest.raises(WedgefillError, match="holds too few groups"):
        train.main(["tomogram", str(tmp_path), str(trained), "--steps", "40"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["sinogram", "--steps", "0"], "There is no time to train"),
        (["tomogram", "--steps", "2", "--size", "small"], "--size is for the refinement"),
        (["tomogram", "--steps", "2", "--taught", "1.5"], "--taught 1.5 is not a share"),
        (["tomogram", "--steps", "2"], "no finished sinogram network"),
    ],
)
def test_what_cannot_be_trained_is_refused(data, tmp_path, options, sentence):
    with pytest.raises(WedgefillError, match=sentence):
        train.main([options[0], str(data), str(tmp_path), *options[1:]])


def test_groups_that_appear_while_training_runs_are_read_once(data, tmp_path):
    for path in sorted(data.iterdir())[:2]:
        shutil.copy(path, tmp_path)
    arrivals = train.find_new_groups(tmp_path)
    assert [getattr(next(arrivals), "stem", None) for _ in range(2)] == ["group_1001", None]
    shutil.copy(data / "group_1002.npz", tmp_path)
    assert [getattr(next(arrivals), "stem", None) for _ in range(2)] == ["group_1002", None]


def test_the_learning_rate_rises_then_falls_to_a_fiftieth():
    plan = Plan(steps=1000, warm_up=100)
    state = start("sinogram", plan, CPU)
    rates = []
    for step in (0, 99, 500, 1000):
        state.step = step
        train.set_learning_rate(state, plan)
        rates.append(state.optimisers[0].param_groups[0]["lr"] / plan.learning_rate)
    assert rates == pytest.approx([0.01, 0.9765, 0.51, 0.02], abs=1e-3)


def test_a_pupil_may_err_where_its_teacher_does():
    """As far as the teacher counts, and as it errs from both sides."""

    class Uneven(torch.nn.Module):
        def forward(self, x):
            return x + torch.linspace(0.0, 1.0, x.shape[-1])

    x = torch.rand(2, 1, 4, 8)
    for share in (0.0, 0.5, 1.0):
        excused = Teacher(Uneven(), share).excuse_error(x, x)
        torch.testing.assert_close(excused, torch.full_like(x, 0.5 * share))


def test_where_only_the_teacher_counts_there_is_nothing_to_learn_from_the_truth(
    trained, exported, data, tmp_path
):
    losses = []
    for options in ([], ["--teacher", str(exported), "--taught", "1"]):
        run = tmp_path / f"run{len(losses)}"
        start = ["--from", str(exported), "--steps", "4", "--batch", "1"]
        train.main(["tomogram", str(data), str(run), *start, *options])
        curves = read_curves(run, "tomogram")
        losses.append(np.mean([c["loss"] for c in curves if "loss" in c]))
    assert losses[1] < 0.5 * losses[0]


def test_a_run_takes_its_earlier_networks_and_its_first_weights_from_a_model(
    trained, exported, data, tmp_path
):
    run = tmp_path / "run"
    train.main(
        ["refinement", str(data), str(run), "--from", str(exported), "--steps", "5", "--batch", "2"]
    )
    for stage in ("sinogram", "tomogram"):
        before, after = (torch.load(r / f"{stage}.pt", weights_only=True) for r in (trained, run))
        for name, weight in before.items():
            torch.testing.assert_close(after[name], weight, rtol=0, atol=0)
    start, end = (read_curves(r, "refinement") for r in (run, trained))
    assert start[0]["validation"] < end[0]["validation"]  # it goes on from what was learned


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_refinement_grows_into_a_size(exported, size):
    """Nothing changes at first, whatever the size; and a size that is smaller is refused."""
    known = load_generator(exported / "refinement.onnx")
    state = start("refinement", Plan(steps=1), CPU, exported, size)
    x = torch.rand(1, 9, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(state.generator(x), known(x), atol=1e-5, rtol=1e-4)


def test_a_model_that_lacks_an_earlier_network_is_refused(exported, tmp_path):
    (tmp_path / "lacking").mkdir()
    shutil.copy(exported / "tomogram.onnx", tmp_path / "lacking")
    with pytest.raises(WedgefillError, match="sinogram network cannot be used") as found:
        copy_earlier_networks("tomogram", tmp_path / "lacking", tmp_path)
    assert "\n" not in str(found.value)


def test_what_holds_no_such_network_cannot_be_trained_further(exported, tmp_path):
    with pytest.raises(WedgefillError, match="another network than the TomogramGenerator"):
        read_weights(exported / "sinogram.onnx", TomogramGenerator())
    export.export_onnx(torch.nn.Conv2d(3, 1, 3), 3, tmp_path / "other.onnx", {}, 16)
    with pytest.raises(WedgefillError, match="not hold a network that can be trained further"):
        load_generator(tmp_path / "other.onnx")
    with pytest.raises(WedgefillError, match=r"nothing\.onnx does not exist"):
        load_generator(tmp_path / "nothing.onnx")


def test_a_trained_run_becomes_a_model_that_loads(exported):
    model = registry.load(exported)
    assert model.name == "mine"
    assert model.stages == ("sinogram", "tomogram", "refinement")
    assert model.reach == (1 + len(registry.VIEWS)) * model.contract.neighbours
    assert dataclasses.asdict(model.contract) == InputContract().to_dict()


def test_a_model_is_not_replaced_unless_told_to(trained, exported):
    before = (exported / "model.toml").read_bytes()
    with pytest.raises(WedgefillError, match="holds a model already"):
        export.main([str(trained), str(exported), "--name", "other"])
    assert (exported / "model.toml").read_bytes() == before


def test_the_last_network_can_be_the_mean_of_its_own_and_another_models(
    trained, exported, tmp_path
):
    """The others are the run's, and the model says what it was averaged with.

    Of another model it may take the refinement for smooth images.
    """
    mean = tmp_path / "m"
    with pytest.raises(WedgefillError, match="nothing to average with"):
        export.main([str(trained), str(mean), "--name", "m", "--average", str(tmp_path)])
    assert not mean.exists()
    shutil.copytree(exported, mean)  # replaced, for that is asked for
    run = shutil.copytree(trained, tmp_path / "run")
    for stage in ("tomogram", "refinement"):
        own = torch.load(run / f"{stage}.pt", weights_only=True)
        torch.save({name: weight + 1.0 for name, weight in own.items()}, run / f"{stage}.pt")
    others = ["--average", str(exported), str(exported), "--overwrite"]
    with pytest.raises(WedgefillError, match=r"refinement\.onnx does not exist; name a folder"):
        export.main([str(run), str(mean), "--name", "m", *others, "--smooth", str(tmp_path)])
    export.main([str(run), str(mean), "--name", "m", *others, "--smooth", str(exported)])
    assert_moved(exported, mean, {"tomogram": 1.0, "refinement": 1 / 3})
    assert_same_refinement(registry.load(mean), exported)
    training = tomllib.loads((mean / "model.toml").read_text())["training"]
    averaged = {s: p["averaged_with"] for s, p in training.items() if "averaged_with" in p}
    assert averaged == {"refinement": 2 * [registry.load(exported).sha256["refinement"]]}


def assert_same_refinement(model, folder):
    """What serves smooth images is the refinement of another model."""
    assert model.stages == ("sinogram", "tomogram", "refinement", "refinement_smooth")
    smooth = load_generator(model.path("refinement_smooth")).state_dict()
    for name, weight in load_generator(folder / "refinement.onnx").state_dict().items():
        torch.testing.assert_close(weight, smooth[name], rtol=0, atol=0)


def assert_moved(before, after, by):
    """Every weight of these networks is larger by so much."""
    for stage, amount in by.items():
        network = load_generator(before / f"{stage}.onnx")
        known, found = (read_weights(f / f"{stage}.onnx", network) for f in (before, after))
        for name, weight in found.items():
            torch.testing.assert_close(weight, known[name] + amount)
