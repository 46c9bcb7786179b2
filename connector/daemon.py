"""The daemon: every feed and output on its own interval, reload, signals, an orderly end."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry
from schedule import Scheduler

from connector.answers import healthy, status
from connector.assembly import assemble
from connector.carrying import Carrier, StoppedError
from connector.config.loading import Loaded, load
from connector.errors import (
    ConfigError,
    ConnectorError,
    PlanRefusedError,
    RefusedError,
    UnavailableError,
    UndecidedError,
)
from connector.metrics import StatusCollector
from connector.registry import Registry
from connector.server.listserver import ListServer
from connector.service import Service, edge, microseconds
from connector.store.store import Store

log = structlog.get_logger()

_TICK_SECONDS: Final = 0.5
_LISTS_EVERY_SECONDS: Final = 10
_FILES_EVERY_SECONDS: Final = 5
_LISTS: Final = "lists"
_DISPOSAL: Final = "disposal"
_DISPOSAL_EVERY_SECONDS: Final = 60


class AlreadyRunningError(ConnectorError):
    """Another instance works on the same state."""


@dataclass(slots=True)
class Worker:
    """One thread for one feed, output or the lists: never two runs at once, none delays others.

    A run that is asked for while one is under way follows it, once.
    """

    name: str
    run: Callable[[], None]
    fatal: Callable[[BaseException], None]
    paused: bool = False
    _asked: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; it waits to be asked."""
        self._thread = threading.Thread(target=self._work, name=self.name)
        self._thread.start()

    def ask(self) -> None:
        """Ask for a run, now or after the one under way."""
        if not self.paused:
            self._asked.set()

    def end(self) -> None:
        """Let the thread end after the run under way."""
        self._ending.set()
        self._asked.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while self._asked.wait() and not self._ending.is_set():
            self._asked.clear()
            try:
                with edge(worker=self.name):
                    self.run()
            except StoppedError:
                log.info("worker.stopped", worker=self.name)
            except PlanRefusedError:
                pass  # told when the plan was held
            except RefusedError as error:
                self.paused = True
                log.error("worker.paused", worker=self.name, why=str(error), until="reload")  # noqa: TRY400 - a known fault needs no traceback
            except (UnavailableError, ConfigError) as error:
                log.warning("worker.failed", worker=self.name, why=str(error))
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which ends
                self.fatal(error)
                return


class Generation:
    """All workers of one configuration, from a start or reload to the next."""

    def __init__(self, service: Service, fatal: Callable[[BaseException], None]) -> None:
        self.service = service
        self.scheduler = Scheduler()
        self._stopping = threading.Event()
        self._waiting: set[str] = set()  # outputs that were asked while their list was decided
        service.carrier.stopped = self._stopping.is_set
        self.lists = Worker(_LISTS, self._refresh, fatal)
        self.disposal = Worker(_DISPOSAL, self._dispose, fatal)
        self.feeds = {
            name: Worker(f"feed {name}", self._polling(name), fatal) for name in service.feeds
        }
        self.outputs = {
            name: Worker(f"output {name}", self._syncing(name), fatal) for name in service.outputs
        }

    @property
    def workers(self) -> list[Worker]:
        """All workers."""
        return [self.lists, self.disposal, *self.feeds.values(), *self.outputs.values()]

    def start(self) -> None:
        """Decide every list, then go on at the configured intervals."""
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
        for name, output in self.outputs.items():
            self._every(config.outputs[name].every, output)

    def _every(self, interval: timedelta, worker: Worker) -> None:
        self.scheduler.every(int(interval.total_seconds())).seconds.do(worker.ask)

    def stop(self) -> None:
        """End every worker after the write in hand, and let go of connections."""
        self._stopping.set()
        for worker in self.workers:
            worker.end()
        for worker in self.workers:
            worker.join()
        self.service.close()

    def _polling(self, name: str) -> Callable[[], None]:
        def polling() -> None:
            try:
                self.service.poll(name)
            finally:
                self.lists.ask()  # what came before a failure counts too

        return polling

    def _dispose(self) -> None:
        if self.service.dispose():
            self.lists.ask()

    def _refresh(self) -> None:
        """Decide on what changed; a list that fails keeps no other from it."""
        self.service.take_up_exceptions()
        self.service.warn_of_windows()  # also of a paused feed, which nobody polls
        for name in self.service.listings:
            try:
                self._refresh_list(name)
            except UnavailableError as error:
                log.warning("list.failed", list=name, why=str(error))

    def _refresh_list(self, name: str) -> None:
        """Decide on one list; its outputs follow at once where it changed, or they waited."""
        first = name in self.service.undecided
        done = self.service.refresh(name)
        moved = first or done.added or done.removed or done.changed
        for output, worker in self.outputs.items():
            listed = self.service.loaded.config.outputs[output].list
            if listed == name and (moved or output in self._waiting):
                worker.ask()

    def _syncing(self, name: str) -> Callable[[], None]:
        def syncing() -> None:
            self._waiting.add(name)  # before looking: a refresh that ends meanwhile asks again
            decided = self.service.is_decided(self.service.loaded.config.outputs[name].list)
            try:
                if decided:
                    self.service.sync(name)
            except UndecidedError:
                decided = False
            finally:
                if decided:
                    self._waiting.discard(name)

        return syncing


