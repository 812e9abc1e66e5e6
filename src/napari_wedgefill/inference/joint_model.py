"""The joint model at work on one slab: sinogram network, WBP, tomogram networks, consistency."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WedgefillError
from ..projector import ParallelBeam
from ..projector.arrays import Array, namespace, packed
from . import contract as inputs
from .consistency import restore_consistency
from .gpu_memory import LARGEST, batch_for, free_gpu_bytes
from .registry import REFINEMENTS, ModelInfo
from .session import CPU, CUDA, OutOfMemory, open_session, run

if TYPE_CHECKING:
    import onnxruntime

#: What a step of the model reports: its name and how far the slab is, 0 to 1.
Step = tuple[str, float]

#: Slices at once on a CPU: one is as fast as four, and smaller.
CPU_BATCH = 1
#: Sessions kept open: three networks for a preview's size and three for the whole.
MOST_SESSIONS = 6


class JointModel:
    """The networks of a model, opened once for each input size.

    Parameters
    ----------
    model : ModelInfo
        From `registry.load`.
    device : {"auto", "cpu", "cuda"}
        See `session.open_session`.

    Attributes
    ----------
    provider : str or None
        The ONNX Runtime provider that runs, known after the first session was opened.

    References
    ----------
    G. Ding, Y. Liu, R. Zhang and H. L. Xin, Scientific Reports 9, 12803 (2019).
    """

    def __init__(self, model: ModelInfo, device: str = "auto") -> None:
        self.model = model
        self.device = device
        self.provider: str | None = None
        #: A batch that ran out of memory was halved: never more than this again.
        self._most = LARGEST
        self._sessions: dict[tuple[str, int, int], onnxruntime.InferenceSession] = {}

    def run(self, stage: str, batch: Array) -> Iterator[Array]:
        """Run a stage over (n, channels, h, w) and yield answers (k, 1, h, w) in order.

        Where a batch does not fit into the device's memory it is halved, and stays so.
        """
        padded, crop = inputs.pad_to_multiple(batch, self.model.contract.multiple)
        start = 0
        while start < len(padded):
            session = self._session(stage, *padded.shape[-2:])
            size = self._batches(*padded.shape[-2:])[self.provider or CPU]
            part = padded[start : start + size]
            n = len(part)
            if n < size:  # a constant shape: a new one would make CUDA choose its kernels anew
                part = part[np.arange(size).clip(max=n - 1)]
            try:
                answer = run(session, part)
            except OutOfMemory as error:
                self._halve(size, error)
                continue
            yield answer[:n, :, crop[0], crop[1]]
            start += n

    def _halve(self, size: int, error: OutOfMemory) -> None:
        if size == 1:
            raise WedgefillError(
                "The networks do not fit into the memory of this device even one slice at a time; "
                "bin the images (--bin 2) or run them on the processor (--device cpu)."
            ) from error
        self._most = size // 2
        self._sessions.clear()  # they were opened for the larger batch

    def _session(self, stage: str, height: int, width: int) -> onnxruntime.InferenceSession:
        key = (stage, height, width)
        if key not in self._sessions:
            while len(self._sessions) >= MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            device = {None: self.device, CUDA: "cuda", CPU: "cpu"}[self.provider]
            sizes = {"height": height, "width": width}
            batches = self._batches(height, width)
            self._sessions[key] = open_session(self.model.path(stage), device, sizes, batches)
            self.provider = str(self._sessions[key].get_providers()[0])
        return self._sessions[key]

    @cached_property
    def _free(self) -> int | None:
        """Memory that the card had before any network was opened."""
        return None if self.device == "cpu" else free_gpu_bytes()

    def _batches(self, height: int, width: int) -> dict[str, int]:
        """Slices at once, by provider.

        All networks of a fill take as many: a slice is as large as its sinogram is wide.
        """
        fits = batch_for(max(height, width) ** 2, self._free)
        return {CPU: min(CPU_BATCH, self._most), CUDA: min(fits, self._most)}

    def channels(self, stage: str) -> int:
        """Return the number of channels that a network takes."""
        edge = self.model.contract.multiple
        return int(self._session(stage, edge, edge).get_inputs()[0].shape[1])

    def open(self, width: int = 256) -> str:
        """Open the sinogram network for images of this width and return the provider that runs."""
        multiple = self.model.contract.multiple
        height, padded = (-(-n // multiple) * multiple for n in (self.model.contract.n_rows, width))
        self._session("sinogram", height, padded)
        assert self.provider is not None
        return self.provider


def iter_joint(
    model: JointModel,
    beam: ParallelBeam,
    sinogram: Array,
    scales: inputs.Scales,
    quick: inputs.Quick | None = None,
) -> Generator[Step, None, Array]:
    """Reconstruct one slab with the joint model; torch tensors stay where they are, all the way.

    Parameters
    ----------
    model : JointModel
        The networks.
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows in units of the density scale; neighbouring slices must be neighbours.
    scales : Scales
        Of the whole series.
    quick : Quick, optional
        SART and TVM of these rows, of the same kind, if they are there already; computed otherwise.

    Yields
    ------
    tuple of str and float
        The step at work and the fraction of the slab that is done.

    Returns
    -------
    of the sinogram's kind, float32, (depth, width, n_slices)
        Densities in units of the density scale.
    """
    contract = model.model.contract
    if quick is None:
        yield "GAN: SART and TVM", 0.0
        quick = inputs.quick_reconstructions(beam, sinogram, contract)
    yield "GAN: sinogram network", 0.35
    rows = inputs.sinogram_input(beam, sinogram, quick, scales, contract)
    filled = yield from _through(model, "sinogram", rows, 0.35, 0.6)
    yield "GAN: weighted back projection", 0.6
    completed = inputs.completed_wbp(beam, sinogram, filled, scales, contract)
    channels = inputs.tomogram_input(completed, quick, contract)
    until = 0.77 if model.model.refines else 0.95
    volume = _volume((yield from _through(model, "tomogram", channels, 0.6, until)))
    if model.model.refines:
        volume = yield from iter_refined(
            model, beam, sinogram, quick.tvm, volume, scales, until, 0.95
        )
    yield "GAN: consistency with the measurements", 0.95
    volume = restore_consistency(beam, sinogram, volume, scales, cautious=True)
    yield "GAN: consistency with the measurements", 1.0
    return volume


def iter_refined(
    model: JointModel,
    beam: ParallelBeam,
    sinogram: Array,
    tvm: Array,
    volume: Array,
    scales: inputs.Scales,
    begin: float,
    end: float,
    passes: int = REFINEMENTS,
) -> Generator[Step, None, Array]:
    """Repair a volume with the refinement network, each time from where it fits the measurements.

    Every other time it is seen from behind: the network does not make the same errors there, and
    so repairs some of those that it made before.
    Shapes and units are those of `iter_joint`; `begin` and `end` are the fractions of the slab
    that are done before and after.

    Yields
    ------
    tuple of str and float
        The step at work and the fraction that is done.

    Returns
    -------
    of the volume's kind, float32, (depth, width, n_slices)
        The repaired volume.
    """
    contract = model.model.contract
    step = (end - begin) / passes
    for k in range(passes):
        first = begin + k * step
        yield "GAN: consistency with the measurements", first
        volume = restore_consistency(beam, sinogram, volume, scales)
        again = inputs.reprojected_wbp(beam, sinogram, volume, contract)
        channels = inputs.refinement_input(again, tvm, volume, contract)
        turned = k % 2 == 1
        answer = yield from _through(
            model,
            "refinement",
            _turned(channels) if turned else channels,
            first + 0.4 * step,
            first + step,
        )
        volume = _volume(_turned(answer) if turned else answer)
    return volume


def _turned(slices: Array) -> Array:
    """Turn slices (..., depth, width) by half a turn about the tilt axis."""
    return packed(namespace(slices).flip(slices, (-2, -1)))


def _volume(answer: Array) -> Array:
    """Turn a network's answer (n_slices, 1, depth, width) into (depth, width, n_slices)."""
    return packed(namespace(answer).moveaxis(answer[:, 0], 0, 2))


def _through(
    model: JointModel, stage: str, batch: Array, begin: float, end: float
) -> Generator[Step, None, Array]:
    answers: list[Array] = []
    done = 0
    for answer in model.run(stage, batch):
        answers.append(answer)
        done += len(answer)
        yield f"GAN: {stage} network", begin + (end - begin) * done / len(batch)
    return namespace(batch).concatenate(answers)
