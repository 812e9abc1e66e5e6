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

SUMMARY = "train one of the networks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take everything as it comes: the training loop reads its own arguments."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="STAGE DATA OUT --minutes N")


def run(args: argparse.Namespace) -> None:
    """Hand the arguments to the training loop."""
    from .training_call import call_training

    call_training("train", args.arguments)
