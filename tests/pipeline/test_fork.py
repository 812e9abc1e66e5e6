"""A process that is forked after a fill can fill too: it has none of the threads of the first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKED = """
import os, signal, sys
import numpy as np
from napari_wedgefill import FillOptions, Session, TiltSeries, fill
images = np.random.default_rng(0).normal(0, 0.1, (9, 2, 16))
images[:, :, 6:10] += 5
series = TiltSeries.from_arrays(images, np.linspace(-60, 60, 9))
options, session = FillOptions(device="cpu"), Session()
first = fill(series, options, session=session)
for shared in (session, None):
    child = os.fork()
    if child == 0:
        signal.alarm(120)
        again = fill(series, options, session=shared)
        pairs = [(first.volumes[m].data, again.volumes[m].data) for m in first.volumes]
        os._exit(0 if all(np.array_equal(*pair) for pair in pairs) else 3)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_fills_the_same_bytes():
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=300)
