"""The daemon's workers: a thread for every feed, the lists and disposal, a crew for the outputs."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from schedule import Scheduler

from connector.daemon.crew import Crew
from connector.errors import (
    ConfigError,
    ConnectorError,
    RefusedError,
    StoppedError,
    UnavailableError,
    UndecidedError,
)
from connector.log import log
from connector.service.isolation import isolate_bugs
from connector.service.service import Service
from connector.sync.calls import GRACE_SECONDS

_LISTS_EVERY_SECONDS: Final = 10
_LISTS: Final = "lists"
_DISPOSAL: Final = "disposal"
_DISPOSAL_EVERY_SECONDS: Final = 60
# Asking too often may lock an account; jitter keeps many outputs from asking at once.
_REFUSED_AGAIN_SECONDS: Final = 15 * 60
_RECOVERED: Final = {"feed": "feed.recovered", "output": "output.recovered"}
_jitter: Final = random.SystemRandom().uniform


@dataclass(slots=True)
class Failures:
    """Failures in a row: the first is logged, and then each time their number has doubled."""

    count: int = 0

    def tells(self) -> bool:
        """Count one more; return whether to log it."""
        self.count += 1
        return self.count & (self.count - 1) == 0


@dataclass(slots=True)
class Worker:
    """One thread for one feed or the lists: never two runs at once, none delays others.

    A run that is asked for while one is under way follows it, once. Where the other side asked us
    to wait, or refused our credentials, what asks before then asks in vain: the interval asks
    again. The first run that goes well after a failure is reported.
    """

    name: str
    run: Callable[[], None]
    fatal: Callable[[BaseException], None]
    paused: bool = False
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = _jitter
    _rests_until: float = float("-inf")
    _failures: Failures = field(default_factory=Failures)
    _asked: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it waits for a request."""
        self._thread = threading.Thread(target=self._loop, name=self.name)
        self._thread.start()

    def ask(self) -> None:
        """Request a run, now or after the current one."""
        if not self.resting:
            self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether a run should begin."""
        return self._asked.is_set()

    @property
    def resting(self) -> bool:
        """Whether the other side asked us to wait or refused us, and the time is not over."""
        return self.monotonic() < self._rests_until

    def end(self) -> None:
        """Stop the thread after the current run."""
        self._ending.set()
        self._asked.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while self._asked.wait() and not self._ending.is_set():
            if not self._work():
                return

    def _work(self) -> bool:
        """Do what was asked for; return whether the service goes on."""
        self._asked.clear()
        try:
            self._work_once()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends
            self.fatal(error)
            return False
        return True

    def _work_once(self) -> None:
        try:
            with isolate_bugs(worker=self.name):
                self.run()
            self._recover()
        except StoppedError:
            log.info("worker.stopped", worker=self.name)
        except RefusedError as error:
            self._pause(error)
        except (UnavailableError, ConfigError) as error:
            if isinstance(error, UnavailableError) and error.retry_after_seconds:
                self._rest(error.retry_after_seconds)
            if self._failures.tells():
                log.warning(
                    "worker.failed", worker=self.name, why=str(error), times=self._failures.count
                )

    def _pause(self, error: RefusedError) -> None:
        """Ask again only after a while: credentials may be mended at the other side, too."""
        again = _REFUSED_AGAIN_SECONDS * self.jitter(1.0, 1.2)
        self._rest(again)
        if not self.paused:
            log.error(
                "worker.paused", worker=self.name, why=str(error), again_in_seconds=round(again)
            )
        self.paused = True

    def _rest(self, seconds: float) -> None:
        """Do nothing for a while, also not what was asked for during the run that found this."""
        self._rests_until = self.monotonic() + seconds
        self._asked.clear()
        if self._ending.is_set():
            self._asked.set()

    def _recover(self) -> None:
        if self.paused or self._failures.count:
            event = _RECOVERED.get(self.name.partition(" ")[0], "worker.recovered")
            log.info(event, worker=self.name, failures=self._failures.count, was_paused=self.paused)
        self.paused, self._failures.count = False, 0


@dataclass(slots=True)
class CrewWorker(Worker):
    """A worker without a thread of its own: a crew runs it when its turn comes."""

    crew: Crew = field(kw_only=True)
    _under_way: bool = False
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Do nothing: the first request has it run."""

    def ask(self) -> None:
        """Request a run, now or after the current one."""
        if self.resting:
            return
        with self._asking:
            self._asked.set()
            begins, self._under_way = not self._under_way, True
        if begins:
            self.crew.run(self.name, self._turn)

    def _turn(self) -> None:
        goes_on = self._work()
        with self._asking:
            self._under_way = again = goes_on and self._asked.is_set()
        if again:
            self.crew.run(self.name, self._turn)


