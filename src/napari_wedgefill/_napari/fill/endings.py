"""How a job of the window ended, in the words of the status line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...durations import write_duration
from ...methods import METHODS, label_of
from ...trust.results_table import ResultsTable
from ...trust.verdicts import QuickCheck, SelfCheck, TrustMap

NO_BREAK_SPACE = "\u00a0"
#: What the status line calls the checks after a fill.
CHECKS: dict[type, str] = {
    QuickCheck: "check",
    SelfCheck: "self-check",
    TrustMap: "trust map",
}
#: What it calls those that Cancel left out.
MISSING = CHECKS | {QuickCheck: "quick check"}


def tell_done(spent_s: float, took_s: Mapping[str, float], quick: QuickCheck | None) -> str:
    """Say how long a run took, and its parts; what the quick check said comes next.

    Parameters
    ----------
    spent_s : float
        Seconds since it was started.
    took_s : mapping of str to float
        Seconds of each method and check, by its name.
    quick : QuickCheck or None
        What it found.
    """
    each = [f"{name} {write_duration(seconds)}" for name, seconds in took_s.items()]
    # A line does not end between a method and its time.
    listed = ", ".join(text.replace(" ", NO_BREAK_SPACE) for text in each)
    said = f"Done in {write_duration(spent_s)}: {listed}."
    return said if quick is None else f"{said} {quick.headline}"


def tell_cancelled(stay: Sequence[str], left: Sequence[str], missing: Sequence[type]) -> str:
    """Say what stays of a job that was cancelled, where it is, what is missing, and how to go on.

    Parameters
    ----------
    stay : sequence of str
        Methods whose volumes were complete; none for a job that makes none.
    left : sequence of str
        Methods that were asked for and are not there.
    missing : sequence of type
        What else was asked for and is not there.
    """
    if not stay:
        return "Cancelled; nothing was complete, and nothing was added."
    if ResultsTable in missing:
        return "Cancelled; the table is missing. To get it, press Results again."
    made = ", ".join(map(label_of, stay))
    said = f"Cancelled; the volumes stay among the layers ({made}), see Export."
    if missing:
        names = " and ".join(f"the {MISSING[kind]}" for kind in missing)
        are = "is" if len(missing) == 1 else "are"
        said += f" {names[:1].upper()}{names[1:]} {are} missing."
    if left:
        others = ", ".join(map(label_of, left))
        return f"{said} To go on, choose {others} alone under Methods, then Fill wedge."
    if not missing:
        return said
    them = "it" if len(missing) == 1 else "them"
    if SelfCheck in missing:  # it compares the methods
        return f"{said} To get {them}, press Fill wedge again."
    learned = ", ".join(label_of(name) for name in stay if METHODS[name].needs_model)
    return f"{said} To get {them}, choose {learned} alone under Methods, then Fill wedge."