class Daemon:
    """Runs generations of a configuration until it is told to end."""

    def __init__(
        self,
        path: Path,
        registry: Registry,
        now: Callable[[], int] = microseconds,
        carrier: Callable[[Store], Carrier] | None = None,
    ) -> None:
        self._path = path
        self._registry = registry
        self._now = now
        self._carrier = carrier
        self._ending = threading.Event()
        self._reload = threading.Event()
        self._fatal: BaseException | None = None
        self._address = ""
        self._generation: Generation | None = None
        self.server: ListServer | None = None
        self.started = threading.Event()

    def run(self, loaded: Loaded) -> None:
        """Run until `end`; raise AlreadyRunningError, or what ended the service unasked."""
        store, self._address = open_store(loaded), _address(loaded)
        try:
            store.objects.sweep()
            self._run(loaded, store)
        finally:
            store.close()
        if self._fatal is not None:
            raise self._fatal

    def _run(self, loaded: Loaded, store: Store) -> None:
        current: Loaded | None = loaded
        proven: Loaded | None = None
        while current is not None and not self._ending.is_set():
            try:
                generation, server = self._begun(current, store)
            except ConfigError as error:
                if proven in (None, current):
                    raise
                _refuse(error)  # what only shows when it is taken up, as a port that is taken
                current = proven
                continue
            proven, self.server = current, server
            log.info("service.started", config=str(self._path), lists=server.url)
            if retired := store.lists.retire(current.config.lists):
                log.info("list.retired", lists=retired)
            generation.start()
            self.started.set()
            try:
                following = self._watch(generation, current)
            finally:
                generation.stop()
                server.stop()
            current = following
        log.info("service.ended")

    def _begun(self, loaded: Loaded, store: Store) -> tuple[Generation, ListServer]:
        generation = self._assembled(loaded, store)
        try:
            return generation, self._serve(loaded)
        except ConnectorError:
            generation.service.close()
            raise

    def _assembled(self, loaded: Loaded, store: Store) -> Generation:
        for warning in loaded.warnings:
            log.warning("config.warning", what=warning)
        for name, count in store.ledger.left_behind(loaded.config.outputs).items():
            log.warning(
                "output.left_behind", output=name, entries=count,
                what="the configuration names it no more, and its entries are still at the target",
            )  # fmt: skip
        if _address(loaded) != self._address:
            log.warning(
                "state.url_changed", kept=store.database.shown,
                what="state.url changed: the state that is open stays in use until a restart",
            )  # fmt: skip
        carrier = self._carrier(store) if self._carrier else None
        service = assemble(loaded, self._registry, store, self._now, carrier)
        store.ledger.resume(service.outputs)
        self._generation = Generation(service, self._fail)
        return self._generation

    def _serve(self, loaded: Loaded) -> ListServer:
        config = loaded.config
        registry = CollectorRegistry()
        registry.register(StatusCollector(self._status))
        server = ListServer(
            config.server.listen, config.server.clients, config.publish_folder, self._health,
            registry,
        )  # fmt: skip
        server.start()
        return server

    def _status(self) -> dict[str, Any]:
        generation = self._generation
        return {} if generation is None else status(generation.service)

    def _health(self) -> Mapping[str, object]:
        facts = self._status()
        return {"healthy": bool(facts) and healthy(facts), **facts}

    def _watch(self, generation: Generation, loaded: Loaded) -> Loaded | None:
        """Drive the clock until the end (None) or until a new configuration is to be taken up."""
        stamps = _stamps(loaded)
        ticks = 0
        while not self._ending.is_set():
            generation.scheduler.run_pending()
            self._ending.wait(_TICK_SECONDS)
            ticks += 1
            if ticks % int(_FILES_EVERY_SECONDS / _TICK_SECONDS) == 0:
                fresh = _stamps(loaded)
                if fresh != stamps:
                    stamps = fresh
                    self._reload.set()
            if self._reload.is_set():
                self._reload.clear()
                if (fresh_load := self._loaded()) is not None:
                    return fresh_load
        return None

    def _loaded(self) -> Loaded | None:
        """Return the configuration as the file says now; a wrong one is told and left alone."""
        try:
            loaded = load(self._path, self._registry)
        except ConfigError as error:
            _refuse(error)
            return None
        log.info("config.reloaded", config=str(self._path))
        return loaded

    def _fail(self, error: BaseException) -> None:
        log.error("service.failed", why=str(error))
        self._fatal = error
        self._ending.set()

    def end(self) -> None:
        """End after the write in hand."""
        self._ending.set()

    def reload(self) -> None:
        """Read the file again; keep the running configuration if it is wrong."""
        self._reload.set()

    def obey_signals(self) -> None:
        """End on SIGTERM and SIGINT, reload on SIGHUP."""

        def ends(_signal: int, _frame: FrameType | None) -> None:
            self.end()

        def reloads(_signal: int, _frame: FrameType | None) -> None:
            self.reload()

        signal.signal(signal.SIGTERM, ends)
        signal.signal(signal.SIGINT, ends)
        signal.signal(signal.SIGHUP, reloads)


def _refuse(error: ConfigError) -> None:
    problems = list(error.problems)
    log.error("config.refused", problems=problems, kept="the running configuration")


def open_store(loaded: Loaded, *, alone: bool = True) -> Store:
    """Return the configured store, migrated; raise AlreadyRunningError when others hold it."""
    store = Store(_address(loaded))
    if alone and not store.database.claim_instance():
        store.close()
        shown = store.database.shown
        raise AlreadyRunningError(f"another connector works on {shown}: stop it first")
    store.database.migrate()
    return store


def state_file(loaded: Loaded) -> Path | None:
    """Return the SQLite file of the state, by the configuration's folder; None for a server."""
    scheme, _, path = loaded.config.state.connection_url.partition(":///")
    return loaded.path.absolute().parent / path if scheme.startswith("sqlite") else None


def _address(loaded: Loaded) -> str:
    file = state_file(loaded)
    return loaded.config.state.connection_url if file is None else f"sqlite:///{file}"


def _stamps(loaded: Loaded) -> dict[Path, tuple[int, int]]:
    stamps = {}
    for path in loaded.files:
        try:
            found = os.stat(path)
            stamps[path] = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamps[path] = (0, 0)
    return stamps
