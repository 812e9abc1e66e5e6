"""CUDA kernels in Triton: slices innermost, no atomics, index arithmetic shared by many slices.

A program owns a tile of voxels (or of rays) and a block of neighbouring slices, and sums all tilts
(or rows) in registers. Each thread holds several slices of a voxel, loaded 16 bytes at once, which
share its index arithmetic; what then bounds the kernels is reading two samples an update from the
first-level cache.

The position of a tile is found in float64, its whole part goes to the address, and only the short
way inside the tile is float32: positions keep 1e-5 of a pixel at any width. Samples outside are
read at the border with weight zero: a clamp costs less than a masked load.
"""

from __future__ import annotations

from .triton_library import tl, triton

#: Rows between two float64 positions of the forward projection.
ROWS = tl.constexpr(64)
#: What a projection is turned into before it is written (`store_rays`).
INTEGRALS, RESIDUAL, AHEAD, CHANGE = (tl.constexpr(kind) for kind in range(4))


@triton.jit
def add_tap(
    total, other, row, index, n, stride, weight, lanes, n_slices,
    EVEN: tl.constexpr, LANES: tl.constexpr, TWICE: tl.constexpr,
):  # fmt: skip
    """Add ``weight * row[index]`` for a tile of positions and both halves of a block of slices.

    Adds nothing outside; the second half is meaningless unless TWICE. The sums go through here
    because a product that is added at once costs one instruction, and not two.
    """
    inside = index.to(tl.uint32, bitcast=True) < n  # as unsigned, what is below zero is far above
    at = row + (tl.where(inside, index, 0) * stride)[:, None] + lanes[None, :]
    weight = tl.where(inside, weight, 0.0)[:, None]
    kept = lanes[None, :] < n_slices
    first = tl.load(at) if EVEN else tl.load(at, mask=kept, other=0.0)
    second = first
    if TWICE:
        kept = lanes[None, :] + LANES < n_slices
        second = tl.load(at + LANES) if EVEN else tl.load(at + LANES, mask=kept, other=0.0)
    return total + weight * first, other + weight * second


@triton.jit
def add_taps(
    total, other, row, index, n, stride, below, above, lanes, n_slices,
    EVEN: tl.constexpr, LANES: tl.constexpr, TWICE: tl.constexpr,
):  # fmt: skip
    """Add the weighted samples at an index and the next, for both halves of the slices."""
    total, other = add_tap(
        total, other, row, index, n, stride, below, lanes, n_slices, EVEN, LANES, TWICE
    )
    return add_tap(
        total, other, row, index + 1, n, stride, above, lanes, n_slices, EVEN, LANES, TWICE
    )


@triton.jit
def store_rays(
    total, out, measured, weights, dual, squares, slot, ray, inside, lanes, n_slices,
    KIND: tl.constexpr,
):  # fmt: skip
    """Write path integrals, or what a solver makes of them; see `project_rays`."""
    exists = (lanes < n_slices)[None, :]
    stored = inside[:, None] & exists
    at = (ray * n_slices)[:, None] + lanes[None, :]
    if KIND == RESIDUAL:
        weight = tl.load(weights + ray, mask=inside, other=0.0)
        total = weight[:, None] * (tl.load(measured + at, mask=stored, other=0.0) - total)
    if KIND >= AHEAD:
        total = tl.where(stored, total - tl.load(measured + at, mask=stored, other=0.0), 0.0)
        # A slot for each program, so that none waits for another and sums are repeatable.
        sums = squares + slot * n_slices + lanes
        before = tl.load(sums, mask=lanes < n_slices, other=0.0)
        tl.store(sums, before + tl.sum(total * total, axis=0), mask=lanes < n_slices)
        old = tl.load(dual + at, mask=stored, other=0.0)
        total -= old
        if KIND == CHANGE:
            total *= tl.load(weights + ray, mask=inside, other=0.0)[:, None]
            tl.store(dual + at, old + total, mask=stored)
    tl.store(out + at, total, mask=stored)


