"""A picture that compares methods: orthoslices through the object, one column a method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import WedgefillError
from .memory import release_pages
from .methods import label_of
from .volume import Volume

#: Planes from top to bottom and the axis of (z, y, x) that each cuts; the first letter runs to the
#: right, the second down.
PLANES = (("XY", 0), ("XZ", 1), ("YZ", 2))
PANEL_PX = 320  # the longest edge of the widest panel
GAP = 8
MARGIN = 16
TITLE_PX = 34
LABEL_PX = 40
FOOT_PX = 34
INK = (235, 235, 235)
FAINT = (150, 150, 150)
PAPER = (24, 24, 27)
#: Share of the voxels allowed to be darker, and brighter, than the grey scale reaches.
CLIPPED = (0.005, 0.0005)


@dataclass(frozen=True)
class GreyScale:
    """Intensities shown as black and as white."""

    black: float
    white: float

    @classmethod
    def common(cls, methods: Sequence[NDArray[np.float32]]) -> GreyScale:
        """Choose one scale for the pixels of all methods, so that grey means the same in each.

        Every method counts alike, and each end is the median of what they ask for: one method's
        streaks cannot wash the others out.
        """
        low = np.median([np.quantile(pixels, CLIPPED[0]) for pixels in methods])
        high = np.median([np.quantile(pixels, 1 - CLIPPED[1]) for pixels in methods])
        return cls(float(low), float(high) if high > low else float(low) + 1.0)

    def grey(self, image: NDArray[np.float32]) -> Image.Image:
        """Return `image` as 8-bit grey."""
        unit = (image - self.black) / (self.white - self.black)
        return Image.fromarray(np.uint8(np.clip(unit, 0, 1) * 255 + 0.5))


def compare(volumes: Mapping[str, Volume], *, title: str = "") -> Image.Image:
    """Draw the XY, XZ and YZ slices of every volume through the centre of the object.

    Parameters
    ----------
    volumes : mapping of str to Volume
        By method, in the order of the columns; all of one shape (z, y, x).
    title : str
        Written below the panels, before the grey scale.

    Returns
    -------
    Image
        RGB; rows are the planes, columns the methods, one grey scale for all, with a scale bar
        in nanometres (in voxels where the voxel size is unknown).

    Raises
    ------
    WedgefillError
        If there is no volume, or their shapes differ.
    """
    shapes = {volume.data.shape for volume in volumes.values()}
    if len(shapes) != 1:
        raise WedgefillError(
            f"volumes of {len(shapes)} different shapes cannot be compared; "
            "give one or more of equal shape."
        )
    last = list(volumes.values())[-1]
    point = find_centre_of_object(last.data)
    slices = {
        (plane, method): cut_plane(volume.data, cut, point[cut])
        for plane, cut in PLANES
        for method, volume in volumes.items()
    }
    scale = GreyScale.common(
        [
            np.concatenate([slices[plane, method].ravel() for plane, _ in PLANES])
            for method in volumes
        ]
    )
    canvas = _Canvas(list(volumes), last.data.shape, last.voxel_nm)
    for (plane, method), image in slices.items():
        canvas.draw_panel(plane, method, scale.grey(image))
    canvas.draw_scale_bar("nm" if last.voxel_nm else "voxels")
    z, y, x = point
    canvas.draw_foot(
        f"{title + '   ' if title else ''}slices x = {x}, y = {y}, z = {z}   "
        f"one grey scale: {scale.black:.4g} to {scale.white:.4g}"
    )
    return canvas.image


def find_centre_of_object(data: NDArray[np.float32]) -> tuple[int, int, int]:
    """Index (z, y, x) of the centre of mass of what stands out from the background.

    The background is the median; what is further from it than half of the strongest contrast
    counts, so that dark objects on bright ground are found as well as bright ones.
    """
    step = max(1, math.ceil(max(data.shape) / 128))
    coarse = np.stack([_read(data[z, ::step, ::step]) for z in range(0, data.shape[0], step)])
    distance = np.abs(coarse - np.median(coarse))
    weight = np.where(distance > np.quantile(distance, 0.999) / 2, distance, 0.0)
    total = float(weight.sum())
    if not total > 0:
        z, y, x = (n // 2 for n in data.shape)
        return z, y, x
    grid = np.ogrid[tuple(slice(0, n) for n in coarse.shape)]
    z, y, x = (
        min(round(float((weight * axis).sum()) / total * step), n - 1)
        for axis, n in zip(grid, data.shape, strict=True)
    )
    return z, y, x


def cut_plane(data: NDArray[np.float32], axis: int, index: int) -> NDArray[np.float32]:
    """One plane of a volume (z, y, x); of a mapped one, hardly more than that is held in memory."""
    if axis == 0:
        return _read(data[index])
    at = (slice(None),) * (axis - 1) + (index,)
    return np.stack([_read(rows[at]) for rows in data])


def _read(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Copy a part of a volume and give back the pages that it was mapped from."""
    copied = np.array(part)
    release_pages(part)
    return copied


