"""A series that grows while the microscope writes it: a volume with every tilt that arrives.

The folder is looked at again and again, which works on network drives too, where nothing announces
a new file. A file counts once it has kept its size and date from one look to the next and can be
opened, so what is half-written, renamed or delivered out of order is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import WedgefillError
from ..io import MrcSink, find_angles, kind_of
from ..io.tilt_reader import image_paths
from ..pipeline.events import Finished
from ..pipeline.fill import iter_fill
from ..pipeline.options import FillOptions
from ..pipeline.session import Session
from ..tilt_series import MIN_TILTS, TiltSeries
from .passed_over import RESULT, STACK, VOLUME, look_at, tell_why

#: Methods of the growing volume: both need seconds, and no model.
GROWING = ("wbp", "sart")
#: Images of the growing volume are binned until they are no wider than this.
GROWING_WIDTH = 256

#: Size in bytes and date of a file, by which a change is seen.
State = tuple[int, int]


@dataclass(frozen=True)
class Pace:
    """When to look, and when a series is complete.

    Attributes
    ----------
    poll_s : float
        Seconds between two looks at the folder.
    idle_s : float
        The series is complete when nothing has changed for so many seconds.
    n_tilts : int, optional
        Or, at once, when so many tilts are there.
    """

    poll_s: float = 2.0
    idle_s: float = 300.0
    n_tilts: int | None = None


@dataclass(frozen=True)
class Waiting:
    """Nothing new; the sentence says what is waited for."""

    sentence: str


@dataclass(frozen=True, eq=False)
class Grown:
    """New tilts are in the growing volumes.

    Attributes
    ----------
    series : TiltSeries
        All tilts so far, as the volumes were made from them (binned).
    paths : dict of str to Path
        Volume by method, complete.
    """

    series: TiltSeries
    paths: Mapping[str, Path]


@dataclass(frozen=True, eq=False)
class Complete:
    """The series is complete.

    Attributes
    ----------
    source : Path or list of Path
        What to read: the stack, the folder, or, where files are left out, the list of the others.
    series : TiltSeries
        As it was read, not binned.
    left_out : mapping of Path to str
        Files that never could be used, and why.
    """

    source: Path | list[Path]
    series: TiltSeries
    left_out: Mapping[Path, str] = field(default_factory=dict)


def iter_watch(
    folder: Path,
    growing: Path,
    read: Callable[[Path | list[Path]], TiltSeries],
    pace: Pace | None = None,
) -> Generator[Waiting | Grown | Complete, None, None]:
    """Follow a folder into which one tilt series is written, until the series is complete.

    Parameters
    ----------
    folder : Path
        Receives a file for each tilt, or one stack that grows, and what says their angles.
    growing : Path
        Folder for the growing volumes, ``<name>_wbp.mrc`` and ``<name>_sart.mrc``; each is replaced
        at once when the next is complete. It is what a fill of the tilts so far makes of them, over
        the whole field of view.
    read : callable
        Reads the stack or the list of files, with all that is known about angles, axis and the
        like.
    pace : Pace, optional
        When to look, and when the series is complete.

    Yields
    ------
    Waiting
        At every look that found nothing new.
    Grown
        Each time that tilts have arrived, from the third on.
    Complete
        Last.

    Raises
    ------
    WedgefillError
        If the folder is not there, holds several series, or nothing usable came in time.
    """
    pace = pace or Pace()
    if not folder.is_dir():
        raise WedgefillError(f"{folder}: there is no such folder; make it, or correct the path.")
    look, session = _Look(folder), Session()
    settled: dict[Path, State] = {}
    series: TiltSeries | None = None
    source: Path | list[Path] = folder
    shown: tuple[dict[Path, State | None], list[float]] | None = None
    reason = f"waiting for the first {MIN_TILTS} tilts"
    while True:
        look.again()
        if look.settled != settled:
            settled = dict(look.settled)
            try:
                source, series = _read_settled(look, read)
                images = {path: settled.get(path) for path in image_paths(source)}
                shown, shown_before = (images, series.angles_deg.tolist()), shown
                if shown != shown_before:  # an angle that comes before its image shows nothing new
                    grown = _bin_to_width(series)
                    paths = _fill_growing(grown, growing, session)
            except WedgefillError as error:  # also where a file was cut short while it was read
                shown = None
                reason = f"waiting, because of {error}"
            else:
                if shown != shown_before:
                    yield Grown(grown, paths)
                reason = f"{series.n_tilts} tilts, waiting for the next"
                look.again()
        # What settled while the volumes were made is still to be read, however long that took.
        is_idle = look.settled == settled and look.count_idle_seconds() >= pace.idle_s
        n_tilts = 0 if series is None else series.n_tilts
        if is_idle or (pace.n_tilts is not None and n_tilts >= pace.n_tilts):
            if series is None:
                raise WedgefillError(
                    f"{folder}: nothing changed for {pace.idle_s:g} s and there is no tilt series "
                    f"yet ({reason}); start again when the microscope writes into it."
                )
            left_out = look.list_left_out(set(image_paths(source)))
            yield Complete(source, series, left_out)
            return
        yield Waiting(reason)
        time.sleep(pace.poll_s)


class _Look:
    """What a folder holds, compared with the look before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: dict[Path, State] = {}
        self.settled: dict[Path, State] = {}
        self.changed_at = time.monotonic()

    def again(self) -> None:
        """Look again; files that kept their state are settled."""
        before, self.states = self.states, {}
        for path in self.folder.iterdir():
            try:
                status = path.stat()
            except OSError:
                continue  # renamed or removed just now
            if path.is_file() and not path.name.startswith("."):
                self.states[path] = (status.st_size, status.st_mtime_ns)
        if self.states != before:
            self.changed_at = time.monotonic()
        self.settled = {p: state for p, state in self.states.items() if before.get(p) == state}

    def count_idle_seconds(self) -> float:
        """Count the seconds since anything changed."""
        return time.monotonic() - self.changed_at

    def images(self) -> list[Path]:
        """Return the image files that are settled."""
        try:
            return sorted(path for path in image_paths(self.folder) if path in self.settled)
        except WedgefillError:
            return []

    def list_left_out(self, used: set[Path]) -> dict[Path, str]:
        """Return the images, settled or not, that are not among those used, and why."""
        unusable = self.list_unusable()
        left = [path for path in image_paths(self.folder) if path not in used]
        return {path: unusable.get(path) or _tell_why_left_out(path) for path in left}

    def list_unusable(self) -> dict[Path, str]:
        """Return the images that cannot be opened, and why."""
        found = {}
        for path in self.images():
            try:
                kind_of(path)
            except (WedgefillError, OSError) as error:
                found[path] = str(error)
        return found


