"""Tilt angles in the names of files that hold one tilt each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Every run of digits with what stands before it, which may be a sign: tilt_-6, s_+06.0, star_n06.
_FIELD = re.compile(r"([+\-nmp]?)([0-9]{1,9}(?:[.,][0-9]{1,6}(?![0-9]))?)", re.IGNORECASE)
_MINUS, _PLUS = ("-", "n", "m"), ("+", "p")
#: Stages go no further; fields with larger numbers are dates, counts or magnifications.
MAX_STAGE_DEG = 90.0
#: Words that say that the number after them, or before "deg", is an angle.
_ANGLE_WORDS = ("tilt", "angle", "alpha", "deg", "theta")
MIN_NAMED = 3


@dataclass(frozen=True)
class Field:
    """One number in a name: the text around it, its sign as written, and its value without it."""

    before: str
    sign: str
    number: float
    has_point: bool
    after: str


def angles_in_names(names: Sequence[str]) -> list[float | None] | None:
    """Find the tilt angle in each name, degrees, or None if the names hold no angles.

    Names that are not of the others' kind, such as ``flat.tif`` among ``tilt_-6.tif``, get None.

    A number is an angle if names with a minus sign (or n, m) stand beside others without it or
    with a plus (or p), or if a word such as "tilt" stands before numbers with a decimal point.
    ``tilt_001`` is a count, and so is ``tilt-001`` among names that all have that dash.
    """
    columns = _columns([name.rpartition(".")[0] or name for name in names])
    best: tuple[tuple[int, ...], list[float | None]] | None = None
    for fields in columns:
        angles = _angles(fields)
        if angles is None:
            continue
        known = [angle for angle in angles if angle is not None]
        is_named = any(
            word in (field.before[-8:] + field.after[:4]).lower()
            for field in fields
            if field is not None
            for word in _ANGLE_WORDS
        )
        has_both_signs = min(known) < 0 < max(known)
        score = (len(known), int(has_both_signs), int(is_named), len(set(known)))
        if best is None or score > best[0]:
            best = score, angles
    return None if best is None else best[1]


def _columns(stems: Sequence[str]) -> list[list[Field | None]]:
    """Line up the numbers of names of one kind: a list per place, one entry per name."""
    all_fields = [_fields(stem) for stem in stems]
    counts = Counter(_kind(fields) for fields in all_fields if fields)
    if not counts:
        return []
    kind, _ = counts.most_common(1)[0]
    fitting = [fields if _kind(fields) == kind else None for fields in all_fields]
    n_fields = len(kind) - 1
    return [[None if fields is None else fields[i] for fields in fitting] for i in range(n_fields)]


def _kind(fields: Sequence[Field]) -> tuple[str, ...]:
    """Return what names of one kind have in common: the text around their numbers, less signs."""
    return (*(field.before for field in fields), fields[-1].after) if fields else ()


def _fields(stem: str) -> list[Field]:
    matches = list(_FIELD.finditer(stem))
    fields = []
    for i, match in enumerate(matches):
        sign = match[1].lower()
        start = matches[i - 1].end() if i else 0
        end = matches[i + 1].start() if i + 1 < len(matches) else len(stem)
        number = match[2].replace(",", ".")
        fields.append(
            Field(stem[start : match.start()], sign, float(number), "." in number,
                  stem[match.end() : end])
        )  # fmt: skip
    return fields


def _angles(fields: Sequence[Field | None]) -> list[float | None] | None:
    """Return the values of one place if they are angles."""
    known = [field for field in fields if field is not None]
    if len(known) < MIN_NAMED:
        return None
    signs = {field.sign for field in known if field.number != 0}
    minus, plus = signs & set(_MINUS), signs & (set(_PLUS) | {""})
    if len(minus) > 1 or len(signs) > 2:
        return None
    is_signed = bool(minus) and bool(plus)
    if not is_signed:
        word = any(w in field.before[-8:].lower() for w in _ANGLE_WORDS for field in known)
        explicit = signs == {"+"} or all(
            field.sign == "-" and field.before.endswith(("_", " ", "=")) for field in known
        )
        if not (explicit or (word and all(field.has_point for field in known))):
            return None
    angles: list[float | None] = [
        None if field is None else (-1.0 if field.sign in _MINUS else 1.0) * field.number
        for field in fields
    ]
    values = np.array([angle for angle in angles if angle is not None])
    within = np.abs(values) <= MAX_STAGE_DEG
    if np.count_nonzero(within) < max(MIN_NAMED, 0.8 * len(values)) or np.ptp(values[within]) < 1:
        return None
    return angles
