"""Images that tell nothing about the specimen: blank, lost, blurred, or of something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

from ..io.doubtful_pixels import renew_blank_note
from ..tilt_series import TiltSeries
from .correlation import stretch_to_inner, taper

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Images are binned to about this size to look for bad ones, and to no less than that, where the
#: contrast of a few pixels is not compared.
IMAGE_PX, LEAST_PX = 128, 8
SMOOTH_PX = 2.0  # what is looked at is wider than this; narrower is noise
NEIGHBOURS = 3  # usable images on either side that each image is compared with
#: Below this share of its neighbours' contrast, an image shows nothing.
MIN_CONTRAST = 0.15
#: An image that resembles its neighbours less than this share of what they resemble each other ...
MIN_LIKENESS = 0.45
#: ... where they do: below this correlation the whole series is noise, and nothing stands out.
MIN_COMMON_LIKENESS = 0.3
#: Fine structure below this share of the neighbours' is blur.
MIN_SHARPNESS = 0.35
#: Total intensity outside these shares of the neighbours' is a lost or a doubled beam.
INTENSITY_RANGE = (0.4, 2.5)
SATURATED_SHARE = 0.002
#: A note on images that are noise, or of something else, begins with this.
USELESS_IMAGES = "Images that show nothing of the specimen:"


@dataclass(frozen=True)
class BadImage:
    """One image that had better be left out.

    Attributes
    ----------
    tilt : int
        Its index in the series.
    angle_deg : float
        Its tilt angle.
    reason : str
        What is wrong with it, in plain words.
    is_useless : bool
        True where it shows nothing of the specimen (blank, noise); False where it is only worse
        than the others, which a user may want to keep.
    """

    tilt: int
    angle_deg: float
    reason: str
    is_useless: bool

    @property
    def sentence(self) -> str:
        """Which image it is, and what is wrong with it."""
        return f"Image {self.tilt} at {self.angle_deg:.1f} degrees {self.reason}."


def choose_binning(height: int, width: int) -> int:
    """Choose how many pixels are averaged along each side to look for bad images."""
    most = max(1, min(height, width) // LEAST_PX)
    return min(most, max(1, round(max(height, width) / IMAGE_PX)))


def find_bad_images(
    images: Floats, angles_deg: Doubles, levels: Doubles | None = None
) -> tuple[BadImage, ...]:
    """Find the images that tell nothing about the specimen.

    Parameters
    ----------
    images : ndarray, float32, (n_tilts, h, w)
        Without hot pixels; reduced in size, for speed.
    angles_deg : ndarray, float64, (n_tilts,)
        Tilt angles in degrees, ascending.
    levels : ndarray, float64, (n_tilts,), optional
        Intensity of empty space in each image, if there is any: what lies above it is compared.

    Returns
    -------
    tuple of BadImage
        In the order of the tilts. Each image is compared with its usable neighbours only, since
        contrast and resemblance change slowly with the tilt.
    """
    n_tilts = len(images)
    flat = np.ptp(images, axis=(1, 2)) == 0
    told: dict[int, tuple[str, bool]] = {
        int(k): ("is blank: every pixel has the same value", True) for k in np.flatnonzero(flat)
    }
    if n_tilts - len(told) < 3 or min(images.shape[1:]) < LEAST_PX:
        return _as_bad(told, angles_deg)
    fine, smooth = _structures(images)
    contrast = _structure_above_noise(smooth)
    for tilt in _below(contrast, ~flat, MIN_CONTRAST):
        told[tilt] = ("shows no specimen: the beam was off or the specimen out of the field", True)
    usable = np.array([k not in told for k in range(n_tilts)])
    alike = _likeness(smooth, angles_deg, usable)
    common = float(np.median(alike[usable])) if usable.any() else 0.0
    if common > MIN_COMMON_LIKENESS:
        for k in np.flatnonzero(usable & (alike < MIN_LIKENESS * common)):
            told[int(k)] = ("resembles neither neighbour: another place, or only noise", True)
    usable &= np.array([k not in told for k in range(n_tilts)])
    mass = images.mean(axis=(1, 2), dtype=np.float64)
    mass = mass - levels if levels is not None else mass - images.min()
    low, high = INTENSITY_RANGE
    for tilt, ratio in _against_neighbours(np.abs(mass), usable):
        if ratio < low or ratio > high:
            told[tilt] = (f"has {100 * ratio:.0f} % of its neighbours' intensity", False)
    sharp = np.divide(fine, contrast, out=np.zeros_like(fine), where=contrast > 0)
    if np.median(fine[usable]) > 0:
        for tilt in _below(sharp, usable, MIN_SHARPNESS):
            told.setdefault(tilt, ("is blurred, compared with its neighbours", False))
    return _as_bad(told, angles_deg)


def note_useless_images(bad: Sequence[BadImage]) -> list[str]:
    """Say which images show nothing, as a fill takes them for measurements: a sentence, or none."""
    told = "; ".join(f"{one.tilt} ({one.angle_deg:.1f} degrees) {one.reason}" for one in bad)
    if not told:
        return []
    return [
        f"{USELESS_IMAGES} {told}. A fill takes them for measurements; wedgefill prepare leaves "
        "them out (in napari, the button below the angles)."
    ]


def renew_image_notes(series: TiltSeries) -> TiltSeries:
    """Return a series of which images were left out with notes on those that are still there.

    Images that show nothing were left out, or someone who was told of them keeps them.
    """
    kept = tuple(note for note in series.warnings if not note.startswith(USELESS_IMAGES))
    return renew_blank_note(replace(series, warnings=kept))


def find_saturated_tilts(images: Floats) -> list[int]:
    """Images in which a plateau of pixels shares the highest value: the detector was saturated."""
    found: list[int] = []
    if min(images.shape[1:]) < 2:
        return found  # a plateau is as high as it is wide
    for tilt, image in enumerate(images):
        top = image == image.max()
        # Each pixel of a plateau touches others; the brightest pixels of an image do not.
        touching = top[1:, 1:] & top[:-1, 1:] & top[1:, :-1] & top[:-1, :-1]
        if np.ptp(image) > 0 and touching.mean() > SATURATED_SHARE and top.mean() < 0.5:
            found.append(tilt)
    return found


def _as_bad(told: dict[int, tuple[str, bool]], angles_deg: Doubles) -> tuple[BadImage, ...]:
    return tuple(
        BadImage(tilt, float(angles_deg[tilt]), reason, useless)
        for tilt, (reason, useless) in sorted(told.items())
    )


def _structures(images: Floats) -> tuple[Doubles, Floats]:
    """Strength of each image's fine structure above noise, and the images without noise."""
    smooth = np.empty_like(images)
    fine = np.empty(len(images))
    for tilt, image in enumerate(images):
        smooth[tilt] = gaussian_filter(image, SMOOTH_PX)
        band = gaussian_filter(image, SMOOTH_PX / 2) - smooth[tilt]
        # White noise of the standard deviation s leaves 0.18 s in this band; neighbours tell s.
        noise = float(np.median(np.abs(np.diff(image, axis=1)))) * 1.4826 / np.sqrt(2.0)
        fine[tilt] = np.sqrt(max(float(band.var(dtype=np.float64)) - (0.18 * noise) ** 2, 0.0))
    return fine, smooth


