"""The box of the specimen holds all that the images show, and changes nothing but the time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_wedgefill import FillOptions, RunOptions, Session, fill, iter_run
from napari_wedgefill.disk_images import Frame
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model.angular_grid import align_rows
from napari_wedgefill.pipeline import find_box, look_around
from napari_wedgefill.pipeline.box import Box, Field
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct.tvm import rms
from napari_wedgefill.tilt_series import TiltSeries

WIDTH, HEIGHT = 192, 6
ANGLES_DEG = np.arange(-60.0, 61.0, 6.0)
COSINES, SINES = np.cos(np.deg2rad(ANGLES_DEG)), np.sin(np.deg2rad(ANGLES_DEG))
U = np.arange(WIDTH) - (WIDTH - 1) / 2


def project_disc(z, x, radius, density=1.0):
    """Path integrals (n_tilts, width) through a disc at (z, x) from the centre."""
    along = U - (x * COSINES + z * SINES)[:, None]
    return density * 2 * np.sqrt(np.clip(radius**2 - along**2, 0, None))


def make_series(*rows, noise=0.0, height=HEIGHT, seen=slice(None), axis_shift_px=0.0):
    """A series of things that are the same in all slices that are `seen`."""
    images = np.zeros((ANGLES_DEG.size, height, WIDTH))
    images[:, seen] = sum(rows)[:, None]
    images += noise * np.random.default_rng(0).standard_normal(images.shape)
    return TiltSeries.from_arrays(100 + images, ANGLES_DEG, axis_shift_px=axis_shift_px)


def find(series):
    return Session().find_field(series)


def holds(box, z, x, radius):
    """Whether a disc lies in the box."""
    middle = (WIDTH - 1) / 2
    return (
        box.z[0] <= middle + z - radius
        and middle + z + radius < box.z[1]
        and box.x[0] <= middle + x - radius
        and middle + x + radius < box.x[1]
    )


@settings(max_examples=25, deadline=None)
@given(
    z=st.floats(-60, 60),
    x=st.floats(-60, 60),
    radius=st.floats(3, 40),
    noise=st.sampled_from([0.0, 0.05]),
)
def test_a_disc_lies_in_the_box_or_there_is_none(z, x, radius, noise):
    found = find(make_series(project_disc(z, x, radius), noise=noise * radius))
    box = found.box
    if np.hypot(z, x) < 15 and radius < 35:
        assert box is not None, found.sentence
    if box is not None:
        assert holds(box, z, x, radius)
        assert box.depth % 16 == box.width % 16 == 0


def test_several_objects_lie_in_one_box():
    places = (-25, -20, 8), (20, 30, 12), (35, -15, 4)
    box = find(make_series(*(project_disc(*place) for place in places))).box
    assert all(holds(box, *place) for place in places)


@pytest.mark.parametrize("density", [0.003, 0.01, 0.1])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_faint_halo_is_not_cut_off(density, noise):
    series = make_series(project_disc(0, 0, 15), project_disc(0, 0, 75, density), noise=noise)
    assert find(series).box is None


def test_a_halo_of_a_small_thing_lies_in_the_box():
    series = make_series(project_disc(5, -5, 8), project_disc(5, -5, 45, 0.02), noise=0.05)
    assert holds(find(series).box, 5, -5, 43)


@pytest.mark.parametrize("thickness", [0.3, 2.0])
def test_a_support_film_means_the_whole_field(thickness):
    """It is the same everywhere in an image, and grows with the tilt."""
    film = np.broadcast_to(thickness / COSINES[:, None], (ANGLES_DEG.size, WIDTH))
    assert find(make_series(project_disc(0, 0, 15), film, noise=0.2)).box is None


def test_what_leaves_the_field_at_one_tilt_means_the_whole_field():
    assert find(make_series(project_disc(85, 0, 12))).box is None


def test_noise_alone_has_no_box():
    assert find(make_series(np.zeros((ANGLES_DEG.size, WIDTH)), noise=1.0)).box is None


def test_a_bead_that_only_few_slices_hold_is_in_the_box():
    images = np.array(make_series(project_disc(0, 0, 12), height=40, noise=0.3).images)
    images[:, 30:34] += project_disc(30, -35, 3)[:, None]
    box = find(TiltSeries.from_arrays(images, ANGLES_DEG)).box
    assert holds(box, 30, -35, 3)


@pytest.mark.parametrize("shift", [0.0, 7.3])
def test_cropped_rows_are_the_projections_of_the_box(shift):
    beam = ParallelBeam(ANGLES_DEG, 160, axis_shift_px=shift)
    box = Box((20, 132), (0, 2), (35, 131), (160, 2, 160))
    volume = np.zeros((160, 2, 160), np.float32)
    inner = np.hypot(*np.ogrid[-55.5:56, -47.5:48]) < 40
    box.cut(volume)[:] = np.random.default_rng(0).random((112, 2, 96)) * inner[:, None]
    crop = box.crop(beam)
    rows, beside = crop.apply(beam(np.ascontiguousarray(volume.transpose(0, 2, 1))))
    inside = crop.beam(np.ascontiguousarray(box.cut(volume).transpose(0, 2, 1)))
    np.testing.assert_allclose(rows, inside, atol=2e-3)
    assert np.abs(crop.beam.tilt_shifts_px).max() <= 0.5 + 1e-9
    np.testing.assert_allclose(beside.squares, 0, atol=1e-5)


def test_what_is_unexplained_counts_over_the_whole_field():
    beam = ParallelBeam(ANGLES_DEG, 160)
    noise = np.random.default_rng(0).standard_normal((ANGLES_DEG.size, 160, 3)).astype(np.float32)
    rows, beside = Box((16, 144), (0, 3), (30, 158), (160, 3, 160)).crop(beam).apply(noise)
    np.testing.assert_allclose(rms(rows, beside), rms(noise), rtol=1e-5)


def test_rows_of_shifted_tilts_are_aligned():
    volume = np.exp(-(np.hypot(*np.ogrid[-15.5:16, -15.5:16]) ** 2) / 18)[:, :, None]
    volume = volume.astype(np.float32)
    shifts = np.random.default_rng(0).uniform(-0.5, 0.5, ANGLES_DEG.size)
    beam = ParallelBeam(ANGLES_DEG, 32, tilt_shifts_px=shifts)
    still = ParallelBeam(ANGLES_DEG, 32)(volume)
    np.testing.assert_allclose(align_rows(beam, beam(volume)), still, atol=0.03 * still.max())
    assert align_rows(ParallelBeam(ANGLES_DEG, 32), still) is still


def test_a_mirrored_volume_has_a_mirrored_box():
    box = Box((20, 132), (0, 2), (35, 131), (160, 2, 160))
    volume = np.random.default_rng(0).random((160, 2, 160)).astype(np.float32)
    for z, x in ((True, False), (False, True), (True, True)):
        flips = tuple(axis for axis, flipped in ((0, z), (2, x)) if flipped)
        found = box.mirrored(z=z, x=x).cut(np.flip(volume, flips))
        np.testing.assert_array_equal(found, np.flip(box.cut(volume), flips))


def test_a_preview_has_a_smaller_box():
    series, session = make_series(project_disc(0, 0, 15)), Session()
    boxes = [session.find_field(series, is_preview=small).box for small in (False, True)]
    assert [box.width for box in boxes] == [128, 64]
    assert holds(boxes[1], 0, 0, 15)


def test_one_box_holds_for_all_that_is_done_with_a_series(monkeypatch):
    """What is withheld, and half of the tilts, would have others."""
    asked, find = [], find_box.find_box
    monkeypatch.setattr(find_box, "find_box", lambda *of: asked.append(of[0]) or find(*of))
    options = RunOptions(FillOptions(("sart",), preview=True), self_check=True, table=True)
    events = list(iter_run(make_series(project_disc(10, -14, 20), height=2), options))
    assert len(asked) == 1
    (field,) = (event for event in events if isinstance(event, Field))
    assert events[-1].report["box"] == field.box.to_dict()
    assert events[-1].report["field"] == field.sentence


def test_a_field_that_wbp_alone_covers_is_not_searched(monkeypatch):
    monkeypatch.delattr(find_box, "find_box")
    result = fill(make_series(project_disc(0, 0, 15)), FillOptions(("wbp",)))
    assert result.report["field"] == "Filled over the whole field of view: WBP always covers it."


@pytest.fixture(scope="module")
def filled():
    series = make_series(project_disc(10, -14, 20), noise=0.3, height=66, seen=slice(29, 35))
    methods = ("wbp", "sart", "tvm")
    return {
        whole: fill(series, FillOptions(methods, device="cpu", preview=True, whole_field=whole))
        for whole in (False, True)
    }, series


def test_outside_the_box_is_vacuum_and_inside_what_the_whole_field_gives(filled):
    results, _ = filled
    box = results[False].report["box"]
    assert results[True].report["box"] is None
    inside = tuple(slice(*box[axis]) for axis in "zyx")
    assert 0 < box["y"][0] <= 29 - 12
    assert 35 + 12 <= box["y"][1] < 66
    for method in ("sart", "tvm"):
        ours, whole = (results[w].volumes[method].data for w in (False, True))
        assert ours.shape == whole.shape
        outside = np.ones(ours.shape, bool)
        outside[inside] = False
        assert not ours[outside].any()
        error = np.sqrt(np.mean((ours - whole)[inside] ** 2))
        assert error < 0.02 * whole.max()
        part = ours[inside]
        faces = (part[0], part[-1], part[:, :, 0], part[:, :, -1])
        assert max(face.max() for face in faces) < 0.01 * whole.max()


def test_wbp_belongs_to_the_whole_field(filled):
    results, _ = filled
    ours, whole = (results[w].volumes["wbp"].data for w in (False, True))
    np.testing.assert_array_equal(ours, whole)


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (1, 32), (32, 60)])
def test_some_slices_are_those_of_the_whole(filled, start, stop):
    results, series = filled
    part = fill(series, FillOptions(("sart",), device="cpu", preview=True, slices=(start, stop)))
    expected = results[False].volumes["sart"].data[:, start:stop]
    np.testing.assert_allclose(part.volumes["sart"].data, expected, rtol=1e-5, atol=1e-6)


def test_networks_work_in_the_box():
    series = make_series(project_disc(10, -14, 20), noise=0.3, height=4)
    result = fill(series, FillOptions(("gan",), device="cpu"))
    box = result.report["box"]
    volume = result.volumes["gan"].data
    middle = (WIDTH - 1) / 2
    z, x = np.arange(WIDTH)[:, None] - middle - 10, np.arange(WIDTH)[None] - middle + 14
    disc = np.hypot(z, x)[:, None] < 20
    assert box["x"][1] - box["x"][0] == 128
    assert np.sqrt(np.mean((volume - disc) ** 2)) < 0.05


def test_memory_for_the_box_is_enough(monkeypatch):
    """A field that would not fit is no obstacle where the specimen's box does."""
    from napari_wedgefill.pipeline import slabs

    monkeypatch.setattr(slabs, "measure_held_bytes", lambda: 0)
    series = make_series(project_disc(0, 0, 15), height=4)
    beam = ParallelBeam(ANGLES_DEG, WIDTH)
    small = ParallelBeam(ANGLES_DEG, 128)
    from napari_wedgefill.methods import METHODS

    def need(geometry):
        return slabs._estimate_bytes(METHODS["tvm"].memory, geometry, 64, 1)

    limit = int((need(beam) + need(small)) / 2)
    fill(series, FillOptions(("tvm",), device="cpu", max_memory=limit, preview=True))
    with pytest.raises(WedgefillError, match="--max-memory"):
        fill(series, FillOptions(("tvm",), max_memory=limit, whole_field=True))


