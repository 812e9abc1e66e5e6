"""Withhold measured tilts, rebuild without them, and say how well every method predicts them.

Two tests: tilts spread through the range, and the outermost ones, which resemble filling a wedge.
Figures are root mean square errors of the predicted images, as a share of the images themselves.
"""

from __future__ import annotations

import argparse

from ..json_text import write_json
from .fill import add_method_arguments, make_fill_options
from .series_arguments import add_reading_arguments, add_shaping_arguments, read_series

SUMMARY = "predict withheld tilts with every method"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the series, the methods and --json."""
    add_reading_arguments(parser)
    add_method_arguments(parser)
    add_shaping_arguments(parser)
    parser.add_argument("--align", action="store_true", help="align the images first")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: argparse.Namespace) -> None:
    """Read, align if asked to, check, and print a table."""
    from ..pipeline.session import Session
    from ..prepare import Aligned, iter_align
    from ..run.options import RunOptions
    from ..run.run import check_run
    from ..trust.self_check import iter_self_check
    from ..trust.verdicts import SelfCheck
    from .follow import follow, say_warnings
    from .progress_line import ProgressLine

    with ProgressLine() as line:
        series, options, session = read_series(args), make_fill_options(args), Session()
        say_warnings(series, line)
        check_run(series, RunOptions(options, self_check=True), session)
        if args.align:
            series = follow(iter_align(series), line, Aligned).series
        result = follow(iter_self_check(series, options, session), line, SelfCheck)
    if args.json:
        print(write_json(result.to_dict()))
        return
    print(f"{'withheld':<20}" + "".join(f"{method:>9}" for method in result.spread))
    for angle, where, errors in result.by_angle():
        name = f"{angle:+8.2f} {where}"
        print(f"{name:<20}" + "".join(f"{error:>9.2%}" for error in errors.values()))
    for name, together in (("all inside", result.spread), ("all outermost", result.outermost)):
        print(f"{name:<20}" + "".join(f"{error:>9.2%}" for error in together.values()))
