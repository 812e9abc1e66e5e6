"""Say what a file holds: shape, pixel size, angles, tilt axis, and where each was found.

Of a folder of several series, with all folders below it, a line each, what else it holds, and at
last how many series can be filled.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WedgefillError
from ..json_text import write_json
from .series_arguments import add_reading_arguments, reading_options

if TYPE_CHECKING:
    from ..addresses import Address
    from ..batch.passed_over import PassedOver

SUMMARY = "say what a file holds and where each value was found"
#: So many series that cannot be filled are named in the last line.
MOST_NAMED = 3
#: So many files of one kind are named in the row of their folder.
MOST_TOGETHER = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, what overrides its own values, and --json."""
    add_reading_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the description of a file, or of what a folder holds."""
    from ..io import describe

    if isinstance(args.file, Path):
        found, passed_over = look_through(args.file)
        places = [path for _, path in found] + [one.path for one in passed_over]
        if len(places) > 1 or any(_lies_below(args.file, path) for path in places):
            several = describe_folder(args, found, passed_over)
            print(write_json(several) if args.json else write_folder_as_text(several))
            return
    facts = describe(args.file, **reading_options(args))
    print(write_json(facts) if args.json else write_as_text(facts))


def look_through(folder: Path) -> tuple[list[tuple[str, Path]], list[PassedOver]]:
    """List the series in a folder and below it as `wedgefill batch` does, and all other images.

    Stacks without angles are among the series. There is nothing to list in what is no folder.
    """
    from ..batch.find_series import find_series
    from ..batch.passed_over import STACK
    from ..io.formats import is_image_file

    if not folder.is_dir() or is_image_file(folder):
        return [], []
    passed_over: list[PassedOver] = []
    found = list(find_series(folder, passed_over=passed_over))
    stacks = [one for one in passed_over if one.look.kind == STACK]
    series = sorted([*found, *((one.name, Path(str(one.path))) for one in stacks)])
    return series, [one for one in passed_over if one not in stacks]


def _lies_below(folder: Path, path: Path | Address) -> bool:
    """Tell whether a series is neither a folder itself nor a stack in it, as a fill takes them."""
    from ..io.formats import is_image_file

    assert isinstance(path, Path)
    return path != folder and (path.parent != folder or (path.is_dir() and not is_image_file(path)))


def describe_folder(
    args: argparse.Namespace,
    found: Sequence[tuple[str, Path]],
    passed_over: Sequence[PassedOver],
) -> dict[str, Any]:
    """Describe the series that were found in a folder, and list what else it holds."""
    from ..batch.passed_over import name_below, tell_why

    series = [_describe_one(name, path, args) for name, path in found]
    others = [
        {
            "name": one.name,
            "path": str(one.path),
            "file": name_below(one.path, args.file),
            "kind": one.look.kind,
            "shape": list(one.look.shape),
            "sentence": tell_why(one.path, one.look),
        }
        for one in passed_over
    ]
    return {
        "path": str(args.file),
        "kind": "folder",
        "series": series,
        "not_taken": others,
        "summary": summarise(series, others),
    }


def _describe_one(name: str, path: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Describe a series; what cannot be filled says why under "refusal"."""
    from ..io import describe

    try:
        facts = describe(path, **reading_options(args))
    except WedgefillError as error:
        facts = {"path": str(path), "refusal": str(error)}
    return {**facts, "name": name, "path": str(path)}


def summarise(series: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]] = ()) -> str:
    """Say in one line how many series can be filled, which cannot, and what else there is."""
    said = [_summarise_series(series)]
    kinds = [one["kind"] for one in others]
    if n := kinds.count("volume"):
        files = f"{n} files are taken for volumes" if n > 1 else "1 file is taken for a volume"
        said.append(f"{files}, and not for a tilt series, for the reason above.")
    if n := kinds.count("image"):
        said.append(f"{n} images belong" if n > 1 else "1 image belongs")
        said[-1] += " to no series."
    if n := kinds.count("result"):
        said.append(f"{n} volumes were" if n > 1 else "1 volume was")
        said[-1] += " written by napari-wedgefill."
    return " ".join(said)


def _summarise_series(series: Sequence[Mapping[str, Any]]) -> str:
    if not series:
        return "No tilt series."
    bad = [one for one in series if one.get("refusal")]
    said = f"{len(series)} series, "
    if not bad:
        return f"{said}{'all of ' * (len(series) > 1)}which can be filled."
    named = "; ".join(f"{one['name']} ({_shorten(one)})" for one in bad[:MOST_NAMED])
    more = f"; and {len(bad) - MOST_NAMED} more, see above" if len(bad) > MOST_NAMED else ""
    n_good = len(series) - len(bad)
    return f"{said}{n_good or 'none'} can be filled; {len(bad)} cannot: {named}{more}."


