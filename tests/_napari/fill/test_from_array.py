"""Arrays that a user brought: tilts along any dimension, one channel of several."""

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer

from napari_wedgefill._napari.fill.from_array import ArrayDialog, cut_series, tell_why_not
from napari_wedgefill._napari.layer_kinds import why_no_series
from napari_wedgefill.errors import WedgefillError

DATA = np.random.default_rng(0).random((2, 20, 9, 30)).astype(np.float32)


def image(data, **options):
    return Image(data, name="brought", contrast_limits=(0, 1), **options)


def test_the_tilts_lie_last():
    layer = image(DATA[0].transpose(0, 2, 1), scale=(2.0, 3.0, 1.0), units=("nm", "nm", "pixel"))
    made = Layer.create(*cut_series(layer, 2))
    np.testing.assert_array_equal(made.data, DATA[0].transpose(1, 0, 2))
    np.testing.assert_allclose(made.scale, (1, 2, 3))
    assert [str(unit) for unit in made.units] == ["nanometer"] * 3
    assert why_no_series(made) == ""


def test_one_channel_of_four_dimensions():
    made = Layer.create(*cut_series(image(DATA), 2, (0, 1)))
    np.testing.assert_array_equal(made.data, DATA[1].transpose(1, 0, 2))
    assert made.name == "brought tilts channel 1"


@pytest.mark.parametrize(
    ("tilt", "channel", "says"),
    [(2, None, "four|4 dimensions"), (2, (2, 0), "both"), (2, (0, 7), "no channel 7")],
)
def test_what_leaves_no_stack_is_told(tilt, channel, says):
    with pytest.raises(WedgefillError, match=says):
        cut_series(image(DATA), tilt, channel)


def test_the_dialog_guesses_and_takes_what_is_chosen(qapp):
    dialog = ArrayDialog([image(DATA)])
    assert (dialog.channel.value, dialog.tilt.value) == (0, 2)
    dialog.index.value = 1
    np.testing.assert_array_equal(dialog.cut()[0], DATA[1].transpose(1, 0, 2))


def test_why_a_layer_is_no_series():
    layers = [image(DATA), Labels(np.zeros((4, 4), int), name="marks")]
    said = tell_why_not(type("Viewer", (), {"layers": layers}))
    assert said == (
        "brought has 4 axes; a tilt series has three: tilt, y, x. marks holds no images."
    )
