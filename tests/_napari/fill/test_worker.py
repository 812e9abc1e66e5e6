"""The job of the dock without a viewer, and the worker that carries it."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer
from napari.qt.threading import create_worker

from napari_wedgefill._napari.fill.inputs import FillInputs
from napari_wedgefill._napari.fill.worker import StepWorker, make_worker, preview_steps, run_steps
from napari_wedgefill._napari.layers import LayerMap, series_layer
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.pipeline.events import Done, Finished
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.progress import Progress


@pytest.fixture
def inputs(series) -> FillInputs:
    layer = Layer.create(*series_layer(series))
    return FillInputs(LayerMap.of(layer), "-60:60:5", pixel_nm=2.5, methods=("wbp", "sart"))


def test_steps_end_with_every_volume_and_a_report(inputs, series):
    *steps, done = run_steps(inputs, Session())
    finished = [step for step in steps if isinstance(step, Finished)]
    fractions = [step.fraction for step in steps if isinstance(step, Progress)]
    assert isinstance(done, Done)
    assert [step.method for step in finished] == ["wbp", "sart"]
    assert finished[0].volume.data.shape == (series.width, series.height, series.width)
    assert finished[0].volume.voxel_nm == (2.5, 2.5, 2.5)
    assert fractions == sorted(fractions)


def test_a_live_slice_is_the_same_slice_of_the_whole(inputs):
    def wbp(steps):
        (item,) = (step for step in steps if isinstance(step, Finished))
        return item.volume.data

    only_wbp = replace(inputs, methods=("wbp",))
    whole = wbp(run_steps(only_wbp, Session()))
    one = wbp(preview_steps(only_wbp, 2, Session()))
    np.testing.assert_allclose(one[:, 0], whole[:, 2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["WBP + SART"]),
        ({"methods": ("wbp", "sart", "tvm", "gan")}, []),
        ({"methods": ("gan",), "model": "large"}, ["GAN", "model large"]),
        ({"model": "large"}, ["WBP + SART"]),  # the networks are not used
        ({"axis_shift_px": -3.0}, ["WBP + SART", "axis -3 px"]),
        ({"slices": (4, 9)}, ["WBP + SART", "slices 4:9"]),
    ],
)
def test_a_run_is_named_by_what_differs(inputs, changes, said):
    assert replace(inputs, **changes).describe() == said


def test_wrong_number_of_angles_is_told(inputs):
    with pytest.raises(WedgefillError, match="25 images but 21 angles"):
        list(run_steps(replace(inputs, angles="-50:50:5"), Session()))


def test_a_cancelled_generator_is_closed(qtbot):
    closed = []

    def endless():
        try:
            while True:
                yield "step"
        finally:
            closed.append(True)

    worker = create_worker(endless, _worker_class=StepWorker, _ignore_errors=True)
    with qtbot.waitSignal(worker.yielded):
        worker.start()
    with qtbot.waitSignals([worker.aborted, worker.finished]):
        worker.quit()
    assert closed == [True]


def test_a_runtime_error_ends_the_job_too(qtbot):
    def failing():
        yield "step"
        raise RuntimeError("the network went wrong")

    worker = create_worker(failing, _worker_class=StepWorker, _ignore_errors=True)
    errors = []
    worker.errored.connect(errors.append)
    with qtbot.waitSignal(worker.finished):
        worker.start()
    qtbot.waitUntil(lambda: bool(errors))
    assert "went wrong" in str(errors[0])


def test_a_flood_of_progress_is_thinned_out_and_results_are_not(qtbot):
    def flood():
        for step in range(5000):
            yield Progress("step", step / 5000, None)
        yield "result"

    seen = []
    worker = create_worker(flood, _worker_class=StepWorker, _ignore_errors=True)
    worker.yielded.connect(seen.append)
    with qtbot.waitSignal(worker.finished):
        worker.start()
    assert seen[-1] == "result"
    assert 2 <= len(seen) < 500


@pytest.mark.parametrize("steps", [[Progress("one", 0.5, None)], [1 / 3]])
def test_a_worker_is_silent_where_the_program_has_ended_before_it(steps, qtbot):
    """Qt deletes the signals at the end of a program, and what is raised in a thread aborts it."""
    worker = make_worker(item for item in steps)
    heard = worker.signals
    with qtbot.waitSignal(heard.destroyed):
        heard.deleteLater()
    worker.run()
