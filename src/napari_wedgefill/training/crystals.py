"""Families of objects whose atoms are seen one by one: crystals with their defects, and glasses.

Lengths are in units of half the field of view, as in `phantoms`; places are (n, 3), as (z, x, y).
Neighbours are 3 to 12 pixels of 128 apart, and atoms are Gaussians of 0.6 to 2 pixels: what
aberration-corrected microscopes show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.spatial
from numpy.typing import NDArray

from .frames import Coordinates, Floats, about_the_axis, local, log_uniform, rotation, smooth_noise

Places = NDArray[np.float64]
Inside = Callable[[Places], NDArray[np.bool_]]

#: A pixel of 128 across the field of view.
PIXEL = 2.0 / 128
#: Distance of neighbours and size of an atom (standard deviation of its Gaussian).
SPACING = (3.0 * PIXEL, 12.0 * PIXEL)
SIGMA = (0.6 * PIXEL, 2.0 * PIXEL)
#: An atom is drawn out to so many standard deviations.
REACH = 3.5


@dataclass(frozen=True, eq=False)
class Structure:
    """A crystal structure whose nearest neighbours are at distance one.

    Attributes
    ----------
    cell : ndarray, (3, 3)
        Edges of the unit cell, a row each.
    basis : ndarray, (n, 3)
        Fractional coordinates of its atoms.
    sublattices : ndarray of int, (n,)
        Which of them hold the same species in an ordered compound.
    """

    cell: Places
    basis: Places
    sublattices: NDArray[np.intp]


def _structure(edges: Places, basis: list[list[float]], sublattices: list[int]) -> Structure:
    """Scale a cell so that its nearest neighbours are at distance one."""
    around = np.array(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij")).reshape(3, -1).T
    atoms = np.asarray(basis, float)
    apart = np.linalg.norm(
        (atoms[:, None, None] + around[None, None] - atoms[None, :, None]) @ edges, axis=-1
    )
    nearest = apart[apart > 1e-6].min()
    return Structure(edges / nearest, atoms, np.asarray(sublattices))


_FACES = [[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]
_HEXAGONAL = np.array([[1.0, 0.0, 0.0], [-0.5, np.sqrt(0.75), 0.0], [0.0, 0.0, np.sqrt(8 / 3)]])
_QUARTER = [[a + 0.25 for a in atom] for atom in _FACES]
_HALF = [[a + 0.5, b, c] for a, b, c in _FACES]

STRUCTURES: dict[str, Structure] = {
    "fcc": _structure(np.eye(3), _FACES, [0, 1, 1, 1]),  # L1_2 where it is ordered
    "layered fcc": _structure(np.eye(3), _FACES, [0, 1, 1, 0]),  # L1_0
    "bcc": _structure(np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [0, 1]),  # B2
    "hcp": _structure(_HEXAGONAL, [[0, 0, 0], [1 / 3, 2 / 3, 0.5]], [0, 1]),
    "diamond": _structure(np.eye(3), _FACES + _QUARTER, [0] * 4 + [1] * 4),  # zinc blende
    "rock salt": _structure(np.eye(3), _FACES + _HALF, [0] * 4 + [1] * 4),
    "perovskite": _structure(
        np.eye(3),
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        [0, 1, 2, 2, 2],
    ),
}


def crystallite(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a crystal with its defects inside the field of view, free or on a support."""
    spacing = log_uniform(rng, *SPACING)
    atoms = _grow_with_defects(rng, _bounds(at, spacing, 1.0), spacing).select(_draw_body(rng))
    return _stand(rng, at, _draw_atoms(rng, at, atoms, spacing))


