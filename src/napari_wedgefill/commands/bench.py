"""Measure how fast this machine reconstructs, in about a minute.

Times are milliseconds a slice of WIDTH x WIDTH from 61 tilts; a giga-update is a thousand million
voxels met by one tilt. "of limit" compares with what the processor's vector units could do if
nothing had to be fetched. ASTRA's CPU code, which runs on one core, is measured beside where
astra-toolbox is installed.
"""

from __future__ import annotations

import argparse
import json

SUMMARY = "measure the speed of this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --width and --json."""
    parser.add_argument(
        "--width", type=int, default=256, metavar="WIDTH", help="edge of a slice (256)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    from ..bench import compare_quickly, time_networks
    from ..errors import WedgefillError
    from ..projector.threads import available_cores

    if not 16 <= args.width <= 2048:
        raise WedgefillError(f"--width {args.width}: choose an edge between 16 and 2048.")
    found = {
        "cores": available_cores(),
        "width": args.width,
        "operations": compare_quickly(args.width),
        "networks": time_networks(args.width),
    }
    if args.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['cores']} cores, slices of {args.width} x {args.width}")
    print(
        f"{'':20}{'ms a slice':>12}{'giga-updates/s':>16}{'of limit':>10}{'ASTRA ms':>10}{'x':>7}"
    )
    for r in found["operations"]:
        line = f"{r['operation']:20}{r['ours_ms']:12.2f}{r['giga_updates']:16.1f}"
        line += f"{r['share_of_limit']:10.0%}"
        if "ratio" in r:
            line += f"{r['astra_ms']:10.1f}{r['ratio']:7.0f}"
        print(line)
    speed = found["networks"]
    print(f"networks on {speed['provider'].removesuffix('ExecutionProvider')}: ", end="")
    each = {key.removesuffix("_s"): value for key, value in speed.items() if key.endswith("_s")}
    print(", ".join(f"{stage} {value:.2f} s" for stage, value in each.items()), "a slice")
