"""Where the images of a film lie across the tilt axis, and how high its parts lie: found together.

What lies higher moves further across the axis from tilt to tilt, and a field of view holds too few
particles for their heights to average out: taken for displacements of the images, they draw the
axis off by half a pixel. So the film is divided into cells, each with a height of its own, and the
displacements that all pairs of tilts measure, cell by cell, are explained by both at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

CELLS = 16  # to the width of an image
WIDENESS = 3.0  # of the grid, in widths of an image: high tilts see more of a film
#: A cell that says less than this share of what the others say, on average, is left out.
MIN_SAYING = 0.02
#: No cell is surer than this (px): what lies in it at several heights moves apart.
MIN_ERROR_PX = 0.05
USUAL_HEIGHT_SHARE = 1 / 32  # of the width; cells that say little stay near the film's middle
#: Deviations above this many times the usual one have less weight.
OUTLIER, REWEIGHTINGS = 1.5, 6
NO_INFORMATION = 1e-9  # of the surest direction: a translation of the object says nothing


@dataclass(frozen=True)
class CellGrid:
    """Cells of a film, seen from above: `rows` along the axis and `columns` across it."""

    edge_px: float
    rows: int
    columns: int

    @classmethod
    def of(cls, shape: tuple[int, int]) -> CellGrid:
        """Cells for images (h, w)."""
        edge = max(shape[1] / CELLS, 1.0)
        return cls(edge, int(np.ceil(shape[0] / edge)), int(np.ceil(WIDENESS * shape[1] / edge)))

    def assign(self, y: NDArray[np.float32], x: NDArray[np.float32], angle_deg: float) -> Ints:
        """Cell of each pixel of an image; y and x count from its centre, x across the axis."""
        across = x / (self.edge_px * max(float(np.cos(np.deg2rad(angle_deg))), 1e-3))
        column = np.clip(across + self.columns / 2, 0, self.columns - 1).astype(np.int64)
        row = np.clip(y / self.edge_px + self.rows / 2, 0, self.rows - 1).astype(np.int64)
        return np.asarray(row * self.columns + column)

    def places_across_px(self) -> Doubles:
        """Where the middle of each cell (rows * columns,) lies across the axis."""
        columns = np.arange(self.columns) + 0.5 - self.columns / 2
        return np.tile(self.edge_px * columns, self.rows)


@dataclass(frozen=True, eq=False)
class CellShifts:
    """How far the cells of the outer of two images lie from where the inner one has them.

    Attributes
    ----------
    cells : ndarray of int, (n,)
        Those that say something.
    across_px, variances : ndarray, (n,)
        Displacement across the axis in the outer image stretched to the inner one.
    """

    cells: Ints
    across_px: Doubles
    variances: Doubles

    @classmethod
    def sum_up(
        cls,
        cells: Ints,
        information: NDArray[np.float32],
        weighted_px: NDArray[np.float32],
        error: float,
    ) -> CellShifts:
        """Sum up pixels: their cells, squared slopes, displacements times those, and the noise."""
        says = np.bincount(cells.ravel(), information.ravel())
        moved = np.bincount(cells.ravel(), weighted_px.ravel())
        known = np.flatnonzero(says > MIN_SAYING * says[says > 0].mean())
        return cls(known, moved[known] / says[known], error / says[known])


@dataclass(frozen=True, eq=False)
class FilmPlaces:
    """What explains the pairs.

    Attributes
    ----------
    across_px : ndarray, (n_tilts,)
        Displacements of the images across the axis; a constant is the axis' own.
    slope : float
        Of the film: how much higher it lies per pixel across the axis.
    """

    across_px: Doubles
    slope: float


def explain_pairs(
    pairs: tuple[Ints, Ints],
    seen: list[CellShifts],
    angles_deg: Doubles,
    grid: CellGrid,
) -> FilmPlaces | None:
    """Explain what pairs of tilts measure by displacements of the images and heights of the film.

    A point at x and z shows at ``x cos t + z sin t``, so that the outer image, stretched by the
    ratio r of the cosines, shows it displaced by ``(d_outer - r d_inner + z (sin t_outer - r sin
    t_inner)) / r``.

    Parameters
    ----------
    pairs : tuple of ndarray of int, (n_pairs,)
        The less and the more tilted image of each.
    seen : list of CellShifts
        What each pair measured.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles against the film's plane.
    grid : CellGrid
        The cells.

    Returns
    -------
    FilmPlaces or None
        None where no pair connects some of the tilts with the others.
    """
    n_tilts, n_cells = len(angles_deg), grid.rows * grid.columns
    links = coo_array((np.ones(len(seen)), pairs), shape=(n_tilts, n_tilts))
    if connected_components(links, directed=False)[0] > 1:
        return None
    counts = [len(each.cells) for each in seen]
    inner, outer = (np.repeat(tilts, counts) for tilts in pairs)
    sines, cosines = np.sin(np.deg2rad(angles_deg)), np.cos(np.deg2rad(angles_deg))
    ratios = cosines[outer] / cosines[inner]
    rises = sines[outer] - ratios * sines[inner]
    cells = np.concatenate([each.cells for each in seen])
    measured = ratios * np.concatenate([each.across_px for each in seen])
    variances = ratios**2 * np.concatenate([each.variances for each in seen]) + MIN_ERROR_PX**2
    stiffness = (USUAL_HEIGHT_SHARE * CELLS * grid.edge_px) ** -2
    trust = np.ones(len(cells))
    across: Doubles = np.zeros(n_tilts)
    heights: Doubles = np.zeros(n_cells)
    says: Doubles = np.zeros(n_cells)

    def scatter(first: Ints, second: Ints, values: Doubles, width: int) -> Doubles:
        flat = np.bincount(first * width + second, values, minlength=n_tilts * width)
        return np.asarray(flat, np.float64).reshape(n_tilts, width)

    for _ in range(REWEIGHTINGS):
        weights = trust / variances
        mixed = scatter(outer, inner, -weights * ratios, n_tilts)
        own = np.bincount(outer, weights, n_tilts)
        own += np.bincount(inner, weights * ratios**2, n_tilts)
        by_cell = scatter(outer, cells, weights * rises, n_cells)
        by_cell -= scatter(inner, cells, weights * ratios * rises, n_cells)
        right = np.bincount(outer, weights * measured, n_tilts)
        right -= np.bincount(inner, weights * ratios * measured, n_tilts)
        says = np.asarray(np.bincount(cells, weights * rises**2, n_cells), np.float64)
        cell_right = np.bincount(cells, weights * rises * measured, n_cells)
        # A cell's height touches no other cell's, so that it is eliminated by a division.
        free = says + stiffness
        normal = np.diag(own) + mixed + mixed.T - (by_cell / free) @ by_cell.T
        rest_right = right - by_cell @ (cell_right / free)
        found = np.linalg.lstsq(normal, rest_right, NO_INFORMATION)[0]
        across = np.asarray(found, np.float64)
        heights = (cell_right - by_cell.T @ across) / free
        rest = measured - across[outer] + ratios * across[inner] - rises * heights[cells]
        away = np.abs(rest) / np.sqrt(variances)
        usual = max(1.4826 * float(np.median(away)), 1e-12)
        trust = 1.0 / np.maximum(1.0, away / (OUTLIER * usual))
    sureness = np.sqrt(says / (says + stiffness))
    known = sureness > 0
    x = grid.places_across_px()
    slope = float(np.polyfit(x[known], heights[known], 1, w=sureness[known])[0])
    return FilmPlaces(across, slope)
