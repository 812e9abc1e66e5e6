"""ONNX files: their half-precision twins, and what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import WedgefillError

CUDA = "CUDAExecutionProvider"


def choose_file(path: Path, provider: str) -> Path:
    """File of a network for a provider: on CUDA its half-precision twin, if it has one."""
    twin = name_half_precision_twin(path)
    return twin if provider == CUDA and twin.is_file() else path


def name_half_precision_twin(path: Path) -> Path:
    """Where the float16 version of an ONNX file lies, ``sinogram_fp16.onnx`` for instance."""
    return path.with_stem(f"{path.stem}_fp16")


@dataclass(frozen=True)
class Signature:
    """What an ONNX file takes and gives.

    Attributes
    ----------
    inputs, outputs : tuple of tuple
        Shape of each array; a name where a dimension is free.
    metadata : dict of str to str
        What its exporter noted in it.
    """

    inputs: tuple[tuple[int | str, ...], ...]
    outputs: tuple[tuple[int | str, ...], ...]
    metadata: dict[str, str]

    @property
    def maps_images(self) -> bool:
        """Whether it maps one batch (n, channels, h, w) to one batch."""
        return [len(shape) for shape in (*self.inputs, *self.outputs)] == [4, 4]


def read_signature(path: Path) -> Signature:
    """Read what an ONNX file takes and gives.

    Raises
    ------
    WedgefillError
        If it cannot be opened as a network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        opened = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions share no base class below this one
        raise WedgefillError(
            f"{path}: ONNX Runtime cannot read this file as a network "
            f"({str(error).splitlines()[0][:200]}); export the model again."
        ) from error
    return Signature(
        tuple(tuple(value.shape) for value in opened.get_inputs()),
        tuple(tuple(value.shape) for value in opened.get_outputs()),
        dict(opened.get_modelmeta().custom_metadata_map),
    )
