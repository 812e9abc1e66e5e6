"""Reading and writing tilt series and volumes: path -> TiltSeries or Volume, and back."""

from .angles import angles_from_text, read_angles
from .describe import describe
from .formats import open_stacks
from .mrc_sink import MrcSink
from .tilt_reader import find_angles, read_tilt_series
from .volume_reader import kind_of, read_volume
from .writing import check_target, write_tilt_series, write_volume

__all__ = [
    "MrcSink",
    "angles_from_text",
    "check_target",
    "describe",
    "find_angles",
    "kind_of",
    "open_stacks",
    "read_angles",
    "read_tilt_series",
    "read_volume",
    "write_tilt_series",
    "write_volume",
]
