"""What measures the methods, and what prints the pages of figures: see README.md in this folder."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
#: Printed pages, with the figures that each is rendered from.
MEASURED = DOCS / "measured"


def begin_figures(model: Any) -> dict[str, Any]:
    """Begin the figures of a page: which model (`ModelInfo`) they are of, and no row yet."""
    return {"model": model.name, "refinement_sha256": model.sha256["refinement"], "rows": []}


def write_page(page: Path, text: str, figures: Any) -> None:
    """Write a page, and beside it the figures that it was rendered from."""
    page.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    page.write_text(text, encoding="utf-8")
