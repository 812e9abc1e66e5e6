"""How much memory a CUDA device has free, asked of the driver, and the batch that fits into it."""

from __future__ import annotations

import ctypes
from typing import Any

from .onnx_session import load_driver

#: What the networks take for each pixel of a slice, generously: what does not fit is halved.
BYTES_PER_PIXEL = 4000
#: Share of the free memory that a batch may take.
SHARE = 0.5
#: More slices at once keep a large GPU no busier.
LARGEST = 32
#: Where the driver does not say.
FALLBACK = 8


def batch_for(n_pixels: int, free: int | None) -> int:
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


def free_gpu_bytes(driver: Any = None) -> int | None:
    """Free memory of the first CUDA device that this process sees; None if nobody says.

    The device's primary context, which ONNX Runtime uses too, is held for the question only.
    """
    try:
        driver = driver or load_driver()
        device, context = ctypes.c_int(), ctypes.c_void_p()
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        _check(driver.cuInit(0))
        _check(driver.cuDeviceGet(ctypes.byref(device), 0))
        _check(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
        try:
            _check(driver.cuCtxPushCurrent_v2(context))
            status = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
            _check(driver.cuCtxPopCurrent_v2(ctypes.byref(context)))
            _check(status)
        finally:
            driver.cuDevicePrimaryCtxRelease_v2(device)
    except (OSError, AttributeError):  # no driver, or one without these functions
        return None
    return int(free.value)


def _check(status: int) -> None:
    if status != 0:
        raise OSError(f"the CUDA driver answered with error {status}")
