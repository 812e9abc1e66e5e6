"""Between a pose and the transforms that IMOD and AreTomo write for each image."""

from __future__ import annotations

import numpy as np

from ..errors import WedgefillError
from ..io.alignment_files import ImageTransforms
from ..tilt_series import TiltSeries
from .outcome import Found
from .pose import Pose

MAX_STRETCH = 0.01
MAX_SINGLE_TURN_DEG = 0.3


def make_transforms(found: Found) -> ImageTransforms:
    """Return what turns each kept image (as read, cropped and binned) into the aligned one."""
    pose = found.pose
    c, s = np.cos(np.deg2rad(pose.axis_deg)), np.sin(np.deg2rad(pose.axis_deg))
    matrix = np.array([[c, -s], [s, c]])
    moved = (pose.offsets_px + np.array([0.0, pose.axis_shift_px]))[:, ::-1]
    matrices = np.repeat(matrix[None], len(moved), axis=0)
    return ImageTransforms(matrices, -moved @ matrix.T, found.angles_deg, found.kept)


def take_found_from(transforms: ImageTransforms, series: TiltSeries, name: str) -> Found:
    """Return shifts and tilt axis of an alignment that another program made of this series.

    Parameters
    ----------
    transforms : ImageTransforms
        In the order of the images in the file.
    series : TiltSeries
        The same images, sorted by angle, not turned at load.
    name : str
        Of the alignment's file, for messages.

    Raises
    ------
    WedgefillError
        If they do not fit the series, or stretch or turn single images, which one tilt axis
        cannot describe.
    """
    n_lines = len(transforms.shifts_px)
    if series.axis_deg:
        raise WedgefillError(
            f"{name}: its transforms turn the images as the file holds them, but these were turned "
            f"by {series.axis_deg:.1f} degrees when they were read; read them with --axis y."
        )
    in_file = np.arange(n_lines) if transforms.images is None else transforms.images
    order = np.arange(series.n_tilts) if series.file_order is None else series.file_order
    if transforms.images is None and n_lines != series.n_tilts:
        raise WedgefillError(
            f"{name}: it has {n_lines} lines, but {series.name} has {series.n_tilts} images."
        )
    line_of = {int(image): line for line, image in enumerate(in_file)}
    kept = np.array([k for k, image in enumerate(order) if int(image) in line_of], np.int64)
    if len(kept) != n_lines:
        raise WedgefillError(
            f"{name}: it names images that {series.name} does not have; they do not belong "
            f"together."
        )
    lines = np.array([line_of[int(order[k])] for k in kept])
    back = np.linalg.inv(transforms.matrices[lines])
    stretch = np.abs(np.linalg.svd(back, compute_uv=False) - 1.0).max()
    turns = np.rad2deg(np.arctan2(back[:, 0, 1], back[:, 0, 0]))
    middle = float(np.median(turns))
    if stretch > MAX_STRETCH or np.abs(turns - middle).max() > MAX_SINGLE_TURN_DEG:
        raise WedgefillError(
            f"{name}: it stretches or turns single images, which shifts and one tilt axis cannot "
            f"describe; apply it with the program that made it, and give the aligned stack."
        )
    offsets = -np.einsum("nij,nj->ni", back, transforms.shifts_px[lines])[:, ::-1]
    angles = series.angles_deg[kept]
    if transforms.angles_deg is not None:
        angles = transforms.angles_deg[lines]
    if np.any(np.diff(angles) < 0):
        raise WedgefillError(
            f"{name}: its tilt angles come in another order than those of {series.name}; read the "
            f"series with the same angles (--angles)."
        )
    shape = (series.height, series.width)
    return Found(kept, angles, Pose(offsets, 0.0, middle), series.angles_deg, shape)
