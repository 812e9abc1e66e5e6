"""The joint model at work on one slab: sinogram network, WBP, tomogram network, consistency."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..reconstruct import iter_sart, last
from . import contract as inputs
from .registry import ModelInfo
from .session import CPU, CUDA, open_session, run

if TYPE_CHECKING:
    import onnxruntime

Floats = NDArray[np.float32]
#: What a step of the model reports: its name and how far the slab is, 0 to 1.
Step = tuple[str, float]

#: Slices at once: one is as fast as four on a CPU and smaller; a GPU wants more.
BATCH = {CPU: 1, CUDA: 8}
#: Enough to gain where there is no noise, too little to put noise back where there is.
CONSISTENCY_SWEEPS, CONSISTENCY_RELAXATION = 2, 0.3


class JointModel:
    """The two networks of a model, opened once for each input size.

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
        self._sessions: dict[tuple[str, int, int], onnxruntime.InferenceSession] = {}

    def run(self, stage: str, batch: Floats) -> Iterator[Floats]:
        """Run a stage over (n, channels, h, w) and yield answers (k, 1, h, w) in order."""
        padded, crop = inputs.pad_to_multiple(batch, self.model.contract.multiple)
        session = self._session(stage, *padded.shape[-2:])
        size = BATCH[self.provider or CPU]
        for start in range(0, len(padded), size):
            part = padded[start : start + size]
            n = len(part)
            if n < size:  # a constant shape: a new one would make CUDA choose its kernels anew
                part = np.concatenate([part, np.repeat(part[-1:], size - n, axis=0)])
            yield run(session, part)[:n, :, crop[0], crop[1]]

    def _session(self, stage: str, height: int, width: int) -> onnxruntime.InferenceSession:
        key = (stage, height, width)
        if key not in self._sessions:
            self.provider = self.provider or self._find_provider(stage)
            sizes = {"batch": BATCH[self.provider], "height": height, "width": width}
            device = "cuda" if self.provider == CUDA else "cpu"
            self._sessions[key] = open_session(self.model.path(stage), device, sizes)
        return self._sessions[key]

    def _find_provider(self, stage: str) -> str:
        session = open_session(self.model.path(stage), self.device, {})
        return str(session.get_providers()[0])

    def open(self) -> str:
        """Open a session to learn which provider runs, and return its name."""
        self.provider = self.provider or self._find_provider("sinogram")
        return self.provider


def iter_joint(
    model: JointModel, beam: ParallelBeam, sinogram: Floats, scales: inputs.Scales
) -> Generator[Step, None, Floats]:
    """Reconstruct one slab with the joint model.

    Parameters
    ----------
    model : JointModel
        The networks.
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured rows in units of the density scale; neighbouring slices must be neighbours.
    scales : Scales
        Of the whole series.

    Yields
    ------
    tuple of str and float
        The step at work and the fraction of the slab that is done.

    Returns
    -------
    ndarray, float32, (depth, width, n_slices)
        Densities in units of the density scale.
    """
    contract = model.model.contract
    yield "GAN: quick reconstructions", 0.0
    quick = inputs.quick_reconstructions(beam, sinogram, scales, contract)
    yield "GAN: sinogram network", 0.35
    rows = inputs.sinogram_input(beam, sinogram, quick, scales, contract)
    filled = yield from _through(model, "sinogram", rows, 0.35, 0.6)
    completed = inputs.completed_wbp(beam, sinogram, filled, scales, contract)
    channels = inputs.tomogram_input(completed, quick, contract)
    answer = yield from _through(model, "tomogram", channels, 0.6, 0.95)
    volume = np.ascontiguousarray(answer[:, 0].transpose(1, 2, 0))
    yield "GAN: consistency with the measurements", 0.95
    volume = restore_consistency(beam, sinogram, volume, float(np.mean(scales.noise)))
    yield "GAN: consistency with the measurements", 1.0
    return volume


def _through(
    model: JointModel, stage: str, batch: Floats, begin: float, end: float
) -> Generator[Step, None, Floats]:
    answers: list[Floats] = []
    done = 0
    for answer in model.run(stage, batch):
        answers.append(answer)
        done += len(answer)
        yield f"GAN: {stage} network", begin + (end - begin) * done / len(batch)
    return np.concatenate(answers)


def restore_consistency(
    beam: ParallelBeam, sinogram: Floats, volume: Floats, noise: float
) -> Floats:
    """Bring a volume back to agreement with the measurements, as far as they are signal.

    A few gentle SART sweeps from the network's volume. In each slice they see that share of the
    residual whose power noise does not explain: the rest would only come back as noise.

    Parameters
    ----------
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured rows.
    volume : ndarray, float32, (depth, width, n_slices)
        The network's volume.
    noise : float
        Standard deviation of the noise of the measured rows.

    Returns
    -------
    ndarray, float32, (depth, width, n_slices)
        At or above zero.
    """
    predicted = beam(volume)
    residual = sinogram - predicted
    power = np.mean(np.square(residual), axis=(0, 1))
    signal = np.clip(1.0 - noise**2 / np.maximum(power, 1e-20), 0.0, 1.0).astype(np.float32)
    wanted = predicted + residual * signal
    sweeps = iter_sart(
        beam, wanted, CONSISTENCY_SWEEPS, relaxation=CONSISTENCY_RELAXATION, x0=volume
    )
    agreed: Floats = last(sweeps)
    return agreed
