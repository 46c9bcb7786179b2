"""Work at a target within the deadlines of its calls, in a command: no daemon looks after it.

Python cannot end a call that waits for a target, so the work has a thread of its own, which is left
behind once a call of it is past its deadline.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Final, TypeVar

from connector.errors import UnavailableError
from connector.sync.calls import GRACE_SECONDS, Call, Calls

__all__ = ["in_time"]

T = TypeVar("T")
_LOOK_SECONDS: Final = 0.2


def in_time(
    calls: Calls,
    stop: Callable[[], None],
    work: Callable[[], T],
    overdue: Callable[[Call], None] = lambda _call: None,
) -> T:
    """Return what work returns; raise UnavailableError where a call of it takes too long.

    `overdue` is told of that call. Where the command is interrupted, `stop` is called, and the
    write in hand is waited for until its deadline, and no longer than a minute.
    """
    came: Future[T] = Future()
    run = copy_context().run
    thread = threading.Thread(target=run, args=(_work, came, work), daemon=True)
    thread.start()
    try:
        late = _awaited(thread, calls)
    except BaseException:  # an interruption, as a rule
        stop()
        _await_end(thread, calls)
        raise
    if late is None:
        return came.result()
    overdue(late)
    raise UnavailableError(late.words)


def _work(came: Future[Any], work: Callable[[], Any]) -> None:
    try:
        came.set_result(work())
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for it
        came.set_exception(error)


def _has_ended(thread: threading.Thread) -> bool:
    thread.join(_LOOK_SECONDS)
    return not thread.is_alive()


def _awaited(thread: threading.Thread, calls: Calls) -> Call | None:
    """Return the call with which a thread was left behind; None where it has ended."""
    while not _has_ended(thread):
        for call in calls.look():
            if call.thread is thread and calls.leave([thread], late=True):
                return call
    return None


def _await_end(thread: threading.Thread, calls: Calls) -> None:
    patient_until = time.monotonic() + GRACE_SECONDS
    while not _has_ended(thread):
        if calls.leave([thread], late=time.monotonic() < patient_until):
            return
