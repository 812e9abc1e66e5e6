"""A pair of the user's own: what a folder may hold, and the sentence for each that it may not."""

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import scipy.ndimage

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model import onnx_file, registry
from napari_wedgefill.joint_model import onnx_session as session
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training import export

STAGES = registry.load("small").stages


def copy_small(folder):
    """Copy the bundled small model without half-precision twins."""
    shutil.copytree(registry.load("small").folder, folder)
    for twin in folder.glob("*_fp16.onnx"):
        twin.unlink()
    describe(folder)
    return folder


@pytest.fixture
def mine(tmp_path):
    return copy_small(tmp_path / "mine")


def describe(folder):
    """Bring the hashes of model.toml up to the files of the folder."""
    lines = (folder / "model.toml").read_text().split("\n")
    start = lines.index("[sha256]") + 1
    stop = lines.index("", start)
    files = sorted(folder.glob("*.onnx"))
    hashes = [f'{p.stem} = "{hashlib.sha256(p.read_bytes()).hexdigest()}"' for p in files]
    (folder / "model.toml").write_text("\n".join(lines[:start] + hashes + lines[stop:]))


def foreign_network(path, n_inputs=1, rank=2):
    """Write a network of another purpose: it adds its inputs."""
    names = [f"in{k}" for k in range(n_inputs)]
    make = onnx.helper.make_tensor_value_info
    shape = [1, 3, 8, 8][:rank]
    node = onnx.helper.make_node("Sum", names, ["out"])
    graph = onnx.helper.make_graph(
        [node],
        "sum",
        [make(name, onnx.TensorProto.FLOAT, shape) for name in names],
        [make("out", onnx.TensorProto.FLOAT, shape)],
    )
    opset = onnx.helper.make_opsetid("", 20)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10), str(path))


def refused(folder, sentence):
    """Loading raises the sentence, and `fill` does before it computes anything."""
    with pytest.raises(WedgefillError, match=sentence) as found:
        registry.load(folder)
    assert "\n" not in str(found.value)
    series = TiltSeries.from_arrays(np.eye(3, dtype=np.float32)[:, None] + 1, [-1, 0, 1])
    with pytest.raises(WedgefillError, match=sentence):
        fill(series, FillOptions(methods=("wbp", "gan"), model=str(folder), device="cpu"))


def test_a_folder_with_a_description_that_fits_is_a_model(mine):
    model = registry.load(mine)
    assert model.folder == mine
    assert set(model.sha256) == set(STAGES)


def test_a_network_with_other_inputs_is_refused(mine):
    foreign_network(mine / "sinogram.onnx")
    describe(mine)
    refused(mine, r"sinogram\.onnx: this is a foreign network with input \[1, 3\], not a sinogram")
    foreign_network(mine / "sinogram.onnx", n_inputs=2, rank=4)
    describe(mine)
    refused(mine, r"\[1, 3, 8, 8\] and \[1, 3, 8, 8\], not a sinogram network")


def test_a_file_that_is_no_network_is_refused(mine):
    (mine / "tomogram.onnx").write_bytes(b"PK\x03\x04 not a network")
    describe(mine)
    refused(mine, r"tomogram\.onnx: ONNX Runtime cannot read this file as a network")


def test_the_two_stages_may_not_be_swapped(mine):
    a, b = (mine / f"{stage}.onnx" for stage in STAGES[:2])
    a.rename(mine / "kept")
    b.rename(a)
    (mine / "kept").rename(b)
    describe(mine)
    refused(mine, r"sinogram\.onnx: this is a tomogram network .*, not a sinogram network")


def test_a_model_of_two_networks_fills_and_a_third_one_must_be_described(mine):
    extra = mine / "refinement.onnx"
    third = extra.read_bytes()
    extra.unlink()
    describe(mine)
    refused(mine, r"sha256\.refinement is missing")  # for there is one for smooth images
    (mine / "refinement_smooth.onnx").unlink()
    describe(mine)
    model = registry.load(mine)
    assert model.stages == ("sinogram", "tomogram")
    assert model.reach == model.contract.neighbours
    images = np.random.default_rng(0).random((9, 2, 16), dtype=np.float32)
    series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
    options = FillOptions(methods=("gan",), model=str(mine), device="cpu")
    assert np.isfinite(fill(series, options).volumes["gan"].data).all()
    extra.write_bytes(third)
    refused(mine, r"refinement\.onnx: model\.toml does not list this file; remove it")


@pytest.mark.parametrize(
    ("blur_px", "used"), [(0.0, "refinement"), (0.5, "refinement"), (1.0, "refinement_smooth")]
)
def test_the_refinement_suits_the_images_and_the_report_names_it(mine, blur_px, used):
    u = np.arange(48) - 23.5
    images = np.zeros((21, 12, 48)) + np.sqrt(np.clip(8**2 - u**2, 0, None))
    images += np.random.default_rng(0).normal(0, 1, images.shape)
    images = scipy.ndimage.gaussian_filter(images, (0, blur_px, blur_px))
    series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 21))
    options = FillOptions(methods=("gan",), model=str(mine), device="cpu", slices=(5, 6))
    assert fill(series, options).report["model"]["refinement"] == used
    (mine / "refinement_smooth.onnx").unlink()
    describe(mine)
    assert fill(series, options).report["model"]["refinement"] == "refinement"


