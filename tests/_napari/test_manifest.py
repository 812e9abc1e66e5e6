import re
from importlib import resources

import pytest
from npe2 import PluginManifest

import napari_wedgefill
from napari_wedgefill._napari.fill.preferences import KEPT
from napari_wedgefill.methods import DEFAULT_METHODS
from napari_wedgefill.pipeline.options import FillOptions


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    with resources.as_file(resources.files(napari_wedgefill) / "napari.yaml") as path:
        return PluginManifest.from_file(path)


def test_every_command_leads_to_something_that_can_be_called(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-wedgefill"


def test_every_command_is_offered_somewhere(manifest):
    offered = manifest.contributions
    used = {item.command for items in offered.menus.values() for item in items}
    for group in (offered.readers, offered.writers, offered.widgets, offered.sample_data):
        used |= {item.command for item in group}
    assert used == {command.id for command in offered.commands}


@pytest.mark.parametrize("suffix", ["mrc", "st", "ali", "rec", "map", "mrcs", "tif", "tiff"])
def test_reader_takes_the_usual_files_in_either_case(manifest, suffix):
    patterns = manifest.contributions.readers[0].filename_patterns
    assert f"*.{suffix}" in patterns
    assert f"*.{suffix.upper()}" in patterns


def test_menus_are_ones_that_napari_lets_plugins_fill(manifest):
    from napari._app_model.constants import MenuId

    assert set(manifest.contributions.menus) <= {str(menu) for menu in MenuId.contributables()}


def test_preferences_are_the_fields_that_a_dock_keeps(manifest):
    properties = manifest.contributions.configurations["fill"].properties
    assert tuple(properties) == KEPT
    assert tuple(properties["methods"].default.split()) == DEFAULT_METHODS
    assert properties["model"].default == FillOptions.model
    assert properties["device"].default == FillOptions.device


def test_icon_is_shipped(manifest):
    package, file = manifest.icon.split(":")
    svg = resources.files(package).joinpath(file).read_text()
    assert re.search(r"<svg[^>]+viewBox", svg)
