"""One series of a batch: what is to be done with it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ..addresses import Address, read_place
from ..errors import WedgefillError
from ..io.formats import is_image_file
from ..run.options import RunOptions
from ..run.stored import Source
from ..tilt_series import TiltSeries

#: What may have become of a series.
DONE, KEPT, FAILED, NOT_BEGUN = "done", "kept", "failed", "not begun"
#: Files that tell of the whole batch, beside the folders of its series.
SUMMARIES = ("summary.csv", "index.html")
#: Characters that some disks allow in no name.
FORBIDDEN = '\\:*?"<>|\n'


@dataclass(frozen=True)
class SeriesJob:
    """One series of a batch.

    Attributes
    ----------
    name : str
        Folder below that of the batch which receives the results, such as ``day1/grid3``.
    source : Path, Address, or list of Path
        The file, folder or files that the series is read from; every worker must see them.
    read : callable
        Is given where the series lies, which is `source` or a copy of it, and reads it with all
        that was said about its angles, axis and the like; picklable.
    options : RunOptions
        What to do with it.
    settings : mapping
        All that changes the result, plain values, for the report; a series whose report has other
        settings is computed again.
    command_line : sequence of str
        For the report.
    where : str
        Where the series was named, such as ``list.csv, line 40``.
    """

    name: str
    source: Source
    read: Callable[[Path | list[Path]], TiltSeries]
    options: RunOptions = field(default_factory=RunOptions)
    settings: Mapping[str, Any] = field(default_factory=dict)
    command_line: Sequence[str] = ()
    where: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a series.

    Attributes
    ----------
    name : str
        As in the job.
    source : Path, Address, or list of Path
        As in the job.
    state : {"done", "kept", "failed", "not begun"}
        "kept": whole results of an earlier run were found.
    sentence : str
        Why it failed or was not begun; empty otherwise.
    seconds : float
        Time on the worker, reading and checking included.
    report : mapping
        The report of the run; empty if there is none.
    disk_is_full : bool
        It failed because there was no room left.
    """

    name: str
    source: Source
    state: str
    sentence: str = ""
    seconds: float = 0.0
    report: Mapping[str, Any] = field(default_factory=dict)
    disk_is_full: bool = False

    @property
    def verdicts(self) -> list[str]:
        """What the checks of the run said, in sentences."""
        told = [
            str(self.report[part]["sentence"])
            for part in ("check", "self_check", "trust")
            if part in self.report
        ]
        found = [self.report.get(part) or {} for part in ("frames", "slope", "gain")]
        return told + [str(part["sentence"]) for part in found if part.get("corrected")]


def make_job(source: str | Path | Address, options: RunOptions, **reading: Any) -> SeriesJob:
    """Make the job of one file or folder, named after it.

    Parameters
    ----------
    source : path or address
        As in `read_tilt_series`, or an address such as ``s3://bucket/grid3.zarr``.
    options : RunOptions
        What to do.
    **reading
        Keywords of `read_tilt_series`: angles, pixel_nm, axis and so on.
    """
    from ..io import read_tilt_series

    place = read_place(str(source))
    read = partial(read_tilt_series, **reading)
    return SeriesJob(
        name_results(place), place, read, options, _collect_settings(place, options, reading)
    )


def _collect_settings(
    place: Path | Address, options: RunOptions, reading: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect what the command line of the same fill would be, so that its report repeats it."""
    file = place.resolve() if isinstance(place, Path) else place
    settings: dict[str, Any] = {
        "file": str(file), "angles": None, "dataset": None, "flip": False,
        "signed_bytes": None, "pixel_nm": None, "axis": None, **reading,
        "axis_shift": None, "bin": 1, "negate_angles": False, **options.to_settings(),
    }  # fmt: skip
    angles = settings["angles"]
    if isinstance(angles, (str, Path)) and Path(angles).exists():
        settings["angles"] = str(Path(angles).resolve())
    elif angles is not None and not isinstance(angles, str):
        settings["angles"] = ",".join(f"{angle:.10g}" for angle in angles)
    return settings


def name_results(source: Path | Address) -> str:
    """Name the folder for the results of a file after it, without compression and suffix."""
    if isinstance(source, Address):
        return replace_forbidden(source.name.removesuffix(source.suffix))
    name = source.name.removesuffix(".gz").removesuffix(".bz2")
    is_folder = source.is_dir() and not is_image_file(source)
    return replace_forbidden(name if is_folder else Path(name).stem)


def replace_forbidden(name: str) -> str:
    """Write ``_`` for what may be in the name of a file here, but in no name on other disks."""
    return "".join("_" if letter in FORBIDDEN else letter for letter in name)


def check_jobs(jobs: Sequence[SeriesJob]) -> None:
    """Raise `WedgefillError` if there is nothing to do, or two series get into each other's way.

    Raises
    ------
    WedgefillError
        For no series, the same series twice, names that are no folder below that of the batch, and
        two series that would write the same files.
    """
    if not jobs:
        raise WedgefillError("No series was given; name at least one.")
    same: dict[object, SeriesJob] = {}
    taken: dict[str, SeriesJob] = {}
    for job in jobs:
        _check_name(job)
        paths = job.source if isinstance(job.source, list) else [job.source]
        places = (path.resolve() if isinstance(path, Path) else path for path in paths)
        key = (*places, repr(sorted(job.settings.items())), job.options)
        if key in same:
            raise WedgefillError(
                f"{_say_where(job)}{job.source}: this series was given before"
                f"{_say_before(same[key])} with the same settings; leave one of the two out."
            )
        same[key] = job
        # Some disks hold A and a for the same folder.
        folder = job.name.casefold()
        if folder in taken:
            other = taken[folder]
            raise WedgefillError(
                f"{_say_where(job)}{job.source}: its results would go into the same folder "
                f"'{job.name}' as those of {other.source}{_say_before(other)}; tell them apart "
                "with a column 'name'."
            )
        taken[folder] = job


def _check_name(job: SeriesJob) -> None:
    path = PurePosixPath(job.name)
    if job.name.casefold() in SUMMARIES:
        raise WedgefillError(
            f"{_say_where(job)}{job.source}: its results cannot go into '{job.name}', for the "
            "batch writes a file of this name; give another one in a column 'name' of a list."
        )
    hidden = any(part.startswith(".") for part in path.parts)
    if not path.parts or path.is_absolute() or hidden or set(job.name) & set(FORBIDDEN):
        raise WedgefillError(
            f"{_say_where(job)}'{job.name}' cannot be the name of a folder for results; give a "
            "plain name such as grid3 or day1/grid3."
        )


def _say_where(job: SeriesJob) -> str:
    return f"{job.where}: " if job.where else ""


def _say_before(job: SeriesJob) -> str:
    return f" ({job.where})" if job.where else ""


def count_states(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Count the outcomes by state, in the order done, kept, failed, not begun."""
    found = dict.fromkeys((DONE, KEPT, FAILED, NOT_BEGUN), 0)
    for outcome in outcomes:
        found[outcome.state] += 1
    return found
