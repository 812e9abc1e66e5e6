"""Steps of total-variation minimisation on a GPU, each array read and written once.

Operation by operation in torch, the step on the volume would cross the GPU's memory many times. The
dual field of a voxel's neighbours is worked out anew rather than passed on, and what is new goes
to another array than what is old, so that no program waits for another.
"""

from __future__ import annotations

import torch

from .torch_tvm import DualRows, TvmSizes, TvmState
from .triton_library import tl, triton

#: Voxels along x that a program does in turn; each hands its dual field to the next.
COLUMNS = 8
#: Most neighbouring slices of a program, four a thread.
MOST_LANES = 512
#: Of `hold_back`: detector pixels that are taken together, neighbouring slices of a program, its
#: groups of 32 threads, and the least that the factors of a product may measure.
PIXELS, SHARED_LANES, SHARED_WARPS, LEAST = 32, 32, 4, 16


@triton.jit
def load_density(x, prior, voxel, n_slices, lanes, inside, PRIOR: tl.constexpr):
    """Densities of a voxel, less those of the prior if there is one."""
    at = voxel.to(tl.int64) * n_slices + lanes
    here = tl.load(x + at, mask=inside, other=0.0)
    return here - tl.load(prior + at, mask=inside, other=0.0) if PRIOR else here


@triton.jit
def shrink(p, voxel, plane, n_slices, lanes, inside, here, right, under, sigma, radius):
    """Dual field of a voxel after its step, and twice that less what it was, along z and x."""
    at = voxel.to(tl.int64) * n_slices + lanes
    old_z = tl.load(p + at, mask=inside, other=0.0)
    old_x = tl.load(p + plane + at, mask=inside, other=0.0)
    new_z = old_z + sigma * (under - here)
    new_x = old_x + sigma * (right - here)
    norm = tl.sqrt(new_z * new_z + new_x * new_x + 1e-20)
    scale = tl.minimum(radius / norm, 1.0)
    new_z *= scale
    new_x *= scale
    return new_z, new_x, 2.0 * new_z - old_z, 2.0 * new_x - old_x


@triton.jit
def take_inflow(
    x, prior, p, p_out, row, column, depth, width, n_slices, lanes, inside, sigma, radius,
    here, above, left_ahead, PRIOR: tl.constexpr,
):  # fmt: skip
    """Step the dual field of a voxel; return what flows in less what flows out, and what goes on.

    `here` and `above` are the densities of the voxel and of the one above it, `left_ahead` is the
    field along x of the voxel before.
    """
    plane = (depth * width).to(tl.int64) * n_slices
    voxel = row * width + column
    beside, below = tl.minimum(column + 1, width - 1), tl.minimum(row + 1, depth - 1)
    upper = tl.maximum(row - 1, 0)
    right = load_density(x, prior, row * width + beside, n_slices, lanes, inside, PRIOR)
    under = load_density(x, prior, below * width + column, n_slices, lanes, inside, PRIOR)
    new_z, new_x, ahead_z, ahead_x = shrink(
        p, voxel, plane, n_slices, lanes, inside, here, right, under, sigma, radius
    )
    at = voxel.to(tl.int64) * n_slices + lanes
    tl.store(p_out + at, new_z, mask=inside)
    tl.store(p_out + plane + at, new_x, mask=inside)
    above_right = load_density(x, prior, upper * width + beside, n_slices, lanes, inside, PRIOR)
    _, _, from_above, _ = shrink(
        p, upper * width + column, plane, n_slices, lanes, inside,
        above, above_right, here, sigma, radius,
    )  # fmt: skip
    from_above = tl.where(row > 0, from_above, 0.0)
    return from_above + left_ahead - ahead_z - ahead_x, ahead_x, right, above_right


