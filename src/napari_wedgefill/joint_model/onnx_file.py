"""ONNX files: their half-precision twins, and what they take and give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import WedgefillError
from .onnx_runtime import load_onnxruntime

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
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        # Without its fallback, which would print that it tries the same once more.
        opened = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
        return Signature(
            tuple(tuple(value.shape) for value in opened.get_inputs()),
            tuple(tuple(value.shape) for value in opened.get_outputs()),
            dict(opened.get_modelmeta().custom_metadata_map),
        )
    except Exception as error:  # its exceptions share no base class below this one
        raise WedgefillError(
            f"{path}: ONNX Runtime cannot read this file as a network "
            f"({str(error).splitlines()[0][:200]}); export the model again."
        ) from error


#: Numbers of the fields of ONNX's messages that lead to tensors, by message:
#: field -> message within.
_WAYS_TO_TENSORS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_LOCATION = b"location"


def find_external_files(path: Path) -> list[str]:
    """Names of the files from which a network takes weights, as it gives them, sorted.

    The package onnx, which would tell, comes with the extra `train` only.

    Raises
    ------
    WedgefillError
        If it is no ONNX file.
    """
    raw = path.read_bytes()
    try:
        if _LOCATION not in raw:  # as in nearly all, whose many parts need not be looked through
            for _ in _iter_fields(memoryview(raw)):
                pass
            return []
        return sorted(set(_iter_locations(memoryview(raw), "model")))
    except (IndexError, ValueError, RecursionError) as error:
        raise WedgefillError(
            f"{path}: ONNX Runtime cannot read this file as a network (it is no ONNX file); "
            "export the model again."
        ) from error


def _iter_locations(message: memoryview, kind: str) -> Iterator[str]:
    key = value = b""
    for number, content in _iter_fields(message):
        if kind == "entry":
            key, value = (bytes(content), value) if number == 1 else (key, bytes(content))
        elif (inner := _WAYS_TO_TENSORS[kind].get(number)) is not None:
            yield from _iter_locations(content, inner)
    if key == _LOCATION:
        yield value.decode("utf-8", "backslashreplace")


def _iter_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field of a protobuf message that has a length."""
    at = 0
    while at < len(message):
        tag, at = _read_number(message, at)
        wire = tag & 7
        if wire == 2:
            n_bytes, at = _read_number(message, at)
            if at + n_bytes > len(message):
                raise ValueError("a field is longer than its message")
            yield tag >> 3, message[at : at + n_bytes]
            at += n_bytes
        elif wire == 0:
            _, at = _read_number(message, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")


def _read_number(message: memoryview, at: int) -> tuple[int, int]:
    """Read a protobuf varint; return it and where the next field begins."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
