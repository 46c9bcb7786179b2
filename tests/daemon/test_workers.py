"""A worker reports a lasting failure at growing distances, and asks slowly where it is refused."""

import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.daemon.crew import Crew
from connector.daemon.workers import CrewWorker, Worker
from connector.errors import ConnectorError, RefusedError, UnavailableError


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


def test_the_first_success_after_failures_is_reported() -> None:
    ends = iter([UnavailableError("no answer"), UnavailableError("no answer"), None, None])
    recovered = [line for line in logged(ends) if line["event"] == "output.recovered"]
    assert [line["failures"] for line in recovered] == [2]


def test_who_refuses_us_is_asked_again_after_a_quarter_of_an_hour() -> None:
    clock = [0.0]
    ends = iter([RefusedError("401"), RefusedError("401"), None])
    waits: list[float] = []

    def step(worker: Worker) -> None:
        """Find the second at which the worker takes the next question."""
        waits.append(next(second for second in range(2000) if not at(worker, second)))
        clock[0] += waits[-1]

    def at(worker: Worker, second: float) -> bool:
        clock[0], before = clock[0] + second, clock[0]
        resting, clock[0] = worker.resting, before
        return resting

    drawn: list[tuple[float, float]] = []

    def jitter(least: float, most: float) -> float:
        drawn.append((least, most))
        return least if len(drawn) == 1 else most

    lines = logged(ends, monotonic=lambda: clock[0], between=step, jitter=jitter)
    assert waits == [0, 15 * 60, 18 * 60, 0], "not before it is refused, nor afterwards"
    assert drawn == [(1.0, 1.2)] * 2
    assert [line["event"] for line in lines] == ["worker.paused", "output.recovered"]


def logged(
    outcomes: Iterator[ConnectorError | None],
    monotonic: Callable[[], float] = lambda: 0.0,
    between: Callable[[Worker], None] = lambda _worker: None,
    jitter: Callable[[float, float], float] = lambda least, _most: least,
) -> list[MutableMapping[str, Any]]:
    """Let a worker end once in each of these ways; return its log."""
    ended = threading.Semaphore(0)
    left = iter(outcomes)

    def run() -> None:
        error = next(left)
        if error is not None:
            raise error

    class Watched(Worker):
        def _work_once(self) -> None:
            super()._work_once()
            ended.release()

    worker = Watched(
        "output a", run, lambda error: pytest.fail(str(error)), monotonic=monotonic, jitter=jitter
    )
    ends = list(outcomes)
    left = iter(ends)
    with capture_logs() as lines:
        worker.start()
        for _ in ends:
            between(worker)
            worker.ask()
            assert ended.acquire(timeout=20)
        between(worker)
        worker.end()
        worker.join()
    return lines


@pytest.mark.parametrize(
    "error", [RefusedError("401"), UnavailableError("429", retry_after_seconds=60)]
)
def test_what_was_asked_for_during_a_run_that_is_refused_waits_too(error: ConnectorError) -> None:
    runs: list[int] = []

    def run() -> None:
        runs.append(1)
        worker.ask()  # a list was decided meanwhile
        raise error

    crew = Crew(1)
    worker = CrewWorker("output edge", run, pytest.fail, monotonic=lambda: 0.0, crew=crew)
    worker.ask()
    crew.join()
    assert runs == [1]
    assert not worker.asked
