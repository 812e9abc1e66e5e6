"""A run whose series or results lie at addresses: fetched before it, sent while it goes.

What is computed lies in a folder of this machine (below ``TMPDIR``) until the run ends. At the
address, volumes are OME-Zarr, and everything else as in a folder. The report comes last: results
without one are not complete.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..addresses import Address, Store, measure_state
from ..errors import WedgefillError
from .events import Done, Finished, RunEvent, TrustMap
from .folder import NotWritten, Provenance, Recorded, iter_run_into, list_files_of_others
from .options import RunOptions
from .report import read_report, write_report

if TYPE_CHECKING:
    from ..pipeline.parts import Kept
    from ..pipeline.session import Session
    from ..tilt_series import TiltSeries
    from ..volume import Volume

#: Where a series may lie.
Source = Path | Address | list[Path]
REPORT = "report.json"
#: Names what is being sent, so that what a killed run left there is known for what it is.
SENDING = ".wedgefill-sending"
ZARR = ".zarr"


@dataclass(frozen=True)
class Staged:
    """A series where it can be read.

    Attributes
    ----------
    path : Path or list of Path
        What to read.
    origin : mapping
        Of a series that was fetched, what reports say of it in place of the path: "path", its
        address, and "state", which changes when anything there does.
    """

    path: Path | list[Path]
    origin: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def stage(source: Source, *, only_outline: bool = False) -> Iterator[Staged]:
    """Give a series where it can be read: one at an address is fetched, and goes with the block.

    Parameters
    ----------
    source : Path, Address or list of Path
        What to read; at an address, a Zarr.
    only_outline : bool
        Fetch only what `io.describe` looks at.

    Raises
    ------
    WedgefillError
        If there is no Zarr at the address, or it cannot be fetched.
    """
    if not isinstance(source, Address):
        yield Staged(source)
        return
    check_is_zarr(source)
    with tempfile.TemporaryDirectory(prefix="wedgefill-") as folder:
        # Before it is fetched: what changes meanwhile differs from this.
        state = "" if only_outline else measure_state(source)
        path = Store(source).fetch(Path(folder), only_outline=only_outline)
        yield Staged(path, {"path": str(source), "state": state})


def check_is_zarr(address: Address) -> None:
    """Raise `WedgefillError` if what an address names is no Zarr."""
    if address.suffix.lower() != ZARR:
        raise WedgefillError(
            f"{address}: from an address a tilt series is read as Zarr, whose name ends in .zarr; "
            "write it as such with 'wedgefill convert', or copy the file here."
        )


def iter_run_to(
    place: Path | Address,
    series: TiltSeries,
    options: RunOptions,
    provenance: Provenance,
    session: Session | None = None,
    *,
    overwrite: bool = False,
    kept: Kept | None = None,
) -> Generator[RunEvent | Recorded | NotWritten, None, None]:
    """Run `iter_run_into`, and send what it writes to an address if that is the place.

    The report's "sha256" are those of the MRC files that a fill into a folder writes, so that
    reports can be compared; "objects" says how many files and bytes each volume has at the address.

    Parameters
    ----------
    place : Path or Address
        Receives the results.
    series, options, provenance, session, overwrite, kept
        As in `iter_run_into`.

    Raises
    ------
    WedgefillError
        As `iter_run_into`; or if the store refuses something. What was sent is removed then.
    """
    if isinstance(place, Path):
        yield from iter_run_into(
            place, series, options, provenance, session, overwrite=overwrite, kept=kept
        )
        return
    sending = _Sending(place, series.name, list_stored(series.name, options), overwrite)
    with (
        tempfile.TemporaryDirectory(prefix="wedgefill-") as scratch,
        sending.kept_tidy(),
        closing(
            iter_run_into(
                Path(scratch) / "results", series, options, provenance, session, kept=kept
            )
        ) as events,
    ):
        for event in events:
            if isinstance(event, Done):
                report = {**event.report, **sending.describe()}
                written = Path(scratch) / REPORT
                write_report(written, report)
                sending.finish(written)
                done = Done(report)
                yield Recorded("report", place / REPORT, done)
                yield done
            elif isinstance(event, Recorded):
                if event.what != "report":  # its last version says what was sent
                    yield replace(event, path=sending.send(event, Path(scratch)))
            else:
                yield event


def list_stored(name: str, options: RunOptions) -> list[str]:
    """List what a run leaves at an address, the report first."""
    volumes = [*options.fill.methods, *["trust"] * options.trust]
    others = [f"{name}_results.csv"] * options.table + [f"{name}_comparison.png"] * options.picture
    return [REPORT, *(f"{name}_{volume}{ZARR}" for volume in volumes), *others]


class _Sending:
    """Sends the files of one run, and knows which ones are there."""

    def __init__(self, place: Address, series: str, names: list[str], overwrite: bool) -> None:
        self.place, self.store, self.names = place, Store(place), names
        self.files: dict[str, str] = {}
        self.objects: dict[str, dict[str, int]] = {}
        self.is_complete = False
        left = read_left(self.store)
        there = {name.partition("/")[0] for name in self.store.list_objects()}
        others = list_files_of_others(self.store.read_bytes(REPORT) or b"{}", series)
        if kept := [name for name in others if name in there]:
            raise WedgefillError(
                f"{place}: this address holds the run of another series ({kept[0]}), whose report "
                "would be lost; choose another address, or remove that run first."
            )
        for name in names:
            if name in there and name not in left and not overwrite:
                raise WedgefillError(
                    f"{place / name}: this is there already and was left as it is; give another "
                    "address, or say --overwrite to replace it."
                )

    @contextmanager
    def kept_tidy(self) -> Iterator[None]:
        """Say what is being sent while the block runs; remove it if it does not become complete."""
        self.store.write_bytes(SENDING, json.dumps(self.names).encode())
        try:
            yield
        finally:
            if not self.is_complete:
                for name in (self.files[what] for what in self.files):
                    self.store.remove(name)
            self.store.remove(SENDING)

    def send(self, file: Recorded, scratch: Path) -> Address:
        """Send a file that was written; volumes as OME-Zarr."""
        path, volume = Path(str(file.path)), _find_volume(file)
        if volume is not None:
            from ..io import write_volume

            path = write_volume(scratch / f"{volume.name}{ZARR}", volume)
            sizes = [one.stat().st_size for one in path.rglob("*") if one.is_file()]
            self.objects[file.what] = {"count": len(sizes), "bytes": sum(sizes)}
        if not self.files:
            self.store.remove(REPORT)  # from now on what is there does not belong to it
        self.files[file.what] = path.name
        self.store.remove(path.name)
        self.store.send(path, path.name)
        return self.place / path.name

    def describe(self) -> dict[str, Any]:
        """Return what the report says of it."""
        return {"files": self.files, "objects": self.objects}

    def finish(self, report: Path) -> None:
        """Send the report, which makes the results complete."""
        self.store.send(report, REPORT)
        self.is_complete = True


def _find_volume(file: Recorded) -> Volume | None:
    return file.item.volume if isinstance(file.item, Finished | TrustMap) else None


def read_left(store: Store) -> list[str]:
    """Return the names of what a run was sending that did not end."""
    content = store.read_bytes(SENDING)
    return [] if content is None else [str(name) for name in json.loads(content)]


def read_stored_report(store: Store) -> dict[str, Any]:
    """Read the report of the results at an address.

    Raises
    ------
    WedgefillError
        If there is none, or it is no report of a fill.
    """
    content = store.read_bytes(REPORT)
    if content is None:
        raise WedgefillError(f"{store.address / REPORT}: there is no report; check the address.")
    with tempfile.TemporaryDirectory(prefix="wedgefill-") as folder:
        (Path(folder) / REPORT).write_bytes(content)
        return read_report(Path(folder))


def is_stored_whole(store: Store, report: Mapping[str, Any]) -> bool:
    """Tell whether all that a report names lies at the address, as many files and bytes as sent."""
    found = store.list_objects()
    for what, name in report["files"].items():
        inside = [one for path, one in found.items() if path.partition("/")[0] == name]
        expected = report["objects"].get(what)
        if not inside or (
            expected is not None
            and expected != {"count": len(inside), "bytes": sum(one.n_bytes for one in inside)}
        ):
            return False
    return True
