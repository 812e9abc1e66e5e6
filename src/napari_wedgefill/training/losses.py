"""What the generators and the discriminator minimise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..projector import ParallelBeam
from ..reconstruct.wbp import ramp_response

#: Root mean square error of a typical starting point.
TYPICAL = 0.05


def wedge_l1(error: Tensor, measured_fraction: Tensor) -> Tensor:
    """Mean absolute error over rows that were not measured; both (n, 1, h, w)."""
    unknown = 1.0 - measured_fraction
    return (error.abs() * unknown).sum() / unknown.sum().clamp(min=1.0)


def back_projected_l1(difference: Tensor, rows_deg: Tensor) -> Tensor:
    """Mean absolute value of the filtered back projection of a sinogram error.

    Weighs an error by what it does to the tomogram: a wrong mean of a row hurts less than a wrong
    edge.

    Parameters
    ----------
    difference : Tensor, (n, 1, n_rows, width)
        Error of the sinogram network's answer.
    rows_deg : Tensor, (n_rows,)
        Angle of each row.
    """
    width = difference.shape[-1]
    n = 2 * width
    response = torch.from_numpy(ramp_response(n)).to(difference)
    filtered = torch.fft.irfft(torch.fft.rfft(difference, n=n) * response, n=n)[..., :width]
    beam = ParallelBeam(rows_deg.cpu().numpy(), width)
    image: Tensor = beam.T(filtered[:, 0].permute(1, 2, 0).contiguous())
    return image.abs().mean() * (torch.pi / rows_deg.numel())


def pixel_loss(error: Tensor) -> Tensor:
    """Absolute error, which keeps edges sharp, plus squared error, which PSNR measures."""
    return error.abs().mean() + 4.0 * error.square().mean()


def weigh_examples(start: Tensor, target: Tensor) -> Tensor:
    """Weight of each example: about one over the error of its starting point.

    What counts is then the share of the error that is left, as in decibels. Otherwise the noisy
    examples would outweigh the clean ones a hundredfold, and the network would not learn precision.

    Parameters
    ----------
    start, target : Tensor, (n, 1, h, w)
        What the network corrects, and the truth.

    Returns
    -------
    Tensor, (n, 1, 1, 1)
        One for an example of typical error.
    """
    error = (start - target).square().mean((1, 2, 3), keepdim=True).sqrt()
    return TYPICAL / (error + TYPICAL / 5.0)


def adversarial_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Relativistic loss of a generator from paired patch scores.

    References
    ----------
    N. Huang et al., The GAN is dead; long live the GAN!, NeurIPS 2024.
    """
    return F.softplus(real.detach() - fake).mean()


def adversarial_discriminator(
    discriminator: torch.nn.Module, real: Tensor, fake: Tensor, penalty: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Relativistic loss of the discriminator, with gradient penalties on both sides (R1 and R2).

    Returns
    -------
    tuple of Tensor
        The loss, the mean margin ``D(real) - D(fake)``, and the penalty.
    """
    real = real.detach().requires_grad_(True)
    fake = fake.detach().requires_grad_(True)
    score_real, score_fake = discriminator(real), discriminator(fake)
    slope = torch.zeros((), device=real.device)
    for score, image in ((score_real, real), (score_fake, fake)):
        (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
        slope = slope + gradient.square().sum(dim=(1, 2, 3)).mean()
    margin = (score_real - score_fake).mean()
    loss = F.softplus(score_fake - score_real).mean() + 0.5 * penalty * slope
    return loss, margin, slope
