"""The batch follows the free memory of the card, as its driver tells it."""

import pytest

from napari_wedgefill.joint_model.model import (
    BYTES_PER_PIXEL,
    FALLBACK,
    LARGEST,
    SHARE,
    choose_batch,
    measure_free_gpu_bytes,
)


class Driver:
    """A CUDA driver of one device, which keeps count of its context."""

    def __init__(self, free, status=0):
        self.free, self.status, self.held, self.pushed = free, status, 0, 0

    def cuInit(self, flags):
        return 0

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = ordinal
        return 0

    def cuDevicePrimaryCtxRetain(self, context, device):
        self.held += 1
        return 0

    def cuCtxPushCurrent_v2(self, context):
        self.pushed += 1
        return 0

    def cuMemGetInfo_v2(self, free, total):
        free._obj.value, total._obj.value = self.free, 2 * self.free
        return self.status

    def cuCtxPopCurrent_v2(self, context):
        self.pushed -= 1
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device):
        self.held -= 1
        return 0


def test_the_driver_tells_and_its_context_is_given_back():
    driver = Driver(6_000_000_000)
    assert measure_free_gpu_bytes(driver) == 6_000_000_000
    assert (driver.held, driver.pushed) == (0, 0)


def test_a_driver_that_fails_or_knows_none_of_this_tells_nothing():
    failing = Driver(1, status=2)
    assert measure_free_gpu_bytes(failing) is None
    assert (failing.held, failing.pushed) == (0, 0)
    assert measure_free_gpu_bytes(object()) is None


@pytest.mark.parametrize("edge", [64, 256, 512, 2048])
@pytest.mark.parametrize("free", [1, 10**9, 8 * 10**9, 80 * 10**9])
def test_a_batch_fits_unless_not_even_one_slice_does(edge, free):
    batch = choose_batch(edge**2, free)
    assert 1 <= batch <= LARGEST
    assert batch == 1 or batch * edge**2 * BYTES_PER_PIXEL <= SHARE * free
    assert batch == LARGEST or (batch + 1) * edge**2 * BYTES_PER_PIXEL > SHARE * free


def test_without_an_answer_the_batch_is_a_moderate_one():
    assert choose_batch(512**2, None) == FALLBACK
