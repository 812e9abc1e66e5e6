"""Files that people may have edited: read with care, and what is wrong with them in a few words.

Models, reports and recipes are checked with pydantic: its types say what a file must hold in one
place, it looks at every value, and napari brings it along anyway.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import WedgefillError
from .memory import format_bytes

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

#: Longest value that a sentence quotes.
_LONGEST = 60
#: Reports of thousands of tilts stay far below.
MOST_BYTES = 64 * 10**6

Described = TypeVar("Described", bound="BaseModel")


def read_json(
    path: Path, schema: type[Described], *, what: str, writer: str
) -> tuple[Described, dict[str, Any]]:
    """Read a file of JSON that a command wrote.

    Parameters
    ----------
    path : Path
        The file.
    schema : type
        What it must hold.
    what : str
        What such a file is called.
    writer : str
        The command that writes such files.

    Returns
    -------
    BaseModel
        What the schema names.
    dict
        All that the file holds, the values that the schema names as it has checked them.

    Raises
    ------
    WedgefillError
        If there is no such file, it is none that can be read, or a value is not as it should be.
    """
    from pydantic import ValidationError

    advice = f"give a {what} that '{writer}' wrote"
    try:
        if path.exists() and not path.is_file():
            raise WedgefillError(
                f"{path}: this is no file but a folder, a device or a pipe; {advice}."
            )
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, WedgefillError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise WedgefillError(f"{path}: the {what} cannot be read ({reason}); {advice}.") from error
    if len(raw) > MOST_BYTES:
        raise WedgefillError(
            f"{path}: this holds more than {format_bytes(MOST_BYTES)}, which no {what} does; "
            f"{advice}."
        )
    try:
        described = schema.model_validate_json(raw)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            reason = error.errors()[0]["msg"]
            raise WedgefillError(f"{path}: this is not JSON ({reason}); {advice}.") from error
        raise WedgefillError(
            f"{path}: this {what} cannot be used ({describe_fault(error)}); give one that "
            f"'{writer}' of this version wrote."
        ) from error
    return described, described.model_dump(mode="json", exclude_unset=True)


def describe_fault(error: ValidationError) -> str:
    """Say which value is wrong and what is expected: "contract.n_rows is -3: should be ...".

    The first fault is told where there are several.
    """
    fault = error.errors(include_url=False)[0]
    where = ".".join(map(str, fault["loc"])) or "all of it"
    said = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if fault["type"] == "missing":
        return f"{where} is missing"
    if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"there is no {where}"
    given = repr(fault["input"])
    given = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}..."
    return f"{where} is {given}: {said[:1].lower()}{said[1:]}"