def round_length(longest: float) -> float:
    """Return the longest of 1, 2, 5, 10, 20, ... (and their tenths) up to `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return power * max(step for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))


class _Canvas:
    """The picture while it is drawn: where each panel goes, and the words around them."""

    def __init__(
        self,
        methods: Sequence[str],
        shape: tuple[int, ...],
        voxel_nm: tuple[float, float, float] | None,
    ) -> None:
        depth, height, width = (
            n * edge for n, edge in zip(shape, voxel_nm or (1.0, 1.0, 1.0), strict=True)
        )
        self.px_per_unit = PANEL_PX / max(depth, height, width)
        extents = {"XY": (width, height), "XZ": (width, depth), "YZ": (height, depth)}
        self.sizes = {
            plane: tuple(max(1, round(edge * self.px_per_unit)) for edge in extent)
            for plane, extent in extents.items()
        }
        self.column_px = max(size[0] for size in self.sizes.values())
        self.left = {
            method: MARGIN + LABEL_PX + i * (self.column_px + GAP)
            for i, method in enumerate(methods)
        }
        self.top: dict[str, int] = {}
        y = MARGIN + TITLE_PX
        for plane, _ in PLANES:
            self.top[plane] = y
            y += self.sizes[plane][1] + GAP
        right = max(self.left.values()) + self.column_px + MARGIN
        self.image = Image.new("RGB", (right, y + FOOT_PX + MARGIN - GAP), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        for method, x in self.left.items():
            centre = (x + self.column_px // 2, MARGIN + TITLE_PX // 2 - 4)
            self._text(centre, label_of(method), 22, anchor="mm")
        for plane, y in self.top.items():
            self._text((MARGIN, y + self.sizes[plane][1] // 2), plane, 18, anchor="lm", ink=FAINT)

    def draw_panel(self, plane: str, method: str, grey: Image.Image) -> None:
        """Put one slice in its row and column, centred in the column."""
        size = self.sizes[plane]
        x = self.left[method] + (self.column_px - size[0]) // 2
        panel = grey.resize((size[0], size[1]), Image.Resampling.BICUBIC)
        self.image.paste(panel, (x, self.top[plane]))

    def draw_scale_bar(self, unit: str) -> None:
        """Draw one bar below the panels; every panel has the same scale."""
        length = round_length(self.column_px / self.px_per_unit / 3)
        x, y = MARGIN + LABEL_PX, self.image.height - MARGIN - FOOT_PX // 2
        end = x + round(length * self.px_per_unit)
        self.draw.rectangle((x, y - 2, end, y + 2), fill=INK)
        self._text((end + 10, y), f"{length:g} {unit}", 18, anchor="lm")

    def draw_foot(self, text: str) -> None:
        """Write a line at the lower right."""
        corner = (self.image.width - MARGIN, self.image.height - MARGIN - FOOT_PX // 2)
        self._text(corner, text, 14, anchor="rm", ink=FAINT)

    def _text(
        self,
        place: tuple[int, int],
        text: str,
        size: int,
        *,
        anchor: str,
        ink: tuple[int, int, int] = INK,
    ) -> None:
        self.draw.text(place, text, fill=ink, font=ImageFont.load_default(size), anchor=anchor)
