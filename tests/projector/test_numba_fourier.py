"""The filter in vectors: what numpy's transforms give, at every width of image and of tile."""

import numpy as np
import pytest

from napari_wedgefill.projector.numba_fourier import filter_pair, make_filter
from napari_wedgefill.projector.vectors import VECTOR, make_aligned_zeros, vectors
from napari_wedgefill.reconstruct.wbp import ramp_response


@pytest.mark.parametrize("lanes", [VECTOR, 4 * VECTOR])
@pytest.mark.parametrize(("width", "n"), [(1, 4), (4, 8), (5, 16), (33, 128), (128, 256)])
def test_rows_are_filtered_as_numpy_does(width, n, lanes):
    rows = make_aligned_zeros((2, width + 2, lanes))
    rows[:] = np.random.default_rng(0).normal(size=rows.shape)
    before, response = rows.astype(float), ramp_response(n, "hann")
    weights = np.array([0.5, 2.0], np.float32)
    filter_pair(
        vectors(lanes), rows.reshape(-1), lanes, (width + 2) * lanes, width, weights,
        make_filter(response), make_aligned_zeros((2 * n * VECTOR,)),
    )  # fmt: skip
    spectrum = np.fft.rfft(before[:, 1:-1], n=n, axis=1) * response[:, None]
    expected = np.fft.irfft(spectrum, n=n, axis=1)[:, :width] * weights[:, None, None]
    np.testing.assert_allclose(rows[:, 1:-1], expected, atol=2e-6)
    np.testing.assert_array_equal(rows[:, [0, -1]], before[:, [0, -1]])
