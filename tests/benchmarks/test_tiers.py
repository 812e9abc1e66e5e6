"""The page of a tier says what it gains over the default model."""

import json

from benchmarks import MEASURED
from benchmarks.quality import tiers


def write(path, gan_db, electrons=(400.0,)):
    figures = {figure.key: 0.5 for figure in tiers.FIGURES}
    methods = {tiers.GAN: figures | {"psnr": gan_db}, tiers.TUNED: figures | {"psnr": 30.0}}
    families = dict.fromkeys(tiers.GROUPS["all"], methods)
    shared = {"width": 128, "missing_deg": 60.0, "step_deg": 2.0, "objects_a_family": 4}
    each = [shared | {"electrons": e, "families": families} for e in electrons]
    path.write_text(json.dumps({"conditions": each}))


def test_only_what_both_were_measured_under_is_compared(tmp_path):
    write(tmp_path / "quality.json", 31.0, electrons=(None, 400.0))
    write(tmp_path / "quality-small.json", 31.5)
    (tmp_path / "speed.json").write_text((MEASURED / "speed.json").read_text())
    page = tiers.render("small", tmp_path)
    assert "under the same 1 conditions" in page
    assert "| PSNR (dB) | 31.00 / 31.50 |" in page
    assert "| 128 | 60° | 2° | 400 | +1.00 | +1.50 | +0.50 | +1.00 | +1.50 | +0.50 |" in page
    assert "noise-free" not in page
