"""Results on disk, each under what it depends on: code, condition, model."""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import napari_wedgefill
from napari_wedgefill.joint_model.registry import ModelInfo

_PACKAGE = Path(napari_wedgefill.__file__).parent
_HERE = Path(__file__).parent
#: What the methods without a network depend on; the network also depends on `joint_model`
#: and `pipeline`.
_CLASSICAL = (
    *("geometry.py", "normalise.py", "projector", "reconstruct", "trust/metrics.py"),
    *("joint_model/contract.py", "methods", "pipeline/options.py", "pipeline/session.py"),
    *("training/frames.py", "training/phantoms.py", "training/acquisition.py"),
)
_REAL = ("prepare", "io")


def fingerprint(paths: Iterable[Path]) -> str:
    """Hash of what Python files say: comments and layout do not count."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(ast.dump(ast.parse(file.read_text(encoding="utf-8"))).encode())
    return digest.hexdigest()


class Cache:
    """A folder of results.

    Parameters
    ----------
    folder : Path
        Made when the first result is kept.
    model : ModelInfo
        Its hashes are part of what the network's results depend on.
    checkout : Path, optional
        Of another commit, whose results are meant.
    """

    def __init__(self, folder: Path, model: ModelInfo, checkout: Path | None = None) -> None:
        self.folder = folder
        package = checkout / "src" / _PACKAGE.name if checkout else _PACKAGE
        beside = checkout / "benchmarks" / "quality" if checkout else _HERE
        here = [beside / f"{module}.py" for module in ("simulate", "measures", "methods")]
        real = [package / name for name in _REAL] + [beside / "real.py", beside / "tooth.py"]
        self._code = {
            "classical": fingerprint([package / name for name in _CLASSICAL] + here),
            "network": fingerprint([package / "joint_model", package / "pipeline"]),
            "real": fingerprint(real),
        }
        self._model = {"classical": {}, "network": dict(model.sha256)}

    def path(self, name: str, part: str, depends_on: Any = None, *, real: bool = False) -> Path:
        """File of one result; `part` is "classical" or "network"."""
        parts = ["classical"] if part == "classical" else ["classical", "network"]
        code = [self._code[p] for p in parts] + ([self._code["real"]] if real else [])
        key = json.dumps([name, code, self._model[part], depends_on], sort_keys=True)
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return self.folder / f"{name}_{part}_{digest}.json"

    def get(self, path: Path) -> Any:
        """Return a kept result, or None."""
        return json.loads(path.read_text()) if path.is_file() else None

    def get_or(self, path: Path, compute: Callable[[], Any]) -> Any:
        """Return a kept result, or compute and keep it; it appears only when complete."""
        found = self.get(path)
        if found is not None:
            return found
        start = time.monotonic()
        found = compute()
        self._keep(path, found)
        print(f"  {path.stem}: {time.monotonic() - start:.0f} s", flush=True)
        return found

    def complete(
        self, paths: Mapping[str, Path], compute: Callable[[list[str]], list[dict[str, Any]]]
    ) -> None:
        """Compute at once the rows of all families that are not kept, and keep each by itself."""
        missing = [family for family, path in paths.items() if not path.is_file()]
        if not missing:
            return
        start = time.monotonic()
        rows = compute(missing)
        for family in missing:
            self._keep(paths[family], [row for row in rows if row["family"] == family])
        print(f"  {', '.join(missing)}: {time.monotonic() - start:.0f} s", flush=True)

    def _keep(self, path: Path, found: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(found))
        beside.replace(path)
