"""Tables of the measured data."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.quality.methods import METHODS
from benchmarks.quality.tables import format_cells, format_table

Row = dict[str, Any]

NO_TOOTH = (
    "The tooth was not measured in this run; it does not ship with the project. Give its path with "
    "`--tooth` (source/tomopy/data/tooth.h5 in TomoPy's repository)."
)


def _mean(rows: list[Row], figure: str, method: str, **where: float) -> float:
    found = [
        row[figure]
        for row in rows
        if row["method"] == method and all(row[k] == v for k, v in where.items())
    ]
    return float(np.mean(found)) if found else float("nan")


def describe_tooth(rows: list[Row]) -> list[str]:
    """Return the tooth's tables, or a sentence that it was not measured."""
    lines = ["### A tooth in X-rays", ""]
    if not rows:
        return [*lines, NO_TOOTH, ""]
    middles = " and ".join(f"{m:g}" for m in dict.fromkeys(r["wedge_at_deg"] for r in rows))
    lines += [
        "TomoPy's example data: 181 angles over 180 degrees, two slices of 193 px after binning. "
        f"Mean over missing ranges centred at {middles} degrees; of the remaining angles every "
        "second one is used. PSNR, SSIM and the correlation inside the wedge are taken inside the "
        "field, against SIRT-200 from all 181 angles; *TVM tuned* is tuned on that reference. The "
        "error compares the images predicted at the missing angles with the measured ones, so no "
        "reconstruction stands in for the truth there.",
        "",
    ]
    body = []
    for missing in dict.fromkeys(row["missing_deg"] for row in rows):
        figures = (
            ("psnr", "PSNR (dB)", 2, 1.0, np.inf),
            ("ssim", "SSIM", 3, 1.0, np.inf),
            ("wedge", "wedge", 3, 1.0, np.inf),
            ("withheld", "error (%)", 1, 100.0, 0.0),
        )
        for key, heading, digits, unit, best in figures:
            values = [unit * _mean(rows, key, m, missing_deg=missing) for m in METHODS]
            body.append([f"{missing:g}°", heading, *format_cells(values, digits, best)])
    lines += format_table(["missing", "figure", *METHODS], body)
    for missing in dict.fromkeys(row["missing_deg"] for row in rows):
        linear, warm = (
            _mean(rows, key, "sinogram", missing_deg=missing)
            for key in ("over_linear", "over_warm_start")
        )
        lines += [
            f"The sinogram network by itself, {missing:g} degrees missing: {linear:+.2f} dB over "
            f"linear interpolation, {warm:+.2f} dB over the warm start.",
            "",
        ]
    return lines


def describe_needle(rows: list[Row]) -> list[str]:
    """Return the needle's table."""
    lines = [
        "### A needle in HAADF-STEM",
        "",
        "The bundled series (NIST, 77 tilts to ±76 degrees, 256 px), aligned by the package's own "
        "alignment; 16 slices from its middle. The tilts beyond a limit are left out and predicted "
        "by projecting the volume. The figure is the root mean square error in percent of the root "
        "mean square of the images. *TVM tuned* is tuned on the very tilts that it predicts.",
        "",
    ]
    body = []
    for limit in dict.fromkeys(row["limit_deg"] for row in rows):
        values = [100 * _mean(rows, "withheld", m, limit_deg=limit) for m in METHODS]
        n = next(row["n_withheld"] for row in rows if row["limit_deg"] == limit)
        body.append([f"±{limit:g}°", str(n), *format_cells(values, 1, 0.0)])
    return lines + format_table(["tilts used", "predicted", *METHODS], body)
