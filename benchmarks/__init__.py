"""What measures the methods, and what prints the pages of figures: see README.md in this folder."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
#: Printed pages, with the figures that each is rendered from.
MEASURED = DOCS / "measured"
