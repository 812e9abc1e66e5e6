import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_wedgefill.training import crystals
from napari_wedgefill.training.frames import grid, rotation


@pytest.mark.parametrize(
    ("name", "neighbours"),
    [
        ("fcc", 12),
        ("layered fcc", 12),
        ("bcc", 8),
        ("hcp", 12),
        ("diamond", 4),
        ("rock salt", 6),
    ],
)
def test_crystals_have_the_neighbours_of_their_structure(name, neighbours):
    axes = rotation(np.random.default_rng(1))
    atoms = crystals.grow_crystal(
        crystals.STRUCTURES[name], 0.2, axes, np.full(3, 0.03), np.full(3, 1.0)
    )
    tree = cKDTree(atoms.places)
    inner = np.linalg.norm(atoms.places, axis=1) < 0.5
    distances = tree.query(atoms.places[inner], neighbours + 2)[0]
    np.testing.assert_allclose(distances[:, 1 : neighbours + 1], 0.2, rtol=1e-6)
    assert (distances[:, -1] > 0.21).all()


def test_a_crystal_reaches_every_corner_of_its_bounds():
    """As dense at the corners as in the middle, however it is turned."""
    bounds = np.array([1.0, 1.0, 0.3])
    for seed in range(4):
        axes = rotation(np.random.default_rng(seed))
        structure = crystals.STRUCTURES["perovskite"]
        places = crystals.grow_crystal(structure, 0.1, axes, np.zeros(3), bounds).places
        octants = ((places > 0) @ [1, 2, 4]).astype(int)
        counts = np.bincount(octants, minlength=8)
        assert counts.min() > 0.9 * counts.mean()
        corner = np.abs(places) > 0.8 * bounds
        assert corner.all(axis=1).mean() == pytest.approx(0.2**3, rel=0.35)


def test_atoms_of_a_glass_keep_their_distance():
    atoms = crystals.pack_atoms(np.random.default_rng(0), np.full(3, 0.5), 0.1)
    nearest = cKDTree(atoms.places).query(atoms.places, 2)[0][:, 1]
    assert nearest.min() >= 0.1
    # Random sequential packing ends with 0.38 of the volume in spheres of that diameter.
    assert 0.2 < len(atoms.places) * np.pi / 6 * 0.1**3 < 0.38


def test_an_atom_has_the_mass_and_place_of_its_gaussian():
    at = grid(64, 24)
    out = np.zeros((64, 64, 24), np.float32)
    pixel, sigma = 2 / 64, 3 / 64
    place = np.array([[0.21, -0.32, 0.05]])
    crystals.add_gaussians(out, at, place, np.array([0.7], np.float32), sigma)
    mass = out.sum() * pixel * pixel * 2 * pixel
    assert mass == pytest.approx(0.7 * (2 * np.pi) ** 1.5 * sigma**3, rel=0.01)
    centre = [float((out * c).sum() / out.sum()) for c in at]
    np.testing.assert_allclose(centre, place[0], atol=0.05 * pixel)


@pytest.mark.parametrize("name", ["atomic_film", "suspension"])
def test_films_and_media_leave_the_field_on_both_sides(name):
    at = grid(96, 4, extent=1.5)
    for seed in range(3):
        drawn = getattr(crystals, name)(np.random.default_rng(seed), at).max(axis=(0, 2))
        third = len(drawn) // 6  # the field of view is the middle two thirds
        assert drawn[:third].max() > 0.1
        assert drawn[-third:].max() > 0.1


@pytest.mark.parametrize("name", ["crystallite", "twinned", "glass"])
def test_particles_stay_in_the_field(name):
    at = grid(96, 4)
    for seed in range(3):
        drawn = getattr(crystals, name)(np.random.default_rng(seed), at).max(axis=2)
        assert drawn.max() > 0
        edge = np.concatenate([drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]])
        assert edge.max() < 0.01 * drawn.max()
