"""Work in pieces: in order, with the window alive in between, and told where it fails."""

import gc

from napari_wedgefill._napari.turns import Turns


def test_steps_are_done_in_order_a_turn_each(qtbot):
    done, failed = [], []
    turns = Turns(failed.append)

    def steps(name):
        for k in range(2):
            done.append(f"{name}{k}")
            if name == "b" and k == 0:
                turns.add_first(steps("c"))
            yield

    turns.add(steps("a"))
    turns.add(steps("b"))
    assert done == []
    qtbot.waitUntil(lambda: turns.is_idle)
    assert done == ["a0", "a1", "b0", "c0", "c1", "b1"]
    assert failed == []


def test_what_fails_is_told_and_the_next_goes_on(qtbot):
    done, failed = [], []
    turns = Turns(failed.append)

    def breaks():
        yield
        raise ValueError("a bolt came loose")

    def goes_on():
        done.append(1)
        yield

    turns.add(breaks())
    turns.add(goes_on())
    qtbot.waitUntil(lambda: turns.is_idle)
    assert [str(error) for error in failed] == ["a bolt came loose"]
    assert done == [1]


def test_the_collector_waits_until_the_window_rests(qtbot):
    seen = []
    turns = Turns(seen.append)

    def steps():
        for _ in range(2):
            seen.append(gc.isenabled())
            yield

    gc.enable()
    turns.add(steps())
    qtbot.waitUntil(gc.isenabled)
    assert turns.is_idle
    assert seen == [False, False]
