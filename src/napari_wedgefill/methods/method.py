"""What a method is: how it is called and drawn, what it costs, and how it solves a slab."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..joint_model.contract import Scales
    from ..joint_model.model import JointModel
    from ..projector import ParallelBeam
    from ..reconstruct import Sweep
    from ..reconstruct.tvm import Beside

#: A numpy array, or a torch tensor on a GPU.
Array = Any
#: What a method reports on the way: its stage, and how far the slab is, 0 to 1.
Step = tuple[str, float]


@dataclass(frozen=True)
class Effort:
    """How many passes over the measured data an iterative method makes.

    Attributes
    ----------
    usual, preview : int
        Passes of a fill and of a preview.
    unit : {"sweeps", "steps", "passes"}
        A sweep takes every tilt once, a step only a few of them; a pass is one of the refinement
        network, between two steps of consistency.
    stops_at_noise : bool
        Whether the method can end slice by slice once what is left unexplained is noise.
    """

    usual: int
    preview: int
    unit: str = "sweeps"
    stops_at_noise: bool = False


@dataclass(frozen=True)
class Memory:
    """What a method holds while it solves a slab.

    Attributes
    ----------
    volumes, sinograms : float
        Arrays of the slab's volume and of its sinogram, the result included.
    strip_bytes : int
        Slices at once are made fewer where one volume of a full strip would be larger than this.
    fixed_bytes, bytes_per_pixel : float
        What is taken beside that, and for each pixel of a slice.
    """

    volumes: float
    sinograms: float
    strip_bytes: int = 256 << 20
    fixed_bytes: float = 0.0
    bytes_per_pixel: float = 0.0


@dataclass(frozen=True, eq=False)
class Problem:
    """One slab for one method to solve; densities are of order one.

    Attributes
    ----------
    beam : ParallelBeam
        The geometry that was measured.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows in units of the density scale; neighbouring slices are neighbours.
    scales : Scales
        Of the whole series.
    passes : mapping of str to int
        Sweeps or steps of every iterative method, by name; the most where it may stop earlier.
    starts : mapping of str to array, float32, (depth, width, n_slices)
        What the methods that this one uses made of the slab; empty where that is not there.
    stop_at : float, optional
        Noise, over the density scale, at which a method that can do so ends.
    model : JointModel, optional
        The networks, for methods that need them.
    beside : Beside, optional
        What was measured beside the rows, if they are those of the specimen's box.
    """

    beam: ParallelBeam
    sinogram: Array
    scales: Scales
    passes: Mapping[str, int]
    starts: Mapping[str, Array] = field(default_factory=dict)
    stop_at: float | None = None
    model: JointModel | None = None
    beside: Beside | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """What a method makes of a slab.

    Attributes
    ----------
    volume : of the sinogram's kind, float32, (depth, width, n_slices)
        Densities in units of the density scale.
    n_passes : int, optional
        Sweeps or steps that were taken.
    noise_share : float, optional
        Share of what TVM leaves unexplained that networks were shown, 0 to 1.
    """

    volume: Array
    n_passes: int | None = None
    noise_share: float | None = None


#: Whether results of the methods that a method uses serve it, given the passes that made them and
#: the networks.
Suits = Callable[[Mapping[str, int], "JointModel | None"], bool]


@dataclass(frozen=True)
class Method:
    """A way to reconstruct; every part of the package that offers or runs methods reads this.

    Attributes
    ----------
    name : str
        On the command line, in file names and in reports.
    label, tip : str
        For people: a heading, and a sentence that says what to expect.
    colour : str
        Of its curve in every plot, as ``#rrggbb``.
    cost : float
        Time of a slice, over that of WBP; for the progress bar alone.
    memory : Memory
        What it holds while it solves a slab.
    solve : callable
        Takes a `Problem`, yields steps and returns a `Solution`.
    uses : tuple of str
        Methods that come before it in the table and whose results it starts from, where the same
        fill has made them all; without them it computes what it needs.
    suits : callable, optional
        Whether those results serve (`Suits`); a preview takes them whatever this says.
    effort : Effort, optional
        Of an iterative method.
    needs_model : bool
        Whether trained networks make it: what lies in its wedge was learned, not measured.
    fills_field : bool
        Whether the result belongs to the whole field of view even where that is vacuum, such as the
        streaks of WBP. Others work on the box of the specimen.
    neighbours : int
        Slices on either side that a slice of the result depends on, beside what a model says.
    is_default : bool
        Whether a fill makes it unless told otherwise.
    """

    name: str
    label: str
    tip: str
    colour: str
    cost: float
    memory: Memory
    solve: Callable[[Problem], Generator[Step, None, Solution]]
    uses: tuple[str, ...] = ()
    suits: Suits | None = None
    effort: Effort | None = None
    needs_model: bool = False
    fills_field: bool = False
    neighbours: int = 0
    is_default: bool = True

    def reach(self, model: JointModel | None) -> int:
        """Slices on either side that a slice of the result depends on."""
        learned = model.model.reach if self.needs_model and model is not None else 0
        return max(self.neighbours, learned)


def run_sweeps(label: str, sweeps: Iterable[Sweep]) -> Generator[Step, None, Solution]:
    """Run an iterative solver to its end, reporting each pass under a label."""
    x, done = None, 0
    for sweep in sweeps:
        x, done = sweep.x, sweep.done
        yield label, done / sweep.total
    return Solution(x, done)
