"""Simulate the examples that `wedgefill train` learns from, also of objects of your own.

  wedgefill simulate DATA --groups N [--objects VOLUME_OR_FOLDER ...]

DATA receives one file per group; a second call goes on where the first stopped. The page "Train
your own" describes every step. `wedgefill simulate DATA --help` lists every option.
"""

from __future__ import annotations

import argparse

from .train import call_training

SUMMARY = "simulate training examples, also from your own objects"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take all arguments as they are: the simulation reads them itself."""
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="DATA --groups N [--objects PATH ...]"
    )


def run(args: argparse.Namespace) -> None:
    """Hand the arguments to the simulation."""
    call_training("simulate", args.arguments)
