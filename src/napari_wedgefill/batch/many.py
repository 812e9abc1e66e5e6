"""Many series on Dask: in parallel, resumable, and none waits for one that fails."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ..addresses import Address, Store, read_place
from ..atomic import lock_folder
from ..errors import WedgefillError
from ..pipeline.options import FillOptions
from ..progress import Progress
from ..run.options import RunOptions
from .cluster import check_versions, open_client
from .job import NOT_BEGUN, Outcome, SeriesJob, check_jobs, make_job
from .parts import PART_VOXELS
from .submitted import Submitted
from .summary import write_summary

if TYPE_CHECKING:
    from distributed import Client


def fill_many(
    series: Iterable[str | Path | Address | SeriesJob],
    options: RunOptions | FillOptions | None = None,
    *,
    folder: str | Path | Address,
    client: Client | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """Fill many tilt series on Dask workers.

    Parameters
    ----------
    series : iterable of paths, addresses or SeriesJob
        Each is named after its file; `make_job` makes a job with angles, pixel size or options of
        its own.
    options : RunOptions or FillOptions, optional
        For the series that are given as paths or addresses.
    folder : path or address
        Receives a folder for each series, with what `wedgefill fill` writes, and ``summary.csv``
        and ``index.html``; at an address such as ``s3://bucket/filled``, volumes are OME-Zarr.
        Series whose whole results are there are not computed again.
    client : distributed.Client, optional
        Its workers must see the same files and addresses. Without it, workers are started on this
        machine for this call; then the calling script needs ``if __name__ == "__main__":``.
    on_progress : callable, optional
        Is told how far the whole batch is.

    Returns
    -------
    list of Outcome
        In the order of `series`.

    Raises
    ------
    WedgefillError
        Before anything is computed, for series that cannot be told apart, or workers of another
        version.
    """
    if not isinstance(options, RunOptions):
        options = RunOptions(options or FillOptions())
    jobs = [one if isinstance(one, SeriesJob) else make_job(one, options) for one in series]
    check_jobs(jobs)
    if client is None:
        with open_client() as own:
            return fill_many(jobs, folder=folder, client=own, on_progress=on_progress)
    found: dict[str, Outcome] = {}
    with hold_place(read_place(str(folder))) as place:
        for event in iter_many(jobs, place, client):
            if isinstance(event, Outcome):
                found[event.name] = event
            elif on_progress is not None:
                on_progress(event)
    return [found[job.name] for job in jobs]


def iter_many(
    jobs: Sequence[SeriesJob],
    folder: Path | Address,
    client: Client,
    part_voxels: int = PART_VOXELS,
) -> Generator[Progress | Outcome, None, None]:
    """Run series on the workers of a client.

    Close the generator to stop: series in work end at once and leave nothing half-written. Whether
    it ends or is stopped, ``summary.csv`` and ``index.html`` in `folder` say what became of each.

    Parameters
    ----------
    jobs : sequence of SeriesJob
        What to do.
    folder : Path or Address
        For the results, made if it is not there.
    client : distributed.Client
        Whose workers do it. A worker that dies costs the series, or the part of a large series,
        that it had in work, which others begin again.
    part_voxels : int
        A series of twice as many voxels or more is cut into parts of about so many, which workers
        solve side by side.

    Yields
    ------
    Progress
        Twice a second: how far the whole batch is.
    Outcome
        For every series, when it has ended.

    Raises
    ------
    WedgefillError
        Before anything is computed (see `check_jobs`); or if the scheduler goes away.
    """
    check_jobs(jobs)
    check_versions(client)
    folder = prepare_place(folder)
    outcomes: dict[str, Outcome] = {}
    steps = Submitted(jobs, folder, client, part_voxels).iter_steps()
    try:
        with closing(steps):
            for step in steps:
                if isinstance(step, Outcome):
                    outcomes[step.name] = step
                yield step
    finally:
        for job in jobs:
            outcomes.setdefault(
                job.name, Outcome(job.name, job.source, NOT_BEGUN, "The batch was stopped.")
            )
        write_summary(folder, [outcomes[job.name] for job in jobs])


def prepare_place(folder: Path | Address) -> Path | Address:
    """Make the folder for results, or see whether an address takes them; return it in full.

    Raises
    ------
    WedgefillError
        If it cannot be made, or nothing can be written there.
    """
    if isinstance(folder, Address):
        Store(folder).check_writable()
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WedgefillError(
            f"{folder}: this folder cannot be made ({error.strerror}); choose another with -o."
        ) from error
    return folder.absolute()  # workers elsewhere have another current folder


@contextmanager
def hold_place(folder: Path | Address) -> Iterator[Path | Address]:
    """Make the place for results, and keep a folder for this batch while the block runs.

    Two batches at once would clear away what the other one has half-made. No store of objects can
    be kept like that.

    Raises
    ------
    WedgefillError
        If it cannot be made, or another batch writes into it now.
    """
    place = prepare_place(folder)
    with nullcontext() if isinstance(place, Address) else lock_folder(place):
        yield place
