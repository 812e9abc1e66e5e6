"""The benchmarks of speed run, and put what they measured into the page."""

import json

from benchmarks.speed import fill, page


def test_a_fill_is_timed_by_method_and_put_into_the_page(tmp_path):
    figures = fill.fill(tmp_path, 2, 32)
    assert [row["what"] for row in figures["rows"]] == ["wbp", "sart", "tvm", "gan", "all"]
    parts = [row["wall_s"] for row in figures["rows"]]
    assert 0 < sum(parts[:-1]) <= parts[-1]
    out = tmp_path / "speed.md"
    box = {"z": [8, 24], "y": [0, 2], "x": [4, 28]}
    more = {"gan_s_of": {"huge": 77.7}, "boxed": {"box": box, "wall_s": 5.2}}
    page.record("fill", figures | more, out)
    assert "| all | " in out.read_text()
    assert "With the huge model `gan` takes 78 s." in out.read_text()
    assert "In the box of the specimen, 16 x 24 pixels a slice," in out.read_text()
    assert json.loads(out.with_suffix(".json").read_text())["fill"]["slices"] == 2
