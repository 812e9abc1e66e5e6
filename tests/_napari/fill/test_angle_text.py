import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill._napari.fill.angle_text import describe_angles, format_angles, parse_angles
from napari_wedgefill.errors import WedgefillError


@pytest.mark.parametrize(
    "text",
    ["-60:60:2", "-60/60/2", "-60 to 60 step 2", " \N{MINUS SIGN}60:60:2 ", "-60:60:-2"],
)
def test_ranges_include_both_ends(text):
    np.testing.assert_allclose(parse_angles(text), np.arange(-60, 61, 2))


def test_descending_range():
    np.testing.assert_allclose(parse_angles("10:-10:5"), [10, 5, 0, -5, -10])


@pytest.mark.parametrize("text", ["-3.5, 0, 2", "-3.5 0 2", "-3.5\n0\n2\n", "-3.5; 0; 2"])
def test_lists(text):
    np.testing.assert_allclose(parse_angles(text), [-3.5, 0, 2])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "No tilt angles"),
        ("a:b:c", "not understood"),
        ("-60:60", "has no step"),
        ("-60:60:0", "step is 0"),
        ("-60:60:0.001", "larger step"),
        ("1, two, 3", "not understood"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(text, says):
    with pytest.raises(WedgefillError, match=says) as caught:
        parse_angles(text)
    assert "\n" not in str(caught.value)


def test_the_step_of_a_range_follows_from_the_images():
    np.testing.assert_allclose(parse_angles("-60:60", 5), [-60, -30, 0, 30, 60])


@given(st.lists(st.floats(-90, 90).map(lambda a: round(a, 2)), min_size=3, max_size=80))
def test_text_holds_the_angles(angles):
    np.testing.assert_allclose(parse_angles(format_angles(angles)), angles, atol=0.006)


def test_even_series_become_a_range_and_others_do_not():
    assert format_angles(np.arange(-76, 77, 2)) == "-76:76:2"
    assert format_angles([-60, -57, 0, 3]) == "-60, -57, 0, 3"


def test_description_says_what_is_missing():
    words = describe_angles(np.arange(-76, 77, 2), "extended header").replace("\N{DEGREE SIGN}", "")
    assert words == "77 tilts, -76 to 76, step 2, 28 missing, from extended header"
