"""From raw tilts to a series worth filling: every step optional, recorded, and repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..io.doubtful_pixels import DARK_SPECIMEN, HOT_PIXELS
from ..progress import Progress
from ..tilt_series import MIN_TILTS, TiltSeries
from .background import estimate_background
from .bad_images import BadImage, renew_image_notes
from .cleaning import estimate_tilt_offset, even_intensities, subtract_plane, turn_into_thickness
from .coarse import iter_align
from .flaws import judge_images
from .measured_extents import Inside, find_inside
from .options import CleanOptions, PrepareOptions, RegionOptions
from .outcome import Found, Prepared, PrepareReport, make_table
from .pose import Binned, Pose
from .report import Aligned, AlignmentReport
from .spikes import Spikes, iter_replace_spikes

Doubles = NDArray[np.float64]

SAME_ANGLE_DEG = 0.5  # two series are of the same tilts if no angle differs by more
MAX_OFFSET_ERROR_DEG = 1.0


def prepare_series(
    series: TiltSeries, options: PrepareOptions | None = None, like: Found | None = None
) -> Prepared:
    """Prepare a series: crop, clean, leave out bad images, correct angles, align.

    Parameters
    ----------
    series : TiltSeries
        As it was read.
    options : PrepareOptions, optional
        What to do; spikes, useless images and alignment by default.
    like : Found, optional
        Take images, angles and shifts from this, found on another signal of the same tilts.

    Raises
    ------
    WedgefillError
        If an option does not fit the series, or too few images are left.
    """
    for item in iter_prepare(series, options, like):
        if isinstance(item, Prepared):
            return item
    raise AssertionError("iter_prepare ends with its result")


def iter_prepare(
    series: TiltSeries, options: PrepareOptions | None = None, like: Found | None = None
) -> Iterator[Progress | Prepared]:
    """Prepare as `prepare_series`, yielding progress; the last item is the result.

    Closing the generator cancels.
    """
    options = PrepareOptions() if options is None else options
    told: list[str] = []
    all_angles_deg = series.angles_deg
    if like is None:
        options = leave_out_padding(series, options, told)
    series = take_region(series, options.region, told)
    yield Progress("Looking for hot pixels", 0.0)
    images = series.array()
    spikes: Spikes | None = None
    for step in iter_replace_spikes(images):
        if isinstance(step, Spikes):
            spikes = step
        else:
            yield Progress("Looking for hot pixels", 0.05 * step)
    assert spikes is not None
    if options.clean.spikes:
        images = spikes.images
        told += [spikes.sentence] * bool(spikes.sentence)
    yield Progress("Looking for bad images", 0.05)
    bad = judge_images(spikes.images, series, told)
    kept = (
        choose_images(series, options, bad, told) if like is None else _take_kept_from(series, like)
    )
    reasons = {each.tilt: each.reason for each in bad}
    series = replace(renew_image_notes(series.tilts(kept)), images=images[kept])
    series, kept = correct_angles(series, kept, options, told, like)
    series = clean_intensities(series, options, told)
    alignment: AlignmentReport | None = None
    residuals: Doubles | None = None
    pose = Pose(np.zeros((series.n_tilts, 2)), series.axis_shift_px)
    if like is not None:
        pose = like.pose
        series = move_images(series, pose)
        told.append(like.sentence)
    elif options.align:
        for item in iter_align(series, options.shifts_by):
            if isinstance(item, Aligned):
                series, alignment = item.series, item.report
            else:
                yield replace(item, fraction=0.1 + 0.85 * item.fraction)
        assert alignment is not None
        told.append(alignment.sentence)
        reasons |= {int(kept[each.tilt]): each.reason for each in alignment.left_out}
        kept = kept[alignment.kept]
        residuals = alignment.residual_by_tilt
        pose = Pose(-alignment.shifts_px, alignment.axis_shift_px, alignment.axis_rotation_deg)
    yield Progress("Evening the intensities", 0.95)
    if options.clean.even_intensity:
        rows = pose.find_measured_rows(series.height, series.width)
        series = _even_intensities(series, rows, told)
    found = Found(kept, series.angles_deg, pose, all_angles_deg, (series.height, series.width))
    table = make_table(found, residuals, reasons)
    report = PrepareReport(options, tuple(told), table, alignment, found)
    sources = {**series.sources, "preparation": " ".join(told)}
    series = drop_mended_notes(replace(series, sources=sources), options.clean)
    yield Prepared(series, report)


def drop_mended_notes(series: TiltSeries, clean: CleanOptions) -> TiltSeries:
    """Return the series without the warnings of what cleaning mends."""
    is_turned = clean.bright_field or clean.invert
    warnings = tuple(
        note
        for note in series.warnings
        if not (note == DARK_SPECIMEN and is_turned)
        and not (note.startswith(HOT_PIXELS) and clean.spikes)
    )
    return replace(series, warnings=warnings)


def leave_out_padding(
    series: TiltSeries, options: PrepareOptions, told: list[str]
) -> PrepareOptions:
    """Return options that use only what was measured, unless they say which part to use.

    The edges of padding stay where they are in every image, and an alignment would follow them.
    """
    region = options.region
    if region.rows is not None or region.columns is not None:
        return options
    inside = find_inside(series)
    if inside is None:
        return options
    told.append("The images were padded to a larger size; only what was measured is used.")
    return replace(options, region=replace(region, rows=inside.rows, columns=inside.columns))


def take_region(series: TiltSeries, region: RegionOptions, told: list[str]) -> TiltSeries:
    """Crop and bin; the tilt axis stays where it is in the object.

    Raises
    ------
    WedgefillError
        If the region lies outside the images or is empty.
    """
    for name, part, length in (
        ("rows", region.rows, series.height),
        ("columns", region.columns, series.width),
    ):
        if part is not None and not 0 <= part[0] < part[1] <= length:
            raise WedgefillError(
                f"{series.name}: {name} {part[0]}:{part[1]} were asked for, but it has {length}; "
                f"choose 0 <= start < stop <= {length}."
            )
    if region.rows is not None or region.columns is not None:
        y, x = region.rows or (0, series.height), region.columns or (0, series.width)
        series = Inside(y, x).cut(series)
        told.append(f"Rows {y[0]}:{y[1]} and columns {x[0]}:{x[1]} were cut out.")
    if region.bin != 1:
        series = series.binned(region.bin)
        told.append(f"{region.bin} x {region.bin} pixels were averaged.")
    return series


def leave_in_place(series: TiltSeries, options: PrepareOptions) -> Found:
    """Return what a preparation finds that moves no image: where an axis set by hand begins."""
    told: list[str] = []
    all_angles_deg = series.angles_deg
    series = take_region(series, options.region, told)
    kept = choose_images(series, options, (), told)
    series, kept = correct_angles(series.tilts(kept), kept, options, told, None)
    pose = Pose(np.zeros((series.n_tilts, 2)), series.axis_shift_px)
    return Found(kept, series.angles_deg, pose, all_angles_deg, (series.height, series.width))


def choose_images(
    series: TiltSeries, options: PrepareOptions, bad: tuple[BadImage, ...], told: list[str]
) -> NDArray[np.int64]:
    """Indices of the images to use.

    Raises
    ------
    WedgefillError
        If an image that does not exist is to be left out, or too few are left.
    """
    asked = options.tilts
    _check_numbers(series, asked.leave_out)
    out = set(asked.leave_out)
    if asked.leave_out:
        numbers = ", ".join(map(str, sorted(out)))
        told.append(f"Left out by hand: {numbers}.")
    for each in bad:
        if (each.is_useless and asked.leave_out_useless) or asked.leave_out_worse:
            out.add(each.tilt)
            told.append(f"{each.sentence[:-1]}; it was left out.")
        else:
            told.append(f"{each.sentence[:-1]}; consider leaving it out.")
    if series.n_tilts - len(out) < MIN_TILTS:
        raise WedgefillError(
            f"{series.name}: {series.n_tilts - len(out)} of {series.n_tilts} images are left after "
            f"leaving out the bad ones; at least {MIN_TILTS} are needed."
        )
    return np.setdiff1d(np.arange(series.n_tilts), np.array(sorted(out), np.int64))


def _check_numbers(series: TiltSeries, tilts: tuple[int, ...]) -> None:
    for tilt in tilts:
        if not 0 <= tilt < series.n_tilts:
            raise WedgefillError(
                f"{series.name}: there is no image {tilt}; they are numbered from 0 to "
                f"{series.n_tilts - 1}."
            )


def _take_kept_from(series: TiltSeries, like: Found) -> NDArray[np.int64]:
    """Return the images that the other series kept.

    Raises
    ------
    WedgefillError
        If the two series are not of the same tilts and size.
    """
    if len(like.all_angles_deg) != series.n_tilts:
        raise WedgefillError(
            f"{series.name}: it has {series.n_tilts} tilts, but the series whose shifts are to be "
            f"applied has {len(like.all_angles_deg)}; they must be of the same tilts."
        )
    wrong = np.abs(like.all_angles_deg - series.angles_deg)
    if wrong.max() > SAME_ANGLE_DEG:
        raise WedgefillError(
            f"{series.name}: its angles differ by up to {wrong.max():.1f} degrees from those of "
            f"the series whose shifts are to be applied; they must be of the same tilts."
        )
    if (series.height, series.width) != like.shape:
        raise WedgefillError(
            f"{series.name}: it has {series.height} x {series.width} pixels after cropping and "
            f"binning, but the shifts were found at {like.shape[0]} x {like.shape[1]}."
        )
    return like.kept


def correct_angles(
    series: TiltSeries,
    kept: NDArray[np.int64],
    options: PrepareOptions,
    told: list[str],
    like: Found | None,
) -> tuple[TiltSeries, NDArray[np.int64]]:
    """Correct angles, add or estimate the offset, and sort anew; returns the sorted `kept` too."""
    if like is not None:
        return replace(series, angles_deg=like.angles_deg), kept
    angles = series.angles_deg.copy()
    for tilt, angle in options.tilts.corrected_deg:
        place = np.flatnonzero(kept == tilt)
        if not place.size:
            raise WedgefillError(
                f"{series.name}: the angle of image {tilt} is to be corrected, but that image is "
                f"not used."
            )
        told.append(f"The angle of image {tilt} was set to {angle:.2f} degrees.")
        angles[place] = angle
    offset = options.tilts.offset_deg
    if options.tilts.estimate_offset:
        offset += _estimate_offset(series, angles, told)
    if offset:
        told.append(f"{offset:+.2f} degrees were added to every angle.")
        angles = angles + offset
    order = np.argsort(angles, kind="stable")
    images = series.array()[order]
    file_order = None if series.file_order is None else series.file_order[order]
    return (
        replace(series, images=images, angles_deg=angles[order], file_order=file_order),
        kept[order],
    )


def _estimate_offset(series: TiltSeries, angles_deg: Doubles, told: list[str]) -> float:
    estimated = estimate_tilt_offset(series.array(), angles_deg)
    if estimated is None or estimated[1] > MAX_OFFSET_ERROR_DEG:
        told.append(
            "The tilt offset was not estimated: only a film or lamella that fills the field shows "
            "it, and the intensities do not follow such a one."
        )
        return 0.0
    told.append(f"The film's intensity asks for {estimated[0]:+.1f} +- {estimated[1]:.1f} degrees.")
    return estimated[0]


def clean_intensities(series: TiltSeries, options: PrepareOptions, told: list[str]) -> TiltSeries:
    """Bright field to thickness, inversion, plane: those that were asked for, in this order."""
    return replace(series, images=_clean_images(series.array(), options.clean, told))


def clean_one_image(
    images: NDArray[np.float32], place: int, clean: CleanOptions
) -> tuple[NDArray[np.float32], str]:
    """Show what cleaning does to one image of a series, (h, w), with a sentence of what was done.

    Parameters
    ----------
    images : ndarray, float32, (n, h, w)
        The image and some neighbours, from which the level of empty space is taken.
    place : int
        Index of the image in them.
    clean : CleanOptions
        What to do. The beam is not evened: that takes aligned images.
    """
    told: list[str] = []
    images = np.asarray(images, np.float32)
    if clean.spikes:
        *_, spikes = iter_replace_spikes(images[place : place + 1])
        assert isinstance(spikes, Spikes)
        images = images.copy()
        images[place] = spikes.images[0]
        told.append(f"{int(spikes.per_tilt[0])} hot, dead or X-ray pixels in this image.")
    cleaned = _clean_images(images, clean, told)
    return cleaned[place], " ".join(told)


def _clean_images(
    images: NDArray[np.float32], clean: CleanOptions, told: list[str]
) -> NDArray[np.float32]:
    if clean.bright_field:
        images, incident = turn_into_thickness(images)
        told.append(
            f"Bright field was turned into -log(I / I0), with I0 between {incident.min():.4g} and "
            f"{incident.max():.4g}."
        )
    if clean.invert:
        images = np.float32(images.max()) - images
        told.append("The images were inverted.")
    if clean.plane:
        images = subtract_plane(images)
        told.append("A plane fitted to the empty space of each image was subtracted.")
    return images


def move_images(series: TiltSeries, pose: Pose) -> TiltSeries:
    """Move images as a pose says, so that the tilt axis is in the middle, in one interpolation."""
    images = Binned.of(series.array(), 1).align(pose)
    return replace(series, images=images, axis_shift_px=0.0)


def _even_intensities(series: TiltSeries, rows: tuple[int, int], told: list[str]) -> TiltSeries:
    images, factors = even_intensities(series.array(), estimate_background(series.array()), rows)
    if np.all(factors == 1.0):
        told.append(
            "The intensities were not evened: the object leaves the field, or no empty space is "
            "seen beside it."
        )
    else:
        told.append(
            f"The images were scaled by {factors.min():.3f} to {factors.max():.3f}, so that the "
            f"object's total intensity is the same at every tilt."
        )
    return replace(series, images=images)
