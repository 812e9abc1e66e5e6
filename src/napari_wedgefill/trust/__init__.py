"""How far a reconstruction can be trusted: figures of merit against a known truth."""

from .metrics import fitted, psnr, ssim, wedge_correlation

__all__ = ["fitted", "psnr", "ssim", "wedge_correlation"]
