"""Export a training run as a model folder: ONNX files and `model.toml`.

wedgefill export RUN FOLDER --name NAME [--average MODEL ...] [--smooth MODEL]
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from ..errors import WedgefillError
from ..joint_model.contract import InputContract
from ..joint_model.onnx_file import name_half_precision_twin
from ..joint_model.onnx_runtime import load_onnxruntime
from ..joint_model.registry import REFINEMENT, SMOOTH_REFINEMENT, STAGES
from .networks import load_generator, read_weights
from .run_folder import load_trained, read_training

OPSET = 20
DIMENSIONS = ("batch", "channels", "height", "width")


def export_onnx(
    network: nn.Module, channels: int, path: Path, metadata: dict[str, str], multiple: int
) -> str:
    """Write a network as ONNX with free batch, height and width.

    Parameters
    ----------
    network : Module
        Maps (batch, channels, height, width) to (batch, 1, height, width).
    channels : int
        Input channels.
    path : Path
        Where to write.
    metadata : dict of str to str
        Kept in the file's `metadata_props`.
    multiple : int
        Of which height and width are multiples.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    network = network.eval().cpu()
    example = torch.randn(2, channels, 4 * multiple, 6 * multiple)
    height, width = torch.export.Dim("h", min=1), torch.export.Dim("w", min=1)
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        external_data=False,
        opset_version=OPSET,
        dynamic_shapes=({0: torch.export.Dim("batch"), 2: multiple * height, 3: multiple * width},),
        verbose=False,
    )
    assert program is not None
    model = _remove_traces(program.model_proto)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def export_half_precision(path: Path) -> str:
    """Write the float16 twin of an ONNX file beside it; inputs and outputs stay float32.

    ONNX Runtime's own converter does the work.

    Returns
    -------
    str
        SHA-256 of the twin.
    """
    load_onnxruntime()  # first, for it keeps what follows from sending telemetry
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with warnings.catch_warnings():  # it warns of each weight below float16's smallest number
        warnings.simplefilter("ignore", UserWarning)
        converted = convert_float_to_float16(onnx.load(str(path)), keep_io_types=True)
    sorted_model = OnnxModel(converted)
    sorted_model.topological_sort()  # the converter appends its casts at the end
    onnx.checker.check_model(sorted_model.model, full_check=True)
    twin = name_half_precision_twin(path)
    twin.write_bytes(sorted_model.model.SerializeToString())
    return hashlib.sha256(twin.read_bytes()).hexdigest()


