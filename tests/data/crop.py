"""Make the small files of this folder from the originals: ``crop.py ORIGINALS`` (see README.md).

Headers and extended headers keep their bytes; only the image size, the cell and the pixels change.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import tifffile
from mrcfile.dtypes import HEADER_DTYPE

HERE = Path(__file__).parent


def cropped_mrc(source: Path, n: int) -> bytes:
    """Keep the middle ``n x n`` pixels of each section of a little-endian 16-bit MRC file."""
    raw = source.read_bytes()
    header = np.frombuffer(raw[:1024], HEADER_DTYPE).copy()[0]
    start = 1024 + int(header["nsymbt"])
    shape = tuple(int(header[name]) for name in ("nz", "ny", "nx"))
    pixels = np.frombuffer(raw, "<u2", offset=start).reshape(shape)
    top, left = (shape[1] - n) // 2, (shape[2] - n) // 2
    for axis in "xy":
        header["cella"][axis] *= n / int(header["m" + axis])
        header["n" + axis] = header["m" + axis] = n
    return (
        header.tobytes()
        + raw[1024:start]
        + np.ascontiguousarray(pixels[:, top : top + n, left : left + n]).tobytes()
    )


def main(originals: Path) -> None:
    """Write every derived file."""
    for number in range(3):
        name = f"test_{number:03}.mrc"
        data = cropped_mrc(originals / "nist_serialem_mdoc" / name, 32)
        (HERE / "nist_serialem" / name).write_bytes(data)
    for name in ("fei1_cropped256.mrc", "fei2_cropped256.mrc"):
        data = cropped_mrc(originals / "fei1_fei2_headers" / name, 32)
        target = HERE / "fei_headers" / f"{name[:4]}.mrc.gz"
        target.write_bytes(gzip.compress(data, mtime=0))
    with tifffile.TiffFile(originals / "cryo_volumes" / "13pf_MT.tif") as tiff:
        metadata = dict(tiff.imagej_metadata or {}, axes="ZYX")
        per_unit, parts = tiff.pages.first.tags["XResolution"].value
        volume = tiff.asarray()[:, 90:114, 40:60]
    tifffile.imwrite(
        HERE / "volumes" / "13pf_MT.tif",
        volume,
        imagej=True,
        metadata={key: metadata[key] for key in ("axes", "unit", "spacing")},
        resolution=(per_unit / parts, per_unit / parts),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
