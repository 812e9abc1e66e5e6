"""Settings of every test."""

import os

from hypothesis import settings

# Shared machines stall: a deadline would test them. Examples repeat, so that a failure does too.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests run side by side: threads of torch that wait for one another would waste their cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
