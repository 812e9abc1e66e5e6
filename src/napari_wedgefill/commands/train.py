"""Train one of the networks of a model on simulated examples, for a given time.

  wedgefill train sinogram DATA RUN --minutes N
  wedgefill train tomogram DATA RUN --minutes N
  wedgefill train refinement DATA RUN --minutes N

Train them in this order. DATA holds the examples that `wedgefill simulate` made; RUN receives the
weights and the curves, and a training that was stopped goes on from there. It needs the extra
`train` (torch). `wedgefill train sinogram --help` lists every option.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from ..errors import WedgefillError

SUMMARY = "train one of the networks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take all arguments as they are: the training loop reads them itself."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="STAGE DATA RUN --minutes N")


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
