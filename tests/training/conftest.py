"""Networks in miniature, which every part of the loop and of the export sees."""

import pytest

from napari_wedgefill.training import groups, train
from napari_wedgefill.training.networks import SinogramGenerator, TomogramGenerator
from napari_wedgefill.training.stages import STAGES


@pytest.fixture(scope="module")
def in_miniature():
    """Few validations and small networks."""
    small = {
        "sinogram": lambda: SinogramGenerator(features=8, growth=4, blocks=1),
        "tomogram": lambda: TomogramGenerator(widths=(8, 12)),
        "refinement": lambda: TomogramGenerator(widths=(8, 12)),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "N_VALIDATION", 1)
        patch.setattr(train, "REPORT_EVERY", 0.3)
        for stage, make in small.items():
            patch.setattr(STAGES[stage], "make_network", staticmethod(make))
        yield