def test_a_contract_that_the_networks_were_not_trained_on_is_refused(mine):
    text = (mine / "model.toml").read_text()
    rows = registry.load(mine).contract.n_rows
    (mine / "model.toml").write_text(text.replace(f"n_rows = {rows}", f"n_rows = {rows + 30}"))
    refused(mine, f"trained with n_rows = {rows}, but model.toml says {rows + 30}")


def test_a_contract_from_the_future_is_refused(mine):
    text = (mine / "model.toml").read_text()
    (mine / "model.toml").write_text(text.replace("[contract]", "[contract]\ncolours = 7"))
    refused(mine, "its contract has colours, which this version .* does not know; update")


def test_another_number_of_channels_is_told_in_words():
    """A network of another version fails when it is run; ONNX Runtime's own words help nobody."""
    path = registry.load("small").path("sinogram")
    opened = session.open_session(path, "cpu", {})
    channels = opened.get_inputs()[0].shape[1]
    with pytest.raises(WedgefillError, match=f"takes {channels} channels, .* gives it 77"):
        session.run(opened, np.zeros((1, 77, 32, 32), np.float32))


def test_bundled_networks_state_opset_stage_and_contract():
    for model in registry.list_models():
        for stage in model.stages:
            found = onnx.load(str(model.path(stage)))
            assert {i.domain: i.version for i in found.opset_import}[""] == export.OPSET
            noted = onnx_file.read_signature(model.path(stage)).metadata
            assert noted["stage"] == stage
            assert noted["model"] == model.name
            assert not any(node.doc_string or node.metadata_props for node in found.graph.node)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The small model with twins that were made here."""
    folder = copy_small(tmp_path_factory.mktemp("converted") / "mine")
    for stage in STAGES:
        export.export_half_precision(folder / f"{stage}.onnx")
    describe(folder)
    return folder


@pytest.fixture
def with_twins(converted, tmp_path):
    return shutil.copytree(converted, tmp_path / "mine")


def test_half_precision_is_taken_on_cuda_and_nowhere_else(with_twins):
    model = registry.load(with_twins)
    path = model.path("sinogram")
    assert onnx_file.choose_file(path, session.CUDA).name == "sinogram_fp16.onnx"
    assert onnx_file.choose_file(path, session.CPU) == path
    assert model.precision(session.CUDA) == "float16"
    assert model.precision(session.CPU) == "float32"
    assert registry.load("small").precision(session.CPU) == "float32"
    sizes = [p.stat().st_size for p in (onnx_file.name_half_precision_twin(path), path)]
    assert sizes[0] < 0.6 * sizes[1]


def test_half_precision_files_are_checked_by_hash_too(with_twins):
    twin = with_twins / "tomogram_fp16.onnx"
    good = twin.read_bytes()
    twin.write_bytes(good[:-1] + b"!")
    refused(with_twins, r"tomogram_fp16\.onnx: its hash is")
    twin.write_bytes(good)
    text = (with_twins / "model.toml").read_text().split("\n")
    text = [line for line in text if not line.startswith("tomogram_fp16")]
    (with_twins / "model.toml").write_text("\n".join(text))
    refused(with_twins, r"tomogram_fp16\.onnx: model\.toml does not list this file")


@pytest.mark.parametrize("stage", STAGES)
def test_half_precision_answers_as_single_does(converted, stage):
    """Inputs of order one are rounded at 5e-4 of their size, and each layer adds its rounding."""
    path = converted / f"{stage}.onnx"
    single = session.open_session(path, "cpu", {})
    half = session.open_session(onnx_file.name_half_precision_twin(path), "cpu", {})
    channels = single.get_inputs()[0].shape[1]
    x = np.random.default_rng(0).random((1, channels, 48, 32), dtype=np.float32)
    if stage == "sinogram":
        x[:, 2] = x[:, 2] > 0.6  # the measured fraction
    expected, found = session.run(single, x), session.run(half, x)
    assert found.dtype == np.float32
    scale = np.sqrt(np.mean(expected**2))
    assert np.sqrt(np.mean((found - expected) ** 2)) < 2e-3 * scale
    assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()


def test_half_precision_fills_as_single_does(with_twins, tmp_path, monkeypatch):
    """The whole path, on the CPU with the files that CUDA would take."""
    truth = np.zeros((32, 32, 3), np.float32)
    truth[9:20, 12:25] = 1.0
    truth[12:16, 15:19] = 0.4
    angles = np.arange(-60, 61, 5.0)
    series = TiltSeries.from_arrays(ParallelBeam(angles, 32)(truth).transpose(0, 2, 1), angles)
    options = FillOptions(methods=("gan",), model=str(with_twins), device="cpu")
    single = fill(series, options).volumes["gan"].data
    other = shutil.copytree(with_twins, tmp_path / "half")  # a session may be kept for a folder
    options = replace(options, model=str(other))
    monkeypatch.setattr(
        session, "choose_file", lambda path, _: onnx_file.name_half_precision_twin(path)
    )
    half = fill(series, options).volumes["gan"].data
    assert 0 < np.linalg.norm(half - single) < 5e-3 * np.linalg.norm(single)
