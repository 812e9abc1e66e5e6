"""What the README and the documentation print can be run: Python, command lines, files, links."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from napari_wedgefill.cli import build_parser
from napari_wedgefill.commands import COMMANDS
from napari_wedgefill.io import read_volume, write_tilt_series
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
PAGES += sorted(ROOT.glob("docs/**/*.md"))
PAGES += sorted(ROOT.glob("models/**/README.md"))
WIDTH, HEIGHT = 32, 8
#: Commands that hand what follows to a parser of the training room.
TRAINING = ("simulate", "train", "export")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_blocks() -> list:
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.M)
        found += [pytest.param(code, id=f"{name_of(page)}-{i}") for i, code in enumerate(blocks)]
    return found


def command_lines() -> list:
    """Indented and fenced lines that begin with wedgefill, each once."""
    found: dict[str, str] = {}
    for page in PAGES:
        for line in re.findall(r"^(?: {4,})?(wedgefill .*)$", page.read_text("utf-8"), re.M):
            found.setdefault(line, name_of(page))
    return [pytest.param(line, id=f"{name}: {line}") for line, name in found.items()]


@pytest.fixture
def folder_with_tilts(tmp_path, monkeypatch):
    """Work in a folder that holds tilts.mrc, a small ellipse."""
    monkeypatch.chdir(tmp_path)
    z, x, _ = np.mgrid[-WIDTH // 2 : WIDTH // 2, -WIDTH // 2 : WIDTH // 2, :HEIGHT]
    angles = np.arange(-60.0, 61.0, 6.0)
    images = ParallelBeam(angles, WIDTH)(np.float32((z / 6) ** 2 + (x / 10) ** 2 < 1))
    series = TiltSeries.from_arrays(images.transpose(0, 2, 1), angles, pixel_nm=0.5)
    write_tilt_series(Path("tilts.mrc"), series)
    return tmp_path


@pytest.mark.parametrize("code", python_blocks())
def test_the_python_runs(code, folder_with_tilts):
    exec(compile(code, "documentation", "exec"), {})
    for path in folder_with_tilts.glob("*_gan.mrc"):
        depth, _, width = read_volume(path).data.shape
        assert (depth, width) == (WIDTH, WIDTH)


def test_the_readme_and_the_api_page_hold_python():
    ids = [block.id for block in python_blocks()]
    assert "README.md-0" in ids
    assert sum(name.startswith("docs/api.md") for name in ids) >= 4


def test_no_python_hides_from_the_test():
    """Blocks that are only indented, or marked in another way, would not be run."""
    for page in PAGES:
        text = re.sub(r"^```python\n.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.M)
        hidden = re.findall(r"^ {4,}(?:import \w+|from \w[\w.]* import .*|>>> .*)$", text, re.M)
        assert not hidden, name_of(page)
        assert not re.search(r"^```(?:py|pycon|python3)\b", text, re.M | re.I), name_of(page)


class Understood(Exception):
    """The arguments were parsed; the command is not to run."""


@pytest.mark.parametrize("line", command_lines())
def test_the_command_line_is_understood(line, monkeypatch, capsys):
    words = shlex.split(line.replace("[", " ").replace("]", " ").replace("...", " "))[1:]
    try:
        args = build_parser().parse_args(words)
        if args.command in TRAINING:
            parse_only(args.command, args.arguments, monkeypatch)
    except SystemExit as left:
        pytest.fail(f"status {left.code}: {capsys.readouterr().err}")


def parse_only(command: str, arguments: list[str], monkeypatch) -> None:
    """Let a module of the training room read its arguments, and stop there."""
    module = import_module(f"napari_wedgefill.training.{command}")
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, given):
        parse(parser, given)
        raise Understood

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    with pytest.raises(Understood):
        module.main(arguments)


def test_command_lines_were_found():
    commands = {block.values[0].split()[1] for block in command_lines()}
    assert commands == set(COMMANDS)


def test_the_table_of_fill_is_complete():
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    table = set(re.findall(r"^\| `(--[a-z-]+)", text, re.M))
    (commands,) = build_parser()._subparsers._group_actions
    options = {
        option
        for action in commands.choices["fill"]._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    assert table == options - {"--help", "--output", "--debug"}


def path_of_module(module: str) -> str:
    """File that ``python -m`` runs."""
    path = module.rstrip(".").replace(".", "/")
    return f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_exists(page):
    text = page.read_text("utf-8")
    scripts = re.findall(r"(?:python |`)((?:benchmarks|docs|examples)/[\w/]+\.py)", text)
    modules = re.findall(r"python -m (benchmarks[\w.]*)", text)
    scripts += [path_of_module(module) for module in modules]
    assert not [script for script in scripts if not (ROOT / script).is_file()]
    links = re.findall(r"\]\((?!http|#)([^)#\s]+)", text)
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_in_the_menu_and_on_the_home_page():
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.glob("**/*.md")} - {"index.md"}
    menu = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M))
    home = set(re.findall(r"\]\(([\w/-]+\.md)", (docs / "index.md").read_text("utf-8")))
    assert menu - {"index.md"} == pages
    assert home == pages
