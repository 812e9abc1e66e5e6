"""Finding models: bundled with the package, or a folder of the user's."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WedgefillError
from .contract import InputContract

STAGES = ("sinogram", "tomogram")
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ModelInfo:
    """A model on disk, its files checked.

    Attributes
    ----------
    name, summary : str
        As its `model.toml` says.
    folder : Path
        Holds `model.toml`, `sinogram.onnx` and `tomogram.onnx`.
    contract : InputContract
        The inputs it was trained on.
    sha256 : mapping of str to str
        Of each stage's file.
    """

    name: str
    summary: str
    folder: Path
    contract: InputContract
    sha256: Mapping[str, str]

    def path(self, stage: str) -> Path:
        """ONNX file of "sinogram" or "tomogram"."""
        return self.folder / f"{stage}.onnx"


def bundled_folder() -> Path:
    """Folder of the models that came with the package (a wheel's, or a checkout's)."""
    inside = _PACKAGE / "_models"
    return inside if inside.is_dir() else _PACKAGE.parent.parent / "models"


def available_models() -> list[ModelInfo]:
    """Bundled models, by name."""
    folders = sorted(path.parent for path in bundled_folder().glob("*/model.toml"))
    return [_read(folder) for folder in folders]


def load(name_or_folder: str | Path) -> ModelInfo:
    """Find a model and check its files against their hashes.

    Parameters
    ----------
    name_or_folder : str or Path
        Name of a bundled model, or a folder that holds `model.toml`.

    Raises
    ------
    WedgefillError
        If there is no such model, or a file is missing or is not the one described.
    """
    bundled = bundled_folder() / str(name_or_folder)
    folder = bundled if (bundled / "model.toml").is_file() else Path(name_or_folder)
    if not (folder / "model.toml").is_file():
        names = ", ".join(model.name for model in available_models()) or "none"
        raise WedgefillError(
            f"There is no model {str(name_or_folder)!r}; bundled models: {names}; "
            "or give a folder that holds model.toml."
        )
    model = _read(folder)
    for stage in STAGES:
        _check(model.path(stage), model.sha256[stage])
    return model


def _read(folder: Path) -> ModelInfo:
    path = folder / "model.toml"
    try:
        described: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return ModelInfo(
            name=described["name"],
            summary=described["summary"],
            folder=folder,
            contract=InputContract(**described["contract"]),
            sha256={stage: described["sha256"][stage] for stage in STAGES},
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise WedgefillError(
            f"{path}: this model description cannot be used ({error!r}); export the model again."
        ) from error


def _check(path: Path, expected: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WedgefillError(
            f"{path}: the model file cannot be read ({error.strerror}); restore it."
        ) from error
    if found != expected:
        raise WedgefillError(
            f"{path}: its hash is {found[:12]}..., but model.toml says {expected[:12]}...; the "
            "file was changed or damaged, so restore it or export the model again."
        )
