"""Draw what the networks train on, and what they are judged on: one slice of each family.

    python -m benchmarks.pictures.gallery --out docs/images/gallery.png

Each family is shown as its object, the noisy sinogram that a microscope would record of it (the
missing wedge left blank), and the weighted back projection of that: what there is without help.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality import simulate
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import wbp
from napari_wedgefill.training import frames, phantoms
from napari_wedgefill.training.acquisition import Scheme, add_noise, record

WIDTH, SLICES = 104, 4
ANGLES_DEG = np.arange(-60.0, 60.1, 2.0)
ELECTRONS, READOUT = 300.0, 0.01
#: Objects of a family among which the picture's is chosen.
CANDIDATES = 12

PANEL, GAP, BETWEEN, MARGIN = 104, 3, 22, 20
NAME_PX, HEADING_PX, TITLES_PX = 24, 34, 22
PAPER, INK, FAINT, WEDGE = (250, 250, 249), (40, 40, 44), (125, 125, 130), (205, 216, 230)
TITLES = ("object", "noisy sinogram", "WBP of it")


@dataclass(frozen=True)
class Shown:
    """One family: its name and its three panels, RGB."""

    name: str
    panels: tuple[Image.Image, Image.Image, Image.Image]


def one_of(name: str, family: phantoms.Family) -> np.ndarray:
    """Fine object (2 n, 2 n, n_slices): of a dozen, the one with the most to see in its middle."""
    extent = 1.5 if name in phantoms.EXTENDED else 1.0
    n_fine = round(2 * WIDTH * extent)
    at = frames.grid(n_fine, SLICES, extent=extent, y0=0.05)
    shape = np.broadcast_shapes(*(c.shape for c in at))
    drawn = [family(np.random.default_rng(seed), at) for seed in range(CANDIDATES)]
    fine = max(drawn, key=lambda x: edges(np.broadcast_to(x, shape)[:, :, SLICES // 2]))
    return np.broadcast_to(fine, shape).astype(np.float32)


def edges(image: np.ndarray) -> float:
    """How much there is to see: the total variation of an image, its densities of order one."""
    unit = image / max(float(image.max()), 1e-6)
    return float(np.abs(np.diff(unit, axis=0)).sum() + np.abs(np.diff(unit, axis=1)).sum())


def shown(name: str, family: phantoms.Family) -> Shown:
    """Simulate a family as training does, and make its panels."""
    fine = one_of(name, family)
    ideal = record(fine, WIDTH, Scheme(ANGLES_DEG, 0.0, np.zeros(ANGLES_DEG.size)))
    rows = add_noise(np.random.default_rng(0), ideal, ELECTRONS, READOUT, 0.0)
    margin = (fine.shape[0] - 2 * WIDTH) // 2
    inner = slice(margin, margin + 2 * WIDTH)
    truth = frames.average_pairs(fine[inner, inner])
    volume = wbp(ParallelBeam(ANGLES_DEG, WIDTH), rows)
    k = SLICES // 2
    panels = grey(truth[:, :, k]), sinogram(rows[:, :, k]), grey(volume[:, :, k])
    return Shown(name.replace("_", "-"), panels)


def grey(image: np.ndarray) -> Image.Image:
    """Scale an image to its own range, its extremes apart."""
    low, high = np.percentile(image, [1.0, 99.7])
    unit = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    picture = Image.fromarray(np.uint8(255 * unit)).convert("RGB")
    return picture.resize((PANEL, PANEL), Image.Resampling.LANCZOS)


def sinogram(rows: np.ndarray) -> Image.Image:
    """Rows at their angles over 180 degrees, the unmeasured ones tinted."""
    picture = Image.new("RGB", (PANEL, PANEL), WEDGE)
    height = round(PANEL * (ANGLES_DEG[-1] - ANGLES_DEG[0]) / 180.0)
    picture.paste(grey(rows).resize((PANEL, height)), (0, (PANEL - height) // 2))
    return picture


class Sheet:
    """The picture: groups of families below one another, families beside one another."""

    def __init__(self, groups: dict[str, list[Shown]], columns: int) -> None:
        self.columns = columns
        self.cell = 3 * PANEL + 2 * GAP
        lines = [-(-len(families) // columns) for families in groups.values()]
        width = 2 * MARGIN + columns * self.cell + (columns - 1) * BETWEEN
        per_line = PANEL + NAME_PX + 10
        height = 2 * MARGIN + TITLES_PX + sum(HEADING_PX + n * per_line for n in lines)
        self.image = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        y = MARGIN
        for number, (heading, families) in enumerate(groups.items()):
            self._text((MARGIN, y + 10), heading, 19, INK, "lm")
            y += HEADING_PX
            if number == 0:
                self._titles(y + TITLES_PX // 2 - 4)
                y += TITLES_PX
            for k, family in enumerate(families):
                place = (self._left(k % columns), y + (k // columns) * per_line)
                self._family(family, place)
            y += -(-len(families) // columns) * per_line

    def _left(self, column: int) -> int:
        return MARGIN + column * (self.cell + BETWEEN)

    def _titles(self, y: int) -> None:
        for column in range(self.columns):
            for k, title in enumerate(TITLES):
                x = self._left(column) + k * (PANEL + GAP) + PANEL // 2
                self._text((x, y), title, 12, FAINT, "mm")

    def _family(self, family: Shown, place: tuple[int, int]) -> None:
        for k, panel in enumerate(family.panels):
            self.image.paste(panel, (place[0] + k * (PANEL + GAP), place[1]))
        self._text((place[0], place[1] + PANEL + NAME_PX // 2 - 1), family.name, 14, INK, "lm")

    def _text(
        self, at: tuple[int, int], text: str, size: int, ink: tuple[int, int, int], anchor: str
    ) -> None:
        self.draw.text(at, text, fill=ink, font=ImageFont.load_default(size), anchor=anchor)


def main() -> None:
    """Draw every family into one picture."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/images/gallery.png"))
    arguments = parser.parse_args()
    groups = {
        "Drawn in training": [shown(n, f) for n, f in phantoms.FAMILIES.items()],
        "Held back, for judging the networks": [shown(n, f) for n, f in simulate.FAMILIES.items()],
    }
    sheet = Sheet(groups, arguments.columns).image
    # Noise does not compress: fewer shades keep the file small and look the same.
    sheet.quantize(40, dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    print(f"{arguments.out}: {sheet.size}, {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
