"""Settings of every test."""

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

from hypothesis import settings

# Shared machines stall: a deadline would test them. Examples repeat, so that a failure does too;
# what is found later takes other examples (HYPOTHESIS_PROFILE=long).
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests run side by side: threads of torch that wait for one another would waste their cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A runner in the background ignores Ctrl-C, and `nohup` that the terminal has gone; every process
# that they start would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The torch of the training tests loads Triton by itself, and then as it is: that must come before
# the first window is drawn (see `triton_library`).
with suppress(ImportError):
    import_module("napari_wedgefill.projector.triton_library")


def pytest_collection_modifyitems(items):
    """Begin with the files of slow tests: at the end, one would leave the other cores idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