def _structure_above_noise(smooth: Floats) -> Doubles:
    """Range of each smoothed image between its 1 % and 99 % quantiles."""
    low, high = np.quantile(smooth, [0.01, 0.99], axis=(1, 2))
    return np.asarray(high - low, np.float64)


def _against_neighbours(values: Doubles, usable: NDArray[np.bool_]) -> list[tuple[int, float]]:
    """Each usable image's value over the median of its usable neighbours'."""
    places = np.flatnonzero(usable)
    ratios = []
    for k, tilt in enumerate(places):
        around = np.r_[places[max(0, k - NEIGHBOURS) : k], places[k + 1 : k + 1 + NEIGHBOURS]]
        usual = float(np.median(values[around])) if around.size else 0.0
        ratios.append((int(tilt), float(values[tilt]) / usual if usual > 0 else 1.0))
    return ratios


def _below(values: Doubles, usable: NDArray[np.bool_], share: float) -> list[int]:
    return [tilt for tilt, ratio in _against_neighbours(values, usable) if ratio < share]


def _likeness(smooth: Floats, angles_deg: Doubles, usable: NDArray[np.bool_]) -> Doubles:
    """Best correlation of each usable image with a usable neighbour, at any displacement."""
    weights = taper(smooth.shape[1:])
    places = np.flatnonzero(usable)
    pairs = np.zeros(max(len(places) - 1, 0))
    for k, (first, second) in enumerate(pairwise(places)):
        inner, outer = sorted((first, second), key=lambda tilt: abs(angles_deg[tilt]))
        wide = stretch_to_inner(smooth[outer], float(angles_deg[inner]), float(angles_deg[outer]))
        pairs[k] = _peak_correlation(smooth[inner], wide, weights)
    alike = np.zeros(len(usable))
    alike[places] = np.fmax(np.r_[0.0, pairs], np.r_[pairs, 0.0])
    # An end's only neighbour may be the bad one of the two: nothing can be said against it.
    for end, next_to_it in ((0, 1), (-1, -2)) if len(places) > 2 else ():
        if alike[places[next_to_it]] < MIN_LIKENESS * np.median(alike[places]):
            alike[places[end]] = np.median(alike[places])
    return alike


def _peak_correlation(first: Floats, second: Floats, weights: Floats) -> float:
    """Highest normalised cross-correlation of two images (h, w) at any displacement."""
    shape = [next_fast_len(int(1.5 * n), real=True) for n in first.shape]
    spectra = []
    for image in (first, second):
        centred = (image - np.average(image, weights=weights)) * weights
        norm = float(np.sqrt((centred**2).sum()))
        spectra.append(rfft2(centred / max(norm, 1e-30), shape))
    return float(irfft2(spectra[0] * np.conj(spectra[1]), shape).max())