def _shorten(facts: Mapping[str, Any]) -> str:
    """Return why a series cannot be filled, without the name of its file."""
    said = str(facts["refusal"]).removeprefix(f"{Path(facts['path']).name}: ")
    return said.rstrip(".")


def write_folder_as_text(found: Mapping[str, Any]) -> str:
    """Write a line for each series of a folder and for what else it holds, and the summary."""
    rows = [("folder", found["path"])]
    rows += [(one["name"], _write_briefly(one)) for one in found["series"]]
    others = found["not_taken"]
    rows += [
        (one["file"], f"{_write_shape(one)}; {one['sentence']}")
        for one in others
        if one["kind"] == "volume"
    ]
    rows += _write_together(others, "image", "images of no series")
    rows += _write_together(others, "result", "results")
    width = max(12, *(len(name) + 1 for name, _ in rows))
    lines = [f"{name + ':':<{width}} {value}" for name, value in rows]
    return "\n".join([*lines, found["summary"]])


def _write_together(
    others: Sequence[Mapping[str, Any]], kind: str, title: str
) -> list[tuple[str, str]]:
    """Write a row for each folder of files of one kind, which are put together by their shape."""
    folders: dict[str, dict[str, list[str]]] = {}
    for one in others:
        if one["kind"] == kind:
            folder, _, name = one["file"].rpartition("/")
            shapes = folders.setdefault(f"{folder or '.'}/", {})
            shapes.setdefault(_write_shape(one), []).append(name)
    rows = []
    for folder, shapes in folders.items():
        said = [f"{_write_names(names)} ({shape})" for shape, names in shapes.items()]
        rows.append((folder, f"{title}: {'; '.join(said)}"))
    return rows


def _write_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_TOGETHER} more" if len(names) > MOST_TOGETHER else ""
    return f"{', '.join(names[:MOST_TOGETHER])}{more}"


def _write_shape(facts: Mapping[str, Any]) -> str:
    return " x ".join(str(n) for n in facts["shape"])


def _write_briefly(facts: Mapping[str, Any]) -> str:
    if facts.get("refusal"):
        return f"cannot be filled: {facts['refusal']}"
    shape = _write_shape(facts)
    angles, size = facts["angles_deg"], facts["pixel_nm"]
    said = f"{shape}, from {angles[0]:g} to {angles[-1]:g} degrees, "
    said += "pixel size unknown" if size is None else f"{size:g} nm"
    n_notes = len(facts["warnings"])
    notes = f" ({n_notes} note{'s' * (n_notes > 1)}: wedgefill info {facts['path']})"
    return said + notes if n_notes else said


def write_as_text(facts: Mapping[str, Any]) -> str:
    """Write a description for people: a line a value, with where it was found."""
    shape = _write_shape(facts)
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
    if part := _write_part(facts):
        rows.append(("part", part))
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


def _write_part(facts: Mapping[str, Any]) -> str:
    """Say which planes and slices of the whole a volume holds; "" where it is the whole."""
    said = []
    counted = "counted in the whole volume"
    if (whole := facts.get("whole_depth")) is not None:
        counted += ", as --planes of convert counts them too"
        start = facts["first_plane"]
        said.append(f"planes {start}:{start + facts['shape'][0]} of {whole} along the beam (z)")
    start, whole = facts.get("first_slice"), facts.get("whole_height")
    if start or whole is not None:
        of_whole = "" if whole is None else f" of {whole}"
        stop = start + facts["shape"][1]
        said.append(f"slices {start}:{stop}{of_whole} along the tilt axis (y)")
    return f"{', '.join(said)}, {counted}" if said else ""


def _write_pixel_size(pixel_nm: float | None, source: str | None) -> str:
    size = "unknown (give --pixel-nm)" if pixel_nm is None else f"{pixel_nm:g} nm"
    return f"{size} ({source})" if source and pixel_nm is not None else size


def _write_angles(angles_deg: Sequence[float]) -> str:
    from ..geometry import median_step_deg, missing_range_deg

    return (
        f"{len(angles_deg)}, from {angles_deg[0]:g} to {angles_deg[-1]:g} degrees, median step "
        f"{median_step_deg(angles_deg):g}, {missing_range_deg(angles_deg):g} degrees missing"
    )