def twinned(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a decahedral particle: five fcc crystals that share an edge."""
    spacing, radius = log_uniform(rng, *SPACING), rng.uniform(0.2, 0.6)
    # The edge is along [01-1]. Between the {111} planes on either side of [100] there are 70.5
    # degrees; five such wedges are strained to fill the circle.
    axes = np.array([[1.0, 0.0, 0.0], np.array([0, 1, 1]) / np.sqrt(2), [0, 0, 0]])
    axes[2] = np.cross(axes[0], axes[1])
    fcc = grow_crystal(
        STRUCTURES["fcc"], spacing, axes.T, np.zeros(3), np.full(3, 1.5 * radius)
    ).places
    slope = np.sqrt(0.5)
    wedge = fcc[np.abs(fcc[:, 1]) < slope * fcc[:, 0] + 1e-6] * [
        1.0, np.tan(np.deg2rad(36)) / slope, 1.0,
    ]  # fmt: skip
    turns = [_turn(2 * np.pi * k / 5) for k in range(5)]
    places = np.concatenate([wedge @ turn for turn in turns])
    corners = np.stack([turn[0] for turn in turns])
    height, tip = np.abs(places[:, 2]), radius * rng.uniform(0.4, 1.0)
    across = (places @ corners.T).max(axis=1)
    inside = (across / radius + height / (1.2 * radius) < 1) & (height < tip)
    centre = np.append(rng.uniform(-0.15, 0.15, 2), 0.0)
    places = places[inside & _are_apart(places, 0.5 * spacing)] @ rotation(rng) + centre
    return _draw_atoms(rng, at, Atoms(places, np.zeros(len(places), np.intp)), spacing)


def glass(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return an amorphous particle: atoms at random, none closer than neighbours are."""
    spacing = log_uniform(rng, SPACING[0], 0.7 * SPACING[1])
    atoms = pack_atoms(rng, _bounds(at, spacing, 0.9), spacing).select(_draw_body(rng))
    return _stand(rng, at, _draw_atoms(rng, at, atoms, spacing))


def atomic_film(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a film of atoms, crystalline or amorphous, that leaves the field of view."""
    half, middle = log_uniform(rng, 0.04, 0.4), rng.uniform(-0.2, 0.2)
    normal = _turn(np.deg2rad(rng.normal(0, 12)))[0]
    spacing = log_uniform(rng, 1.3 * SPACING[0], SPACING[1])
    bounds = _bounds(at, spacing, np.inf)

    def inside(places: Places) -> NDArray[np.bool_]:
        return np.asarray(np.abs(places @ normal - middle) < half)

    grow = pack_atoms if rng.random() < 0.3 else _grow_with_defects
    return _draw_atoms(rng, at, grow(rng, bounds, spacing).select(inside), spacing)


def suspension(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return particles in a liquid or resin, some between windows, leaving the field of view."""
    half, middle = rng.uniform(0.25, 0.9), rng.uniform(-0.1, 0.1)
    (depth, _, _) = local(at, np.array([middle, 0.0, 0.0]), about_the_axis(rng, 6.0))
    depth = np.broadcast_to(np.abs(depth), np.broadcast_shapes(*(c.shape for c in at)))
    out = np.where(depth < half, np.float32(rng.uniform(0.1, 0.6)), np.float32(0))
    if rng.random() < 0.5:
        out *= 1 + np.float32(rng.uniform(0.02, 0.1)) * smooth_noise(rng, at, 0.1)
    if rng.random() < 0.6:
        out[np.abs(depth - half) < rng.uniform(0.01, 0.04)] = np.float32(rng.uniform(0.3, 0.8))
    typical, widest = log_uniform(rng, 0.03, 0.2), float(np.abs(at[1]).max())
    for _ in range(round(min(60.0, 2 + rng.uniform(0.3, 1.2) * widest * half / typical**2))):
        z = middle + rng.uniform(-1, 1) * max(0.0, half - typical)
        place = np.array([z, rng.uniform(-widest, widest), rng.uniform(-0.15, 0.15)])
        near = [
            np.flatnonzero(np.abs(a.ravel() - c) < 2.6 * typical)
            for a, c in zip(at, place, strict=True)
        ]
        if any(n.size == 0 for n in near):
            continue
        window = tuple(slice(n[0], n[-1] + 1) for n in near)
        around = (at[0][window[0]], at[1][:, window[1]], at[2][..., window[2]])
        u = local(around, place, rotation(rng) / (typical * rng.uniform(0.5, 1.5, (3, 1))))
        power = rng.choice([2, 2, 6])
        body = np.abs(u[0]) ** power + np.abs(u[1]) ** power + np.abs(u[2]) ** power < 1
        out[window][body] = np.float32(rng.uniform(0.5, 1.5) if rng.random() < 0.8 else 0)
    return out.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Atoms:
    """Places (n, 3) of atoms, and the sublattice of each, (n,)."""

    places: Places
    sublattices: NDArray[np.intp]

    def select(self, inside: Inside) -> Atoms:
        """Return those that lie inside."""
        return self.keep(inside(self.places))

    def keep(self, which: NDArray[np.bool_]) -> Atoms:
        """Return those that a mask (n,) names."""
        return Atoms(self.places[which], self.sublattices[which])

    def __add__(self, other: Atoms) -> Atoms:
        """Return both together."""
        return Atoms(
            np.concatenate([self.places, other.places]),
            np.concatenate([self.sublattices, other.sublattices]),
        )


def _bounds(at: Coordinates, spacing: float, most: float) -> Places:
    """Return how far from the origin atoms can be and still be seen, along z, x and y."""
    return np.array([min(most, float(np.abs(c).max())) + spacing for c in at])


def _draw_body(rng: np.random.Generator) -> Inside:
    """Draw the outline of a particle: an ellipsoid, a truncated polyhedron or a rod."""
    centre = np.append(rng.uniform(-0.2, 0.2, 2), 0.0)
    axes, size, kind = rotation(rng), rng.uniform(0.2, 0.75), rng.random()
    stretch, corner = rng.uniform(0.7, 1.0, 3), rng.uniform(1.2, 2.3)

    def inside(places: Places) -> NDArray[np.bool_]:
        u = np.abs((places - centre) @ axes.T) / (size * stretch)
        if kind < 0.4:
            return np.asarray(np.linalg.norm(u, axis=1) < 1)
        if kind < 0.8:
            return np.asarray((u.max(axis=1) < 1) & (u.sum(axis=1) < corner))
        return np.asarray((np.hypot(u[:, 0], u[:, 1]) < 0.4) & (u[:, 2] < 1.3))

    return inside


def grow_crystal(
    structure: Structure, spacing: float, axes: Places, offset: Places, bounds: Places
) -> Atoms:
    """List the atoms of a crystal, turned by a rotation, within +-`bounds`."""
    cell = structure.cell * spacing @ axes.T
    # No plane of cells further out than this meets the ball around the bounds.
    reach = float(np.linalg.norm(bounds)) + spacing
    n = np.ceil(reach * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int) + 1
    plane = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in n[1:]], indexing="ij"), axis=-1)
    in_plane = plane.reshape(-1, 2) @ cell[1:]
    basis = structure.basis @ cell + offset
    found = []
    for k in range(-n[0], n[0] + 1):  # plane after plane, which saves memory
        origins = in_plane + k * cell[0]
        origins = origins[np.max(np.abs(origins) / (bounds + 3 * spacing), axis=1) < 1]
        places = (origins[:, None] + basis).reshape(-1, 3)
        layer = Atoms(places, np.tile(structure.sublattices, len(origins)))
        found.append(layer.keep(np.max(np.abs(places) / bounds, axis=1) < 1))
    return Atoms(
        np.concatenate([layer.places for layer in found]),
        np.concatenate([layer.sublattices for layer in found]),
    )


