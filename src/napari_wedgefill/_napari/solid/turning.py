"""A full turn about the tilt axis: an animated GIF, or a film where imageio can write one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...atomic import write_beside
from ...errors import WedgefillError

if TYPE_CHECKING:
    import napari

#: A picture of the canvas, (h, w, 3).
Picture = NDArray[np.uint8]

GIF, MP4 = ".gif", ".mp4"
N_FRAMES = 48
FRAME_MS = 80
#: Wider pictures of a GIF are made smaller: it is not compressed well.
WIDEST_PX = 900
#: Of 10; films of grey surfaces on black are small.
FILM_QUALITY = 8
#: From slightly above the tilt axis, where it is seen that an object has a depth, in degrees.
ABOVE_DEG = 20.0
FIRST_DEG = 30.0


def look_from(around_deg: float) -> tuple[float, float, float]:
    """Direction (z, y, x) in which one looks after a turn about the tilt axis."""
    above, around = np.deg2rad((ABOVE_DEG, around_deg))
    flat = np.cos(above)
    return float(flat * np.cos(around)), float(np.sin(above)), float(flat * np.sin(around))


def can_film() -> bool:
    """Whether imageio has what writes MP4."""
    return find_spec("imageio") is not None and find_spec("imageio_ffmpeg") is not None


def refuse_kind(path: Path) -> None:
    """Raise `WedgefillError` if a turn cannot be written in the format that a name asks for."""
    kind = path.suffix.lower()
    if kind not in (GIF, MP4):
        raise WedgefillError(f"{path}: a turn is written as {GIF} or {MP4}; name the file so.")
    if kind == MP4 and not can_film():
        raise WedgefillError(
            f"{path}: MP4 is written by imageio's ffmpeg, which is not installed; save the turn as "
            f"{GIF}, or run: pip install 'imageio[ffmpeg]'"
        )


def iter_turn(
    viewer: napari.Viewer,
    say: Callable[[str], object],
    take: Callable[[list[Picture]], object],
) -> Iterator[None]:
    """Turn the scene once around, a frame for each turn of the event loop.

    Parameters
    ----------
    viewer : napari.Viewer
        Shows something in three dimensions.
    say, take : callable
        Told how far it is; given the frames at the end.
    """
    camera = viewer.scene.camera
    before = camera.angles
    frames: list[Picture] = []
    try:
        for k in range(N_FRAMES):
            camera.set_view_direction(look_from(FIRST_DEG + 360.0 * k / N_FRAMES))
            seen = viewer.screenshot(canvas_only=True, flash=False)
            frames.append(np.ascontiguousarray(seen[..., :3]))
            say(f"Turning, {100 * (k + 1) // N_FRAMES} %")
            yield
    finally:
        camera.angles = before
    take(frames)


def write_steps(frames: list[Picture], path: Path) -> Generator[Path, None, None]:
    """Write frames (h, w, 3) in the format of the name; yield the path once it is complete.

    What lies there is replaced.
    """
    with write_beside(path) as beside:
        if path.suffix.lower() == MP4:
            _write_film(frames, beside)
        else:
            _write_gif(frames, beside)
    yield path


def _write_gif(frames: list[Picture], path: Path) -> None:
    first, *others = [_shrink(Image.fromarray(frame)) for frame in frames]
    first.save(path, format="GIF", save_all=True, append_images=others, duration=FRAME_MS, loop=0)


def _write_film(frames: list[Picture], path: Path) -> None:
    import imageio.v3 as iio

    # The codec stores colours of two by two pixels, so that edges are even.
    height, width = (n - n % 2 for n in frames[0].shape[:2])
    iio.imwrite(
        path,
        np.stack([frame[:height, :width] for frame in frames]),
        plugin="FFMPEG",
        extension=MP4,
        fps=1000 / FRAME_MS,
        quality=FILM_QUALITY,
        macro_block_size=2,
    )


def _shrink(picture: Image.Image) -> Image.Image:
    factor = min(1.0, WIDEST_PX / picture.width)
    if factor == 1.0:
        return picture
    return picture.resize((round(picture.width * factor), round(picture.height * factor)))