@triton.jit
def store_voxels(
    total, out, voxel_weights, lowest, voxel, inside, lanes, n_slices, DESCEND: tl.constexpr
):
    """Write a back projection, or the volume that descends along it."""
    stored = inside[:, None] & (lanes < n_slices)[None, :]
    at = (voxel * n_slices)[:, None] + lanes[None, :]
    if DESCEND:
        weight = tl.load(voxel_weights + voxel, mask=inside, other=0.0)
        old = tl.load(out + at, mask=stored, other=0.0)
        total = tl.maximum(old + weight[:, None] * total, lowest)
    tl.store(out + at, total, mask=stored)


@triton.jit
def project_rays(
    volume,
    out,
    starts,
    slopes,
    shifts,
    tilts,
    measured,
    weights,
    dual,
    squares,
    depth,
    width,
    n_shallow,
    n_units,
    KIND: tl.constexpr,
    UNIT: tl.constexpr,
    EVEN: tl.constexpr,
    WIDE: tl.constexpr,
    TILTS: tl.constexpr,
    PIXELS: tl.constexpr,
    LANES: tl.constexpr,
    TWICE: tl.constexpr,
):
    """Sum the rays of a few tilts through every row they cross (Joseph's method).

    Rows are of constant z for shallow tilts and of constant x for steep ones, so that a program
    takes tilts of one kind. Rays of neighbouring tilts at one detector pixel run close to each
    other: it takes a few, and finds most samples in the first-level cache.

    Grid: (detector tiles, groups of tilts, slice blocks), so that the programs that run together
    read the same rows of the same slices.

    Parameters
    ----------
    volume : float32, (depth, width, n_slices)
        Contiguous.
    out : float32, (all tilts, width, n_slices)
        By KIND: path integrals in voxels (INTEGRALS), ``weights * (measured - path integrals)``
        (RESIDUAL), ``path integrals - measured - dual`` (AHEAD), or `weights` times that, which is
        also added to `dual` (CHANGE).
    starts, slopes, shifts : float64, (all tilts,)
        The ray at detector index u meets row r at ``start + u slope - r shift``.
    tilts : int32, (n_groups, TILTS)
        Indices of the tilts of each group; those below zero, of which it has the complement, only
        fill a group up.
    measured, weights : float32, (all tilts, width, n_slices) and (all tilts, width)
        Read as KIND says.
    dual : float32, (all tilts, width, n_slices)
        With AHEAD and CHANGE: the data's dual variable.
    squares : float32, (slots, n_slices)
        With AHEAD and CHANGE: takes up the squares of ``path integrals - measured``, in a slot for
        each of the grid's (groups, detector tiles).
    n_shallow : int
        How many of the groups are of shallow tilts; they come first.
    n_units, UNIT : int
        The product is the number of slices. Known to be a multiple of four, they are loaded four at
        once.
    WIDE : bool
        Whether the volume holds more samples than 32-bit offsets reach.
    LANES, TWICE : int, bool
        Slices side by side; twice as many, if every thread holds them in two halves.
    """
    n_slices = n_units * UNIT
    ray = tl.arange(0, TILTS * PIXELS)
    group = tl.program_id(1)
    is_steep = group >= n_shallow
    n_rows, n_across = tl.where(is_steep, width, depth), tl.where(is_steep, depth, width)
    named = tl.load(tilts + group * TILTS + ray // PIXELS)
    tilt = tl.where(named < 0, -1 - named, named)
    u = tl.program_id(0) * PIXELS + ray % PIXELS
    inside = (named >= 0) & (u < width)
    lanes = tl.program_id(2) * (LANES * 2 if TWICE else LANES) + tl.arange(0, LANES)
    beyond = lanes + LANES
    shift = tl.load(shifts + tilt).to(tl.float32)
    row_stride = tl.where(is_steep, n_units, width * n_units).to(tl.int64) * UNIT
    stride = tl.where(is_steep, width * n_units, n_units)
    if WIDE:
        stride = stride.to(tl.int64)
    stride *= UNIT
    total = tl.zeros((TILTS * PIXELS, LANES), tl.float32)
    other = total
    for first in range(0, n_rows, ROWS):
        entry = tl.load(starts + tilt) + u * tl.load(slopes + tilt)
        entry -= first * tl.load(shifts + tilt)
        whole = tl.floor(entry)
        base, part = whole.to(tl.int32), (entry - whole).to(tl.float32)
        for row in range(first, tl.minimum(first + ROWS, n_rows)):
            position = part - tl.cast(row - first, tl.float32) * shift
            lower = tl.floor(position)
            upper = position - lower
            index = base + lower.to(tl.int32)
            at = volume + row * row_stride
            total, other = add_taps(
                total, other, at, index, n_across, stride, 1.0 - upper, upper, lanes, n_slices,
                EVEN, LANES, TWICE,
            )  # fmt: skip
    length = tl.abs(tl.load(slopes + tilt)).to(tl.float32)[:, None]
    place = tilt.to(tl.int64) * width + u
    slot = group * tl.num_programs(0) + tl.program_id(0)
    store_rays(
        total * length, out, measured, weights, dual, squares, slot, place, inside, lanes,
        n_slices, KIND,
    )  # fmt: skip
    if TWICE:
        store_rays(
            other * length, out, measured, weights, dual, squares, slot, place, inside, beyond,
            n_slices, KIND,
        )  # fmt: skip


@triton.jit
def back_project_rays(
    sinogram,
    out,
    starts,
    cosines,
    sines,
    half_widths,
    voxel_weights,
    lowest,
    depth,
    width,
    n_tilts,
    n_units,
    DESCEND: tl.constexpr,
    UNIT: tl.constexpr,
    EVEN: tl.constexpr,
    BY_Z: tl.constexpr,
    BY_X: tl.constexpr,
    LANES: tl.constexpr,
    TWICE: tl.constexpr,
):
    """Gather, for a tile of voxels, the detector pixels under a triangle at each tilt.

    With Joseph's triangles (`Rays.half_widths`) this is the exact adjoint of `project_rays`; a half
    width of one is linear interpolation.

    Grid: (tiles along x, tiles along z, slice blocks), so that the programs that run together
    share a sinogram block that stays in the second-level cache.

    Parameters
    ----------
    sinogram : float32, (n_tilts, width, n_slices)
        Contiguous.
    out : float32, (depth, width, n_slices)
        Back projection; with DESCEND ``max(out + voxel_weights * back projection, lowest)``.
    starts, cosines, sines, half_widths : float64, (n_tilts,)
        Voxel (z, x) projects to detector index ``start + z sin + x cos``, and the triangle there
        has this half width, at most 1.
    voxel_weights : float32, (depth, width)
        Read with DESCEND only.
    n_units, UNIT : int
        The product is the number of slices.
    """
    n_slices = n_units * UNIT
    voxel = tl.arange(0, BY_Z * BY_X)
    dz, dx = voxel // BY_X, voxel % BY_X
    z0, x0 = tl.program_id(1) * BY_Z, tl.program_id(0) * BY_X
    lanes = tl.program_id(2) * (LANES * 2 if TWICE else LANES) + tl.arange(0, LANES)
    beyond = lanes + LANES
    total = tl.zeros((BY_Z * BY_X, LANES), tl.float32)
    other = total
    for tilt in range(n_tilts):
        cosine, sine = tl.load(cosines + tilt), tl.load(sines + tilt)
        half = tl.load(half_widths + tilt).to(tl.float32)
        corner = tl.load(starts + tilt) + z0 * sine + x0 * cosine
        whole = tl.floor(corner)
        inner = dz.to(tl.float32) * sine.to(tl.float32) + dx.to(tl.float32) * cosine.to(tl.float32)
        u = inner + (corner - whole).to(tl.float32)
        first = tl.floor(u - half) + 1.0
        scale = 1.0 / half
        below = tl.maximum(1.0 - tl.abs(first - u) * scale, 0.0) * scale
        above = tl.maximum(1.0 - tl.abs(first + 1.0 - u) * scale, 0.0) * scale
        index = whole.to(tl.int32) + first.to(tl.int32)
        row = sinogram + tl.cast(tilt, tl.int64) * width * n_slices
        total, other = add_taps(
            total, other, row, index, width, n_slices, below, above, lanes, n_slices,
            EVEN, LANES, TWICE,
        )  # fmt: skip
    z, x = z0 + dz, x0 + dx
    inside = (z < depth) & (x < width)
    place = z.to(tl.int64) * width + x
    store_voxels(total, out, voxel_weights, lowest, place, inside, lanes, n_slices, DESCEND)
    if TWICE:
        store_voxels(other, out, voxel_weights, lowest, place, inside, beyond, n_slices, DESCEND)
