from __future__ import annotations

import threading

import pytest

from napari_dred.core.control import Control, Interrupted


def in_thread(control: Control) -> tuple[threading.Thread, list[str]]:
    """Start a thread that passes one check; its outcome is put into the list."""
    outcome: list[str] = []

    def run() -> None:
        try:
            control.check()
        except Interrupted:
            outcome.append("interrupted")
        else:
            outcome.append("went on")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def test_a_new_run_goes_on():
    control = Control()
    control.check()
    assert (control.paused, control.stopped, control.cancelled) == (False, False, False)


@pytest.mark.parametrize(
    ("verb", "expected"),
    [("resume", "went on"), ("stop", "interrupted"), ("cancel", "interrupted")],
)
def test_a_paused_run_waits_until_it_is_told(verb, expected):
    control = Control()
    control.pause()
    assert control.paused
    thread, outcome = in_thread(control)
    thread.join(0.1)
    assert thread.is_alive()
    assert outcome == []
    getattr(control, verb)()
    thread.join(10)
    assert outcome == [expected]
    assert not control.paused


@pytest.mark.parametrize("verb", ["stop", "cancel"])
def test_an_ended_run_leaves_at_the_next_check_and_every_one_after(verb):
    control = Control()
    getattr(control, verb)()
    assert (control.stopped, control.cancelled) == (verb == "stop", verb == "cancel")
    for _ in range(2):
        with pytest.raises(Interrupted):
            control.check()


def test_interruption_is_not_taken_for_a_failure():
    assert not issubclass(Interrupted, Exception)


def test_a_request_for_an_image_is_taken_once():
    control = Control()
    assert not control.take_image_request()
    control.request_image()
    control.request_image()
    assert control.take_image_request()
    assert not control.take_image_request()
