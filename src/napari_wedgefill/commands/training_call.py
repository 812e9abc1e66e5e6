"""Handing arguments to the training room, which needs packages that a plain install lacks."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from ..errors import WedgefillError


def call_training(module: str, arguments: Sequence[str]) -> None:
    """Run `main(arguments)` of a module of the training room.

    Raises
    ------
    WedgefillError
        If torch or another package of the extra `train` is not installed.
    """
    try:
        main = import_module(f"napari_wedgefill.training.{module}").main
    except ModuleNotFoundError as error:
        raise WedgefillError(
            f"Training needs {error.name}, which is not installed; install the extra `train`: "
            "pip install torch onnx onnxscript"
        ) from error
    main(list(arguments))
