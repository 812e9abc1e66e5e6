"""Recipes: what a preparation was asked for and what it found, to be repeated or shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ..atomic import write_beside
from ..errors import WedgefillError
from ..json_text import write_json
from ..validation import read_json
from .options import PrepareOptions
from .outcome import Found
from .pose import Pose

Count = Annotated[int, Field(ge=0)]
Edge = Annotated[int, Field(ge=1)]


class FoundDescription(BaseModel):
    """What `Found` says, as a file holds it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    kept: Annotated[list[Count], Field(min_length=1)]
    angles_deg: list[FiniteFloat]
    offsets_px: list[tuple[FiniteFloat, FiniteFloat]]
    axis_shift_px: FiniteFloat
    axis_deg: FiniteFloat
    all_angles_deg: list[FiniteFloat]
    shape: tuple[Edge, Edge]

    @model_validator(mode="after")
    def _fit_together(self) -> FoundDescription:
        if not len(self.kept) == len(self.angles_deg) == len(self.offsets_px):
            raise ValueError("there must be one angle and one shift per image that was kept")
        if len(set(self.kept)) < len(self.kept) or max(self.kept) >= len(self.all_angles_deg):
            raise ValueError("an image was kept that is not there, or twice")
        if np.abs(self.offsets_px).max() > max(self.shape):
            raise ValueError("an image was moved out of the field")
        return self

    def restore(self) -> Found:
        """Return what was found."""
        return Found(
            np.array(self.kept, np.int64),
            np.array(self.angles_deg, np.float64),
            Pose(np.array(self.offsets_px, np.float64), self.axis_shift_px, self.axis_deg),
            np.array(self.all_angles_deg, np.float64),
            self.shape,
        )


class RecipeDescription(BaseModel):
    """A recipe as a file holds it."""

    model_config = ConfigDict(strict=True, extra="ignore")

    recipe: PrepareOptions
    found: FoundDescription | None = None


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a recipe holds.

    Attributes
    ----------
    options : PrepareOptions
        What was asked for.
    found : Found or None
        What was found when it was made.
    """

    options: PrepareOptions
    found: Found | None


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    WedgefillError
        If the file is missing or is no recipe.
    """
    described, _ = read_json(path, RecipeDescription, what="recipe", writer="wedgefill prepare")
    found = None if described.found is None else described.found.restore()
    return Recipe(described.recipe, found)


def read_found(path: Path) -> Found:
    """Read what was found from a recipe that must hold it."""
    found = read_recipe(path).found
    if found is None:
        raise WedgefillError(
            f"{path}: this recipe holds no shifts that could be applied; give one that "
            "'wedgefill prepare' wrote, or the series itself."
        )
    return found


def write_recipe(path: Path, report: Mapping[str, Any]) -> Path:
    """Write what was asked for and what was found as JSON; returns the path."""
    with write_beside(path) as partial:
        partial.write_text(write_json(report) + "\n", encoding="utf-8")
    return path
