"""Workers: a cluster of this machine's own, or one that is there already."""

from __future__ import annotations

import json
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..doctor import list_nvidia_gpus
from ..errors import WedgefillError
from ..memory import measure_free_bytes
from ..projector.threads import available_cores

if TYPE_CHECKING:
    from distributed import Client, Nanny

LOOPBACK = "127.0.0.1"
#: A run uses its cores well up to about so many; with more, several series side by side are faster.
CORES_PER_WORKER = 4
#: A scheduler answers in less, or is not there.
CONNECT_SECONDS = 10
#: The scheduler gives a series up when so many workers died over it.
MOST_DEATHS = 3


def count_workers() -> int:
    """Count the workers that suit this machine: one a GPU, or one for every four cores."""
    gpus = list_nvidia_gpus()
    return len(gpus) if gpus else max(1, available_cores() // CORES_PER_WORKER)


@contextmanager
def open_client(scheduler: str | None = None, n_workers: int | None = None) -> Iterator[Client]:
    """Connect to a scheduler, or start one with workers here, which end with the block.

    Parameters
    ----------
    scheduler : str, optional
        Address such as ``tcp://node7:8786``, or the path of a scheduler file. Without it, a
        scheduler and workers are started on this machine; they listen on the loopback interface
        only.
    n_workers : int, optional
        How many to start here; see `count_workers`.

    Yields
    ------
    distributed.Client
        With workers that have this version of this package; a scheduler that was there may have
        no worker yet.

    Raises
    ------
    WedgefillError
        If Dask is not installed, the scheduler is not there, or a worker has another version.
    """
    if find_spec("distributed") is None:
        raise WedgefillError(
            "Batches need dask.distributed, which is not installed; add it with "
            "pip install 'napari-wedgefill[cluster]'."
        )
    with _silence_log():
        if scheduler is None:
            with _start_cluster(n_workers or count_workers()) as client:
                yield client
            return
        with _connect(scheduler) as client:
            check_versions(client)
            yield client


@contextmanager
def _silence_log() -> Iterator[None]:
    """Keep Dask's log off the terminal: what a user must know is told in sentences."""
    import distributed  # sets its own level when it is first imported

    log = logging.getLogger(distributed.__name__)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _connect(scheduler: str) -> Client:
    from distributed import Client

    is_file = Path(scheduler).is_file()
    if is_file and not _is_scheduler_file(Path(scheduler)):
        raise WedgefillError(
            f"{scheduler}: this is no scheduler file of Dask; 'dask scheduler --scheduler-file "
            "FILE' writes one."
        )
    where: dict[str, Any] = {"scheduler_file": scheduler} if is_file else {"address": scheduler}
    try:
        return Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # TimeoutError is an OSError
        raise WedgefillError(
            f"{scheduler}: no Dask scheduler answers there; start one with 'dask scheduler', give "
            "the address that it prints, or leave --scheduler out to work on this machine alone."
        ) from error


def _is_scheduler_file(path: Path) -> bool:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and isinstance(told.get("address"), str)


@contextmanager
def _start_cluster(n_workers: int) -> Iterator[Client]:
    import dask
    from distributed import Client, Scheduler, SpecCluster

    gpus, cores = list_nvidia_gpus() or [], available_cores()
    shares = share_cores(n_workers)
    has_dashboard = find_spec("bokeh") is not None
    with tempfile.TemporaryDirectory(prefix="wedgefill-") as scratch:
        workers = {}
        for k in range(n_workers):
            env = {"WEDGEFILL_WORKER": str(k)}
            if gpus:
                env["CUDA_VISIBLE_DEVICES"] = str(k % len(gpus))
            options = {
                "host": LOOPBACK,
                "nthreads": 1,
                "memory_limit": 0,  # --max-memory says what a run may hold
                "dashboard": False,
                "local_directory": scratch,
                "silence_logs": logging.CRITICAL,
                "env": env,
            }
            workers[k] = {"cls": _make_nanny(), "options": options}
        scheduler = {
            "cls": Scheduler,
            "options": {
                "host": LOOPBACK,
                "protocol": "tcp",
                "dashboard": has_dashboard,
                "dashboard_address": f"{LOOPBACK}:0",
                "allowed_failures": MOST_DEATHS,
            },
        }
        with (
            # One series a worker and none in its queue: a death is then held against no other.
            dask.config.set(
                {
                    "distributed.scheduler.worker-saturation": 1.0,
                    # On a busy machine a new process takes longer than Dask expects.
                    "distributed.comm.timeouts.connect": "120s",
                }
            ),
            SpecCluster(workers=workers, scheduler=scheduler, silence_logs=False) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            client.wait_for_workers(n_workers, timeout=120)
            if len(shares[0]) < cores and hasattr(os, "sched_setaffinity"):
                client.register_plugin(_make_pinning(shares))
            yield client


def _make_nanny() -> type[Nanny]:
    """Make the class of what starts a worker, and starts it anew, out of reach of Ctrl-C.

    A terminal sends Ctrl-C, and its own end, to every process of a command. The workers of a batch
    are ended by the batch, which says what stays; on their own they would print tracebacks.
    """
    from multiprocessing import resource_tracker

    from distributed import Nanny

    class ShieldedNanny(Nanny):
        async def instantiate(self) -> Any:
            # A process inherits the mask of the thread that starts it, which is that of Dask's
            # loop; Python hears signals in the main thread, whose mask stays as it is.
            if hasattr(signal, "pthread_sigmask"):  # not on Windows
                group = signal.SIGINT, signal.SIGHUP
                signal.pthread_sigmask(signal.SIG_BLOCK, group)
                resource_tracker.ensure_running()  # its start lifts a part of the mask again
                signal.pthread_sigmask(signal.SIG_BLOCK, group)
            return await super().instantiate()

    return ShieldedNanny


def share_cores(n_workers: int) -> list[list[int]]:
    """Share the cores of this process out among workers; all get all if there are too few."""
    try:
        cores = sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        cores = list(range(os.cpu_count() or 1))
    if n_workers > len(cores):
        return [cores] * n_workers
    return [cores[k::n_workers] for k in range(n_workers)]


def _make_pinning(shares: list[list[int]]) -> Any:
    """Make the plugin that keeps each worker, restarted ones too, on cores of its own."""
    from distributed import WorkerPlugin

    class KeepToCores(WorkerPlugin):
        name = "wedgefill-cores"

        def setup(self, worker: Any) -> None:
            os.sched_setaffinity(0, shares[int(os.environ["WEDGEFILL_WORKER"])])

    return KeepToCores()


def check_versions(client: Client) -> None:
    """Raise `WedgefillError` if a worker lacks this package or has another version of it."""

    def read_version() -> str:  # not at the top: sent as code, for workers that lack this module
        import napari_wedgefill

        return str(napari_wedgefill.__version__)

    found = client.run(read_version, on_error="return")
    for address, version in sorted(found.items()):
        if isinstance(version, Exception):
            raise WedgefillError(
                f"The worker {address} has no napari-wedgefill ({version}); install "
                f"{__version__} there, which is the version here."
            )
        if version != __version__:
            raise WedgefillError(describe_other_version(f"The worker {address}", version))


def describe_other_version(worker: str, version: str) -> str:
    """Say that a worker has another version."""
    return (
        f"{worker} has napari-wedgefill {version}, but this is {__version__}; install the same "
        "version in both places."
    )


def share_memory(n_workers: int) -> int:
    """Bytes that each of several workers on this machine may hold: together half of what is free.

    One worker alone would take as much by default.
    """
    return measure_free_bytes() // (2 * n_workers)
