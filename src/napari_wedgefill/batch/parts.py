"""Large series in parts: what workers have solved of them, and where it lies until all is there.

Beside the results of a series, a hidden folder holds a file for each part that was solved. Whoever
dies costs the part in work; a batch that is stopped and begun again takes up what is there.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..addresses import Address, Store
from ..atomic import write_beside
from ..errors import WedgefillError
from ..joint_model.registry import load
from ..memory import check_disk_room
from ..methods import METHODS
from ..pipeline.box import Box, Field
from ..pipeline.fill import choose_field
from ..pipeline.parts import Kept, Part, count_voxels, cut_parts, iter_part
from ..pipeline.session import Session
from ..pipeline.streaming import SolvedSlab
from ..prepare import Aligned, iter_align
from ..progress import Progress, relay
from ..run.run import check_run
from ..run.stored import stage

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries
    from .job import SeriesJob

Floats = NDArray[np.float32]

#: Series are cut into parts of about so many voxels; smaller ones stay whole.
PART_VOXELS = 1 << 27
#: Names in the folder of the parts.
PLAN, ALIGNED, FIELD = "plan.json", "aligned.pickle", "field.json"
FOLDER = ".wedgefill-parts"
#: What may be in the second, by package.
ALIGNED_NAMES = {
    "napari_wedgefill": (
        "Aligned", "AlignmentReport", "BadImage", "DiskImages", "Inside", "Survey", "TiltSeries",
    ),
    "numpy": ("_frombuffer", "_reconstruct", "dtype", "memmap", "ndarray", "scalar"),
    "pathlib": ("Path", "PosixPath", "WindowsPath"),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Parts that are to be solved before a series can be put together.

    Attributes
    ----------
    phases : list of list of Part
        Those of a list need no more than those of the lists before it.
    """

    phases: list[list[Part]]


class PartStore:
    """The parts of one series that were solved.

    Parameters
    ----------
    name : str
        Of the series in its batch.
    place : Path or Address
        Of its results.
    """

    def __init__(self, name: str, place: Path | Address) -> None:
        self._place = (
            place / FOLDER
            if isinstance(place, Address)
            else place.with_name(f".{place.name}.parts")
        )
        self._files = (
            _StoredFiles(self._place) if isinstance(self._place, Address) else _Files(self._place)
        )
        self._last: tuple[str, Any] = ("", None)

    def exists(self) -> bool:
        """Tell whether the series was begun in parts."""
        return self.read_plan() is not None

    def prepare(self, key: Mapping[str, Any]) -> None:
        """Begin with parts of a run that `key` describes; those of any other run go."""
        text = json.dumps(dict(key), sort_keys=True).encode()
        if self.read_plan() != text:
            self.remove()
            self._files.write(PLAN, text)

    def read_plan(self) -> bytes | None:
        """Return what describes the run of these parts."""
        return self._files.read(PLAN)

    def belongs_to(self, key: Mapping[str, Any]) -> bool:
        """Tell whether the parts are those of a run that `key` describes."""
        return self.read_plan() == json.dumps(dict(key), sort_keys=True).encode()

    def remove(self) -> None:
        """Remove all parts."""
        self._last = ("", None)
        self._files.remove()

    def write_aligned(self, aligned: Aligned) -> None:
        """Keep what an alignment gave."""
        self._files.write(ALIGNED, pickle.dumps(aligned))

    def read_aligned(self) -> Aligned | None:
        """Return what an alignment gave; None if there was none."""
        content = self._files.read(ALIGNED)
        if content is None:
            return None
        aligned: Aligned = _Unpickler(io.BytesIO(content)).load()
        return aligned

    def write_field(self, field: Field) -> None:
        """Keep what the parts are cut from: one choice for all workers."""
        self._files.write(FIELD, json.dumps(asdict(field)).encode())

    def read_field(self) -> Field | None:
        """Return what the parts are cut from; None if that was not chosen yet."""
        content = self._files.read(FIELD)
        if content is None:
            return None
        found = json.loads(content)
        box = found["box"]
        if box is not None:
            box = Box(**{name: tuple(numbers) for name, numbers in box.items()})
        return Field(box, found["sentence"])

    def write(self, part: Part, solved: SolvedSlab) -> None:
        """Keep a part. Slices come first in its file: some of them lie side by side."""
        facts = {
            "passes": [int(n) for n in solved.passes],
            "seconds": solved.seconds,
            "noise_shares": [float(share) for share in solved.noise_shares],
        }
        self._files.write(f"{_name(part)}.json", json.dumps(facts).encode())
        self._files.write_array(f"{_name(part)}.npy", solved.planes.transpose(2, 0, 1))

    def list_parts(self) -> list[Part]:
        """List the parts that are there, in order."""
        found = []
        for name in self._files.list_names():
            if name.endswith(".npy"):
                method, start, stop = name.removesuffix(".npy").rsplit("-", 2)
                found.append(Part(method, int(start), int(stop)))
        return sorted(found)

    def check_room(self, n_bytes: int) -> None:
        """Raise `WedgefillError` if what is to come does not fit on the disk."""
        if isinstance(self._place, Path):
            check_disk_room(self._place, n_bytes, "choose another folder with -o")

    def measure_bytes(self, part: Part) -> int:
        """Measure a part that is there."""
        return int(self._open(f"{_name(part)}.npy").nbytes)

    def find(self, method: str, start: int, stop: int) -> SolvedSlab | None:
        """Return some slices of a method; None if not all of them are there."""
        pieces, passes, shares, seconds, at = [], [], [], 0.0, start
        for part in self.list_parts():
            if part.method != method or not part.start <= at < min(part.stop, stop):
                continue
            planes = self._open(f"{_name(part)}.npy")
            upto = min(part.stop, stop)
            pieces.append(planes[at - part.start : upto - part.start])
            facts = json.loads(self._files.read(f"{_name(part)}.json") or b"{}")
            passes += facts["passes"]
            shares += facts["noise_shares"]
            seconds += facts["seconds"] * (upto - at) / (part.stop - part.start)
            at = upto
        if at < stop:
            return None
        whole = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
        planes = np.ascontiguousarray(whole.transpose(1, 2, 0))
        return SolvedSlab(planes, tuple(passes), seconds, tuple(shares))

    def _open(self, name: str) -> Any:
        if self._last[0] != name:
            self._last = (name, self._files.open_array(name))
        return self._last[1]