def pad(series, value=0.0):
    """Pad images to a larger size, as programs do that align by shifting without any loss."""
    images = np.pad(series.images, ((0, 0), (8, 8), (24, 24)), constant_values=value)
    return TiltSeries.from_arrays(images, ANGLES_DEG)


def find_corrected(series):
    """The field that a fill works on, and the images that it fills."""
    session = Session()
    corrected, *_ = session.correct(series, FillOptions())
    return session.find_field(corrected), corrected


@pytest.mark.parametrize("seed", range(2))
def test_padded_images_have_a_box_as_others_do(seed):
    """The mirrored noise beyond their edges adds up, and is no matter."""
    rng = np.random.default_rng(seed)
    images = 100 + 1.5 * rng.standard_normal((ANGLES_DEG.size, 80, WIDTH))
    images[:, 25:55] += project_disc(0, 0, 25)[:, None]
    field, corrected = find_corrected(pad(TiltSeries.from_arrays(images, ANGLES_DEG)))
    assert corrected.images.min() > 0  # the padding was recognised
    assert field.box is not None, field.sentence
    assert (field.box.depth, field.box.width) == (128, 128)


@pytest.mark.parametrize("at", [(0, 84, 6), (25, -75, 5), (0, -93, 8)], ids=str)
def test_what_lies_at_the_edge_of_what_was_measured_is_not_cut_off(at):
    """Also where the padding hides a part of it at some tilts."""
    images = np.repeat((project_disc(0, 0, 25) + project_disc(*at))[:, None], 20, axis=1)
    images += 100 + 0.5 * np.random.default_rng(0).standard_normal(images.shape)
    field, corrected = find_corrected(pad(TiltSeries.from_arrays(images, ANGLES_DEG)))
    assert corrected.images.min() > 0
    if field.box is not None:
        middle = (corrected.width - 1) / 2
        assert field.box.x[0] <= middle + at[1] - at[2]
        assert middle + at[1] + at[2] < field.box.x[1]


