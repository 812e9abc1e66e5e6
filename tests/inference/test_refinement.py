"""The refinement's passes: what one sees on the left, the next sees on the right."""

from types import SimpleNamespace

import numpy as np

from napari_wedgefill.inference.contract import InputContract
from napari_wedgefill.inference.joint_model import iter_refined
from napari_wedgefill.projector import ParallelBeam

WIDTH, N_SLICES = 32, 3
CONTRACT = InputContract(n_rows=48, neighbours=1)


class OneSided:
    """A network that adds the same error on the upper left, whatever it sees."""

    def __init__(self):
        self.model = SimpleNamespace(contract=CONTRACT)
        self.error = np.zeros((WIDTH, WIDTH), np.float32)
        self.error[:8, :4] = 1.0

    def run(self, stage, batch):
        assert stage == "refinement"
        for one in batch:
            yield (one[[7]] + self.error)[None]  # the estimate itself, between its neighbours


def test_the_second_pass_does_not_repeat_the_errors_of_the_first():
    model = OneSided()
    beam = ParallelBeam(np.arange(-60, 61, 5.0), WIDTH)
    volume = np.random.default_rng(0).random((WIDTH, WIDTH, N_SLICES), dtype=np.float32)
    steps = iter_refined(model, beam, beam(volume), volume, volume, 0.7, 0.9)
    fractions = []
    while True:
        try:
            fractions.append(next(steps)[1])
        except StopIteration as ended:
            found = ended.value
            break
    turned = model.error[::-1, ::-1]
    np.testing.assert_allclose(found, volume + (model.error + turned)[:, :, None], atol=1e-6)
    assert fractions == sorted(fractions)
    np.testing.assert_allclose(fractions[-1], 0.9)