class _Unpickler(pickle.Unpickler):
    """Reads what an alignment gave, and nothing that would run code of somebody else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few classes and functions that are in it."""
        room = module.partition(".")[0]
        if name not in ALIGNED_NAMES.get(room, ()):
            raise WedgefillError(
                f"{ALIGNED}: this holds {module}.{name}, which no alignment does; remove the "
                "hidden folder of the parts, and repeat the command."
            )
        return super().find_class(module, name)


def _name(part: Part) -> str:
    return f"{part.method}-{part.start}-{part.stop}"


class _Files:
    """Files in a folder; each appears when it is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_names(self) -> list[str]:
        return sorted(os.listdir(self._folder)) if self._folder.is_dir() else []

    def read(self, name: str) -> bytes | None:
        path = self._folder / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with write_beside(self._folder / name) as beside:
            beside.write_bytes(content)

    def write_array(self, name: str, array: Floats) -> None:
        with write_beside(self._folder / name) as beside, beside.open("wb") as file:
            np.save(file, array)

    def open_array(self, name: str) -> Any:
        return np.load(self._folder / name, mmap_mode="r")

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class _StoredFiles:
    """The same at an address."""

    def __init__(self, address: Address) -> None:
        self._store = Store(address)

    def list_names(self) -> list[str]:
        return list(self._store.list_objects())

    def read(self, name: str) -> bytes | None:
        return self._store.read_bytes(name)

    def write(self, name: str, content: bytes) -> None:
        self._store.write_bytes(name, content)

    def write_array(self, name: str, array: Floats) -> None:
        out = io.BytesIO()
        np.save(out, array)
        self._store.write_bytes(name, out.getvalue())

    def open_array(self, name: str) -> Any:
        return np.load(io.BytesIO(self._store.read_bytes(name) or b""))

    def remove(self) -> None:
        self._store.remove("")


def describe_run(job: SeriesJob, series: TiltSeries, input_sha256: str) -> dict[str, Any]:
    """Describe all that voxels depend on: the input, every setting, the model, and the version."""
    fill = job.options.fill
    needs_model = any(METHODS[name].needs_model for name in fill.methods)
    settings = {name: value for name, value in job.settings.items() if name != "file"}
    return {
        "input": input_sha256,
        "angles_deg": series.angles_deg.tolist(),
        "settings": json.loads(json.dumps(settings, default=str)),
        "options": repr(replace(job.options, fill=replace(fill, max_memory=None))),
        "model": dict(load(fill.model).sha256) if needs_model else {},
        "version": __version__,
    }


def is_large(job: SeriesJob, series: TiltSeries, part_voxels: int | None) -> bool:
    """Tell whether a series is to be cut."""
    if part_voxels is None:
        return False
    return count_voxels(series, job.options.fill) >= 2 * part_voxels


def iter_plan(
    job: SeriesJob,
    series: TiltSeries,
    store: PartStore,
    key: Mapping[str, Any],
    part_voxels: int,
    session: Session,
) -> Generator[Progress | Plan, None, None]:
    """Check and align a large series, and cut what is not there yet into parts.

    Yields
    ------
    Progress
        Of the alignment.
    Plan
        Last; without phases if all parts are there.
    """
    check_run(series, job.options, session)
    store.prepare(key)
    if job.options.align:
        aligned = store.read_aligned()
        if aligned is None:
            for step in iter_align(series):
                if isinstance(step, Aligned):
                    aligned = step
                else:
                    yield step
            assert aligned is not None
            store.write_aligned(aligned)
        series = aligned.series
    yield Progress("looking for the specimen", 0.0)
    series, options, _ = session.correct(series, job.options.fill)
    field = store.read_field()
    if field is None:
        field = choose_field(series, options, session)
        store.write_field(field)
    session.adopt_field(series, field)
    there = set(store.list_parts())
    phases = cut_parts(series, options, session, part_voxels)
    n_volumes = len(job.options.fill.methods)
    to_come = 2 * n_volumes * 4 * count_voxels(series, job.options.fill)
    store.check_room(to_come - sum(store.measure_bytes(part) for part in there))
    missing = [[part for part in phase if part not in there] for phase in phases]
    yield Plan([phase for phase in missing if phase])


_own = threading.local()


def iter_solve(
    job: SeriesJob, part: Part, place: Path | Address, session: Session
) -> Generator[Progress | Part, None, None]:
    """Solve a part and keep it, unless it is there.

    The series stays open for the next part.

    Yields
    ------
    Progress
        Of the part.
    Part
        Last: it is kept.
    """
    store = PartStore(job.name, place)
    field = store.read_field()
    if field is None:
        raise WedgefillError(
            f"{place}: the folder of its parts is gone; leave hidden folders alone while a batch "
            "runs, and repeat the command."
        )
    if part not in store.list_parts():
        series = _open_series(job, place, store)
        series, options, _ = session.correct(series, job.options.fill)
        session.adopt_field(series, field)
        steps = iter_part(series, options, part, session, store)
        solved = yield from relay(steps, lambda step: Progress(*step))
        store.write(part, solved)
    yield part


def _open_series(job: SeriesJob, place: Path | Address, store: PartStore) -> TiltSeries:
    key = (job.name, str(place), store.read_plan())  # with the input's SHA-256
    if getattr(_own, "key", None) != key:
        close_series()
        aligned = store.read_aligned() if job.options.align else None
        staged = ExitStack()
        if aligned is not None:
            series = aligned.series
        else:
            series = job.read(staged.enter_context(stage(job.source)).path)
        _own.key, _own.series, _own.staged = key, series, staged
    found: TiltSeries = _own.series
    return found


def close_series() -> None:
    """Forget the series whose parts this worker solved last."""
    if hasattr(_own, "staged"):
        _own.staged.close()
        del _own.key, _own.series, _own.staged


def take_up(store: PartStore, key: Mapping[str, Any], job: SeriesJob) -> Kept | None:
    """Return what was solved of a run, if anything."""
    if not store.belongs_to(key):
        return None
    aligned = store.read_aligned() if job.options.align else None
    return Kept(store, aligned, store.read_field())