def test_a_preview_of_padded_images_knows_what_was_measured():
    frame = Frame(np.array([[0, 0], [2, 9], [2, 9], [3, 9], [3, 9]]), np.zeros(0), 11)
    binned = frame.binned(2)
    # The fifth row and the last column fill no bin.
    assert binned.extents.tolist() == [[0, 0], [2, 4]]
    assert binned.missing.tolist() == [[True] * 5, [True, True, False, False, True]]


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_a_wide_specimen_leaves_little_vacuum_and_has_a_box(noise):
    """Vacuum is found from the darkest pixels: where they are few, it seems too bright."""
    images = np.repeat(project_disc(0, 0, 36)[:, None], 40, axis=1)
    images += 100 + noise * np.random.default_rng(0).standard_normal(images.shape)
    padded = np.pad(images[:, :, 8:-8], ((0, 0), (0, 0), (24, 24)), constant_values=100.0)
    for series in (images, padded):  # exact vacuum, which is no frame
        field, corrected = find_corrected(TiltSeries.from_arrays(series, ANGLES_DEG))
        np.testing.assert_allclose(corrected.images[:, :, 0], series[:, :, 0], rtol=1e-3)
        assert field.box is not None, field.sentence
        assert field.box.width < 160


def test_the_reason_for_no_box_is_the_true_one():
    small = make_series(project_disc(0, 0, 10))
    narrow = replace(small, images=np.ascontiguousarray(small.images[:, :, 24:168]))
    told = find(narrow).sentence
    assert told.endswith("in one of 144 x 144 voxels (z, x) a box would save too little.")
    told = find(make_series(project_disc(0, 0, 78))).sentence
    assert told.endswith("the images differ from what is taken for vacuum over most of it.")


