"""The `wedgefill` command: reads the command line, runs one command, turns errors into one line."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from . import __version__
from .commands import COMMANDS
from .commands.interrupt import Stopped, find_exit_status, remember_interrupts
from .commands.plain_output import drop_stdout, write_plainly
from .errors import write_in_one_line

EXIT_FAILURE = 1
EXIT_USAGE = 2
#: Options of ranges, which may begin with a minus sign.
TAKE_RANGES = ("--angles", "--slices", "--planes", "--rows", "--columns")


class _OneLineParser(argparse.ArgumentParser):
    """An argument parser whose complaints take one line, as every other error here does."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is, then leave with status 2."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, one sub-parser a command."""
    # --debug may stand before or after the command; SUPPRESS: the later one must not reset it.
    shared = _OneLineParser(add_help=False)
    shared.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show the full traceback of an error",
    )
    parser = _OneLineParser(
        prog="wedgefill",
        description="Fill the missing wedge of electron tomography.",
        epilog="`wedgefill COMMAND --help` explains a command.",
        parents=[shared],
    )
    parser.add_argument("--version", action="version", version=f"wedgefill {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[shared],
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0 when all went well, 1 on an error (told in one line on stderr), 130 after Ctrl-C, 143
        after SIGTERM. A command line that cannot be read exits with status 2.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with write_plainly(), remember_interrupts(is_last=argv is None):
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    args = build_parser().parse_args(join_typed_ranges(arguments))
    args.command_line = ["wedgefill", *arguments]
    try:
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        # Without files that are complete, any command begins anew, or goes on where it was.
        how = stop if isinstance(stop, Stopped) else "To go on, run the same command again."
        print(f"\nwedgefill: stopped; nothing was left half-written. {how}", file=sys.stderr)
        return find_exit_status()
    except BrokenPipeError:  # `wedgefill info x | head`: the reader has seen enough
        drop_stdout()
        return EXIT_FAILURE
    except Exception as error:
        if getattr(args, "debug", False):
            traceback.print_exc()
        else:
            print(f"wedgefill: {write_in_one_line(error)}", file=sys.stderr)
        return EXIT_FAILURE
    return 0


def join_typed_ranges(arguments: Sequence[str]) -> list[str]:
    """Write ``--angles -60:60`` as ``--angles=-60:60``: argparse takes the range for an option."""
    joined: list[str] = []
    for word in arguments:
        is_number = word[:1] == "-" and word[1:2] in "0123456789."
        if joined and joined[-1] in TAKE_RANGES and is_number:
            joined[-1] = f"{joined[-1]}={word}"
        else:
            joined.append(word)
    return joined


if __name__ == "__main__":
    sys.exit(main())