def _remove_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter wrote about this machine, and name the free dimensions."""
    del model.metadata_props[:]
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_param:
                dim.dim_param = DIMENSIONS[axis]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    return model


def write_folder(
    run: Path,
    folder: Path,
    name: str,
    summary: str,
    average: Sequence[Path] = (),
    smooth: Path | None = None,
) -> None:
    """Export the networks of a run and describe them.

    Parameters
    ----------
    run, folder : Path
        Where the weights are, and where the model goes.
    name, summary : str
        For `model.toml`, which is written last.
    average : sequence of Path
        Other models. The run's last network becomes the mean of its own weights and theirs, so that
        it keeps more of what each of them knew. They must be what its training began with, or have
        begun with the same weights.
    smooth : Path, optional
        Another model, whose refinement is to stand in where images are smooth.

    Raises
    ------
    WedgefillError
        If the run lacks a network, or one of those models has none of the same shape.

    References
    ----------
    M. Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, 7959-7971; M. Wortsman
    et al., Model soups, ICML 2022, 23965-23998.
    """
    contract = InputContract()
    stages = [*STAGES, *([REFINEMENT] if (run / f"{REFINEMENT}.pt").is_file() else [])]
    networks = {stage: load_trained(stage, run) for stage in stages}
    records = {stage: json.loads((run / f"{stage}.json").read_text()) for stage in stages}
    training = {
        stage: {"weights": sum(parameter.numel() for parameter in networks[stage].parameters())}
        | summarise_training(records[stage])
        for stage in stages
    }
    if average:
        others = [other / f"{stages[-1]}.onnx" for other in average]
        training[stages[-1]]["averaged_with"] = _average_weights(networks[stages[-1]], others)
    if smooth is not None:
        if REFINEMENT not in networks:
            raise WedgefillError(f"{run} holds no refinement that {smooth} could stand in for.")
        networks[SMOOTH_REFINEMENT] = load_generator(smooth / f"{REFINEMENT}.onnx")
        training[SMOOTH_REFINEMENT], curves = read_training(REFINEMENT, smooth)
        records[SMOOTH_REFINEMENT] = {"curves": curves}
    folder.mkdir(parents=True, exist_ok=True)
    hashes: dict[str, Any] = {}
    for stage, network in networks.items():
        n_channels = 3 if stage == "sinogram" else 3 * (2 * contract.neighbours + 1)
        metadata = {
            "model": name,
            "stage": stage,
            "contract": json.dumps(contract.to_dict()),
            "licence": "BSD-3-Clause",
        }
        path = folder / f"{stage}.onnx"
        hashes[stage] = export_onnx(network, n_channels, path, metadata, contract.multiple)
        hashes[name_half_precision_twin(path).stem] = export_half_precision(path)
        (folder / f"{stage}_curves.json").write_text(json.dumps(records[stage]["curves"]) + "\n")
    text = format_toml(
        {"name": name, "summary": summary, "opset": OPSET},
        {"sha256": hashes, "contract": contract.to_dict()}
        | {f"training.{stage}": figures for stage, figures in training.items()},
    )
    (folder / "model.toml").write_text(text)


def _average_weights(network: nn.Module, paths: Sequence[Path]) -> list[str]:
    """Average a network's weights with those of exported files; return the files' hashes."""
    for path in paths:
        if not path.is_file():
            raise WedgefillError(
                f"{path} does not exist, so there is nothing to average with; name the folder of a "
                "model that the training began with, or that began with the same weights."
            )
    every = [network.state_dict(), *(read_weights(path, network) for path in paths)]
    mean = {name: torch.stack([each[name] for each in every]).mean(0) for name in every[0]}
    network.load_state_dict(mean)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def summarise_training(record: dict[str, Any]) -> dict[str, Any]:
    """Summarise a training for `model.toml`: its plan, its length, and its validation errors.

    "validation" is the lowest error after the adversarial term joined, "pixel_loss_only" the last
    one before.
    """
    curves = record["curves"]
    before = list(itertools.takewhile(lambda c: "deceit" not in c, curves))
    after = [c for c in curves if "deceit" in c]
    figures = {
        "minutes": round(curves[-1]["minutes"], 1),
        "steps": int(curves[-1]["step"]),
        "start": round(curves[-1]["start"], 6),
        "validation": round(min(c["validation"] for c in after), 6),
    }
    if before:
        figures["pixel_loss_only"] = round(before[-1]["validation"], 6)
    return record["plan"] | figures


def format_toml(top: dict[str, Any], tables: dict[str, dict[str, Any]]) -> str:
    """Write plain values as TOML."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    for table, values in tables.items():
        lines += ["", f"[{table}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Export a training run as a model folder."""
    parser = argparse.ArgumentParser(prog="wedgefill export", description=main.__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--name", required=True)
    parser.add_argument("--summary", default="trained by its owner")
    parser.add_argument(
        "--average",
        type=Path,
        nargs="+",
        default=[],
        metavar="MODEL",
        help="make the last network the mean of its weights and those of models with which its "
        "training began, or which began with the same weights: it keeps more of what each knew",
    )
    parser.add_argument(
        "--smooth",
        type=Path,
        metavar="MODEL",
        help="add the refinement of another model, which saw smooth images "
        "(wedgefill simulate --smoothed), for images whose neighbouring pixels share their noise",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a model in FOLDER")
    given = parser.parse_args(arguments)
    if (given.folder / "model.toml").exists() and not given.overwrite:
        raise WedgefillError(
            f"{given.folder} holds a model already; name another folder, or add --overwrite."
        )
    summary, average, smooth = given.summary, given.average, given.smooth
    write_folder(given.run, given.folder, given.name, summary, average, smooth)


if __name__ == "__main__":
    main()
