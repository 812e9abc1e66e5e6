"""The one way out: a volume or a tilt series to a file, in the format that its name asks for."""

from __future__ import annotations

from pathlib import Path

from ..atomic import refuse_to_replace, write_beside
from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from ..volume import Volume
from .formats import Format, check_installed, format_of, is_image_file, list_written_suffixes, load
from .sidecars import DERIVED, without_compression

#: What a .tlt beside them would be taken for: images whose names begin alike.
SIDECAR = ".tlt"


def write_volume(
    path: str | Path, volume: Volume, *, overwrite: bool = False, mode: int = 2
) -> Path:
    """Write a volume with its voxel size, its place, its history and the tilts behind it.

    Parameters
    ----------
    path : path
        Its suffix says in which format: MRC (.mrc .rec .map ...), TIFF (.tif .tiff), EMD (.emd) or
        OME-Zarr (.zarr).
    volume : Volume
        Its `history` becomes the labels of an MRC file, at most ten of 80 ASCII characters.
    overwrite : bool
        Replace what lies at `path`; without it that is refused.
    mode : {2, 1, 6, 12}
        Of an MRC file: float32, int16, uint16 or float16. Values that do not fit are scaled, and a
        label says how; reading the file gives them back.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    WedgefillError
        If the name does not fit, the file is there already, or the place cannot be written; nothing
        half-written is left.
    """
    path = Path(path)
    target = check_target(path, overwrite=overwrite, mode=mode)
    with write_beside(path, as_folder=target.is_folder) as temporary:
        load(target.volume_writer)(temporary, volume, mode)
    return path


def write_tilt_series(
    path: str | Path, series: TiltSeries, *, overwrite: bool = False, mode: int = 2
) -> Path:
    """Write a tilt series with its angles, its pixel size and the position of its tilt axis.

    The angles are in the file itself (an MRC file: a SerialEM extended header, which holds
    hundredths of a degree). MRC and TIFF files get a .tlt beside them as well: ``x.tlt``, or
    ``x.mrc.tlt`` where ``x.tlt`` is there already or would be taken for that of other images.

    Parameters
    ----------
    path, overwrite, mode
        As for `write_volume`.
    series : TiltSeries
        What to write.

    Returns
    -------
    Path
        Of the images.

    Raises
    ------
    WedgefillError
        As for `write_volume`.
    """
    path = Path(path)
    target = check_target(path, overwrite=overwrite, mode=mode)
    if not target.has_angle_file:
        with write_beside(path, as_folder=target.is_folder) as temporary:
            load(target.series_writer)(temporary, series, mode)
        return path
    angle_path = _angle_file(path)
    refuse_to_replace(angle_path, overwrite=overwrite)
    # Leaving in reverse order, the angles are in place before the images that need them.
    with write_beside(path) as stack, write_beside(angle_path) as angles:
        load(target.series_writer)(stack, series, mode)
        angles.write_text("".join(f"{angle:10.4f}\n" for angle in series.angles_deg), "ascii")
    return path


def check_target(path: str | Path, *, overwrite: bool = False, mode: int = 2) -> Format:
    """Refuse a place that nothing can be written to, before time is spent on computing.

    Returns
    -------
    Format
        What the name asks for.

    Raises
    ------
    WedgefillError
        If the suffix is none that is written, the folder is missing, or a file is in the way.
    """
    path = Path(path)
    target = format_of(path)
    if target is None or not target.is_written:
        raise WedgefillError(
            f"{path.name}: results are written as {' '.join(list_written_suffixes())}; give a name "
            f"that ends in one of these, such as {path.stem}.mrc."
        )
    if mode != 2 and target.name != "MRC":
        raise WedgefillError(
            f"{path.name}: the mode {mode} is one of MRC files; {target.name} files hold float32."
        )
    check_installed(path, target)
    if not path.parent.is_dir():
        raise WedgefillError(f"{path}: the folder {path.parent} does not exist; make it first.")
    if path.is_dir() and not target.is_folder:
        raise WedgefillError(f"{path}: this is a folder; give the name of a file in it.")
    refuse_to_replace(path, overwrite=overwrite)
    return target


def _angle_file(path: Path) -> Path:
    """Name the .tlt of a stack such that nobody else's angles are replaced or outvoted.

    ``x.tlt`` is read for ``x.mrc``, ``x.st`` and ``x.tif`` alike; ``x.mrc.tlt`` comes before it and
    is read for ``x.mrc`` alone.
    """
    short, own = path.with_suffix(SIDECAR), path.with_name(path.name + SIDECAR)
    if own.exists() or (short.exists() and not path.exists()):
        return own
    others = (file for file in path.parent.iterdir() if file.name != path.name)
    is_shared = any(path.stem in _stems(file) for file in others if is_image_file(file))
    return own if is_shared else short


def _stems(file: Path) -> set[str]:
    """Return the names whose angle files are read for an image file."""
    stem = without_compression(file).stem
    return {stem, *(stem.removesuffix(end) for end in DERIVED)}
