"""Export a finished training run as a model folder, which `wedgefill fill --model FOLDER` uses.

  wedgefill export RUN FOLDER --name NAME [--average MODEL ...]

RUN is the folder of `wedgefill train`, with at least the sinogram and the tomogram network trained.
`--average` makes the last network the mean of its weights and other models'. A model that FOLDER
holds already is replaced only with `--overwrite`. It needs the extra `train`.
"""

from __future__ import annotations

import argparse

from .train import call_training

SUMMARY = "export trained networks as a model folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take all arguments as they are: the exporter reads them itself."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="RUN FOLDER --name NAME")


def run(args: argparse.Namespace) -> None:
    """Hand the arguments to the exporter."""
    call_training("export", args.arguments)
