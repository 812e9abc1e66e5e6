"""One table of all that can be measured on the volumes of a series without knowing the truth."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: A value this close to its floor says no more than that.
AT_FLOOR = 1.0 + 1e-3


@dataclass(frozen=True)
class ResultsRow:
    """One row: a figure of the series, or one for each method.

    Attributes
    ----------
    name, unit : str
        In words; the unit is empty for pure numbers.
    values : dict of str to float
        By method, or under "series" for what holds for all.
    is_detail : bool
        Left out of the short table.
    meaning : str
        What the row says, in a sentence.
    is_share : bool
        Whether the values are parts of one, which tables show in percent.
    floor : float or None
        What no value can be below, by the way it was measured.
    """

    name: str
    unit: str
    values: Mapping[str, float]
    is_detail: bool = False
    meaning: str = ""
    is_share: bool = False
    floor: float | None = None

    def write(self, column: str, *, plain: bool = False) -> str:
        """Write one value; `plain` leaves a number that a program can read."""
        value = self.values.get(column)
        if value is None or not np.isfinite(value):
            return ""
        if self.floor is not None and value <= self.floor * AT_FLOOR and not plain:
            return f"not below {self.floor:.2g}"
        if self.is_share:
            return f"{100 * value:.1f}" if not plain else f"{100 * value:.4g}"
        if plain or abs(value) < 1e-3:
            return f"{value:.4g}"
        # Three figures for people, and never a power of ten.
        n_figures = max(3, len(f"{abs(value):.0f}"))
        return np.format_float_positional(
            value, n_figures, unique=False, fractional=False, trim="-"
        )


@dataclass(frozen=True)
class ResultsTable:
    """Figures in rows, methods in columns.

    Attributes
    ----------
    name : str
        Of the series.
    methods : tuple of str
        In the order of the columns.
    figures : tuple of ResultsRow
        In the order of the rows.
    residuals : dict of str to tuple of float
        By method, the relative error at each measured tilt.
    curves : dict of str to object
        What does not fit into cells, plain values: tilt range, shell correlations, histograms.
    notes : tuple of str
        What a reader must know, one sentence each.
    """

    name: str
    methods: tuple[str, ...]
    figures: tuple[ResultsRow, ...]
    residuals: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def cells(self, *, details: bool = False) -> list[list[str]]:
        """Rows of text, the heading first: figure, unit, series, and a column a method."""
        rows = [["figure", "unit", "series", *self.methods]]
        for figure in self.figures:
            if figure.is_detail and not details:
                continue
            columns = ("series", *self.methods)
            values = [figure.write(column, plain=details) for column in columns]
            rows.append([figure.name, "%" if figure.is_share else figure.unit, *values])
        return rows

    def to_csv(self) -> str:
        """Return every figure, the residual of each tilt included, as comma-separated values."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(self.cells(details=True))
        return out.getvalue()

    def to_text(self) -> str:
        """Return the short table in aligned columns."""
        rows = self.cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = []
        for row in rows:
            left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
            lines.append("  ".join([*left, *right]).rstrip())
        return "\n".join([*lines, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        figures = [
            {"figure": f.name, "unit": f.unit, **{k: float(v) for k, v in f.values.items()}}
            for f in self.figures
        ]
        return {"figures": figures, **self.curves, "notes": list(self.notes)}
