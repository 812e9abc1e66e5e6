"""What went wrong with the machine is told in a sentence that helps, with a report to copy."""

import errno

import pytest

from napari_wedgefill._napari.messages import explain
from napari_wedgefill.errors import WedgefillError


@pytest.mark.parametrize(
    ("error", "begins", "advises"),
    [
        (MemoryError(), "There is too little memory", "fill fewer Slices"),
        (OSError(errno.ENOSPC, "No space left on device", "a.mrc"), "a.mrc: No space", "free some"),
        (OSError(errno.EIO, "Input/output error", "b.mrc"), "b.mrc: Input/output", "try again"),
        (RuntimeError("a bolt"), "The plugin failed (RuntimeError: a bolt)", "send it to its"),
    ],
)
def test_trouble_is_told_with_a_report(error, begins, advises):
    message = explain(error)
    assert message.sentence.startswith(begins)
    assert advises in message.sentence
    assert type(error).__name__ in message.report
    assert message.passes


def test_what_the_user_can_mend_needs_no_report():
    assert explain(WedgefillError("x: no angles.")).report == ""