def make_two(density, radius, at, n_slices=12):
    """A bright disc in the lower slices, and a faint one far from it in the upper ones."""
    images = np.zeros((ANGLES_DEG.size, n_slices, WIDTH))
    images[:, : n_slices // 2] = project_disc(0, 0, 12, 50.0)[:, None]
    images[:, -n_slices // 3 :] += project_disc(*at, radius, density)[:, None]
    images += 15.0 * np.random.default_rng(0).standard_normal(images.shape)
    return TiltSeries.from_arrays(500 + images, ANGLES_DEG)


def test_a_faint_particle_that_no_image_shows_is_not_left_out():
    assert find(make_two(0.0, 4, (40, -76))).box is not None
    for density, radius in ((1.5, 4), (0.7, 8)):
        found = find(make_two(density, radius, (40, -76)))
        assert "too faint for one image" in found.sentence


@pytest.mark.parametrize(("noise", "is_found"), [(1.5, True), (3.0, False)])
@pytest.mark.parametrize("at", [(30, 95), (-20, -88)], ids=str)
def test_a_particle_of_few_voxels_is_found_while_its_shadow_exceeds_the_noise(at, noise, is_found):
    """Its shadow is 3 in its middle; docs/how-it-works.md and limits.md say what is lost."""
    angles = np.arange(-66.0, 67.0, 3.0)
    u, y = np.arange(256) - 127.5, np.arange(32)[:, None] - 24.0
    images = np.zeros((angles.size, 32, 256))
    for image, angle in zip(images, np.deg2rad(angles), strict=True):
        along = u - at[0] * np.sin(angle) - at[1] * np.cos(angle)
        image += 2 * np.sqrt(np.clip(1.5**2 - along**2 - y**2, 0, None))
        image[:16] += 2 * np.sqrt(np.clip(20.0**2 - u**2, 0, None))
    images += 100 + noise * np.random.default_rng(8).standard_normal(images.shape)
    told = find(TiltSeries.from_arrays(images, angles)).sentence
    assert ("too faint for one image" in told) == is_found
    assert ("nothing was found around it" in told) != is_found


def test_a_preview_looks_for_faint_particles_too():
    """Its images are narrower, and its look at them is as coarse as that of a fill."""
    for density, said in ((0.0, False), (1.5, True)):
        series = make_two(density, 4, (20, -44))
        narrow = replace(series, images=np.ascontiguousarray(series.images[:, :, 32:160]))
        found = Session().find_field(narrow, is_preview=True)
        assert (found.box is None) == said
        assert ("too faint for one image" in found.sentence) == said


def test_the_coarse_look_sees_things_where_they_are():
    """Pixels that are no whole number of finer ones are averaged by how much they share."""
    series = make_series(project_disc(10, -14, 6), height=7)
    narrow = replace(series, images=series.images[:, :, 32:160], axis_shift_px=3.0)
    small, pitch = look_around._make_coarse(narrow)
    assert (small.width, small.height) == (look_around.WIDTH, 5)
    assert pitch == pytest.approx(128 / look_around.WIDTH)
    assert small.axis_shift_px * pitch == pytest.approx(3.0)
    means = [np.mean(one.images, axis=(0, 1), dtype=np.float64) for one in (small, narrow)]
    fine, coarse = np.arange(128) - 63.5, pitch * (np.arange(small.width) - 47.5)
    centres = [
        (at * (mean - 100)).sum() / (mean - 100).sum()
        for at, mean in zip((coarse, fine), means, strict=True)
    ]
    assert centres[0] == pytest.approx(centres[1], abs=0.01)
    assert means[0].sum() * pitch == pytest.approx(means[1].sum(), rel=1e-5)


def test_what_solvers_work_out_for_a_box_serves_its_other_slices(monkeypatch):
    """A live slice follows the slider, and the box stays where it is."""
    cropped, crop = [], Box.crop
    monkeypatch.setattr(Box, "crop", lambda *of: cropped.append(of) or crop(*of))
    series, session = make_series(project_disc(10, -14, 20), height=8), Session()
    session.find_field(series)
    cropped.clear()
    for first in (0, 5):
        fill(series, FillOptions(("sart", "tvm"), slices=(first, first + 1)), session=session)
    assert len(cropped) == 1
