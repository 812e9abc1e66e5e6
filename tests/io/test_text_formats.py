"""Angle files and mdocs, found by their grammar rather than by example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import read_angles
from napari_wedgefill.io.mdoc import read_mdoc

angles_lists = st.lists(st.floats(-90, 90).map(lambda a: round(a, 4)), min_size=1, max_size=80)
words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("angles")


@given(
    angles=angles_lists,
    suffix=st.sampled_from([".tlt", ".rawtlt", ".txt", ".csv"]),
    newline=st.sampled_from(["\n", "\r\n", "\n\n", "\r"]),
    pad=st.sampled_from(["", " ", "\t "]),
    head=st.sampled_from(["", "# made by hand\n", "tilt angle [deg]\n", "\ufeff"]),
    tail=st.sampled_from(["", "\n", "\n \n", " # the last"]),
)
def test_any_layout_of_one_column(folder, angles, suffix, newline, pad, head, tail):
    path = folder / f"x{suffix}"
    text = head + newline.join(f"{pad}{angle}{pad}" for angle in angles) + tail
    path.write_bytes(text.encode())
    assert read_angles(path).tolist() == angles


def angles_or_sentence(path):
    """Return the angles, or None and the message of the refusal."""
    try:
        return read_angles(path), ""
    except WedgefillError as error:
        return None, str(error)


@given(raw=st.binary(max_size=200))
def test_any_bytes_give_angles_or_one_sentence(folder, raw):
    path = folder / "x.tlt"
    path.write_bytes(raw)
    angles, sentence = angles_or_sentence(path)
    if angles is None:
        assert sentence.startswith("x.tlt: ")
        assert "\n" not in sentence
    else:
        assert np.isfinite(angles).all()


@pytest.mark.parametrize(
    "text", ["1 2\n3 4\n", "1\n2\nthree\n", "", "tilt\n", "1\nnan\n", "12,5\n"]
)
def test_what_is_not_one_column_of_numbers_is_refused(folder, text):
    path = folder / "bad.txt"
    path.write_text(text)
    with pytest.raises(WedgefillError, match=r"^bad\.txt: .*angle"):
        read_angles(path)


def test_files_that_cannot_hold_angles_are_refused(folder):
    with pytest.raises(WedgefillError, match=r"not from '\.png'"):
        read_angles(folder / "x.png")
    for name in ("x.xf", "x.tltxf"):
        with pytest.raises(WedgefillError, match=r"moved and turned, not its tilt angle"):
            read_angles(folder / name)
    with pytest.raises(WedgefillError, match="about the x axis"):
        read_angles(folder / "x.xtilt")
    with pytest.raises(WedgefillError, match="cannot be opened"):
        read_angles(folder / "absent.tlt")


@given(
    angles=angles_lists,
    seed=st.randoms(use_true_random=False),
    pixel_a=st.floats(0.01, 100).map(lambda p: round(p, 3)),
    axis=st.floats(-180, 180).map(lambda a: round(a, 1)),
    noise=words,
)
def test_mdoc_sections_in_any_order(folder, angles, seed, pixel_a, axis, noise):
    path = folder / "x.mdoc"
    sections = [
        f"[ZValue = {z}]\nNoise = {noise}\nTiltAngle = {angle}\n" for z, angle in enumerate(angles)
    ]
    seed.shuffle(sections)
    head = f"PixelSpacing = {pixel_a}\n[T =   Tilt axis angle = {axis}, binning = 4]\n\n"
    path.write_text(head + "\n".join(sections))
    mdoc = read_mdoc(path)
    assert mdoc.angles_deg().tolist() == angles
    assert mdoc.pixel_nm == pytest.approx(pixel_a / 10)
    found, _ = mdoc.axis()
    assert found is not None
    assert found.value == pytest.approx(axis, abs=1e-9)


@given(text=st.text(max_size=300))
def test_any_mdoc_gives_angles_or_one_sentence(folder, text):
    path = folder / "any.mdoc"
    path.write_bytes(b"[ZValue = 0]\n" + text.encode("utf-8", "replace"))
    angles, sentence = angles_or_sentence(path)
    assert "\n" not in sentence
    assert angles is None or np.isfinite(angles).all()


@pytest.mark.parametrize("line", ["", "TiltAngle = north"])
def test_a_section_without_angle_is_named(folder, line):
    path = folder / "gap.mdoc"
    path.write_text(f"[ZValue = 0]\nTiltAngle = 1\n[ZValue = 1]\n{line}\n")
    with pytest.raises(WedgefillError, match=r"\[ZValue = 1\] has no readable TiltAngle"):
        read_angles(path)
