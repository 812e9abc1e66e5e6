"""How far a reconstruction can be trusted.

`metrics` need the truth; the others need only the user's own data: `self_check` predicts withheld
tilts, `trust_map` says where the networks' volume can be relied on, and `results_table` gathers
residuals, resolution, elongation and volume fractions.
"""

from .metrics import (
    dice,
    elongation,
    fit_intensities,
    otsu_threshold,
    psnr,
    ssim,
    wedge_correlation,
)

__all__ = [
    "dice",
    "elongation",
    "fit_intensities",
    "otsu_threshold",
    "psnr",
    "ssim",
    "wedge_correlation",
]
