"""A worker tells of a failure that lasts at growing distances, and of the next one at once."""

import threading
from collections.abc import Iterator

from structlog.testing import capture_logs

from connector.daemon.workers import Worker
from connector.errors import UnavailableError


def told(outcomes: Iterator[bool]) -> list[int]:
    """Let a worker run once for each outcome; return the failures in a row at each line it logs."""
    begun = threading.Semaphore(0)
    ends = list(outcomes)
    left = iter(ends)

    def run() -> None:
        begun.release()
        if not next(left):
            raise UnavailableError("no answer")

    failed: list[BaseException] = []
    worker = Worker("feed a", run, failed.append)
    with capture_logs() as logged:
        worker.start()
        for _ in ends:
            worker.ask()
            assert begun.acquire(timeout=20)
        worker.end()
        worker.join()
    assert not failed
    return [line["times"] for line in logged if line["event"] == "worker.failed"]


def test_a_failure_that_lasts_is_told_each_time_its_number_doubles() -> None:
    assert told(iter([False] * 40)) == [1, 2, 4, 8, 16, 32]


def test_a_failure_after_a_success_is_told_at_once() -> None:
    assert told(iter([False, False, False, True, False, True, False])) == [1, 2, 1, 1]