def _grow_with_defects(rng: np.random.Generator, bounds: Places, spacing: float) -> Atoms:
    """Grow a crystal of any structure, half of them with a defect that changes all of it."""
    structure = STRUCTURES[rng.choice(list(STRUCTURES))]
    axes, offset = rotation(rng), rng.uniform(-0.5, 0.5, 3) * spacing
    atoms = grow_crystal(structure, spacing, axes, offset, bounds)
    normal, kind = _draw_direction(rng), rng.random()
    if kind < 0.25:  # a twin is the mirror image beyond a plane, a grain is turned any way
        mirror = np.eye(3) - 2 * np.outer(normal, normal)
        second = mirror @ axes if kind < 0.12 else rotation(rng)
        other = grow_crystal(structure, spacing, second, mirror @ offset, bounds)
        atoms = atoms.select(lambda p: p @ normal > 0)
        atoms = atoms + other.select(lambda p: p @ normal <= 0)
        return atoms.keep(_are_apart(atoms.places, 0.6 * spacing))
    moved = atoms.places
    if kind < 0.33:  # a stacking fault: one side has slipped along a plane
        slip = np.cross(normal, _draw_direction(rng)) * rng.uniform(0.2, 0.6) * spacing
        moved = moved + np.outer(moved @ normal > 0, slip)
    elif kind < 0.41:  # a screw dislocation
        line = rotation(rng)
        u = moved @ line.T
        moved = moved + np.outer(np.arctan2(u[:, 1], u[:, 0]) / (2 * np.pi) * spacing, line[2])
    elif kind < 0.5:  # strain that grows towards one side
        moved = moved + rng.normal(0, 0.03) * np.outer((moved @ normal) ** 2, normal)
    return Atoms(moved, atoms.sublattices)


def pack_atoms(rng: np.random.Generator, bounds: Places, spacing: float) -> Atoms:
    """Put atoms at random within +-`bounds`, each at least a spacing from those before it."""
    n = round(float(np.prod(2 * bounds)) * 3 / spacing**3)
    places = rng.uniform(-bounds, bounds, (n, 3))
    places = places[_are_apart(places, spacing)]
    return Atoms(places, rng.integers(0, 2, len(places)))


def _are_apart(places: Places, distance: float) -> NDArray[np.bool_]:
    """Choose atoms so that no two are closer than a distance: the earlier of two stays."""
    pairs = scipy.spatial.cKDTree(places).query_pairs(distance, output_type="ndarray")
    first, second = pairs.min(axis=1), pairs.max(axis=1)
    stays, undecided = np.ones(len(places), bool), np.ones(len(places), bool)
    while len(first):
        # Whatever has no earlier neighbour left stays, and its later neighbours go.
        waits = np.zeros(len(places), bool)
        waits[second] = True
        sure = undecided & ~waits
        stays[second[sure[first]]] = False
        undecided &= ~sure & stays
        left = undecided[first] & undecided[second]
        first, second = first[left], second[left]
    return stays


