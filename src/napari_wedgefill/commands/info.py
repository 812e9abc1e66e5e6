"""Say what a file holds: shape, pixel size, angles, tilt axis, and where each was found."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from ..json_text import write_json
from .series_arguments import add_reading_arguments, reading_options

SUMMARY = "say what a file holds and where each value was found"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, what overrides its own values, and --json."""
    add_reading_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the description of a file."""
    from ..io import describe

    facts = describe(args.file, **reading_options(args))
    print(write_json(facts) if args.json else write_as_text(facts))


def write_as_text(facts: Mapping[str, Any]) -> str:
    """Write a description for people: a line a value, with where it was found."""
    shape = " x ".join(str(n) for n in facts["shape"])
    sources = facts.get("sources", {})
    rows = [("file", facts["path"]), ("kind", facts["kind"])]
    order = {"tilt series": "tilt, y, x", "volume": "z, y, x"}.get(facts["kind"], "image, y, x")
    rows.append(("shape", f"{shape} ({order}), {facts['dtype']}"))
    if "pixel_nm" in facts:
        rows.append(("pixel size", _write_pixel_size(facts["pixel_nm"], sources.get("pixel_nm"))))
    if "voxel_nm" in facts:
        edges = facts["voxel_nm"]
        known = edges and " x ".join(f"{edge:g}" for edge in edges) + " nm"
        rows.append(("voxel size", known or "unknown"))
    if facts["kind"] == "tilt series":
        rows.append(
            ("tilt angles", f"{_write_angles(facts['angles_deg'])} ({sources['angles_deg']})")
        )
        turned = facts["tilt_axis_deg"]
        how = (
            f"images are turned by {turned:g} degrees to bring it along y" if turned else "along y"
        )
        rows.append(("tilt axis", f"{how} ({sources['tilt_axis']})"))
        rows.append(("axis shift", f"{facts['axis_shift_px']:g} pixels from the centre"))
    elif facts["kind"] == "image" and facts["shape"][0] > 1:
        rows.append(("tilt angles", "not found (give --angles)"))
    if facts.get("refusal"):
        rows.append(("fill", f"refused: {facts['refusal']}"))
    rows += [("label", label) for label in facts.get("labels", ())]
    rows += [("note", warning) for warning in facts["warnings"]]
    return "\n".join(f"{name + ':':<13}{value}" for name, value in rows)


def _write_pixel_size(pixel_nm: float | None, source: str | None) -> str:
    size = "unknown (give --pixel-nm)" if pixel_nm is None else f"{pixel_nm:g} nm"
    return f"{size} ({source})" if source and pixel_nm is not None else size


def _write_angles(angles_deg: Sequence[float]) -> str:
    from ..geometry import median_step_deg, missing_range_deg

    return (
        f"{len(angles_deg)}, from {angles_deg[0]:g} to {angles_deg[-1]:g} degrees, median step "
        f"{median_step_deg(angles_deg):g}, {missing_range_deg(angles_deg):g} degrees missing"
    )
