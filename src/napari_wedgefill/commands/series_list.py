"""Lists of tilt series for `wedgefill batch`: a CSV file, a folder, or the files themselves."""

from __future__ import annotations

import argparse
import copy
import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..addresses import Address, is_address
from ..errors import WedgefillError
from .fill import add_check_arguments, add_method_arguments, make_run_options
from .from_report import collect_settings
from .series_arguments import (
    add_reading_options,
    add_shaping_arguments,
    close_ranges,
    describe_series,
    read_series,
)

if TYPE_CHECKING:
    from ..batch.job import SeriesJob
    from ..batch.passed_over import PassedOver
    from ..joint_model.registry import ModelInfo

#: Columns of a list that are no options of `fill`.
FILE, NAME = "file", "name"
#: Options whose value may name a file; a relative one counts from the list's folder.
FILE_OPTIONS = ("angles", "model")
#: A number as spreadsheets write it where the comma is the decimal sign.
DECIMAL = re.compile(r"-?\d+,\d+")
YES, NO = ("yes", "true", "1", "on"), ("no", "false", "0", "off")


class RowParser(argparse.ArgumentParser):
    """Reads the options of one row; complains with `WedgefillError`."""

    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self.options = self._add_options()

    def _add_options(self) -> dict[str, argparse.Action]:
        add_series_options(self)
        return {
            name.removeprefix("--"): action
            for name, action in self._option_string_actions.items()
            if name.startswith("--")
        }

    def error(self, message: str) -> NoReturn:
        """Raise instead of ending the process."""
        raise WedgefillError(message)

    def parse_row(
        self, cells: Mapping[str, str], defaults: argparse.Namespace
    ) -> argparse.Namespace:
        """Return `defaults` with what the cells set; empty cells set nothing."""
        args, words = copy.copy(defaults), []
        for column, cell in cells.items():
            action = self.options[column]
            if action.nargs != 0:
                words.append(f"--{column}={cell}")
            elif cell.lower() in YES:
                words.append(f"--{column}")
            elif cell.lower() in NO:
                setattr(args, action.dest, action.default)
            else:
                raise WedgefillError(f"column {column}: '{cell}' is neither yes nor no")
        # Attributes that are there already keep their values where a row says nothing.
        return self.parse_args(words, args)