class Workers:
    """All workers of one configuration, from a start or reload to the next."""

    def __init__(
        self,
        service: Service,
        fatal: Callable[[BaseException], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.monotonic = monotonic
        self.scheduler = Scheduler()
        self._waiting: set[str] = set()  # outputs requested while their list was being decided
        self._decided: Counter[str] = Counter()  # how often each list was decided
        self._between = threading.Lock()  # guards outputs that start to wait, and lists that end it
        self._retired = False
        self._failing: defaultdict[str, Failures] = defaultdict(Failures)  # lists, by name
        self.lists = Worker(_LISTS, self._refresh, fatal)
        self.disposal = Worker(_DISPOSAL, self._dispose, fatal)
        self.feeds = {
            name: Worker(f"feed {name}", self._polling(name), fatal) for name in service.feeds
        }
        service.outputs.records_later = True
        self.crew = Crew(service.loaded.config.service.crew)
        self.outputs = {
            name: CrewWorker(f"output {name}", self._syncing(name), fatal, crew=self.crew)
            for name in service.outputs
        }

    @property
    def workers(self) -> list[Worker]:
        """All workers."""
        return [self.lists, self.disposal, *self.feeds.values(), *self.outputs.values()]

    def start(self) -> None:
        """Decide every list, then continue at the configured intervals."""
        self.service.outputs.places.settle()
        for worker in self.workers:
            worker.start()
        config = self.service.loaded.config
        self.lists.ask()
        self.scheduler.every(_LISTS_EVERY_SECONDS).seconds.do(self.lists.ask)
        self.disposal.ask()
        self.scheduler.every(_DISPOSAL_EVERY_SECONDS).seconds.do(self.disposal.ask)
        for name, feed in self.feeds.items():
            feed.ask()
            self._every(config.feeds[name].every, feed)
        paces: defaultdict[timedelta, list[Worker]] = defaultdict(list)
        for name, output in self.outputs.items():
            paces[config.outputs[name].every].append(output)
        for interval, outputs in paces.items():  # the clock looks at each job twice a second
            self._every(interval, *outputs)

    def _every(self, interval: timedelta, *workers: Worker) -> None:
        def ask() -> None:
            for worker in workers:
                worker.ask()

        self.scheduler.every(int(interval.total_seconds())).seconds.do(ask)

    def tick(self) -> None:
        """Do what is due by the clock; for the daemon's thread, about twice a second."""
        self.scheduler.run_pending()
        self.crew.look_after()
        for call in self.service.calls.look():
            with suppress(UnavailableError):  # of the state: the next tick tries again
                self.service.outputs.note_overdue(call)

    def stop(self) -> None:
        """End every worker after the write in hand, and close connections.

        A write in hand is waited for until its deadline, and no longer than a minute.
        """
        patient_until = self.monotonic() + GRACE_SECONDS
        self.service.stop.ask()
        for worker in self.workers:
            worker.end()
        self.crew.end()
        for worker in self.workers:
            worker.join()
        calls = self.service.calls
        self.crew.join(lambda left: calls.leave(left, late=self.monotonic() < patient_until))
        with suppress(ConnectorError):  # nothing else waits for it, and the next start reads all
            self.service.store.outputs.flush()
        self.service.close()

    def _polling(self, name: str) -> Callable[[], None]:
        def polling() -> None:
            try:
                self.service.feeds.poll(name)
            finally:
                self.lists.ask()  # pages read before a failure count too

        return polling

    def _dispose(self) -> None:
        if self.service.feeds.dispose():
            self.lists.ask()

    def _refresh(self) -> None:
        """Decide on what changed; a list that fails does not stop the others."""
        self._retire()
        self.service.store.outputs.flush()
        self.service.lists.take_up_hosts()
        self.service.lists.take_up_exceptions()
        self.service.feeds.warn_of_windows()  # also for a paused feed, which is not polled
        for name in self.service.lists:
            try:
                self._refresh_list(name)
                self._failing.pop(name, None)
            except UnavailableError as error:
                failures = self._failing[name]
                if failures.tells():
                    log.warning("list.failed", list=name, why=str(error), times=failures.count)

    def _retire(self) -> None:
        """Drop lists that the file no longer names: once, as no other file is in force now."""
        if self._retired:
            return
        if retired := self.service.store.lists.retire(self.service.lists):
            log.info("list.retired", lists=retired)
        self._retired = True

    def _refresh_list(self, name: str) -> None:
        """Decide on one list; its outputs follow at once if it changed or they were waiting."""
        first = not self.service.lists.is_decided(name)
        done = self.service.lists.refresh(name)
        moved = first or done.added or done.removed or done.changed
        its_outputs = [one for one in self.outputs if self._list_of(one) == name]
        with self._between:
            self._decided[name] += 1
            asking = [one for one in its_outputs if moved or one in self._waiting]
            self._waiting.difference_update(its_outputs)
        for output in asking:
            self.outputs[output].ask()

    def _list_of(self, output: str) -> str:
        return self.service.loaded.config.outputs[output].list

    def _syncing(self, name: str) -> Callable[[], None]:
        listed = self._list_of(name)

        def syncing() -> None:
            before = self._decided[listed]
            try:
                if self.service.lists.is_decided(listed):
                    self.service.outputs.sync(name)
                    return
            except UndecidedError:
                pass
            self._wait(name, since=before)

        return syncing

    def _wait(self, name: str, since: int) -> None:
        """Request an output again once its list is decided, which may have happened already."""
        with self._between:
            if self._decided[self._list_of(name)] == since:
                self._waiting.add(name)
                return
        self.outputs[name].ask()
