"""Stained chromatin, whose figures were known when the model was made."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from benchmarks.quality.families.drawing import Points, ball
from napari_wedgefill.training.frames import Coordinates, Floats, smooth_noise


def chromatin(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return stained chromatin: granular worm-like chains in territories of a pale nucleus.

    References
    ----------
    O. Kratky, G. Porod, Recueil des Travaux Chimiques des Pays-Bas 68, 1106-1122 (1949).
    H. D. Ou et al., Science 357, eaag0025 (2017).
    """
    z, x, y = at
    outline = _Outline(rng)
    pale = np.float32(rng.uniform(0.05, 0.15))
    texture = smooth_noise(rng, at, rng.uniform(0.05, 0.15))
    out = pale * (1 + np.float32(0.15) * texture).clip(0, None) * (outline.depth(z, x) > 0)
    out = np.ascontiguousarray(out, np.float32)

    radius = rng.uniform(0.015, 0.035)
    deep = float(np.ptp(y)) / 2 + 0.2
    step, length = 0.5 * radius, rng.uniform(1.5, 5.0)
    volume = np.pi * outline.mean**2 * 2 * deep
    n_chains = round(rng.uniform(0.12, 0.4) * volume / (np.pi * radius**2 * length)) + 1
    n_steps = int(length / step)
    persistence = float(np.exp(rng.uniform(np.log(0.06), np.log(0.3))))
    pull = rng.uniform(0, 15) * (rng.random() < 0.6)
    beads = _chains(rng, outline, (n_steps, n_chains), step, persistence, pull, deep)
    # Denser where it is more compact, over a few diameters.
    grain = scipy.ndimage.gaussian_filter1d(rng.standard_normal(beads.shape[:2]), 5.0, axis=0)
    grain /= grain.std()
    density = (rng.uniform(0.45, 0.75) * (1 + 0.25 * grain)).clip(0.2, 1.0)
    radii = radius * (1 + 0.15 * grain).clip(0.6, 1.4)
    seen = np.abs(beads[..., 2]) < np.ptp(y) / 2 + radii
    beads[..., 2] += float(y.mean())
    for bead, r, d in zip(beads[seen], radii[seen], density[seen], strict=True):
        _bead(out, at, bead, float(r), float(d))
    return out


class _Outline:
    """A rounded, irregular outline about the tilt axis."""

    def __init__(self, rng: np.random.Generator) -> None:
        order = np.arange(2, 6)
        self.amplitude = rng.uniform(0, 0.12, 4) * 2 / order
        self.phase = rng.uniform(0, 2 * np.pi, 4)
        self.order = order
        self.mean = rng.uniform(0.66, 0.83) / (1 + float(self.amplitude.sum()))

    def depth(self, z: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        """How far inside a place lies, along the line to the axis; negative outside."""
        angle = np.arctan2(z, x)
        waves = sum(
            a * np.cos(k * angle + p)
            for a, k, p in zip(self.amplitude, self.order, self.phase, strict=True)
        )
        return self.mean * (1 + waves) - np.hypot(z, x)


def _chains(
    rng: np.random.Generator,
    outline: _Outline,
    shape: tuple[int, int],
    step: float,
    persistence: float,
    pull: float,
    deep: float,
) -> Points:
    """Beads of worm-like chains that turn back at the outline and at +-`deep` along y.

    `shape` is (n_steps, n_chains), that of the answer (n_steps, n_chains, 3). With `pull`, a chain
    keeps near where it starts: chromosomes have territories.
    """
    shallow = 3 * step
    place = home = _places(rng, outline, shape[1], shallow, deep)
    heading = _unit(rng.standard_normal(place.shape))
    beads = np.empty((*shape, 3))
    for bead in beads:
        # Headings forget one another as exp(-distance / persistence).
        turn = np.sqrt(step / persistence) * rng.standard_normal(heading.shape)
        heading = _unit(heading + turn + pull * step * (home - place))
        ahead = place + step * heading
        outward = _unit(place * [1, 1, 0])
        speed = np.sum(heading * outward, axis=1)
        # Inward by at least a little: an irregular outline can be left sideways, too.
        leaves = outline.depth(ahead[:, 0], ahead[:, 1]) < shallow
        wanted = np.where(leaves, -np.abs(speed).clip(0.3), speed)
        heading = _unit(heading + (wanted - speed)[:, None] * outward)
        leaves = (np.abs(ahead[:, 2]) > deep) & (ahead[:, 2] * heading[:, 2] > 0)
        heading[leaves, 2] *= -1
        place = place + step * heading
        bead[:] = place
    return beads


def _places(
    rng: np.random.Generator, outline: _Outline, n: int, shallow: float, deep: float
) -> Points:
    """`n` places inside an outline, `shallow` from it or more."""
    place = np.empty((0, 3))
    while len(place) < n:
        new = rng.uniform([-1, -1, -deep], [1, 1, deep], (n, 3))
        new = new[outline.depth(new[:, 0], new[:, 1]) > shallow]
        place = np.concatenate([place, new])[:n]
    return place


def _unit(vectors: Points) -> Points:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _bead(out: Floats, at: Coordinates, centre: Points, radius: float, density: float) -> None:
    """Draw a sphere over what is less dense."""
    box, inside = ball(at, centre, radius)
    part = out[box]
    part[inside & (part < density)] = density
