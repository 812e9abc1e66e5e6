"""A pass of a solver on a GPU is the same launches on the same arrays, and asks nothing of them.

No kernel is run here: what is launched, on which arrays, is what a recording is made of.
"""

import logging
import weakref
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

pytest.importorskip("triton", reason="there is no Triton for this system")

from napari_wedgefill.methods import METHODS
from napari_wedgefill.pipeline import slabs
from napari_wedgefill.projector import (
    ParallelBeam,
    torch_backend,
    torch_replay,
    torch_tvm,
    triton_backend,
    triton_tvm,
)
from napari_wedgefill.projector.torch_replay import Replay, record, recording
from napari_wedgefill.projector.triton_backend import TritonBackend
from napari_wedgefill.reconstruct import TvmOptions, iter_sart, iter_tvm, last

#: Of an even and of an odd number of steps, which end a pass in another array.
PASSES = {8: 2, 12: 3}
KERNELS = {
    triton_backend: ("project_rays", "back_project_rays"),
    triton_tvm: ("descend_voxels", "hold_back"),
}
CUDA = torch.device("cuda", 0)


class Written:
    """Stands for a kernel: writes down what it is launched on."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def __getitem__(self, grid):
        def launch(*args, **settings):
            given = [a.data_ptr() if isinstance(a, torch.Tensor) else a for a in args]
            self.log.append((self.name, grid, *given, tuple(settings.items())))

        return launch


@pytest.fixture
def launched(monkeypatch):
    log = []
    for module, names in KERNELS.items():
        for name in names:
            monkeypatch.setattr(module, name, Written(name, log))
    return log


def solve(name, n_tilts, n_passes):
    """A solver that has begun on tensors in main memory, as it would be on a GPU."""
    beam = ParallelBeam(np.linspace(-60, 60, n_tilts), 8).with_backend(TritonBackend())
    y, x = torch.rand(n_tilts, 8, 4), torch.rand(8, 8, 4)
    if name == "sart":
        return iter_sart(beam, y, n_passes, x0=x)
    if name == "tvm":
        return iter_tvm(beam, y, n_passes, x0=x)
    dual = torch.zeros_like(y)
    near = TvmOptions(share=0.5, faster=1.0)
    return iter_tvm(beam, y, n_passes, near, x0=x, prior=x, dual=dual)


class NothingIsAsked(TorchDispatchMode):
    """Fails where the host would wait for a number, or for an index, from the GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "item")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["sart", "tvm", "consistency"])
@pytest.mark.parametrize("n_tilts", PASSES)
def test_every_pass_launches_the_same_on_the_same_arrays(launched, name, n_tilts):
    passes = []
    with NothingIsAsked():
        for _ in solve(name, n_tilts, 6):
            passes.append(launched.copy())
            launched.clear()
    assert len(passes) == 6
    per_step = {"sart": 2, "tvm": 4, "consistency": 3}[name]
    assert len(passes[2]) == per_step * PASSES[n_tilts]
    assert passes[2] == passes[4]
    assert passes[1] == passes[3]
    goes_to_and_fro = name != "sart" and PASSES[n_tilts] % 2 == 1
    assert (passes[2] != passes[3]) == goes_to_and_fro


class Recording:
    """What torch.cuda.CUDAGraph does, with a log in place of a GPU."""

    def __init__(self, log):
        self.log, self.kept, self.n_replays = log, [], 0

    def replay(self):
        self.n_replays += 1
        self.log.extend(self.kept)


@pytest.fixture
def recorder(monkeypatch, launched):
    """A CUDA that records; the graphs that it made."""
    graphs = []

    def make():
        graphs.append(Recording(launched))
        return graphs[-1]

    @contextmanager
    def capture(graph, capture_error_mode):
        assert capture_error_mode == "thread_local"
        before = launched.copy()
        yield
        graph.kept = launched[len(before) :]
        launched[:] = before

    monkeypatch.setattr(torch.cuda, "CUDAGraph", make)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    for module in (torch_backend, torch_tvm):
        monkeypatch.setattr(module, "Replay", lambda run, device: Replay(run, CUDA))
    monkeypatch.setattr(torch_replay, "_FAILED", {})
    return graphs


