"""What of a report must be there, and of which kind, for its run to be repeated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    """A part of a report; what is not listed may be anything."""

    model_config = ConfigDict(strict=True, extra="allow")


class Settings(_Part):
    """The command line of a fill, as `commands.from_report` keeps it."""

    file: str | list[str]
    angles: str | None = None
    pixel_nm: Positive | None = None
    axis: Literal["x", "y"] | FiniteFloat | None = None
    axis_shift: FiniteFloat | None = None
    bin: Annotated[int, Field(ge=1)] = 1
    negate_angles: bool = False
    align: bool = False
    methods: Annotated[list[str], Field(min_length=1)] | None = None
    model: str = "small"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    slices: tuple[Count, Count] | None = None
    stop: Literal["sweeps", "discrepancy"] = "sweeps"
    box: bool = False
    self_check: bool = False
    trust: bool = False
    table: bool = False
    png: bool = False
    no_check: bool = False
    no_gain: bool = False


class Input(_Part):
    """The file that was read."""

    sha256: Sha256


class Geometry(_Part):
    """What was found in and beside that file."""

    angles_deg: Annotated[list[FiniteFloat], Field(min_length=1)]
    pixel_nm: Positive | None


class Model(_Part):
    """The networks."""

    sha256: dict[str, Sha256]
    provider: str | None = None


class Report(_Part):
    """A report that can be repeated."""

    settings: Settings
    input: Input
    geometry: Geometry
    versions: dict[str, str]
    sha256: dict[str, Sha256] = {}
    model: Model | None = None
