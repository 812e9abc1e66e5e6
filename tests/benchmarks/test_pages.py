"""Every printed page is what its program makes of its figures: no word or digit by hand."""

import json

import pytest

from benchmarks import DOCS, MEASURED
from benchmarks.gpu import page as gpu_page
from benchmarks.quality import (
    ablation,
    alignment,
    atoms,
    check,
    counts,
    hallucination,
    intensities,
    outside_field,
    read_by_others,
    report,
    tiers,
    trust_calibration,
)
from benchmarks.reliability import page as reliability_page
from benchmarks.speed import batch, opening, window_blocks
from benchmarks.speed import page as speed_page


def read(name):
    return json.loads((MEASURED / f"{name}.json").read_text("utf-8"))


RENDERED = {
    "batch": lambda: batch.render(read("batch")),
    "speed": lambda: speed_page.render(read("speed")),
    "quality": lambda: report.render(read("quality"), "images/quality.png"),
    "quality-large": lambda: report.render(read("quality-large"), None),
    "alignment": lambda: alignment.render(read("alignment")),
    "check": lambda: check.render(read("check")),
    "tiers": lambda: tiers.render("large", MEASURED),
    "ablation": lambda: ablation.render(read("ablation")),
    "hallucination": lambda: hallucination.render(read("hallucination")),
    "hallucination-large": lambda: hallucination.render(read("hallucination-large")),
    "reliability": lambda: reliability_page.render(read("reliability")),
    "read-by-others": lambda: read_by_others.render(read("read-by-others")),
    "window-blocks": lambda: window_blocks.render(read("window-blocks")),
    "opening": lambda: opening.render(read("opening")),
    "atoms": lambda: atoms.render(read("atoms")),
    "counts": lambda: counts.render(read("counts")),
    "intensities": lambda: intensities.render(read("intensities")),
    "outside-field": lambda: outside_field.render(read("outside-field")),
}


def test_every_printed_page_is_checked():
    assert {path.stem for path in MEASURED.glob("*.md")} == set(RENDERED)


@pytest.mark.parametrize("name", RENDERED)
def test_a_page_is_rendered_from_its_figures(name):
    assert (MEASURED / f"{name}.md").read_text("utf-8") == RENDERED[name]()


@pytest.mark.parametrize("name", gpu_page.TABLES)
def test_a_table_of_the_cuda_page_is_rendered_from_its_figures(name):
    page = (DOCS / "cuda.md").read_text("utf-8")
    assert f"<!-- begin {name} -->\n{gpu_page.TABLES[name](read(name))}\n<!-- end {name}" in page


@pytest.mark.parametrize(
    ("name", "marks"),
    [("trust", trust_calibration.MARKS), ("trust-smooth", trust_calibration.SMOOTH_MARKS)],
)
def test_a_table_of_the_trust_page_is_rendered_from_its_figures(name, marks):
    begin, end = marks
    table = trust_calibration.render(read(name))
    assert f"{begin}\n\n{table}\n\n{end}" in (DOCS / "trust.md").read_text("utf-8")
