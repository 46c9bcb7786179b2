"""A request to end or to reload may come at any instruction of the thread that waits for it."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from connector.daemon.asked import Asked


def interrupted(asked: Asked, at: int, handler: Callable[[], None]) -> tuple[bool, list[bool]]:
    """Let a thread turn the daemon's loop, and run the handler in it at instruction number `at`.

    Return whether the loop had that many instructions before it ended, and what each turn took
    for a wish to reload. Python runs a signal's handler in just this way.
    """
    took: list[bool] = []
    left = at

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                sys.settrace(None)
                handler()
                sys.settrace(trace)
        return trace

    def turns() -> None:
        sys.settrace(trace)
        for _ in range(4):
            if asked.ending:
                break
            asked.wait(0.001)
            took.append(asked.take_reload())
        sys.settrace(None)

    thread = threading.Thread(target=turns, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive(), f"the request at instruction {at} was never answered"
    return left <= 0, took


def test_the_end_may_be_asked_for_at_every_instruction_of_the_wait() -> None:
    at = 1
    while True:
        asked = Asked()
        reached, _ = interrupted(asked, at, asked.end)
        if not reached:
            break
        assert asked.ending
        at += 1
    assert at > 50


def test_no_request_to_reload_is_lost_at_whatever_instruction_it_comes() -> None:
    at = 1
    while True:
        asked = Asked()
        reached, took = interrupted(asked, at, asked.reload)
        if not reached:
            break
        assert [*took, asked.take_reload()].count(True) == 1, f"at instruction {at}"
        at += 1
    assert at > 50


def test_who_waits_wakes_at_once_when_asked() -> None:
    asked = Asked()
    waiter = threading.Thread(target=asked.wait_for_end, args=(600.0,))
    waiter.start()
    asked.reload()
    waiter.join(timeout=0.05)
    assert waiter.is_alive()
    asked.end()
    waiter.join(timeout=20)
    assert not waiter.is_alive()
    assert asked.take_reload()


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_wait_ends_with_its_time(seconds: float) -> None:
    Asked().wait(seconds)
    Asked().wait_for_end(seconds)
