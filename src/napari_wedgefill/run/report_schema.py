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
    """All of a fill's command line that changes what it writes.

    The first half says how a file becomes a tilt series, the second half is that of
    `RunOptions.to_settings`.
    """

    file: str | list[str]
    angles: str | None
    dataset: str | None
    flip: bool
    signed_bytes: bool | None
    pixel_nm: Positive | None
    axis: Literal["x", "y"] | FiniteFloat | None
    axis_shift: FiniteFloat | None
    bin: Annotated[int, Field(ge=1)]
    negate_angles: bool
    align: bool
    methods: Annotated[list[str], Field(min_length=1)]
    model: str
    device: Literal["auto", "cpu", "cuda"]
    slices: tuple[Count, Count] | None
    preview: bool
    stop: Literal["sweeps", "discrepancy"]
    whole_field: bool = True
    box: bool = Field(default=False, exclude=True, description="Older name of the opposite.")
    self_check: bool
    trust: bool
    table: bool
    png: bool
    no_check: bool
    no_gain: bool
    planes: tuple[Count, Count] | None = None


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


class Correction(_Part):
    """What was found in the intensities of the images, and whether it was corrected."""

    corrected: bool
    sentence: str


class Gain(Correction):
    """The brightness of the images; null for what could not be measured."""

    factors: list[FiniteFloat] | None
    uncertainty: FiniteFloat | None


class Report(_Part):
    """A report that can be repeated."""

    settings: Settings
    input: Input
    geometry: Geometry
    versions: dict[str, str]
    sha256: dict[str, Sha256] = {}
    model: Model | None = None
    frames: Correction | None = None
    slope: Correction | None = None
    gain: Gain | None = None
