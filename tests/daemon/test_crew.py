"""The crew: so many at work at once, fair, and not held up by whoever waits for something else."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connector.adapter.stopping import Stop
from connector.adapter.turns import aside, share, share_or_stop
from connector.daemon.crew import Crew
from connector.daemon.workers import CrewWorker
from connector.errors import StoppedError, StoreError, UnavailableError

PATIENCE = 30


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def crew_of(places: int, clock: Callable[[], float] | None = None) -> Iterator[Crew]:
    crew = Crew(places, clock or Clock())
    yield crew
    crew.join()
    assert crew.threads == crew.at_work == 0


class Counted:
    """Counts who is at work at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.done = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        yield
        with self.lock:
            self.now -= 1
            self.done += 1


@pytest.mark.parametrize("places", [1, 2, 5])
def test_no_more_than_the_places_are_at_work_at_once(places: int) -> None:
    counted, together = Counted(), threading.Barrier(places)

    def work() -> None:
        with counted.at_work():
            together.wait(PATIENCE)  # all places are in use at once: none goes on alone
        with aside():
            pass
        with counted.at_work():
            pass

    with crew_of(places) as crew:
        for number in range(4 * places):
            crew.run(f"output {number}", work)
    assert (counted.most, counted.done) == (places, 8 * places)


def test_who_waits_for_a_dead_target_delays_nobody() -> None:
    answer, done = threading.Event(), threading.Semaphore(0)

    def dead() -> None:
        with aside():
            assert answer.wait(PATIENCE)

    with crew_of(1) as crew:
        for number in range(20):
            crew.run(f"dead {number}", dead)
            crew.run(f"alive {number}", done.release)
        for _ in range(20):
            assert done.acquire(timeout=PATIENCE)
        assert not answer.is_set()
        answer.set()


def test_who_pauses_lets_others_work() -> None:
    stop, paused, done = Stop(), threading.Event(), threading.Event()

    def pauses() -> None:
        paused.set()
        with pytest.raises(StoppedError):
            stop.pause(PATIENCE)

    with crew_of(1) as crew:
        crew.run("pauses", pauses)
        assert paused.wait(PATIENCE)
        crew.run("works", done.set)
        assert done.wait(PATIENCE)
        stop.ask()


def test_who_is_silent_for_long_loses_the_place() -> None:
    """As in an adapter that waits for a socket of its own."""
    clock, begun, answer, done = Clock(), threading.Event(), threading.Event(), threading.Event()

    def silent() -> None:
        begun.set()
        assert answer.wait(PATIENCE)

    with crew_of(1, clock) as crew:
        crew.run("silent", silent)
        assert begun.wait(PATIENCE)
        crew.run("works", done.set)
        crew.look_after()
        assert not done.is_set()
        clock.seconds = 6
        crew.look_after()
        assert done.wait(PATIENCE)
        answer.set()


def test_who_lost_the_place_waits_for_another_before_going_on() -> None:
    clock, begun, answer = Clock(), threading.Event(), threading.Event()
    working, go_on, told = threading.Event(), threading.Event(), []

    def silent() -> None:
        begun.set()
        assert answer.wait(PATIENCE)
        share()
        told.append("silent goes on")

    def works() -> None:
        working.set()
        assert go_on.wait(PATIENCE)
        told.append("the other is done")

    with crew_of(1, clock) as crew:
        crew.run("silent", silent)
        assert begun.wait(PATIENCE)
        crew.run("works", works)
        clock.seconds = 6
        crew.look_after()
        assert working.wait(PATIENCE)
        answer.set()
        go_on.set()
    assert told == ["the other is done", "silent goes on"]


def test_a_large_output_lets_small_ones_in_and_goes_on_between_them() -> None:
    clock, begun, queued, order = Clock(), threading.Event(), threading.Event(), []

    def large() -> None:
        begun.set()
        assert queued.wait(PATIENCE)
        for part in range(4):
            order.append(f"part {part}")
            clock.seconds += 2
            share()

    with crew_of(1, clock) as crew:
        crew.run("large", large)
        assert begun.wait(PATIENCE)
        for number in range(3):
            crew.run(f"small {number}", lambda number=number: order.append(f"small {number}"))
        queued.set()
    assert order == ["part 0", "small 0", "part 1", "small 1", "part 2", "small 2", "part 3"]


def test_who_has_waited_longest_is_next() -> None:
    begun, go_on, order = threading.Event(), threading.Event(), list[int]()

    def first() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    with crew_of(1) as crew:
        crew.run("first", first)
        assert begun.wait(PATIENCE)
        for number in range(20):
            crew.run(f"{number}", lambda number=number: order.append(number))
        go_on.set()
    assert order == list(range(20))


def test_few_large_outputs_hold_a_snapshot_at_once_however_many_there_are() -> None:
    clock, begun, most, places = Clock(), Counted(), 0, 2

    def large() -> None:
        with begun.at_work():
            for _ in range(5):
                clock.seconds += 2
                share()

    with crew_of(places, clock) as crew:
        for number in range(40):
            crew.run(f"large {number}", large)
    most = begun.most
    assert places <= most <= 2 * places + 1
    assert begun.done == 40


def test_the_end_lets_all_who_have_begun_go_on_and_nobody_begin() -> None:
    begun, answer, ended = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)

    def waits() -> None:
        with aside():
            begun.release()
            assert answer.wait(PATIENCE)
        with pytest.raises(StoppedError):
            share_or_stop()
        ended.release()

    def blocks() -> None:
        begun.release()
        assert answer.wait(PATIENCE)

    with crew_of(1) as crew:
        for _ in range(3):
            crew.run("waits", waits)
            assert begun.acquire(timeout=PATIENCE)
        crew.run("blocks", blocks)
        assert begun.acquire(timeout=PATIENCE)
        crew.run("never", lambda: pytest.fail("began after the end"))
        crew.end()
        crew.run("never", lambda: pytest.fail("began after the end"))
        answer.set()
    for _ in range(3):
        assert ended.acquire(blocking=False)


def test_an_output_that_is_asked_while_it_runs_runs_once_more_and_never_twice_at_once() -> None:
    counted, first, go_on = Counted(), threading.Event(), threading.Event()

    def run() -> None:
        with counted.at_work():
            first.set()
            assert go_on.wait(PATIENCE)

    failed: list[BaseException] = []
    with crew_of(3) as crew:
        worker = CrewWorker("output a", run, failed.append, crew=crew)
        worker.ask()
        assert first.wait(PATIENCE)
        for _ in range(5):
            worker.ask()
        go_on.set()
    assert (counted.most, counted.done) == (1, 2)
    worker.ask()
    crew.join()
    assert counted.done == 3
    assert not failed


def test_a_target_that_fails_is_told_and_a_state_that_fails_ends_the_service() -> None:
    failed: list[BaseException] = []
    ends: list[BaseException] = [UnavailableError("no answer"), StoreError("unreadable")]

    def run() -> None:
        raise ends.pop(0)

    with crew_of(1) as crew:
        worker = CrewWorker("output a", run, failed.append, crew=crew)
        worker.ask()
        crew.join()
        assert not failed
        worker.ask()
    assert [type(error) for error in failed] == [StoreError]
