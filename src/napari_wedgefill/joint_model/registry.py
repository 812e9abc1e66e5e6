"""Finding models: bundled with the package, or a folder of the user's."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WedgefillError
from ..validation import describe_fault
from .onnx_file import (
    choose_file,
    find_external_files,
    name_half_precision_twin,
    read_signature,
)

if TYPE_CHECKING:
    from .contract import InputContract

STAGES = ("sinogram", "tomogram")
#: A third network that a model may have: it repairs what the tomogram network made.
REFINEMENT = "refinement"
#: What may stand in for it where the images were smoothed or interpolated.
SMOOTH_REFINEMENT = "refinement_smooth"
#: All that a model may have.
NETWORKS = (*STAGES, REFINEMENT, SMOOTH_REFINEMENT)
#: From where that network sees a slice (depth, width) in each of its passes, as the axes that are
#: flipped: as it is, by half a turn about the tilt axis, and from both sides of a mirror.
VIEWS: tuple[tuple[tuple[int, ...], ...], ...] = (((),), ((-2, -1),), ((-1,), (-2,)))
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ModelInfo:
    """A model on disk, its files checked.

    Attributes
    ----------
    name, summary : str
        As its `model.toml` says.
    folder : Path
        Holds `model.toml`, `sinogram.onnx` and `tomogram.onnx`, perhaps `refinement.onnx` and
        `refinement_smooth.onnx`, and perhaps their float16 twins.
    contract : InputContract
        The inputs it was trained on.
    sha256 : mapping of str to str
        Of each ONNX file, by its name without the suffix, and of each file of weights beside
        them, by its whole name.
    """

    name: str
    summary: str
    folder: Path
    contract: InputContract
    sha256: Mapping[str, str]

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of its networks, in the order in which they run."""
        return tuple(name for name in NETWORKS if name in self.sha256)

    @property
    def refines(self) -> bool:
        """Whether a third network repairs the tomogram network's volume."""
        return REFINEMENT in self.sha256

    def choose_refinement(self, *, is_smooth: bool) -> str:
        """Return the name of the network that refines, given whether the images are smooth."""
        chosen = SMOOTH_REFINEMENT if is_smooth else REFINEMENT
        return chosen if chosen in self.sha256 else REFINEMENT

    @property
    def reach(self) -> int:
        """Neighbouring slices on either side that a slice of the result depends on."""
        return self.contract.neighbours * (1 + len(VIEWS) if self.refines else 1)

    def path(self, stage: str) -> Path:
        """ONNX file of one of its `stages`, float32."""
        return self.folder / f"{stage}.onnx"

    def stat_files(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Size, time of the last change and inode of every file that `load` has checked.

        None for one that is not there: a model need not be checked again while all stay the same.
        """
        listed = [file if _is_weights(file) else f"{file}.onnx" for file in self.sha256]
        paths = [self.path(stage) for stage in NETWORKS]
        paths += [name_half_precision_twin(path) for path in paths]
        every = {self.folder / "model.toml", *(self.folder / file for file in listed), *paths}
        return tuple(_stat_file(path) for path in sorted(every))

    def precision(self, provider: str | None) -> str:
        """Precision in which a provider runs the networks: "float32" or "float16"."""
        path = self.path(STAGES[0])
        return "float32" if choose_file(path, provider or "") == path else "float16"


def _stat_file(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def find_bundled_folder() -> Path:
    """Folder of the models that came with the package (a wheel's, or a checkout's)."""
    inside = _PACKAGE / "_models"
    return inside if inside.is_dir() else _PACKAGE.parent.parent / "models"


def list_models() -> list[ModelInfo]:
    """Bundled models, by name."""
    folders = sorted(path.parent for path in find_bundled_folder().glob("*/model.toml"))
    return [_read(folder) for folder in folders]


def read_summaries() -> dict[str, str]:
    """Name and summary of each bundled model, read without anything that is slow to import."""
    found: dict[str, str] = {}
    for path in sorted(find_bundled_folder().glob("*/model.toml")):
        described = _read_description(path)
        found[str(described.get("name", path.parent.name))] = str(described.get("summary", ""))
    return found


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
    bundled = find_bundled_folder() / str(name_or_folder)
    folder = bundled if (bundled / "model.toml").is_file() else Path(name_or_folder)
    if not (folder / "model.toml").is_file():
        names = ", ".join(model.name for model in list_models()) or "none"
        raise WedgefillError(
            f"There is no model {str(name_or_folder)!r}; bundled models: {names}; "
            "or give a folder that holds model.toml."
        )
    model = _read(folder)
    for file, expected in model.sha256.items():
        _check_hash(folder / (file if _is_weights(file) else f"{file}.onnx"), expected)
    for stage in NETWORKS:
        for path in (model.path(stage), name_half_precision_twin(model.path(stage))):
            if path.is_file() and path.stem not in model.sha256:
                raise WedgefillError(
                    f"{path}: model.toml does not list this file; remove it or export the model "
                    "again."
                )
            if path.is_file():
                _check_external(model, path)
    for stage in model.stages:
        _check_network(model, stage)
    return model


def _is_weights(file: str) -> bool:
    """Tell whether a name under "sha256" is that of a file of weights, and not of a network."""
    return "." in file


def _check_external(model: ModelInfo, path: Path) -> None:
    """Refuse a network that takes weights from files that model.toml does not vouch for."""
    for name in find_external_files(path):
        if not _is_weights(name) or name not in model.sha256:
            raise WedgefillError(
                f"{path}: it takes weights from the file {name!r}, whose hash model.toml does not "
                "list under its name; export the model again with wedgefill export."
            )


def _read(folder: Path) -> ModelInfo:
    # Compiled code, and pydantic: not while the window opens.
    from pydantic import ValidationError

    from .contract import InputContract
    from .description import ContractDescription, ModelDescription

    path = folder / "model.toml"
    raw = _read_description(path)
    given = raw.get("contract")
    unknown = set(given) - set(ContractDescription.model_fields) if isinstance(given, dict) else ()
    if unknown:
        raise WedgefillError(
            f"{path}: its contract has {', '.join(sorted(unknown))}, which this version of "
            "napari-wedgefill does not know; update napari-wedgefill or choose another model."
        )
    try:
        described = ModelDescription.model_validate(raw)
    except ValidationError as error:
        raise _make_error(path, describe_fault(error)) from error
    needed = [*STAGES, *([REFINEMENT] if SMOOTH_REFINEMENT in described.sha256 else [])]
    if missing := [stage for stage in needed if stage not in described.sha256]:
        raise _make_error(path, f"sha256.{missing[0]} is missing")
    return ModelInfo(
        name=described.name,
        summary=described.summary,
        folder=folder,
        contract=InputContract(**described.contract.model_dump()),
        sha256={stage: described.sha256[stage] for stage in STAGES} | described.sha256,
    )


def _read_description(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _make_error(path, str(error)) from error


def _make_error(path: Path, reason: str) -> WedgefillError:
    return WedgefillError(
        f"{path}: this model description cannot be used ({reason}); export the model again."
    )


def _check_hash(path: Path, expected: str) -> None:
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


def _check_network(model: ModelInfo, stage: str) -> None:
    """Refuse a file that is no network of this stage, or was trained on other inputs."""
    path = model.path(stage)
    found = read_signature(path)
    if not found.maps_images or found.metadata.get("stage", stage) != stage:
        shapes = " and ".join(str(list(shape)) for shape in found.inputs)
        what = found.metadata.get("stage", "foreign")
        raise WedgefillError(
            f"{path}: this is a {what} network with input {shapes}, not a {stage} network; "
            "export the model again with wedgefill export."
        )
    trained = _read_contract(found.metadata.get("contract", "{}"))
    if trained is None:
        raise WedgefillError(
            f"{path}: what it was trained on cannot be read from it; export the model again with "
            "wedgefill export."
        )
    for name, value in model.contract.to_dict().items():
        if trained.get(name, value) != value:
            raise WedgefillError(
                f"{path}: trained with {name} = {trained[name]}, but model.toml says {value}; "
                "restore model.toml or export the model again."
            )


def _read_contract(text: str) -> dict[str, Any] | None:
    """Read what the exporter noted in a network; None if that cannot be read."""
    try:
        noted = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return noted if isinstance(noted, dict) else None
