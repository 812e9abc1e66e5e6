"""What a fill is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import WedgefillError
from ..methods import DEFAULT_METHODS, METHODS

STOPS = ("sweeps", "discrepancy")
#: How many times the usual sweeps a method gets at most that stops where it reaches the noise.
CAP = 3


@dataclass(frozen=True)
class FillOptions:
    """What to compute, and where.

    Attributes
    ----------
    methods : tuple of str
        Any of "wbp", "sart", "sirt", "tvm", "gan", in the order in which results list them. They
        run in the order of `methods.METHODS`, so that each finds what it can start from.
    model : str
        Name of a bundled model, or a folder.
    device : {"auto", "cpu", "cuda"}
        Where the networks run, and everything else too, where torch reaches the GPU and the
        projector's kernels work there.
    slices : tuple of int, optional
        Start and stop along the tilt axis; all by default.
    preview : bool
        Fewer sweeps: for a look, not for measuring.
    stop : {"sweeps", "discrepancy"}
        When SART and SIRT end: after their usual number of sweeps, or, slice by slice, once what
        is left unexplained is no more than the noise, after three times that number at most.
    max_memory : int, optional
        Bytes that the process may hold in memory; by default, half of what is free.
    whole_field : bool
        Fill the whole field of view even where the images show vacuum all around the specimen. By
        default all methods but WBP then work on a box around it (`find_box`), which takes less
        time.
    gain : bool
        Correct intensities that are wrong beyond doubt (`corrections.correct_intensities`): frames
        that were never measured, a background that rises, images that are too bright or too dark.
    """

    methods: tuple[str, ...] = DEFAULT_METHODS
    model: str = "small"
    device: str = "auto"
    slices: tuple[int, int] | None = None
    preview: bool = False
    stop: str = "sweeps"
    max_memory: int | None = None
    whole_field: bool = False
    gain: bool = True

    def count_passes(self) -> dict[str, int]:
        """Count the sweeps or steps of every iterative method, the most that it gets, by name."""
        passes: dict[str, int] = {}
        for name, method in METHODS.items():
            if (effort := method.effort) is not None:
                usual = effort.preview if self.preview else effort.usual
                may_stop = effort.stops_at_noise and self.stop == "discrepancy"
                passes[name] = CAP * usual if may_stop else usual
        return passes


def check_stop(stop: str) -> None:
    """Raise `WedgefillError` for a stopping rule that does not exist."""
    if stop not in STOPS:
        raise WedgefillError(f"There is no stopping rule {stop!r}; choose {' or '.join(STOPS)}.")
