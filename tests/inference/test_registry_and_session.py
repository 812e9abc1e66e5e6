"""Models: found, checked by hash, refused in one sentence; sessions say where they run."""

import shutil

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.inference import registry, session


@pytest.fixture
def copied(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(registry.load("small").folder, folder)
    return folder


def test_bundled_models_are_whole():
    models = registry.available_models()
    assert "small" in [model.name for model in models]
    for model in models:
        assert registry.load(model.name) == model


def test_a_folder_of_the_users_own_is_a_model(copied):
    assert registry.load(copied).folder == copied


def test_a_changed_model_file_is_refused(copied):
    path = copied / "tomogram.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(WedgefillError, match=r"tomogram\.onnx: its hash is .* restore it"):
        registry.load(copied)


def test_a_missing_model_file_is_refused(copied):
    (copied / "sinogram.onnx").unlink()
    with pytest.raises(WedgefillError, match=r"sinogram\.onnx: the model file cannot be read"):
        registry.load(copied)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(WedgefillError, match=r"no model 'nonsense'; bundled models: .*small"):
        registry.load("nonsense")


@pytest.mark.parametrize("text", ["", "name = 3", "not toml at all ["])
def test_a_broken_description_is_refused(copied, text):
    (copied / "model.toml").write_text(text)
    with pytest.raises(WedgefillError, match="cannot be used"):
        registry.load(copied)


def test_the_networks_run_where_they_say():
    model = registry.load("small")
    opened = session.open_session(
        model.path("sinogram"), "cpu", {"batch": 1, "height": 48, "width": 32}
    )
    assert opened.get_providers() == [session.CPU]
    x = np.random.default_rng(0).random((1, 3, 48, 32), dtype=np.float32)
    x[:, 2, :24] = 1
    answer = session.run(opened, x)
    assert answer.shape == (1, 1, 48, 32)
    np.testing.assert_array_equal(answer[0, 0, :24], x[0, 0, :24])  # measured rows untouched
    big_endian = session.run(opened, x.astype(">f4"))
    np.testing.assert_array_equal(big_endian, answer)


def test_cuda_without_cuda_fails_clearly_and_auto_does_not():
    obstacle = session.cuda_obstacle()
    model = registry.load("small")
    if obstacle is None:
        assert session.open_session(model.path("sinogram"), "cuda", {}).get_providers()
        return
    with pytest.raises(WedgefillError, match="CUDA was asked for, but"):
        session.open_session(model.path("sinogram"), "cuda", {})
    assert session.open_session(model.path("sinogram"), "auto", {}).get_providers() == [session.CPU]


def test_an_unknown_device_is_refused():
    with pytest.raises(WedgefillError, match="Unknown device 'tpu'"):
        session.open_session(registry.load("small").path("sinogram"), "tpu", {})
