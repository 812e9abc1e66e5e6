"""Classical reconstruction, one algorithm a file; iterative solvers are generators."""

from .sart import iter_sart, iter_sirt
from .sweeps import Sweep, last
from .tvm import TvmOptions, iter_tvm
from .wbp import wbp

__all__ = ["Sweep", "TvmOptions", "iter_sart", "iter_sirt", "iter_tvm", "last", "wbp"]
