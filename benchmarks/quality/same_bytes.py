"""Whether a change of the code changes results: the volumes of `wedgefill demo` from two checkouts.

Run from the root of the checkout that was changed, with the folder of the unchanged one::

    python -m benchmarks.quality.same_bytes OLD

Runs the demonstration of either checkout with this Python (about five minutes each on two cores),
prints the SHA-256 of every volume, and ends with status 1 unless each is the same to the byte.
With ``--kept FOLDER`` the old checkout's volumes are kept there and taken from there the next time,
for it does not change. Both must run on the same machine: processors round differently.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def run_demo(checkout: Path, folder: Path) -> None:
    """Write the volumes that the code of a checkout makes of the demonstration's series."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    command = [sys.executable, "-m", "napari_wedgefill.cli", "demo", "-o", str(folder)]
    subprocess.run([*command, "--no-window"], check=True, env=environment, cwd=folder)


def hash_volumes(folder: Path) -> dict[str, str]:
    """SHA-256 of every volume in a folder, by file name."""
    paths = sorted(folder.glob("*.mrc"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def compare(old: dict[str, str], new: dict[str, str]) -> bool:
    """Print both hashes of every volume; return whether all are equal and none is missing."""
    for name in sorted({*old, *new}):
        hashes = old.get(name, "missing"), new.get(name, "missing")
        same = hashes[0] == hashes[1]
        print(f"{name}: {hashes[0]} {'the same' if same else f'but now {hashes[1]}'}")
    return bool(old) and old == new


def main() -> int:
    """Run both and say whether their volumes are the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="folder of the unchanged checkout")
    parser.add_argument("--kept", type=Path, help="keep the old volumes here, and use them again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        old, new = given.kept or Path(folder, "old"), Path(folder, "new")
        old.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        if not hash_volumes(old):
            run_demo(given.old.resolve(), old.resolve())
        run_demo(HERE, new)
        is_same = compare(hash_volumes(old), hash_volumes(new))
    print("All volumes are the same to the byte." if is_same else "The volumes differ.")
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