def _draw_atoms(rng: np.random.Generator, at: Coordinates, atoms: Atoms, spacing: float) -> Floats:
    """Draw atoms as Gaussians, with what else is irregular: species, vacancies, displacements."""
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    if len(atoms.places) < 2:
        return out
    heights = _draw_heights(rng, atoms)
    places = atoms.places + rng.normal(0, rng.uniform(0, 0.07) * spacing, atoms.places.shape)
    if rng.random() < 0.3:  # the surface relaxes: atoms move to the middle of their neighbours
        k = min(13, len(places))
        around = atoms.places[scipy.spatial.cKDTree(atoms.places).query(atoms.places, k)[1]]
        places += rng.uniform(0.03, 0.15) * (around.mean(axis=1) - atoms.places)
    if rng.random() < 0.4:
        heights[rng.random(len(heights)) < rng.uniform(0, 0.08)] = 0
    sigma = float(np.clip(spacing * rng.uniform(0.17, 0.35), *SIGMA))
    seen = (heights > 0) & (np.abs(places[:, 2] - at[2].mean()) < REACH * sigma + np.ptp(at[2]) / 2)
    add_gaussians(out, at, places[seen], heights[seen].astype(np.float32), sigma)
    return out


def add_gaussians(
    out: Floats, at: Coordinates, places: Places, heights: Floats, sigma: float
) -> None:
    """Add Gaussians to a density (n, n, n_slices), in place.

    Parameters
    ----------
    out : ndarray, float32
        What they are added to, at the coordinates `at`.
    at : tuple of ndarray
        Coordinates, as `frames.grid` makes them.
    places : ndarray, (m, 3)
        Centres, as (z, x, y).
    heights : ndarray, float32, (m,)
        Of their maxima.
    sigma : float
        Standard deviation, in the units of the coordinates.
    """
    axes = [c.ravel() for c in at]
    half = int(np.ceil(REACH * sigma / (axes[0][1] - axes[0][0])))
    first = [np.searchsorted(a, places[:, k]) - half for k, a in enumerate(axes[:2])]
    along_y = np.exp(-0.5 * ((axes[2] - places[:, 2:]) / sigma) ** 2) * heights[:, None]
    for k, place in enumerate(places):
        parts = [slice(max(0, int(f[k])), max(0, int(f[k]) + 2 * half)) for f in first]
        z, x = (
            np.exp(-0.5 * ((a[part] - place[n]) / sigma) ** 2).astype(np.float32)
            for n, (a, part) in enumerate(zip(axes[:2], parts, strict=True))
        )
        out[parts[0], parts[1]] += z[:, None, None] * (x[:, None] * along_y[k].astype(np.float32))


def _draw_heights(rng: np.random.Generator, atoms: Atoms) -> Places:
    """Draw how bright each atom is: one species, an ordered or random alloy, a core and a shell."""
    species = np.append(1.0, rng.uniform(0.25, 1.0, 2)) * rng.uniform(0.6, 1.2)
    kind = rng.random()
    if kind < 0.3:
        which = np.zeros(len(atoms.places), np.intp)
    elif kind < 0.6:
        which = atoms.sublattices
    elif kind < 0.8:
        which = rng.choice(3, len(atoms.places), p=rng.dirichlet(np.ones(3)))
    else:
        apart = np.linalg.norm(atoms.places - atoms.places.mean(axis=0), axis=1)
        which = (apart > rng.uniform(0.4, 0.9) * apart.max()).astype(np.intp)
        which = 1 - which if rng.random() < 0.5 else which
    return np.asarray(species[which])


def _stand(rng: np.random.Generator, at: Coordinates, atoms: Floats) -> Floats:
    """Put three particles of ten on a thin support within the field of view."""
    if rng.random() < 0.7:
        return atoms
    u = local(at, np.zeros(3), about_the_axis(rng, 15.0))
    bottom, thick = rng.uniform(0.1, 0.5), rng.uniform(0.03, 0.15)
    support = (u[0] > bottom) & (u[0] < bottom + thick) & (np.abs(u[1]) < rng.uniform(0.3, 0.8))
    grain = 1 + np.float32(rng.uniform(0, 0.3)) * smooth_noise(rng, at, rng.uniform(0.02, 0.08))
    return np.maximum(atoms, support * grain * np.float32(rng.uniform(0.05, 0.4)))


def _draw_direction(rng: np.random.Generator) -> Places:
    return rotation(rng)[0]


def _turn(angle: float) -> Places:
    """Return a rotation about the third axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