def add_series_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fill` that may differ from series to series."""
    add_reading_options(parser)
    add_method_arguments(parser)
    add_shaping_arguments(parser)
    add_check_arguments(parser)


def read_jobs(
    args: argparse.Namespace, tell: Callable[[str, float], None], say: Callable[[str], None]
) -> list[SeriesJob]:
    """Return a job for every series that `args` name, and check all of them.

    Parameters
    ----------
    args : Namespace
        The command line, with "series" (a list, a folder or files) and "output".
    tell : callable
        Is told what is being looked at, and the fraction done.
    say : callable
        Is told what a user should know of what was found.

    Raises
    ------
    WedgefillError
        For a mistake in a list, with its line; for a folder without series; and for series that
        cannot be told apart. A series in a folder that cannot be read is a job all the same: it
        fails on its own, and the others are filled.
    """
    from ..batch.job import check_jobs
    from ..joint_model.registry import load

    jobs: list[SeriesJob] = []
    load_once = cache(load)  # series share their model, and to check its files takes a while
    for source in args.series:
        if isinstance(source, Address):
            jobs += _look_at_address(source, args, say, load_once)
        elif source.suffix.lower() == ".csv":
            jobs += _read_list(source, args, tell, load_once)
        elif source.is_dir():
            jobs += _look_through(source, args, say)
        else:
            jobs.append(make_series_job(_check_series(_set_file(args, source), load_once)))
    check_jobs(jobs)
    return jobs


def _look_through(
    folder: Path, args: argparse.Namespace, say: Callable[[str], None]
) -> list[SeriesJob]:
    from ..batch.find_series import find_series

    leave_out = args.output if isinstance(args.output, Path) else None
    passed_over: list[PassedOver] = []
    found = _take_and_tell(
        [*find_series(folder, leave_out, passed_over)], passed_over, folder, args, say
    )
    if not found:
        raise WedgefillError(
            f"{folder}: no tilt series was found in this folder or below it; give the folder that "
            "holds them, or a list (.csv) that names them."
        )
    return [_make_found_job(_set_file(args, path), name) for name, path in found]


def _take_and_tell(
    found: Sequence[tuple[str, Path | Address]],
    passed_over: Sequence[PassedOver],
    folder: Path | Address,
    args: argparse.Namespace,
    say: Callable[[str], None],
) -> list[tuple[str, Path | Address]]:
    """Add the stacks for which `--angles` gives what they lack; say what is passed over."""
    from ..batch.passed_over import STACK, tell_passed_over

    taken = list(found)
    if args.angles is not None:
        taken += [(one.name, one.path) for one in passed_over if one.look.kind == STACK]
        taken.sort(key=itemgetter(0))
        passed_over = [one for one in passed_over if one.look.kind != STACK]
    for sentence in tell_passed_over(passed_over, folder):
        say(f"note: {sentence}")
    return taken


def _look_at_address(
    address: Address,
    args: argparse.Namespace,
    say: Callable[[str], None],
    load: Callable[[str], ModelInfo],
) -> list[SeriesJob]:
    from ..batch.find_series import find_stored_series
    from ..run.stored import ZARR

    if address.suffix.lower() == ZARR:
        return [make_series_job(_check_series(_set_file(args, address), load))]
    leave_out = args.output if isinstance(args.output, Address) else None
    passed_over: list[PassedOver] = []
    found = _take_and_tell(
        [*find_stored_series(address, leave_out, passed_over)], passed_over, address, args, say
    )
    if not found:
        raise WedgefillError(
            f"{address}: no tilt series was found at this address or below it; series there are "
            "Zarr, with names that end in .zarr."
        )
    return [_make_found_job(_set_file(args, zarr), name) for name, zarr in found]


def _make_found_job(args: argparse.Namespace, name: str) -> SeriesJob:
    """Make the job of a series that was found; it fails on its own where it cannot be used."""
    ranges = [one for one in (args.slices, args.planes) if one is not None]
    if all(stop is not None for _, stop in ranges):
        return make_series_job(args, name)
    try:
        args = close_ranges(args, str(args.file), *_look_at_images(args))
    except WedgefillError as error:
        args = copy.copy(args)
        args.slices = args.planes = None
        return replace(make_series_job(args, name), read=partial(_refuse, str(error)))
    return make_series_job(args, name)


def _refuse(sentence: str, source: Path | list[Path]) -> NoReturn:
    """Read a series of which it is known that it cannot be used."""
    raise WedgefillError(sentence)


def _read_list(
    path: Path,
    args: argparse.Namespace,
    tell: Callable[[str, float], None],
    load: Callable[[str], ModelInfo],
) -> list[SeriesJob]:
    rows = _read_rows(path)
    parser, jobs, complaints = RowParser(), [], []
    known = {name: name for name in (FILE, NAME, *parser.options)}
    for column in rows[0][1]:
        if column not in known:
            close = get_close_matches(column, known, 1)
            advice = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}."
            raise WedgefillError(f"{path}: there is no column '{column}'; {advice}")
    if FILE not in rows[0][1]:
        raise WedgefillError(f"{path}: the first line names no column 'file'; add it.")
    for k, (line, cells) in enumerate(rows):
        tell(f"checking line {line}", k / len(rows))
        try:
            jobs.append(_read_row(path, line, cells, parser, args, load))
        except WedgefillError as error:
            complaints.append(f"{path.name}, line {line}: {error}")
    if complaints:
        others = len(complaints) - 1
        more = f" ({others} more lines have mistakes)" if others > 1 else ""
        more = f" ({complaints[1]})" if others == 1 else more
        raise WedgefillError(f"{complaints[0]}{more}")
    return jobs


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and cells by column, in lower case with dashes; empty lines are left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise WedgefillError(f"{path}: the list cannot be read ({reason}).") from error
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    # Spreadsheets write semicolons where the comma is the decimal sign.
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    columns: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
            continue
        if not columns:
            columns = [_name_column(cell) for cell in cells]
            if len(set(columns)) < len(columns):
                raise WedgefillError(f"{path}: a column is there twice; leave one of them out.")
            continue
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise WedgefillError(
                f"{path}, line {reader.line_num}: it has more cells than there are columns; put "
                "values that hold a comma into quotation marks."
            )
        cells = [cell.strip() for cell in cells[: len(columns)]]
        if delimiter != ",":
            cells = [cell.replace(",", ".") if DECIMAL.fullmatch(cell) else cell for cell in cells]
        cells += [""] * (len(columns) - len(cells))
        rows.append((reader.line_num, dict(zip(columns, cells, strict=True))))
    if not rows:
        raise WedgefillError(
            f"{path}: the list names no series; its first line names the columns, such as "
            "file,angles,axis, and each further line is a series."
        )
    return rows


def _name_column(cell: str) -> str:
    return cell.strip().lower().removeprefix("--").replace("_", "-").replace(" ", "-")


def _read_row(
    path: Path,
    line: int,
    cells: Mapping[str, str],
    parser: RowParser,
    defaults: argparse.Namespace,
    load: Callable[[str], ModelInfo],
) -> SeriesJob:
    if not cells[FILE]:
        raise WedgefillError("no file is named; fill the column 'file'")
    set_cells = {c: cell for c, cell in cells.items() if cell and c not in (FILE, NAME)}
    for option in FILE_OPTIONS:
        if option in set_cells and (path.parent / set_cells[option]).exists():
            set_cells[option] = str(path.parent / set_cells[option])
    file = Address(cells[FILE]) if is_address(cells[FILE]) else path.parent / cells[FILE]
    args = _check_series(_set_file(parser.parse_row(set_cells, defaults), file), load)
    return make_series_job(args, cells.get(NAME) or None, f"{path.name}, line {line}")


def _set_file(args: argparse.Namespace, file: Path | Address) -> argparse.Namespace:
    """Return the options for a series; what goes with one at an address carries its angles along.

    Workers that fetch their series need not see a file of angles that lies here.
    """
    args = copy.copy(args)
    args.file = file
    if isinstance(file, Address) and isinstance(args.angles, Path):
        from ..io import read_angles

        args.angles = ",".join(f"{angle:.10g}" for angle in read_angles(args.angles))
    return args


def _check_series(args: argparse.Namespace, load: Callable[[str], ModelInfo]) -> argparse.Namespace:
    """Raise `WedgefillError` for what can be seen without reading pixels; close open ranges.

    `load` checks a model.
    """
    from ..methods import METHODS, check_methods
    from ..volume import check_planes

    check_methods(args.methods)
    if any(METHODS[name].needs_model for name in args.methods):
        load(args.model)
    height, width = _look_at_images(args)
    args = close_ranges(args, str(args.file), height, width)
    if args.slices is not None and args.slices[1] > height:
        start, stop = args.slices
        raise WedgefillError(
            f"{args.file}: slices {start}:{stop} were asked for, but it has only {height}."
        )
    if args.planes is not None:
        check_planes(str(args.file), args.planes, width)
    return args


def _look_at_images(args: argparse.Namespace) -> tuple[int, int]:
    """Return the height and width of binned images, without reading pixels."""
    height, width = (
        side // args.bin if args.bin > 0 else 0 for side in describe_series(args)["shape"][1:]
    )
    if not height:
        raise WedgefillError(f"{args.file}: bin {args.bin} leaves nothing of its images.")
    return height, width


def make_series_job(
    args: argparse.Namespace, name: str | None = None, where: str = ""
) -> SeriesJob:
    """Make the job of the series that `args` name, which is called after its file by default."""
    from ..batch.job import SeriesJob, name_results

    return SeriesJob(
        name=name or name_results(args.file),
        source=args.file,
        read=partial(read_series, args),
        options=make_run_options(args),
        settings=collect_settings(args),
        command_line=tuple(args.command_line),
        where=where,
    )
