"""The networks of a joint model, ready to run."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WedgefillError
from ..projector.arrays import Array
from . import contract as inputs
from .onnx_session import (
    CPU,
    CUDA,
    OutOfMemory,
    count_side_by_side,
    load_driver,
    open_session,
    run,
)
from .registry import ModelInfo

if TYPE_CHECKING:
    import onnxruntime

#: Slices at once on a CPU: one is as fast as four, and smaller.
CPU_BATCH = 1
#: Sessions kept open: three networks for a preview's size and three for the whole.
MOST_SESSIONS = 6
#: What the networks take for each pixel of a slice, generously: what does not fit is halved.
BYTES_PER_PIXEL = 4000
#: Share of the free memory that a batch may take.
SHARE = 0.5
#: More slices at once keep a large GPU no busier.
LARGEST = 32
#: Where the driver does not say.
FALLBACK = 8


class JointModel:
    """The networks of a model, opened once for each input size.

    Parameters
    ----------
    model : ModelInfo
        From `registry.load`.
    device : {"auto", "cpu", "cuda"}
        See `onnx_session.open_session`.

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
        """Run a stage over (n, channels, h, w) and yield answers (k, 1, h, w) in order."""
        padded, crop = inputs.pad_to_multiple(batch, self.model.contract.multiple)
        session = self._session(stage, *padded.shape[-2:])
        on_gpu = self.provider == CUDA
        for answer in (
            self._run_on_gpu(stage, padded) if on_gpu else self._run_on_cores(session, padded)
        ):
            yield answer[:, :, crop[0], crop[1]]

    def _run_on_cores(self, session: onnxruntime.InferenceSession, batch: Array) -> Iterator[Array]:
        """Several slices at once: cores that share one wait for each other after every layer."""
        parts = [batch[k : k + CPU_BATCH] for k in range(0, len(batch), CPU_BATCH)]
        pool = ThreadPoolExecutor(count_side_by_side())
        try:
            more = [True] * (len(parts) - 1) + [False]
            yield from pool.map(partial(run, session), parts, more)
        except OutOfMemory as error:
            self._halve(1, error)
        finally:
            pool.shutdown(cancel_futures=True)

    def _run_on_gpu(self, stage: str, padded: Array) -> Iterator[Array]:
        """As many slices at once as fit into the GPU's memory; where they do not, half of them."""
        start = 0
        while start < len(padded):
            session = self._session(stage, *padded.shape[-2:])
            size = self._choose_batches(*padded.shape[-2:])[self.provider or CPU]
            part = padded[start : start + size]
            n = len(part)
            if n < size:  # a constant shape: a new one would make CUDA choose its kernels anew
                part = part[np.arange(size).clip(max=n - 1)]
            try:
                answer = run(session, part)
            except OutOfMemory as error:
                self._halve(size, error)
                continue
            yield answer[:n]
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
            batches = self._choose_batches(height, width)
            self._sessions[key] = open_session(self.model.path(stage), device, sizes, batches)
            self.provider = str(self._sessions[key].get_providers()[0])
        return self._sessions[key]

    @cached_property
    def _free(self) -> int | None:
        """Memory that the GPU had before any network was opened."""
        return None if self.device == "cpu" else measure_free_gpu_bytes()

    def _choose_batches(self, height: int, width: int) -> dict[str, int]:
        """Slices at once, by provider.

        All networks of a fill take as many: a slice is as large as its sinogram is wide.
        """
        fits = choose_batch(max(height, width) ** 2, self._free)
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


def choose_batch(n_pixels: int, free: int | None) -> int:
    """Slices of so many pixels that fit into the free memory of a CUDA device, at least one.

    Parameters
    ----------
    n_pixels : int
        Height times width of a slice.
    free : int or None
        Bytes, from `free_gpu_bytes`.
    """
    if free is None:
        return FALLBACK
    return max(1, min(LARGEST, int(SHARE * free / (n_pixels * BYTES_PER_PIXEL))))


def measure_free_gpu_bytes(driver: Any = None) -> int | None:
    """Free memory of the first CUDA device that this process sees; None if nobody says.

    The device's primary context, which ONNX Runtime uses too, is held for the question only.
    """
    try:
        driver = driver or load_driver()
        device, context = ctypes.c_int(), ctypes.c_void_p()
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        _check_status(driver.cuInit(0))
        _check_status(driver.cuDeviceGet(ctypes.byref(device), 0))
        _check_status(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        try:
            _check_status(driver.cuCtxPushCurrent_v2(context))
            status = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
            _check_status(driver.cuCtxPopCurrent_v2(ctypes.byref(context)))
            _check_status(status)
        finally:
            driver.cuDevicePrimaryCtxRelease_v2(device)
    except (OSError, AttributeError):  # no driver, or one without these functions
        return None
    return int(free.value)


def _check_status(status: int) -> None:
    if status != 0:
        raise OSError(f"the CUDA driver answered with error {status}")
