"""Sentences of the rooms below, which name options of the command line, as the window says them.

Notes and errors are the same for every front end, and reports keep them as they are. Whoever reads
one in the window looks for a field or a button, not for an option.
"""

from __future__ import annotations

import re

#: What is said on the command line, as a pattern, and in the window; the first that fit come first.
_WORDS: tuple[tuple[str, str], ...] = (
    (
        r"for bright field use wedgefill prepare --bright-field, otherwise --invert "
        r"\(in napari, Prepare has both\)",
        "for bright field tick Bright field in Prepare, Clean, otherwise Invert contrast",
    ),
    (
        r"wedgefill prepare replaces them",
        "Prepare replaces them (Clean: Hot pixels, X-rays)",
    ),
    (
        r"wedgefill fill --align leaves them out, and wedgefill prepare --no-shifts does so "
        r"without moving any image \(in napari, the button below the angles\)",
        "the button below the angles leaves them out, and so does Prepare",
    ),
    (
        r"wedgefill prepare leaves them out \(in napari, the button below the angles\)",
        "the button below the angles leaves them out, and so does Prepare",
    ),
    (r"give it with --axis [xy], or as Tilt axis in the window", "choose it as Tilt axis"),
    (
        r"give it with --axis (\S+), or as Tilt axis in the window",
        r"turn it in Prepare, Tilt axis, or read the file with --axis \1 on the command line",
    ),
    (r"make sure that it is not --axis x", "make sure that Tilt axis should not be across (x)"),
    (r"make sure that it is not --axis y", "make sure that Tilt axis should not be up (y)"),
    (
        r"make sure that it is not --axis (\S+?)(?=\.?$|\.?\n)",
        r"make sure that the file should not be read with --axis \1 on the command line",
    ),
    (r"leave out method gan \(--methods wbp,sart,tvm\)", "leave out GAN under Methods"),
    (
        r"give --axis x --flip",
        "choose across (x) as Tilt axis and turn the rows over (--flip on the command line)",
    ),
    (r"read them with --axis y", "read them with --axis y on the command line"),
    (
        r"allow more \(--max-memory\) or bin the images \(--bin 2\)",
        "bin the images (Bin in Prepare, Region)",
    ),
    (r"bin the images \(--bin 2\)", "bin the images (Bin in Prepare, Region)"),
    (r"run them on the processor \(--device cpu\)", "run them on the processor (CPU as Device)"),
    (r"choose another model, or --device cpu", "choose another Model, or CPU as Device"),
    (r"give it with --pixel-nm", "give it as Pixel size"),
    (r"give it with --axis-shift", "give it as Axis shift"),
    (r"give it with --axis(?= |\.|$)", "give it as Tilt axis"),
    (r"give another with --angles", "give others as Angles"),
    (r"give a file of angles with --angles", "load a file of angles under Angles"),
    (r"the same angles \(--angles\)", "the same Angles"),
    (r"say which one with --dataset NAME", "name it with --dataset NAME on the command line"),
    (r"Give --pixel-nm|give --pixel-nm", "give the Pixel size"),
)
_COMPILED = tuple((re.compile(pattern), words) for pattern, words in _WORDS)


def say_in_window(sentence: str) -> str:
    """Name the fields and buttons of the window where a sentence names options."""
    for pattern, words in _COMPILED:
        sentence = pattern.sub(words, sentence)
    return sentence