@pytest.mark.parametrize("name", ["sart", "tvm", "consistency"])
@pytest.mark.parametrize("n_tilts", PASSES)
def test_a_recording_launches_what_was_launched(launched, recorder, name, n_tilts):
    def list_launches(sweeps):
        """Arrays by the order in which they appear, for no two solvers share their addresses.

        From the second pass on: what is made while a solver begins may lie where an older one lay.
        """
        next(sweeps)
        launched.clear()
        last(sweeps)
        known = {}
        return [
            [
                known.setdefault(v, len(known)) if isinstance(v, int) and v > 2**20 else v
                for v in one
            ]
            for one in launched
        ]

    plain = list_launches(solve(name, n_tilts, 9))
    assert not recorder
    with recording():
        played = list_launches(solve(name, n_tilts, 9))
    assert played == plain
    assert recorder
    assert sum(graph.n_replays for graph in recorder) >= 5


def test_a_gpu_that_cannot_record_is_launched_on_and_told_of_once(
    launched, recorder, monkeypatch, caplog
):
    def refuse():
        raise RuntimeError("operation not permitted\nwhen the stream is capturing")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", refuse)
    with recording(), caplog.at_level(logging.WARNING):
        for name in ("sart", "tvm"):
            launched.clear()
            last(solve(name, 12, 5))
            assert len(launched) > 4 * 3
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "cannot be recorded on cuda:0" in told[0]
    assert told[0].endswith("operation not permitted")
    assert torch_replay.find_failure() == "operation not permitted"


def test_nothing_is_recorded_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch_replay, "record", lambda *_: pytest.fail("recorded"))
    ran = []
    for _ in range(3):
        Replay(lambda: ran.append(1), CUDA)()
    with recording():
        in_main_memory = Replay(lambda: ran.append(1), torch.device("cpu"))
    for _ in range(3):
        in_main_memory()
    assert len(ran) == 6
    assert not in_main_memory.is_recorded


def test_a_recording_that_fails_on_the_way_runs_nothing_twice(recorder, monkeypatch):
    """The pass itself comes after the attempt, whole."""
    ran = []

    @contextmanager
    def capture(graph, capture_error_mode):
        yield
        raise RuntimeError("capture was invalidated")

    monkeypatch.setattr(torch.cuda, "graph", capture)
    assert record(lambda: ran.append(1), CUDA) is None
    assert record(lambda: ran.append(1), CUDA) is None  # not tried again
    assert len(ran) == 1


class Peak(TorchDispatchMode):
    """The most bytes that tensors made in the block took at a time."""

    def __init__(self):
        super().__init__()
        self.bytes = self.live = 0
        self.seen = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage() not in self.seen:
                storage = tensor.untyped_storage()
                self.seen.add(storage)
                self.live += storage.nbytes()
                self.bytes = max(self.bytes, self.live)
                weakref.finalize(storage, self._drop, storage.nbytes())
        return made

    def _drop(self, n_bytes):
        self.live -= n_bytes


@pytest.mark.parametrize(("name", "method"), [("sart", "sart"), ("tvm", "tvm"), ("near", "gan")])
@pytest.mark.usefixtures("launched")
def test_a_slab_takes_no_more_of_a_gpu_than_is_planned(name, method):
    sweeps = solve(name, 12, 3)
    with Peak() as peak:
        last(sweeps)
    beam = ParallelBeam(np.linspace(-60, 60, 12), 8)
    planned = slabs._estimate_gpu_bytes(METHODS[method].memory, beam, 4)
    given = (
        4 * (2 * 8 * 8 + 2 * 12 * 8) * 4
    )  # where it begins, its prior; rows, their dual variable
    assert 0.2 * planned < peak.bytes + given < planned
