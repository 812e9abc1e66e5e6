"""The tilt axis is brought upright by a rotation about the centre, never a mirror."""

from __future__ import annotations

import numpy as np
import pytest

from napari_wedgefill.geometry import centre
from napari_wedgefill.io.axis import rotate, rotate_shape, wrap_degrees


def line_through_centre(n, degrees):
    """Draw an axis `degrees` counter-clockwise from vertical as 3dmod draws it: row 0 lowest."""
    y, x = np.mgrid[:n, :n] - centre(n)
    a = np.deg2rad(degrees)
    across = np.cos(a) * x + np.sin(a) * y
    return np.exp(-(across**2) / 2).astype(np.float32)[None]


@pytest.mark.parametrize("n", [64, 65])
@pytest.mark.parametrize("degrees", [90, -90, 180, 85.3, -86.7, 12.5, 177.0, 45.0])
def test_an_axis_at_any_angle_comes_upright(n, degrees):
    upright = rotate(line_through_centre(n, degrees), degrees)[0]
    rows = slice(n // 4, -(n // 4))  # away from the corners that rotation fills
    np.testing.assert_allclose(upright[rows], line_through_centre(n, 0)[0, rows], atol=0.02)


@pytest.mark.parametrize("degrees", [90, -90, 180, 30.0, 85.3])
@pytest.mark.parametrize("shape", [(40, 40), (41, 40), (40, 57)])
def test_a_point_goes_where_a_rotation_about_the_centre_takes_it(shape, degrees):
    """As drawn with row 0 on top, counter-clockwise; a mirror would put it elsewhere."""
    h, w = shape
    row, column = h // 2 - 9, w // 2 + 5
    y, x = np.mgrid[:h, :w]
    blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8).astype(np.float32)[None]
    turned = rotate(blob, degrees)[0]
    up, right = centre(h) - row, column - centre(w)
    a = np.deg2rad(degrees)
    right_after = np.cos(a) * right - np.sin(a) * up
    up_after = np.sin(a) * right + np.cos(a) * up
    y, x = np.mgrid[: turned.shape[0], : turned.shape[1]]
    found = [(turned * axis).sum() / turned.sum() for axis in (y, x)]
    expected = [centre(turned.shape[0]) - up_after, centre(turned.shape[1]) + right_after]
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("offset", [0.0, -32000.0])
def test_corners_take_the_median_and_values_keep_their_level(offset):
    image = np.full((1, 32, 32), offset, np.float32)
    image[0, 8:24, 8:24] += 100
    turned = rotate(image, 30.0)[0]
    assert turned[0, 0] == offset
    assert turned[16, 16] == pytest.approx(offset + 100, abs=1)
    assert turned.min() > offset - 20


def test_quarter_turns_are_views_and_shapes_are_foretold():
    images = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    assert np.shares_memory(rotate(images, 90.0), images)
    assert rotate(images, 90.0).shape == rotate_shape(images.shape, 90.0) == (2, 4, 3)
    assert rotate(images, 100.0).shape == rotate_shape(images.shape, 100.0) == (2, 4, 3)
    assert rotate(images, 0.03).dtype == np.int16


@pytest.mark.parametrize(("given", "expected"), [(270, -90), (-180, 180), (180, 180), (-360, 0)])
def test_angles_are_wrapped(given, expected):
    assert wrap_degrees(given) == expected
