"""Speed on this machine: reconstructions, beside ASTRA's where it is installed, and networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from .projector import ParallelBeam, strip_width
from .projector.threads import available_cores
from .projector.vectors import VECTOR, load, make_aligned_zeros, multiply_add, spread, store
from .reconstruct import iter_sart, iter_sirt, iter_tvm, last, wbp

if TYPE_CHECKING:
    from .joint_model.model import JointModel

Floats = NDArray[np.float32]
SWEEPS = {"SIRT": 20, "SART": 3, "TVM": 3}


class Astra:
    """ASTRA's CPU algorithms on one slice; it takes slices one by one, on one core.

    Raises
    ------
    ImportError
        If astra-toolbox is not installed.
    """

    def __init__(self, angles_deg: NDArray[np.float64], width: int) -> None:
        import astra

        self.astra = astra
        volume = astra.create_vol_geom(width, width)
        # Row 0 of an ASTRA image is at the top of its y axis: turning the angles' sign makes its
        # rows our z.
        self.geometry = astra.create_proj_geom("parallel", 1.0, width, -np.deg2rad(angles_deg))
        self.projector = astra.create_projector("linear", self.geometry, volume)
        self.rows = astra.data2d.create("-sino", self.geometry)
        self.image = astra.data2d.create("-vol", volume)

    def run(self, operation: str, image: Floats, rows: Floats) -> Floats:
        """Run one operation on a slice (z, x) or its sinogram (n_tilts, width)."""
        if operation == "forward projection":
            self.astra.data2d.store(self.image, image)
            self._run("FP", 1, VolumeDataId=self.image)
            return self.astra.data2d.get(self.rows)
        name, n = {
            "back projection": ("BP", 1),
            "WBP": ("FBP", 1),
            "SIRT": ("SIRT", SWEEPS["SIRT"]),
            "SART": ("SART", SWEEPS["SART"] * len(rows)),  # it counts single tilts as iterations
        }[operation]
        option = {"option": {"MinConstraint": 0}} if name in ("SIRT", "SART") else {}
        self.astra.data2d.store(self.rows, rows)
        self.astra.data2d.store(self.image, 0)
        self._run(name, n, ReconstructionDataId=self.image, **option)
        return self.astra.data2d.get(self.image)

    def _run(self, name: str, n: int, **more: object) -> None:
        config = self.astra.astra_dict(name)
        config |= {"ProjectorId": self.projector, "ProjectionDataId": self.rows, **more}
        algorithm = self.astra.algorithm.create(config)
        self.astra.algorithm.run(algorithm, n)
        self.astra.algorithm.delete(algorithm)


def list_operations(
    beam: ParallelBeam, volume: Floats, rows: Floats
) -> dict[str, tuple[Callable[[], Floats], int]]:
    """Our operations on a strip of slices, by name, and how often each passes over the tilts."""
    return {
        "forward projection": (lambda: beam(volume), 1),
        "back projection": (lambda: beam.T(rows), 1),
        "WBP": (lambda: wbp(beam, rows), 1),
        "SIRT": (lambda: last(iter_sirt(beam, rows, SWEEPS["SIRT"])), 2 * SWEEPS["SIRT"]),
        "SART": (lambda: last(iter_sart(beam, rows, SWEEPS["SART"])), 2 * SWEEPS["SART"]),
        "TVM": (lambda: last(iter_tvm(beam, rows, SWEEPS["TVM"])), 2 * SWEEPS["TVM"]),
    }


def time_shortest(
    function: Callable[[], object],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the shortest of several runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


def compare_with_astra(
    volume: Floats,
    rows: Floats,
    angles_deg: NDArray[np.float64],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[dict[str, Any]]:
    """Time every operation on a strip, and ASTRA's on its middle slice where it is installed.

    Parameters
    ----------
    volume : ndarray, float32, (width, width, n_slices)
        The object.
    rows : ndarray, float32, (n_tilts, width, n_slices)
        Its projections.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles.
    repeats : int
        Of which the shortest counts.
    clock : callable
        `time.process_time` where other work shares the cores.

    Returns
    -------
    list of dict
        "operation", "ours_ms" a slice, "giga_updates" a second, "share_of_limit", and with ASTRA
        "astra_ms" and "ratio".
    """
    width, n_slices = rows.shape[1:]
    beam, limit = ParallelBeam(angles_deg, width), measure_vector_limit() * available_cores()
    try:
        peer = Astra(angles_deg, width)
    except ImportError:
        peer = None
    middle = np.ascontiguousarray(volume[:, :, n_slices // 2])
    own_rows = np.ascontiguousarray(rows[:, :, n_slices // 2])
    # CPU time adds up over cores; wall time does not.
    cores = available_cores() if clock is time.process_time else 1
    found = []
    for name, (run, passes) in list_operations(beam, volume, rows).items():
        ours = time_shortest(run, repeats, clock) / n_slices / cores
        speed = width * width * len(angles_deg) * passes / ours / 1e9
        result: dict[str, Any] = {"operation": name, "ours_ms": 1e3 * ours}
        result |= {"giga_updates": speed, "share_of_limit": speed / limit}
        if peer is not None and name != "TVM":
            theirs = time_shortest(partial(peer.run, name, middle, own_rows), repeats, clock)
            result |= {"astra_ms": 1e3 * theirs, "ratio": theirs / ours}
        found.append(result)
    return found


def measure_vector_limit() -> float:
    """Giga-updates a second that one core could do if nothing had to be fetched or worked out.

    The kernels' own inner step, eight weighted vectors added up, on operands that stay in the
    first-level cache and with weights that stay in registers.
    """
    out, source = make_aligned_zeros((64 * VECTOR,)), make_aligned_zeros((80 * VECTOR,))
    n = 20_000
    time_of_one = time_shortest(lambda: _accumulate_much(out, source, n), 5, time.process_time)
    # Four taps a vector count as four updates: an update is one voxel (or ray sample) and one tilt.
    return n * 64 * 4 * VECTOR / time_of_one / 1e9


@numba.njit(nogil=True, cache=True)
def _accumulate_much(out: Floats, source: Floats, n: int) -> None:
    a, b = spread(np.float32(0.5)), spread(np.float32(0.25))
    for _ in range(n):
        for k in range(64):
            o = k * VECTOR
            total = load(out, o)
            for tap in range(8):
                weight = a if tap % 2 == 0 else b
                total = multiply_add(weight, load(source, o + tap * VECTOR), total)
            store(out, o, total)


def measure_memory_rate(n_bytes: int) -> float:
    """Gigabytes a second, read and written, of one core that changes `n_bytes` over and over."""
    data = make_aligned_zeros((n_bytes // 4,))
    rounds = max(1, (64 << 20) // n_bytes)
    time_of_all = time_shortest(lambda: _change_all(data, rounds), 5, time.process_time)
    return 2.0 * data.nbytes * rounds / time_of_all / 1e9


@numba.njit(nogil=True, cache=True)
def _change_all(data: Floats, rounds: int) -> None:
    factor = spread(np.float32(0.999))
    for _ in range(rounds):
        for i in range(0, data.size, VECTOR):
            store(data, i, multiply_add(factor, load(data, i), factor))


def compare_quickly(width: int = 256, repeats: int = 2) -> list[dict[str, Any]]:
    """Compare on a simulated strip of noise, for `wedgefill bench`."""
    angles = np.arange(-60.0, 60.1, 2.0)
    n_slices = strip_width(width, width)
    volume = np.random.default_rng(0).random((width, width, n_slices), dtype=np.float32)
    return compare_with_astra(volume, ParallelBeam(angles, width)(volume), angles, repeats)


def _run_all(model: JointModel, stage: str, batch: Floats) -> None:
    for _ in model.run(stage, batch):
        pass


def time_networks(width: int = 256) -> dict[str, Any]:
    """Seconds a slice of each network of the small model, where it runs when left to choose."""
    from .joint_model.model import JointModel
    from .joint_model.onnx_session import count_side_by_side
    from .joint_model.registry import SMOOTH_REFINEMENT, load

    model = JointModel(load("small"))
    contract = model.model.contract
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {"width": width, "provider": model.open(width)}
    stages = [stage for stage in model.model.stages if stage != SMOOTH_REFINEMENT]
    heights = dict.fromkeys(stages, width) | {"sinogram": contract.n_rows}
    n = 2 * count_side_by_side() if found["provider"].startswith("CPU") else 16
    for stage, height in heights.items():
        channels = model.channels(stage)
        batch = rng.random((n, channels, height, width), dtype=np.float32)
        found[f"{stage}_s"] = time_shortest(partial(_run_all, model, stage, batch), 2) / n
    return found
