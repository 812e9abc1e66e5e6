"""A full turn about the tilt axis as an animated GIF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...atomic import write_beside

if TYPE_CHECKING:
    import napari

N_FRAMES = 48
FRAME_MS = 80
#: Wider pictures are made smaller: a GIF is not compressed well.
WIDEST_PX = 900
#: From slightly above the tilt axis, where it is seen that an object has a depth, in degrees.
ABOVE_DEG = 20.0
FIRST_DEG = 30.0


def look_from(around_deg: float) -> tuple[float, float, float]:
    """Direction (z, y, x) in which one looks after a turn about the tilt axis."""
    above, around = np.deg2rad((ABOVE_DEG, around_deg))
    flat = np.cos(above)
    return float(flat * np.cos(around)), float(np.sin(above)), float(flat * np.sin(around))


def iter_turn(viewer: napari.Viewer, path: Path, say: Callable[[str], object]) -> Iterator[None]:
    """Turn the scene once around, a frame for each turn of the event loop, and write the GIF."""
    camera = viewer.scene.camera
    before = camera.angles
    frames = []
    try:
        for k in range(N_FRAMES):
            camera.set_view_direction(look_from(FIRST_DEG + 360.0 * k / N_FRAMES))
            seen = viewer.screenshot(canvas_only=True, flash=False)
            frames.append(_shrink(Image.fromarray(seen[..., :3])))
            say(f"Turning, {100 * (k + 1) // N_FRAMES} %")
            yield
    finally:
        camera.angles = before
    with write_beside(path) as beside:
        frames[0].save(
            beside,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=FRAME_MS,
            loop=0,
        )
    say(f"Wrote {path}.")


def _shrink(picture: Image.Image) -> Image.Image:
    factor = min(1.0, WIDEST_PX / picture.width)
    if factor == 1.0:
        return picture
    return picture.resize((round(picture.width * factor), round(picture.height * factor)))
