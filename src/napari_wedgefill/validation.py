"""What is wrong with a file that people may have edited, in a few words.

Models and reports are checked with pydantic: its types say what a file must hold in one place, it
looks at every value, and napari brings it along anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

#: Longest value that a sentence quotes.
_LONGEST = 60


def describe_fault(error: ValidationError) -> str:
    """Say which value is wrong and what is expected: "contract.n_rows is -3: should be ...".

    The first fault is told where there are several.
    """
    fault = error.errors(include_url=False)[0]
    where = ".".join(map(str, fault["loc"])) or "all of it"
    said = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if fault["type"] == "missing":
        return f"{where} is missing"
    given = repr(fault["input"])
    given = given if len(given) <= _LONGEST else f"{given[:_LONGEST]}..."
    return f"{where} is {given}: {said[:1].lower()}{said[1:]}"