def _tell_why_left_out(path: Path) -> str:
    look = look_at(path)
    if look.kind in (STACK, VOLUME, RESULT):
        return tell_why(path, look)
    return "it is still being written, or no tilt with an angle"


def _read_settled(
    look: _Look, read: Callable[[Path | list[Path]], TiltSeries]
) -> tuple[Path | list[Path], TiltSeries]:
    """Read the tilts that are settled and whole; return what was read, too.

    Raises
    ------
    WedgefillError
        If they are no series (yet).
    """
    unusable = look.list_unusable()
    everything = image_paths(look.folder) if look.images() else []
    images = [path for path in look.images() if path not in unusable]
    stacks = [path for path in images if kind_of(path) == "tilt series"]
    if len(stacks) > 1:
        raise WedgefillError(
            f"{stacks[0].name} and {stacks[1].name}, which are two series; let the microscope "
            "write each into a folder of its own"
        )
    if stacks:
        return stacks[0], read(stacks[0])
    if len(images) < MIN_TILTS:
        looks = {path: look_at(path) for path in images}
        unclear = {path: seen for path, seen in looks.items() if seen.kind in (STACK, VOLUME)}
        if len(unclear) == len(images) == 1:
            return images[0], read(images[0])  # a series if the user gave its angles, or refused
        for path, seen in unclear.items():
            raise WedgefillError(f"{path.name}: {tell_why(path, seen)}")
        raise WedgefillError(f"{len(images)} whole tilts, of which at least {MIN_TILTS} are needed")
    try:
        if len(images) == len(everything):
            return look.folder, read(look.folder)
        return images, read(images)
    except WedgefillError:
        # What says the angle of a tilt may come after its image.
        with_angle = [path for path in images if find_angles(path) is not None]
        if len(with_angle) < MIN_TILTS or len(with_angle) == len(images):
            raise
        return with_angle, read(with_angle)


def _bin_to_width(series: TiltSeries) -> TiltSeries:
    return series.binned(-(-series.width // GROWING_WIDTH))


def _fill_growing(series: TiltSeries, folder: Path, session: Session) -> dict[str, Path]:
    """Write the volumes of the tilts so far in place of the older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    # A box would be another one with every tilt.
    options = FillOptions(methods=GROWING, whole_field=True)
    with closing(iter_fill(series, options, MrcSink(folder, overwrite=True), session)) as events:
        for event in events:
            if isinstance(event, Finished):
                paths[event.method] = folder / f"{event.volume.name}.mrc"
    return paths
