"""Train one of the networks of a model on simulated examples, for a given time.

  wedgefill train sinogram DATA OUT --minutes N
  wedgefill train tomogram DATA OUT --minutes N
  wedgefill train refinement DATA OUT --minutes N

DATA holds the examples that `wedgefill simulate` made; OUT receives the weights and the curves, and
a run that was stopped goes on from there. It needs the extra `train` (torch). `wedgefill train
sinogram --help` lists every option.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from ..errors import WedgefillError

SUMMARY = "train one of the networks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take everything as it comes: the training loop reads its own arguments."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="STAGE DATA OUT --minutes N")


def run(args: argparse.Namespace) -> None:
    """Hand the arguments to the training loop."""
    call_training("train", args.arguments)


def call_training(module: str, arguments: Sequence[str]) -> None:
    """Run `main(arguments)` of a module of the training room.

    Raises
    ------
    WedgefillError
        If torch or another package of the extra `train`, which a plain install lacks, is missing.
    """
    try:
        main = import_module(f"napari_wedgefill.training.{module}").main
    except ModuleNotFoundError as error:
        raise WedgefillError(
            f"Training needs {error.name}, which is not installed; install the extra `train`: "
            "pip install torch onnx onnxscript"
        ) from error
    main(list(arguments))
