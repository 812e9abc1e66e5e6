"""What a session file holds: series and volumes by path, runs with their verdicts, the layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...atomic import write_beside
from ...errors import WedgefillError
from ...pipeline.options import FillOptions
from ...run.report import compute_fingerprint
from ...trust.results_table import ResultsTable
from ...trust.verdicts import QuickCheck, SelfCheck
from ...validation import describe_fault

SUFFIX = ".wedgefill.json"
#: Sessions of hundreds of tilts stay far below.
MOST_BYTES = 64 * 10**6


class _Part(BaseModel):
    """A part of a session file."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings")


class SavedFile(_Part):
    """A file, or a folder with one tilt per file, and how it looked when the session was saved.

    Attributes
    ----------
    path : str
        Relative to the session where it lies below its folder, so that both can move together.
    bytes, modified_ns : int
        Size and time of the last change; where both are as they were, nothing is read.
    sha256 : str
        Decides where the time differs.
    """

    path: str
    bytes: int
    modified_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path, folder: Path) -> SavedFile:
        """Describe a file for a session that will lie in a folder."""
        seen = compute_fingerprint(path)
        path = path.absolute()
        near = path.is_relative_to(folder.absolute())
        return cls(
            path=path.relative_to(folder.absolute()).as_posix() if near else str(path),
            bytes=seen["bytes"],
            modified_ns=path.stat().st_mtime_ns,
            sha256=seen["sha256"],
        )

    def find(self, folder: Path) -> Path:
        """Return where the file lies now.

        Raises
        ------
        WedgefillError
            If it is not there, or was changed since.
        """
        path = folder / self.path
        if not path.exists():
            raise WedgefillError(
                f"{path}: this file of the session is not there; put it back, or open it from "
                "where it lies now."
            )
        seen = path.stat()
        is_untouched = (seen.st_size, seen.st_mtime_ns) == (self.bytes, self.modified_ns)
        if path.is_file() and is_untouched:
            return path
        if compute_fingerprint(path)["sha256"] != self.sha256:
            raise WedgefillError(
                f"{path}: this file was changed after the session was saved, so it is left out; "
                "open it by itself to see what it holds now."
            )
        return path


class SavedSeries(_Part):
    """A tilt series, and what its user knows better than its file.

    Attributes
    ----------
    shape : tuple of int
        (n_tilts, h, w); one file can hold several arrays.
    fields : dict
        What the layer says of itself: angles, sources, warnings, how it was prepared.
    settings : dict
        What the dock remembers of it.
    """

    name: str
    file: SavedFile
    shape: tuple[int, int, int]
    pixel_nm: float | None
    fields: dict[str, Any]
    settings: dict[str, Any] = {}


class SavedTrust(_Part):
    """A trust map."""

    file: SavedFile
    doubtful: float
    mean: float
    views: tuple[str, ...]
    gain: float
    is_fitted: bool


class SavedRun(_Part):
    """A run: how it was made, where its volumes lie, and what was found about it."""

    name: str
    series: int = Field(description="Index in the list of series.")
    axis: Literal["x", "y"]
    axis_shift_px: float
    angles_deg: list[float]
    options: FillOptions
    seconds: dict[str, float]
    volumes: dict[str, SavedFile]
    trust: SavedTrust | None = None
    quick_check: QuickCheck | None = None
    self_check: SelfCheck | None = None
    table: ResultsTable | None = None
    report: dict[str, Any] = {}

    @field_validator("options", mode="before")
    @classmethod
    def say_whole_field(cls, given: Any) -> Any:
        """Say of older runs what they filled: the whole field, unless a box was asked for."""
        if isinstance(given, dict) and "whole_field" not in given:
            rest = {name: value for name, value in given.items() if name != "box"}
            return {**rest, "whole_field": not given.get("box", False)}
        return given


class SavedVolume(_Part):
    """A volume that came from a file and belongs to no run."""

    name: str
    file: SavedFile


class Layout(_Part):
    """What the window showed."""

    series: int | None = None
    run: int | None = None
    view: str = ""
    point: tuple[float, ...] = ()
    contrast_limits: tuple[float, float] | None = None
    fields: dict[str, Any] = {}


class Session(_Part):
    """A window with all that was in it."""

    format: Literal["napari-wedgefill session"] = "napari-wedgefill session"
    version: Literal[1] = 1
    series: list[SavedSeries] = []
    runs: list[SavedRun] = []
    volumes: list[SavedVolume] = []
    layout: Layout = Layout()

    def write(self, path: Path) -> None:
        """Write the session; it appears under its name only when it is complete."""
        with write_beside(path) as beside:
            beside.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_session(path: Path) -> Session:
    """Read a session file.

    Raises
    ------
    WedgefillError
        If it cannot be read, or is no session.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise WedgefillError(
            f"{path}: the session cannot be read ({error.strerror}); choose a file that Save "
            "session wrote."
        ) from error
    if len(raw) > MOST_BYTES:
        raise WedgefillError(
            f"{path}: this is too large for a session; choose a file that Save session wrote."
        )
    try:
        return Session.model_validate_json(raw)
    except ValidationError as error:
        raise WedgefillError(
            f"{path}: this is no session of this version ({describe_fault(error)}); choose a file "
            "that Save session wrote."
        ) from error
