"""Align one series with another package: run by `alignment.py` with that package's interpreter.

    python alignment_peers.py etspy|tiltxcorr IN.npz OUT.npz

It imports nothing of ours, so that it runs in an environment of its own (ETSpy brings HyperSpy
along). IN holds ``images`` (n_tilts, h, w), the tilt axis roughly along y, and ``angles_deg``. OUT
holds, for each method, where an aligned point comes from: a matrix (2, 2) and a displacement for
each tilt, both (y, x) from the images' centre, ``p_in = matrix @ p_aligned + offsets[tilt]``;
"<method> failed" holds the message where the method raised.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Found = dict[str, Any]


def align_with_etspy(images: np.ndarray, angles_deg: np.ndarray) -> Found:
    """Every registration of ETSpy, each followed by both of its searches for the tilt axis."""
    from etspy.api import TomoStack

    # ETSpy's axis lies along the images' second axis.
    data = np.ascontiguousarray(images.transpose(0, 2, 1))
    found: Found = {}
    for register in ("PC", "StackReg", "COM", "COM-CL"):
        stack = TomoStack(data.copy(), tilts=angles_deg[:, None].copy())
        try:
            moved = stack.stack_register(register)
        except Exception as error:  # any failure of the peer is its result
            found[f"{register} failed"] = str(error)
            continue
        found[register] = pose_of(moved, data.shape[1:])
        searches: dict[str, dict[str, Any]] = {"CoM": {}, "MaxImage": {"limit": 20}}
        for search, options in searches.items():
            try:
                found[f"{register} + {search}"] = pose_of(
                    moved.tilt_align(search, **options), data.shape[1:]
                )
            except Exception as error:
                found[f"{register} + {search} failed"] = str(error)
    return found


def pose_of(stack: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and displacements from what ETSpy keeps of its shifts and of its transformation."""
    meta = stack.metadata.Tomography
    theta = np.deg2rad(float(meta.tiltaxis))
    c, s = np.cos(theta), np.sin(theta)
    # In (along, across) = our (y, x): trans_stack turns about n / 2 and then shifts by -yshift.
    forward = np.array([[c, -s], [s, c]])
    middle = (np.array(shape)[::-1] - 1) / 2
    pivot = np.array(shape)[::-1] / 2
    shifts = np.asarray(stack.shifts.data, float).reshape(-1, 2)[:, ::-1]
    last = np.array([float(meta.xshift), -float(meta.yshift)])
    # aligned + middle = forward (in + middle + shifts - pivot) + pivot + last
    back = forward.T
    offsets = np.stack([back @ (middle - pivot - last) - (middle + by - pivot) for by in shifts])
    return back, offsets


def align_with_tiltxcorr(images: np.ndarray, angles_deg: np.ndarray) -> Found:
    """Cross-correlation with cosine stretching, the axis taken as given: along y."""
    import torch
    from torch_tiltxcorr import tiltxcorr

    stack, angles = torch.as_tensor(images).float(), torch.as_tensor(angles_deg).float()
    found: Found = {}
    try:
        shifts = tiltxcorr(stack, angles, 0.0)
        found["tiltxcorr"] = (np.eye(2), -shifts.numpy().astype(float))
    except Exception as error:
        found["tiltxcorr failed"] = str(error)
    return found


PEERS = {"etspy": align_with_etspy, "tiltxcorr": align_with_tiltxcorr}


def main() -> None:
    """Read, align, write."""
    peer, source, target = sys.argv[1:]
    with np.load(source) as given:
        found = PEERS[peer](given["images"], given["angles_deg"])
    arrays = {}
    for name, value in found.items():
        if isinstance(value, tuple):
            arrays[f"{name} matrix"], arrays[f"{name} offsets"] = value
        else:
            arrays[name] = np.array(value)
    np.savez(target, **arrays)


if __name__ == "__main__":
    main()
