"""The one place where ONNX Runtime is imported, so that it sends nothing to anyone."""

from __future__ import annotations

import os
from types import ModuleType

from ..errors import WedgefillError


def load_onnxruntime() -> ModuleType:
    """Import ONNX Runtime with its telemetry off.

    From version 1.31 on it looks up names, opens connections to its vendor and keeps a database in
    the user's cache folder. Only the variable of the environment prevents all of it, and only if it
    is set before the import; the function covers a process where somebody else imported it before.

    Raises
    ------
    WedgefillError
        If it is not installed, or its libraries cannot be loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        reason = str(error).splitlines()[0][:200]
        raise WedgefillError(
            f"ONNX Runtime, which runs the networks, cannot be imported ({reason}); see "
            "'wedgefill doctor', or leave out method gan (--methods wbp,sart,tvm)."
        ) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime
