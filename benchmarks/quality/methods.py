"""Every method on a set of objects that share one geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_wedgefill.joint_model.contract import (
    FirstEstimates,
    InputContract,
    Scales,
    compute_first_estimates,
    density_scale,
    raise_to_noise_floor,
    sinogram_input,
    sinogram_scale,
)
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.joint_model.stages import iter_joint
from napari_wedgefill.progress import drain
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import TvmOptions, iter_sirt, iter_tvm, last, wbp
from napari_wedgefill.reconstruct.tvm import noise_level, rms, weight_for

Floats = NDArray[np.float32]
Score = Callable[[int, Floats], float]
WBP, SART, SIRT = "WBP", "SART", "SIRT-100"
TVM, TUNED, GAN = "TVM", "TVM tuned on the truth", "GAN"
METHODS = (WBP, SART, SIRT, TVM, TUNED, GAN)
#: Factors on the automatic weight of TVM; where the best is an outermost one, more are tried.
FACTORS = (0.1, 10**-0.5, 1.0, 10**0.5, 10.0)
FACTOR_LIMITS = (1e-4, 1e4)
SIRT_SWEEPS = 100
#: Steps of TVM at a fixed weight, half as many again as the automatic one is given.
TUNED_STEPS = 900


@dataclass(frozen=True, eq=False)
class Measured:
    """A recorded object with densities of order one, and its scales as the fill finds them."""

    rows: Floats
    scales: Scales
    density: float

    @property
    def n_slices(self) -> int:
        """Number of slices."""
        return int(self.rows.shape[2])


def normalise_rows(beam: ParallelBeam, rows: Floats) -> Measured:
    """Bring rows (n_tilts, width, n_slices) to densities of order one."""
    density = density_scale(last(iter_sirt(beam, rows, 10)))
    b = rows / np.float32(density)
    peak = sinogram_scale(b)
    return Measured(b, Scales(peak, raise_to_noise_floor(noise_level(b), peak)), density)


def reconstruct_quickly(
    beam: ParallelBeam, objects: Sequence[Measured], contract: InputContract
) -> list[FirstEstimates]:
    """SART and TVM of every object: methods by themselves, and what the network is given.

    They treat each slice alone, so all objects share one strip of the projector.
    """
    cuts = np.cumsum([o.n_slices for o in objects])[:-1]
    strip = np.concatenate([o.rows for o in objects], axis=2)
    found = compute_first_estimates(beam, strip, contract)
    parts = (np.split(volume, cuts, axis=2) for volume in (found.sart, found.tvm))
    return [FirstEstimates(sart.copy(), tvm.copy()) for sart, tvm in zip(*parts, strict=True)]


def reconstruct_classically(
    beam: ParallelBeam, objects: Sequence[Measured], quick: Sequence[FirstEstimates], score: Score
) -> tuple[dict[str, list[Floats]], list[float]]:
    """Volumes of every method without a network, and the factors that TVM's tuning chose.

    `score` of an object's index and volume says which of its weights is best.
    """
    strip = np.concatenate([o.rows for o in objects], axis=2)
    cuts = np.cumsum([o.n_slices for o in objects])[:-1]
    # What the automatic weight came to, in each slice; now it stays, times a factor.
    unexplained = [rms(o.rows - beam(q.tvm)) for o, q in zip(objects, quick, strict=True)]
    weights = [weight_for(beam.n_tilts, left) for left in unexplained]
    tuning = _Tuning(beam, objects, weights, score)
    tuning.run([q.tvm for q in quick])

    def split(volume: Floats) -> list[Floats]:
        return np.split(volume, cuts, axis=2)

    return {
        WBP: split(wbp(beam, strip)),
        SART: [q.sart for q in quick],
        SIRT: split(last(iter_sirt(beam, strip, SIRT_SWEEPS))),
        TVM: [q.tvm for q in quick],
        TUNED: [tuning.best[k] for k in range(len(objects))],
    }, [tuning.best_factor[k] for k in range(len(objects))]


class _Tuning:
    """The search for each object's best weight of the total variation, knowing the truth."""

    def __init__(
        self,
        beam: ParallelBeam,
        objects: Sequence[Measured],
        weights: Sequence[Floats],
        score: Score,
    ) -> None:
        self.beam, self.objects, self.weights, self.score = beam, objects, weights, score
        self.best: dict[int, Floats] = {}
        self.best_factor: dict[int, float] = {}
        self._best_score: dict[int, float] = {}

    def run(self, automatic: Sequence[Floats]) -> None:
        """Try every factor on all objects, then further ones where the best was outermost.

        The automatic volumes compete too, so that tuning is never behind them.
        """
        for k, volume in enumerate(automatic):
            self._compare(k, 1.0, volume)
        everyone = list(range(len(self.objects)))
        for factor in FACTORS:
            self._try(factor, everyone)
        for end, ratio in ((min(FACTORS), 10**-0.5), (max(FACTORS), 10**0.5)):
            factor = end
            while FACTOR_LIMITS[0] < factor < FACTOR_LIMITS[1]:
                edge = [k for k in everyone if self.best_factor[k] == factor]
                if not edge:
                    break
                factor *= ratio
                self._try(factor, edge)

    def _try(self, factor: float, which: list[int]) -> None:
        parts = [self.objects[k] for k in which]
        strip = np.concatenate([o.rows for o in parts], axis=2)
        sizes = [o.n_slices for o in parts]
        weight = np.float32(factor) * np.concatenate([self.weights[k] for k in which])
        options = TvmOptions(n_steps=TUNED_STEPS, weight=weight)
        volume = last(iter_tvm(self.beam, strip, options=options))
        for k, part in zip(which, np.split(volume, np.cumsum(sizes)[:-1], axis=2), strict=True):
            self._compare(k, factor, part)

    def _compare(self, k: int, factor: float, volume: Floats) -> None:
        found = self.score(k, volume)
        if k not in self.best or found > self._best_score[k]:
            self._best_score[k], self.best_factor[k] = found, factor
            self.best[k] = volume.copy()


def fill_with_network(
    model: JointModel,
    beam: ParallelBeam,
    objects: Sequence[Measured],
    quick: Sequence[FirstEstimates],
) -> list[Floats]:
    """The network's volumes; it sees neighbouring slices, so objects go one by one."""
    return [
        drain(iter_joint(model, beam, o.rows, o.scales, q)).volume
        for o, q in zip(objects, quick, strict=True)
    ]


def complete_sinogram(
    model: JointModel, beam: ParallelBeam, measured: Measured, quick: FirstEstimates
) -> tuple[Floats, Floats]:
    """What the sinogram network is given and what it makes of it, without the tomogram network.

    Returns
    -------
    tuple of ndarray, float32, (n_rows, width, n_slices)
        The warm start and the network's answer, both as path integrals of the normalised object.
    """
    contract = model.model.contract
    channels = sinogram_input(beam, measured.rows, quick, measured.scales, contract)
    answer = np.concatenate(list(model.run("sinogram", channels)))
    unit = np.float32(measured.scales.sinogram)
    warm, filled = (unit * rows[:, 0].transpose(1, 2, 0) for rows in (channels, answer))
    return warm, filled
