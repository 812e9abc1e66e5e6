"""ASTRA's CUDA projector on tensors that stay on the GPU, for a fair comparison."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch

from napari_wedgefill.projector import ParallelBeam


def astra_obstacle(device: torch.device) -> str | None:
    """Say why ASTRA cannot be timed on a device; None if it can."""
    if device.type != "cuda":
        return "ASTRA's CUDA code needs a CUDA device"
    if find_spec("astra") is None:
        return "ASTRA is not installed"
    import astra

    return None if astra.use_cuda() else "this ASTRA was built without CUDA, or finds no device"


def astra_operators(
    beam: ParallelBeam, x: torch.Tensor, y: torch.Tensor, sweeps: int
) -> dict[str, tuple[Callable[[], object], int]]:
    """Projection, back projection and SIRT of the same slices, ASTRA's own order of axes.

    ASTRA's rotation axis is its z: volumes are (slices, z, x) and sinograms (slices, tilts, u).
    The tensors are linked, so nothing crosses the bus.
    """
    import astra
    import astra.experimental

    n_slices = x.shape[2]
    volume = astra.create_vol_geom(beam.depth, beam.width, n_slices)
    angles = -np.deg2rad(beam.angles_deg)
    rays = astra.create_proj_geom("parallel3d", 1.0, 1.0, n_slices, beam.width, angles)
    projector = astra.create_projector("cuda3d", rays, volume)
    image = x.permute(2, 0, 1).contiguous()
    rows = y.permute(2, 0, 1).contiguous()
    result = torch.zeros_like(image)
    linked = {
        "ProjectionDataId": astra.data3d.link("-sino", rays, rows),
        "ReconstructionDataId": astra.data3d.link("-vol", volume, result),
    }
    config = astra.astra_dict("SIRT3D_CUDA") | {"ProjectorId": projector, **linked}

    def sirt() -> None:
        algorithm = astra.algorithm.create(config)
        astra.algorithm.run(algorithm, sweeps)
        astra.algorithm.delete(algorithm)

    return {
        "forward": (lambda: astra.experimental.direct_FP3D(projector, image, rows), 1),
        "adjoint": (lambda: astra.experimental.direct_BP3D(projector, result, rows), 1),
        "SIRT": (sirt, 2 * sweeps),
    }
