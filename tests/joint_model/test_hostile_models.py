"""Models that are damaged or made by others: an error that names them, never a wrong volume."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model import onnx_file, registry
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.joint_model.description import ContractDescription
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.tilt_series import TiltSeries

SHAPES = {"sinogram": 3, "tomogram": 9}


def save_network(path: Path, node: onnx.NodeProto, stage: str, *constants: onnx.TensorProto):
    """Write a network of one operation on the input "x"."""
    free = ["n", SHAPES[stage], "height", "width"]
    graph = helper.make_graph(
        [node],
        stage,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, free)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b", "c", "d"])],
        list(constants),
    )
    opset = helper.make_opsetid("", 20)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), str(path))


def constant(name: str, value) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


MEAN = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)
AXES = constant("axes", np.array([1], np.int64))
#: What the sinogram network does instead, and the sentence that names it.
BAD = {
    "NaN": (helper.make_node("Div", ["x", "zero"], ["y"]), constant("zero", np.float32(0))),
    "shape": (
        helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1),
        constant("axes", np.array([1, 2], np.int64)),
    ),
    "crash": (
        helper.make_node("Reshape", ["x", "to"], ["y"]),
        constant("to", np.array([1, 1, 1, 7], np.int64)),
    ),
}


def write_model(folder: Path, node: onnx.NodeProto, *constants: onnx.TensorProto) -> Path:
    folder.mkdir()
    save_network(folder / "sinogram.onnx", node, "sinogram", *constants)
    save_network(folder / "tomogram.onnx", MEAN, "tomogram", AXES)
    describe(folder)
    return folder


def describe(folder: Path, contract: str = "tvm_steps = 2\nsart_sweeps = 1", **more: str) -> None:
    hashes = {p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.onnx")}
    lines = "\n".join(f'"{name}" = "{value}"' for name, value in (hashes | more).items())
    text = f'name = "strange"\nsummary = ""\n[sha256]\n{lines}\n[contract]\n{contract}\n'
    (folder / "model.toml").write_text(text)


def run_model(folder: Path) -> np.ndarray:
    images = np.random.default_rng(0).normal(0, 0.1, (9, 2, 16))
    images[:, :, 6:10] += 5
    series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
    options = FillOptions(methods=("gan",), model=str(folder), device="cpu")
    return fill(series, options).volumes["gan"].data


def test_a_strange_model_that_answers_images_runs(tmp_path: Path):
    assert np.isfinite(run_model(write_model(tmp_path / "m", MEAN, AXES))).all()


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("NaN", r"answered \(1, 3, .* where \(n, 1, "),
        ("shape", r"answered \(1, 1, 1, 16\) .* where \(n, 1, "),
        ("crash", r"cannot be run \(.*"),
    ],
)
def test_an_answer_that_is_no_image_names_network_and_model(tmp_path: Path, what, sentence):
    folder = write_model(tmp_path / "m", *BAD[what])
    with pytest.raises(WedgefillError, match=sentence) as told:
        run_model(folder)
    assert str(told.value).startswith("The sinogram network of the model 'strange'")
    assert "\n" not in str(told.value)


def test_nan_is_never_reconstructed(tmp_path: Path, monkeypatch):
    model = JointModel(registry.load(write_model(tmp_path / "m", MEAN, AXES)), "cpu")
    batch = np.ones((2, 3, 16, 16), np.float32)
    monkeypatch.setattr(
        "napari_wedgefill.joint_model.model.run", lambda session, part, more: part[:, :1] * np.nan
    )
    with pytest.raises(WedgefillError, match="'strange' answered NaN or infinite numbers"):
        list(model.run("sinogram", batch))
    batch[1, 0, 3, 3] = np.inf
    with pytest.raises(WedgefillError, match="was given numbers that are NaN or infinite"):
        list(model.run("sinogram", batch[1:]))


def with_external_weights(folder: Path, name: str = "weights.data") -> Path:
    """A model whose sinogram network keeps a tensor in another file."""
    write_model(folder, helper.make_node("Mul", ["x", "w"], ["y"]), constant("w", np.float32(2)))
    path = folder / "sinogram.onnx"
    network = onnx.load(str(path))
    onnx.external_data_helper.convert_model_to_external_data(
        network, location=name, size_threshold=0, convert_attribute=True
    )
    onnx.save(network, str(path))
    describe(folder)
    return folder


def test_weights_in_another_file_must_be_vouched_for(tmp_path: Path):
    folder = with_external_weights(tmp_path / "m")
    assert onnx_file.find_external_files(folder / "sinogram.onnx") == ["weights.data"]
    with pytest.raises(WedgefillError, match=r"sinogram\.onnx: .* 'weights\.data', whose hash"):
        registry.load(folder)
    weights = folder / "weights.data"
    describe(folder, **{"weights.data": hashlib.sha256(weights.read_bytes()).hexdigest()})
    registry.load(folder)
    weights.write_bytes(bytes(len(weights.read_bytes())))
    with pytest.raises(WedgefillError, match=r"weights\.data: its hash is"):
        registry.load(folder)


def test_bundled_networks_have_all_weights_in_them():
    for path in registry.find_bundled_folder().glob("*/*.onnx"):
        assert onnx_file.find_external_files(path) == []


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_network_or_are_refused(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("any") / "a.onnx"
    for begin in (b"", b"\x32\x08location"):  # a comment for which all of it is looked through
        path.write_bytes(begin + raw)
        with contextlib.suppress(WedgefillError):
            assert isinstance(onnx_file.find_external_files(path), list)


def test_the_description_knows_every_number_of_the_contract():
    usual = ContractDescription()
    assert usual.model_dump() == InputContract().to_dict()


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("n_rows = 120", "n_rows = -1", r"contract\.n_rows is -1: should be greater"),
        (
            "n_rows = 120",
            "n_rows = 1e9",
            r"contract\.n_rows is 1000000000\.0: should be a valid int",
        ),
        ("n_rows = 120", 'n_rows = "120"', r"contract\.n_rows is '120': should be a valid integer"),
        ("n_rows = 120", "n_rows = nan", r"contract\.n_rows is nan"),
        ("multiple = 16", "multiple = 0", r"contract\.multiple is 0: should be greater"),
        ("neighbours = 1", "neighbours = true", r"contract\.neighbours is True: should be a valid"),
        ('name = "small"', "name = 3", r"name is 3: should be a valid string"),
        ('name = "small"', "", r"name is missing"),
        ('sinogram = "', 'sinogram = "x', r"sha256\.sinogram is 'x.*: string should match"),
        ("[sha256]", "[other]", r"sha256 is missing"),
    ],
)
def test_a_description_with_an_odd_value_is_refused_by_its_name(
    tmp_path: Path, before, after, sentence
):
    folder = tmp_path / "m"
    shutil.copytree(registry.load("small").folder, folder)
    text = (folder / "model.toml").read_text()
    assert before in text
    (folder / "model.toml").write_text(text.replace(before, after, 1))
    with pytest.raises(WedgefillError, match=sentence) as told:
        registry.load(folder)
    assert re.match(r".*model\.toml: this model description cannot be used", str(told.value))
    assert "\n" not in str(told.value)
