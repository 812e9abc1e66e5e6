"""One slice of one object of each family, by method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality.conditions import Condition
from benchmarks.quality.methods import (
    GAN,
    SART,
    TUNED,
    WBP,
    fill_with_network,
    normalise_rows,
    reconstruct_classically,
    reconstruct_quickly,
)
from benchmarks.quality.simulate import FAMILIES, SLICES, UNTOUCHED, simulate
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.trust import fit_intensities, psnr

Floats = NDArray[np.float32]
CONDITION = Condition(128, 60.0, 2.0, 400.0, 1)
SEED = 1
COLUMNS = {"truth": "truth", WBP: "WBP", SART: "SART", TUNED: "TVM, tuned", GAN: "GAN"}
PANEL, GAP, LABEL, HEAD = 256, 4, 30, 34
PAPER, INK, WEDGE = 24, 235, 150
#: Grey levels: more are not told apart in noise, and make the file large.
LEVELS = 64


def compute_volumes(model: JointModel) -> list[dict[str, Floats]]:
    """Return every method's volume of one object of each family, scaled to its truth."""
    angles = CONDITION.angles_deg
    beam = ParallelBeam(angles, CONDITION.width)
    objects = [simulate(family, SEED, CONDITION, angles[:1]) for family in FAMILIES]
    measured = [normalise_rows(beam, o.rows) for o in objects]

    def score(k: int, volume: Floats) -> float:
        return psnr(volume, objects[k].truth)

    quick = reconstruct_quickly(beam, measured, model.model.contract)
    found = reconstruct_classically(beam, measured, quick, score)[0]
    found[GAN] = fill_with_network(model, beam, measured, quick)
    return [
        {"truth": o.truth}
        | {m: fit_intensities(found[m][k], o.truth) for m in COLUMNS if m != "truth"}
        for k, o in enumerate(objects)
    ]


def draw(path: Path, found: list[dict[str, Floats]]) -> None:
    """Draw the picture: a row for each family, a column for each method."""
    width = LABEL + len(COLUMNS) * (PANEL + GAP)
    height = HEAD + len(found) * (PANEL + GAP) + HEAD
    image = Image.new("L", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    for column, label in enumerate(COLUMNS.values()):
        middle = LABEL + column * (PANEL + GAP) + PANEL // 2
        for top in (0, height - HEAD):  # both do not fit on a screen
            pen.text((middle, top + HEAD // 2), label, INK, font, anchor="mm")
    for row, (family, volume) in enumerate(zip(FAMILIES, found, strict=True)):
        top = HEAD + row * (PANEL + GAP)
        name = f"{family} (untouched)" if family in UNTOUCHED else family
        image.paste(_sideways(name, font), (0, top))
        low, high = float(volume["truth"].min()), float(volume["truth"].max())
        for column, method in enumerate(COLUMNS):
            grey = (volume[method][:, :, SLICES // 2] - low) / max(high - low, 1e-9)
            grey = np.rint(grey.clip(0, 1) * (LEVELS - 1)) * (255 / (LEVELS - 1))
            panel = Image.fromarray(grey.astype(np.uint8)).resize((PANEL, PANEL), 0)
            image.paste(panel, (LABEL + column * (PANEL + GAP), top))
    _bow_tie(pen, (LABEL + 36, HEAD + 36))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def _sideways(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    strip = Image.new("L", (PANEL, LABEL), PAPER)
    ImageDraw.Draw(strip).text((PANEL // 2, LABEL // 2), text, INK, font, anchor="mm")
    return strip.rotate(90, expand=True)


def _bow_tie(pen: ImageDraw.ImageDraw, centre: tuple[int, int]) -> None:
    """Mark the directions that no tilt measured: a double fan about the beam."""
    radius, half = 26, CONDITION.missing_deg / 2
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    for middle in (90.0, 270.0):
        pen.pieslice(box, middle - half, middle + half, fill=WEDGE)
