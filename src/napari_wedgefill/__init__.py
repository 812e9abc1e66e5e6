"""Fill the missing wedge of electron tomography, in napari and on the command line.

Importing the package loads only what it is asked for: each public name comes from its own room
when it is first used, so that `import napari_wedgefill` takes no time and brings no torch,
onnxruntime, Qt or napari.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import WedgefillError
    from .io import read_tilt_series, read_volume, write_tilt_series, write_volume
    from .pipeline.events import FillResult
    from .pipeline.fill import fill, iter_fill
    from .pipeline.options import FillOptions
    from .pipeline.session import Session
    from .projector import ParallelBeam
    from .run.options import RunOptions
    from .run.run import iter_run
    from .tilt_series import TiltSeries
    from .volume import Volume

__version__ = "0.1.0"

__all__ = [
    "FillOptions",
    "FillResult",
    "ParallelBeam",
    "RunOptions",
    "Session",
    "TiltSeries",
    "Volume",
    "WedgefillError",
    "__version__",
    "fill",
    "iter_fill",
    "iter_run",
    "read_tilt_series",
    "read_volume",
    "write_tilt_series",
    "write_volume",
]

_ROOM_OF = {
    "FillOptions": "pipeline.options",
    "FillResult": "pipeline.events",
    "ParallelBeam": "projector",
    "RunOptions": "run.options",
    "Session": "pipeline.session",
    "TiltSeries": "tilt_series",
    "Volume": "volume",
    "WedgefillError": "errors",
    "fill": "pipeline.fill",
    "iter_fill": "pipeline.fill",
    "iter_run": "run.run",
    "read_tilt_series": "io",
    "read_volume": "io",
    "write_tilt_series": "io",
    "write_volume": "io",
}


def __getattr__(name: str) -> object:
    """Import a public name from its room when it is first asked for."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    """Public names, loaded or not."""
    return sorted(__all__)
