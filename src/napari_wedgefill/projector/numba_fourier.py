"""A filter along the detector, in Fourier space, for all slices of a tile at once.

Two tilts are the real and the imaginary part of one transform: a filter that is real and even keeps
them apart but for rounding, which slices therefore do not share. The transform leaves its
frequencies in the order of their reversed bits and the inverse starts from there, so nothing is
ever sorted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .numba_kernels import OPTIONS
from .vectors import (
    VECTOR,
    add,
    load,
    multiply,
    multiply_add,
    spread,
    store,
    subtract,
)

Floats = NDArray[np.float32]


class Filter(NamedTuple):
    """A real and even filter, as `filter_pair` wants it.

    Attributes
    ----------
    response : ndarray, float32, (n,)
        Over n, in the order of reversed bits; n is a power of two, at least 4 and twice the width.
    roots : ndarray, float32, flat (2 n,)
        ``exp(-2 pi i k / n)`` as pairs of real and imaginary part.
    """

    response: Floats
    roots: Floats


def make_filter(response: Floats) -> Filter:
    """Make a filter of its frequency response, float32, (n // 2 + 1,)."""
    n = 2 * (response.size - 1)
    places = np.zeros(1, np.intp)
    while places.size < n:
        places = np.concatenate([2 * places, 2 * places + 1])
    sorted_response = np.asarray(response[np.minimum(places, n - places)] / n, np.float32)
    turn = np.exp(-2j * np.pi * np.arange(n) / n)
    roots = np.stack([turn.real, turn.imag], axis=1).astype(np.float32).reshape(-1)
    return Filter(sorted_response, roots)


@numba.njit(**OPTIONS)
def filter_pair(
    vectors: tuple[int, ...],
    rows: Floats,
    origin: int,
    pitch: int,
    width: int,
    weights: Floats,
    spectrum: Filter,
    room: Floats,
) -> None:
    """Filter and weigh two rows of a tile in place.

    Parameters
    ----------
    vectors : tuple
        Of a tile, by its length.
    rows : ndarray, float32, flat
        Holds both rows, (width, lanes) each.
    origin, pitch, width : int
        Floats from the start of `rows` to the first row and from there to the second one, and
        the samples of a row.
    weights : ndarray, float32, (2,)
        Factors on the two.
    spectrum : Filter
        From `make_filter`.
    room : ndarray, float32, flat (2 n, VECTOR)
        Overwritten.
    """
    response, roots = spectrum
    n = response.size
    lanes = len(vectors) * VECTOR
    first, second = spread(weights[0]), spread(weights[1])
    for s in range(origin, origin + lanes, VECTOR):
        room[2 * width * VECTOR :] = np.float32(0.0)
        for u in range(width):
            i = s + u * lanes
            store(room, 2 * u * VECTOR, multiply(first, load(rows, i)))
            store(room, (2 * u + 1) * VECTOR, multiply(second, load(rows, i + pitch)))
        _transform(n, roots, room)
        for u in range(n):
            h = spread(response[u])
            for i in (2 * u * VECTOR, (2 * u + 1) * VECTOR):
                store(room, i, multiply(h, load(room, i)))
        _transform_back(n, roots, room)
        for u in range(width):
            i = s + u * lanes
            store(rows, i, load(room, 2 * u * VECTOR))
            store(rows, i + pitch, load(room, (2 * u + 1) * VECTOR))


@numba.njit(inline="always", **OPTIONS)
def _turn(a: Any, b: Any, real: Any, imaginary: Any) -> Any:
    """``(a + i b) (real + i imaginary)``."""
    return (
        subtract(multiply(a, real), multiply(b, imaginary)),
        multiply_add(a, imaginary, multiply(b, real)),
    )


@numba.njit(**OPTIONS)
def _transform(n: int, roots: Floats, room: Floats) -> None:
    """Transform in place, four by four, into the order of reversed bits."""
    size = n
    while size >= 4:
        step, far = n // size, size // 4
        for j in range(far):
            w = 2 * j * step
            r1, i1 = spread(roots[w]), spread(roots[w + 1])
            r2, i2 = spread(roots[2 * w]), spread(roots[2 * w + 1])
            r3, i3 = spread(roots[3 * w]), spread(roots[3 * w + 1])
            for first in range(j, n, size):
                a, b = 2 * first * VECTOR, 2 * (first + far) * VECTOR
                c, d = 2 * (first + 2 * far) * VECTOR, 2 * (first + 3 * far) * VECTOR
                ar, ai = load(room, a), load(room, a + VECTOR)
                br, bi = load(room, b), load(room, b + VECTOR)
                cr, ci = load(room, c), load(room, c + VECTOR)
                dr, di = load(room, d), load(room, d + VECTOR)
                even_r, even_i = add(ar, cr), add(ai, ci)
                odd_r, odd_i = add(br, dr), add(bi, di)
                ar, ai = subtract(ar, cr), subtract(ai, ci)
                # (b - d) times -i
                br, bi = subtract(bi, di), subtract(dr, br)
                store(room, a, add(even_r, odd_r))
                store(room, a + VECTOR, add(even_i, odd_i))
                x, y = _turn(subtract(even_r, odd_r), subtract(even_i, odd_i), r2, i2)
                store(room, b, x)
                store(room, b + VECTOR, y)
                x, y = _turn(add(ar, br), add(ai, bi), r1, i1)
                store(room, c, x)
                store(room, c + VECTOR, y)
                x, y = _turn(subtract(ar, br), subtract(ai, bi), r3, i3)
                store(room, d, x)
                store(room, d + VECTOR, y)
        size //= 4
    if size == 2:
        _transform_pairs(n, room)


@numba.njit(**OPTIONS)
def _transform_back(n: int, roots: Floats, room: Floats) -> None:
    """Undo `_transform`, but for a factor n."""
    size = n
    while size > 4:
        size //= 4
    if size == 2:
        _transform_pairs(n, room)
        size = 8
    while size <= n:
        step, far = n // size, size // 4
        for j in range(far):
            w = 2 * j * step
            minus = np.float32(-1.0)
            r1, i1 = spread(roots[w]), spread(minus * roots[w + 1])
            r2, i2 = spread(roots[2 * w]), spread(minus * roots[2 * w + 1])
            r3, i3 = spread(roots[3 * w]), spread(minus * roots[3 * w + 1])
            for first in range(j, n, size):
                a, b = 2 * first * VECTOR, 2 * (first + far) * VECTOR
                c, d = 2 * (first + 2 * far) * VECTOR, 2 * (first + 3 * far) * VECTOR
                ar, ai = load(room, a), load(room, a + VECTOR)
                br, bi = _turn(load(room, b), load(room, b + VECTOR), r2, i2)
                cr, ci = _turn(load(room, c), load(room, c + VECTOR), r1, i1)
                dr, di = _turn(load(room, d), load(room, d + VECTOR), r3, i3)
                even_r, even_i = add(ar, br), add(ai, bi)
                odd_r, odd_i = subtract(ar, br), subtract(ai, bi)
                sum_r, sum_i = add(cr, dr), add(ci, di)
                # (c - d) times i
                cr, ci = subtract(di, ci), subtract(cr, dr)
                store(room, a, add(even_r, sum_r))
                store(room, a + VECTOR, add(even_i, sum_i))
                store(room, b, add(odd_r, cr))
                store(room, b + VECTOR, add(odd_i, ci))
                store(room, c, subtract(even_r, sum_r))
                store(room, c + VECTOR, subtract(even_i, sum_i))
                store(room, d, subtract(odd_r, cr))
                store(room, d + VECTOR, subtract(odd_i, ci))
        size *= 4


@numba.njit(inline="always", **OPTIONS)
def _transform_pairs(n: int, room: Floats) -> None:
    """Transform pairs of neighbours, which is its own inverse but for a factor 2."""
    for first in range(0, n, 2):
        for i in (2 * first * VECTOR, (2 * first + 1) * VECTOR):
            x, y = load(room, i), load(room, i + 2 * VECTOR)
            store(room, i, add(x, y))
            store(room, i + 2 * VECTOR, subtract(x, y))
