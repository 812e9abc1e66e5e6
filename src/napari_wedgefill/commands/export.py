"""Export a finished training run as a model folder, which `wedgefill fill --model FOLDER` uses.

  wedgefill export RUN FOLDER --name NAME

RUN is the OUT of `wedgefill train`, with the sinogram and the tomogram network trained. It needs
the extra `train`.
"""

from __future__ import annotations

import argparse

from .train import call_training

SUMMARY = "export trained networks as a model folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take everything as it comes: the exporter reads its own arguments."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="RUN FOLDER --name NAME")


def run(args: argparse.Namespace) -> None:
    """Hand the arguments to the exporter."""
    call_training("export", args.arguments)
