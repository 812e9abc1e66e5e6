"""Templated silica, whose figures were known when the model was made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_wedgefill.training.frames import Coordinates, Floats, local, rotation, smooth_noise

Indices = tuple[NDArray[np.intp], NDArray[np.intp]]
#: Channels have a table of what is in them; no particle has as many along a side.
_TABLE = 64


def mesopore(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return templated silica: a bent prism pierced by rows of channels, some with metal inside.

    References
    ----------
    D. Zhao et al., Science 279, 548-552 (1998).
    M. Imperor-Clerc, P. Davidson, A. Davidson, J. Am. Chem. Soc. 122, 11925-11933 (2000).
    """
    period = float(np.exp(rng.uniform(np.log(0.08), np.log(0.2))))
    size, slimness = rng.uniform(0.68, 0.77), np.deg2rad(rng.uniform(40, 65))
    # Corners of the ends are `size` away: whatever the turn, they stay in the field of view.
    half, apothem = float(size * np.cos(slimness)), float(size * np.sin(slimness)) * 0.866
    u, v, w = local(at, np.array([0.0, 0.0, float(at[2].mean())]), rotation(rng))
    u = u + rng.uniform(0, 0.14) * (0.5 - (w / half) ** 2)  # the particle bends with its channels
    across = _hexagon(u, v)
    bevel = rng.uniform(1.4, 2.0)
    body = (across < apothem) & (np.abs(w) < half)
    body &= across / apothem + np.abs(w) / half < bevel

    strain = period * rng.uniform(0, 0.12)
    u = u + strain * smooth_noise(rng, at, rng.uniform(0.15, 0.4))
    v = v + strain * smooth_noise(rng, at, rng.uniform(0.15, 0.4))
    off, which = _nearest_channel(u, v, period)
    off = [o - (period * rng.normal(0, 0.03, (_TABLE, _TABLE)).astype(np.float32))[which]
           for o in off]  # fmt: skip
    pore = _pore_radii(rng, period, apothem)[which]
    distance = np.sqrt(off[0] ** 2 + off[1] ** 2)
    metal = _metal(rng, distance / np.maximum(pore, np.float32(1e-6)), w, which, period, half)
    silica = rng.uniform(0.2, 0.4) if metal.any() else rng.uniform(0.5, 0.9)
    # Walls are microporous next to the channels.
    corona = np.exp((pore - distance) / np.float32(0.1 * period)) * (pore > 0)
    out = np.float32(silica) * (1 - np.float32(rng.uniform(0, 0.5)) * corona)
    out[distance < pore] = 0
    out[metal] = np.float32(rng.uniform(0.8, 1.0))
    return np.asarray(out * body, np.float32)


def _hexagon(u: Floats, v: Floats) -> Floats:
    """Distance from the middle in the measure whose circles are hexagons along rows of channels."""
    c, s = 0.5, float(np.sqrt(0.75))
    return np.maximum(np.abs(v), np.maximum(np.abs(s * u + c * v), np.abs(s * u - c * v)))


def _nearest_channel(u: Floats, v: Floats, period: float) -> tuple[list[Floats], Indices]:
    """Offsets from the axis of the nearest channel of a hexagonal array, and its indices."""
    row = float(np.sqrt(3.0)) * period
    found: list[tuple[Floats, Floats, Floats, Floats]] = []
    for shift in (0.0, 0.5):  # a hexagonal array is two rectangular ones
        i, j = np.rint(u / period - shift), np.rint(v / row - shift)
        found.append((u - (i + shift) * period, v - (j + shift) * row, i, 2 * j + 2 * shift))
    first, second = found
    nearer = second[0] ** 2 + second[1] ** 2 < first[0] ** 2 + first[1] ** 2
    du, dv, i, j = (np.where(nearer, b, a) for a, b in zip(first, second, strict=True))
    return [du, dv], (i.astype(np.intp) % _TABLE, j.astype(np.intp) % _TABLE)


def _pore_radii(rng: np.random.Generator, period: float, apothem: float) -> Floats:
    """Radius of every channel: none where it is blocked or would open a side of the particle."""
    n = np.arange(_TABLE)
    n = np.where(n < _TABLE // 2, n, n - _TABLE)
    i, j = n[:, None], n[None, :]
    middle_u = ((i + 0.5 * (j % 2)) * period).astype(np.float32)
    middle_v = (j * float(np.sqrt(0.75)) * period + 0 * i).astype(np.float32)
    radii = period * rng.uniform(0.3, 0.41) * rng.normal(1, 0.04, (_TABLE, _TABLE))
    radii[rng.random((_TABLE, _TABLE)) < rng.uniform(0, 0.12)] = 0
    inside = _hexagon(middle_u, middle_v) < apothem - 0.45 * period
    return np.asarray(radii.clip(0, 0.44 * period) * inside, np.float32)


def _metal(
    rng: np.random.Generator,
    relative: Floats,
    along: Floats,
    which: Indices,
    period: float,
    half: float,
) -> NDArray[np.bool_]:
    """Where channels hold metal: nowhere, wires, or particles. `relative` is in pore radii."""
    kind = rng.random()
    share = rng.uniform(0.1, 0.6)
    if kind < 0.35:
        return np.zeros(relative.shape, np.bool_)
    if kind < 0.7:
        middle = rng.uniform(-half, half, (_TABLE, _TABLE)).astype(np.float32)
        length = rng.uniform(0.1, 1.2, (_TABLE, _TABLE)).astype(np.float32) * half
        length[rng.random((_TABLE, _TABLE)) > share] = 0
        return (relative < 1) & (np.abs(along - middle[which]) < length[which])
    pore = 0.33 * period
    cell = rng.uniform(2.5, 5.0) * pore
    k = np.floor(along / np.float32(cell))
    place = (*which, k.astype(np.intp) % _TABLE)
    radius = rng.uniform(0.5, 1.0, (_TABLE,) * 3).astype(np.float32)
    radius[rng.random(radius.shape) > share] = 0
    shift = rng.uniform(pore / cell, 1 - pore / cell, radius.shape).astype(np.float32)
    height = (along - np.float32(cell) * (k + shift[place])) / np.float32(pore)
    return np.asarray(relative**2 + height**2 < radius[place] ** 2)
