"""A background that is not zero is told from matter at the edges of images."""

import numpy as np
import pytest

from napari_wedgefill import Session
from napari_wedgefill.normalise import vacuum_level
from napari_wedgefill.pipeline.background import average_edges, is_background
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

WIDTH, HEIGHT, N_EDGE = 96, 16, 6
ANGLES_DEG = np.arange(-60.0, 61.0, 5.0)


def project(inside, density):
    """Rows (n_tilts, width) through a section that goes on to three times the field's width."""
    z, x = np.mgrid[: 3 * WIDTH, : 3 * WIDTH] - (3 * WIDTH - 1) / 2
    section = (inside(z, x) * density).astype(np.float32)[:, :, None]
    return ParallelBeam(ANGLES_DEG, 3 * WIDTH)(section)[:, WIDTH : 2 * WIDTH, 0]


def count(rows, seed=0):
    """Images (n_tilts, h, w) of electrons or X-rays, counted one by one."""
    rows = np.repeat(np.clip(rows, 0, None)[:, None], HEIGHT, axis=1)
    return np.random.default_rng(seed).poisson(rows).astype(np.float32)


def ask(images):
    vacuum = np.float32(vacuum_level(TiltSeries.from_arrays(images, ANGLES_DEG)))
    places = [average_edges(image - vacuum, N_EDGE) for image in images]
    return is_background(np.array(places), ANGLES_DEG)


def disc(z, x):
    return np.hypot(z, x) < 10


@pytest.mark.parametrize("level", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("drift", [0.0, 0.2])
def test_counts_around_a_particle_are_a_background(level, drift):
    """Also where the beam grows weaker from tilt to tilt."""
    beam = 1 + drift * np.linspace(1, -1, ANGLES_DEG.size)[:, None]
    assert ask(count(beam * (project(disc, 1.0) + level)))


@pytest.mark.parametrize(
    "inside",
    [
        lambda z, x: np.abs(z) < 5,  # a film
        lambda z, x: np.hypot(z, x) < 1.2 * WIDTH,  # a pillar that is wider than the field
        lambda z, x: np.hypot(z, x - WIDTH / 2) < 10,  # a particle at one edge
        lambda z, x: (np.abs(z) < 5) & (np.abs(x) < WIDTH),  # a bar
    ],
)
def test_matter_at_the_edges_is_none(inside):
    assert not ask(count(project(inside, 1.0)))


def test_tilts_that_are_close_together_tell_nothing():
    places = np.ones((5, 4))
    assert is_background(places, np.linspace(-60, 60, 5))
    assert not is_background(places, np.linspace(-10, 10, 5))


def test_a_map_of_few_counts_is_told_what_is_at_its_edges():
    images = count(project(disc, 1.0) + 0.1)
    told = Session().find_field(TiltSeries.from_arrays(images, ANGLES_DEG)).sentence
    assert told.startswith("Filled over the whole field of view: the background of the images")
    film = count(project(lambda z, x: np.abs(z) < 5, 1.0) + project(disc, 1.0))
    told = Session().find_field(TiltSeries.from_arrays(film, ANGLES_DEG)).sentence
    assert told.endswith("the images show matter up to their edges.")
