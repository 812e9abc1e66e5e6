"""Time the one-slice preview of the real needle, method by method.

Run `python benchmarks/preview.py`.
"""

from __future__ import annotations

import time

from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.pipeline.events import Finished
from napari_wedgefill.pipeline.fill import iter_preview
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.samples import needle_path


def main() -> None:
    """Print seconds from the press of the button, for a first and a second press."""
    series = read_tilt_series(needle_path())
    for press in ("first", "second"):
        start = time.perf_counter()
        shown = {}
        for event in iter_preview(series, series.height // 2, FillOptions()):
            if isinstance(event, Finished):
                shown[event.method] = time.perf_counter() - start
        print(f"{press} press: " + ", ".join(f"{m} after {s:.2f} s" for m, s in shown.items()))


if __name__ == "__main__":
    main()
