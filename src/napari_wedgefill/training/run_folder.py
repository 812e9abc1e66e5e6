"""The folder of a training run.

For each network it holds the weights (`<stage>.pt`), the plan and the curves (`<stage>.json`) and
the checkpoint from which training goes on (`<stage>.ckpt`); `completed/` and `first/` hold what the
networks made of the groups, for the stages after them.
"""

from __future__ import annotations

import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..atomic import write_beside
from ..errors import WedgefillError
from ..joint_model.contract import InputContract
from .networks import load_generator, make_generator

#: The networks in the order in which they are trained and run.
ORDER = ("sinogram", "tomogram", "refinement")


def save_complete(what: Any, path: Path) -> None:
    """Save weights or a checkpoint; until that is complete, the earlier file stays."""
    with write_beside(path) as beside:
        torch.save(what, beside)


def load_trained(stage: str, run: Path) -> nn.Module:
    """Load the network of a stage that was trained to its end.

    Raises
    ------
    WedgefillError
        If the run holds none.
    """
    path = run / f"{stage}.pt"
    if not path.is_file():
        raise WedgefillError(
            f"{run} holds no finished {stage} network ({path.name}); train that stage to its end "
            "first."
        )
    return make_generator(torch.load(path, map_location="cpu", weights_only=True))


def read_training(stage: str, model: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Read how a network of an exported model was trained: plan with its outcome, and curves.

    Raises
    ------
    WedgefillError
        If the model does not say.
    """
    try:
        described = tomllib.loads((model / "model.toml").read_text(encoding="utf-8"))
        plan = described["training"][stage]
        curves = json.loads((model / f"{stage}_curves.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise WedgefillError(
            f"{model}: its {stage} network cannot be used ({error!r}); name a folder that "
            "wedgefill export wrote, or train that stage first."
        ) from error
    return plan, curves


def copy_earlier_networks(stage: str, model: Path, run: Path) -> None:
    """Copy into a run, from an exported model, the networks before a stage that the run lacks.

    Their plans and curves come along, so that the run can be exported as a whole.

    Raises
    ------
    WedgefillError
        If the model lacks one of them.
    """
    earlier = itertools.takewhile(lambda name: name != stage, ORDER)
    for name in [name for name in earlier if not (run / f"{name}.pt").exists()]:
        plan, curves = read_training(name, model)
        save_complete(load_generator(model / f"{name}.onnx").state_dict(), run / f"{name}.pt")
        record = {"plan": plan, "contract": InputContract().to_dict(), "curves": curves}
        (run / f"{name}.json").write_text(json.dumps(record, indent=1))
