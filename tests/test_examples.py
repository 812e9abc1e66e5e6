"""Every example runs; the one that drives the dock has its test beside the dock's."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
QUICK = ["--methods", "wbp,sart", "--slices", "30:32"]
ARGUMENTS = {"fill_a_simulated_particle.py": QUICK, "run_with_checks.py": QUICK}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_example_runs(name, tmp_path):
    command = [sys.executable, str(EXAMPLES / name), *ARGUMENTS[name], "-o", str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "sart:" in ran.stdout
    assert len(list((tmp_path / "out").glob("*.mrc"))) == 2


def test_no_example_is_left_out():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*ARGUMENTS, "drive_the_dock.py"}