@triton.jit
def begin(
    x, prior, p, row, column, depth, width, n_slices, lanes, inside, sigma, radius,
    PRIOR: tl.constexpr,
):  # fmt: skip
    """Densities of a program's first voxel and of the one above it; the field that comes in."""
    plane = (depth * width).to(tl.int64) * n_slices
    before = tl.maximum(column - 1, 0)
    here = load_density(x, prior, row * width + column, n_slices, lanes, inside, PRIOR)
    upper = tl.maximum(row - 1, 0)
    above = load_density(x, prior, upper * width + column, n_slices, lanes, inside, PRIOR)
    left = load_density(x, prior, row * width + before, n_slices, lanes, inside, PRIOR)
    below = tl.minimum(row + 1, depth - 1) * width + before
    under = load_density(x, prior, below, n_slices, lanes, inside, PRIOR)
    _, _, _, ahead = shrink(
        p, row * width + before, plane, n_slices, lanes, inside, left, here, under, sigma, radius
    )
    return here, above, tl.where(column > 0, ahead, 0.0)


@triton.jit
def descend_voxels(
    x, p, prior, q, slope, change, tau, radii, prior_radii, x_out, p_out, q_out,
    sigma, boost, lowest, depth, width, n_slices,
    PRIOR: tl.constexpr, COLUMNS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Dual step of the total variation and primal step; see `descend_tvm`."""
    first, row = tl.program_id(0) * COLUMNS, tl.program_id(1)
    lanes = tl.program_id(2) * LANES + tl.arange(0, LANES)
    exists = lanes < n_slices
    radius = tl.load(radii + lanes, mask=exists, other=0.0)
    prior_radius = tl.load(prior_radii + lanes, mask=exists, other=0.0)
    here, above, left = begin(
        x, x, p, row, first, depth, width, n_slices, lanes, exists, sigma, radius, False
    )
    if PRIOR:
        apart, apart_above, apart_left = begin(
            x, prior, q, row, first, depth, width, n_slices, lanes, exists, sigma,
            prior_radius, True,
        )  # fmt: skip
    for k in range(COLUMNS):
        column = tl.minimum(first + k, width - 1)
        inside = exists & (first + k < width)
        now = here
        flow, left, here, above = take_inflow(
            x, x, p, p_out, row, column, depth, width, n_slices, lanes, inside, sigma, radius,
            here, above, left, False,
        )  # fmt: skip
        if PRIOR:
            more, apart_left, apart, apart_above = take_inflow(
                x, prior, q, q_out, row, column, depth, width, n_slices, lanes, inside, sigma,
                prior_radius, apart, apart_above, apart_left, True,
            )  # fmt: skip
            flow += more
        voxel = row * width + column
        at = voxel.to(tl.int64) * n_slices + lanes
        changed = tl.load(change + at, mask=inside, other=0.0)
        sloping = tl.load(slope + at, mask=inside, other=0.0) + changed
        tl.store(slope + at, sloping, mask=inside)
        step = tl.load(tau + voxel)
        moved = now - step * (sloping + boost * changed + flow)
        tl.store(x_out + at, tl.maximum(moved, lowest), mask=inside)


def descend_tvm(
    state: TvmState,
    change: torch.Tensor,
    radii: list[torch.Tensor],
    sizes: TvmSizes,
    out: list[torch.Tensor],
) -> None:
    """Do what `torch_tvm.descend_tvm` does, each volume read and written once.

    Parameters
    ----------
    state, change, radii, sizes
        As there; the slope is updated in place, the rest is left alone.
    out : list of Tensor
        Where the new volume and the new fields go; not where the old ones are.
    """
    x, fields, slope, prior = state.x, state.fields, state.slope, state.priors[-1]
    depth, width, n_slices = x.shape
    volumes = [x, slope, change, out[0], *([] if prior is None else [prior])]
    for array in (*volumes, *fields, *out[1:], *radii, sizes.tau):
        if array.dtype != torch.float32 or not array.is_contiguous():
            raise ValueError("the kernel reads contiguous float32 only")
    if any(v.shape != x.shape for v in volumes) or sizes.tau.shape != (depth, width, 1):
        raise ValueError(f"volumes of shape {tuple(x.shape)} were expected")
    lanes = choose_lanes(n_slices)
    grid = (-(-width // COLUMNS), depth, -(-n_slices // lanes))
    descend_voxels[grid](
        x, fields[0], x if prior is None else prior, fields[-1], slope, change, sizes.tau,
        radii[0], radii[-1], out[0], out[1], out[-1],
        sizes.sigma, sizes.boost, sizes.lowest, depth, width, n_slices,
        PRIOR=prior is not None, COLUMNS=COLUMNS, LANES=lanes, num_warps=choose_warps(lanes),
    )  # fmt: skip


@triton.jit
def hold_back(
    ahead, change, dual, rates, common, n_common, width, n_slices,
    COMMON: tl.constexpr, PIXELS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Change of the dual variable of a tilt: ``(diag(rates) - C.T C) ahead``; see `DualStep`.

    Grid: (tilts, slice blocks). What goes along the rows of C is summed over the detector first.
    """
    tilt = tl.program_id(0).to(tl.int64)
    lanes = tl.program_id(1) * LANES + tl.arange(0, LANES)
    k = tl.arange(0, COMMON)
    along = tl.zeros((COMMON, LANES), tl.float32)
    for first in range(0, width, PIXELS):
        u = first + tl.arange(0, PIXELS)
        inside = (u < width)[:, None] & (lanes < n_slices)[None, :]
        at = ((tilt * width + u) * n_slices)[:, None] + lanes[None, :]
        rows = common + ((tilt * n_common + k) * width)[:, None] + u[None, :]
        is_there = (k < n_common)[:, None] & (u < width)[None, :]
        along += tl.dot(
            tl.load(rows, mask=is_there, other=0.0),
            tl.load(ahead + at, mask=inside, other=0.0),
            input_precision="ieee",
        )
    for first in range(0, width, PIXELS):
        u = first + tl.arange(0, PIXELS)
        inside = (u < width)[:, None] & (lanes < n_slices)[None, :]
        at = ((tilt * width + u) * n_slices)[:, None] + lanes[None, :]
        columns = common + ((tilt * n_common + k) * width)[None, :] + u[:, None]
        is_there = (k < n_common)[None, :] & (u < width)[:, None]
        held = tl.dot(tl.load(columns, mask=is_there, other=0.0), along, input_precision="ieee")
        rate = tl.load(rates + tilt * width + u, mask=u < width, other=0.0)[:, None]
        moved = rate * tl.load(ahead + at, mask=inside, other=0.0) - held
        tl.store(change + at, moved, mask=inside)
        tl.store(dual + at, tl.load(dual + at, mask=inside, other=0.0) + moved, mask=inside)


def hold_back_common(rows: DualRows) -> None:
    """From what rows are ahead, find the change of their dual variable, and take the step.

    Parameters
    ----------
    rows : DualRows
        `change` and `dual` are updated.
    """
    n_tilts, width, n_slices = rows.ahead.shape
    n_common = rows.common.shape[1]
    for array in (rows.ahead, rows.change, rows.dual, rows.rates, rows.common):
        if array.dtype != torch.float32 or not array.is_contiguous():
            raise ValueError("the kernel reads contiguous float32 only")
    if rows.rates.shape != (n_tilts, width) or rows.common.shape != (n_tilts, n_common, width):
        raise ValueError(f"a preconditioner of {n_tilts} tilts of {width} pixels was expected")
    if rows.change.shape != rows.ahead.shape or rows.dual.shape != rows.ahead.shape:
        raise ValueError(f"rows of shape {tuple(rows.ahead.shape)} were expected")
    grid = (n_tilts, -(-n_slices // SHARED_LANES))
    hold_back[grid](
        rows.ahead, rows.change, rows.dual, rows.rates, rows.common, n_common, width, n_slices,
        COMMON=max(LEAST, 1 << (n_common - 1).bit_length()), PIXELS=PIXELS, LANES=SHARED_LANES,
        num_warps=SHARED_WARPS,
    )  # fmt: skip


def choose_lanes(n_slices: int) -> int:
    """Neighbouring slices of a program: a power of two, as Triton wants it."""
    return min(MOST_LANES, max(32, 1 << (n_slices - 1).bit_length()))


def choose_warps(lanes: int) -> int:
    """Groups of 32 threads that share a program, four slices a thread."""
    return max(1, lanes // 128)
