"""The daemon: every feed and output on its own interval, reload, signals, orderly shutdown."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from prometheus_client import CollectorRegistry
from schedule import CancelJob

from connector.config.loading import Loaded, load
from connector.daemon.asked import Asked
from connector.daemon.listeners import Listeners
from connector.daemon.workers import Workers
from connector.errors import ConfigError, StoreError, UnavailableError
from connector.instants import Clock, system_clock
from connector.log import log
from connector.registry import Registry
from connector.reports.look import look_of
from connector.reports.metrics import CallCollector, StatusCollector
from connector.reports.status import healthy, status
from connector.server import ConnectionBounds, KeptFiles, ListServer, raise_file_limit
from connector.service.build import Runtime, build
from connector.service.isolation import isolate_bugs
from connector.service.location import address_of
from connector.service.own_hosts import OwnHosts
from connector.service.places import expect_same_names
from connector.service.state import open_store
from connector.store.store import Store
from connector.sync.apply import Applier
from connector.sync.calls import Calls

_TICK_SECONDS: Final = 0.5
_FILES_EVERY_SECONDS: Final = 5
_AGAIN_SECONDS: Final = 60


class Daemon:
    """Runs one configuration after another until it is asked to stop."""

    def __init__(
        self,
        path: Path,
        registry: Registry,
        now: Clock = system_clock,
        applier: Callable[[Store], Applier] | None = None,
    ) -> None:
        self._path = path
        self._registry = registry
        self._now = now
        self._applier = applier
        self._asked = Asked()
        self._fatal: BaseException | None = None
        self._address = ""
        self._workers: Workers | None = None
        self._hosts = OwnHosts()
        self._calls = Calls()
        self._since = now()
        self.server: ListServer | None = None
        self.started = threading.Event()

    def run(self, loaded: Loaded) -> None:
        """Run until `end`; raise AlreadyRunningError, or the error that stopped the service."""
        raise_file_limit()
        store, self._address = open_store(loaded), address_of(loaded)
        try:
            store.objects.delete_unreferenced()
            store.outputs.require_verification()
            self._run(loaded, store)
        finally:
            store.close()
        if self._fatal is not None:
            raise self._fatal

    def _run(self, loaded: Loaded, store: Store) -> None:
        following: Workers | None = self._workers_of(loaded, store)
        proven: Loaded | None = None
        while following is not None and not self._asked.ending:
            workers = following
            try:
                self.server = server = self._serve(workers)
            except (ConfigError, UnavailableError) as error:
                workers.service.close()
                if proven is None or workers.service.loaded is proven:
                    raise
                _refuse(error)  # what only shows on use, such as a port in use
                following = self._proven_again(proven, store)
                continue
            proven = workers.service.loaded
            log.info("service.started", config=str(self._path), lists=server.url)
            listeners = self._listeners(workers, store)
            workers.start()
            self.started.set()
            try:
                following = self._watch(workers, store, server, listeners)
            finally:
                workers.stop()
                server.stop()
                self._look_after_server(server, listeners)
        if following is not None:  # stopped before it began
            following.service.close()
        log.info("service.ended")

    def _proven_again(self, proven: Loaded, store: Store) -> Workers | None:
        """Return the running configuration once the state answers, or None at the end."""
        while not self._asked.ending:
            try:
                return self._workers_of(proven, store)
            except UnavailableError as error:
                log.error("service.waits", why=str(error))
                self._asked.wait_for_end(_AGAIN_SECONDS)
        return None

    def _workers_of(self, loaded: Loaded, store: Store) -> Workers:
        for warning in loaded.warnings:
            log.warning("config.warning", what=warning)
        if address_of(loaded) != self._address:
            log.warning(
                "state.url_changed", kept=store.database.shown,
                what="state.url changed; the open state stays in use until a restart",
            )  # fmt: skip
        applier = self._applier(store) if self._applier else None
        expect_same_names(loaded, store)
        runtime = Runtime(self._now, applier, self._hosts, self._calls)
        service = build(loaded, self._registry, store, runtime)
        store.outputs.resume(service.outputs)
        store.objects.resume(service.feeds)
        return Workers(service, self._fail)

    def _serve(self, workers: Workers) -> ListServer:
        self._workers = workers
        config = workers.service.loaded.config
        registry = CollectorRegistry()
        registry.register(StatusCollector(self._status))
        registry.register(CallCollector(self._calls.times))
        at = config.server
        bounds = ConnectionBounds(at.max_connections, at.max_connections_per_address)
        server = ListServer(
            at.listen, at.clients, config.publish_folder, self._health, registry, bounds,
            KeptFiles(workers.service.loaded.published_files, at.abandoned), at.tls,
        )  # fmt: skip
        server.start()
        return server

    def _listeners(self, workers: Workers, store: Store) -> Listeners:
        loaded = workers.service.loaded
        config, files = loaded.config.server, loaded.published_files
        return Listeners(store.fetches, config, files, self._now, self._since)

    def _status(self) -> dict[str, Any]:
        workers = self._workers
        return {} if workers is None else status(look_of(workers.service))

    def _health(self) -> Mapping[str, object]:
        facts = self._status()
        return {"healthy": bool(facts) and healthy(facts), **facts}

    def _watch(
        self, workers: Workers, store: Store, server: ListServer, listeners: Listeners
    ) -> Workers | None:
        """Run the schedule until the end (None) or until there is a new valid configuration."""
        loaded = workers.service.loaded
        stamps = _stamps(loaded)
        ticks = 0
        while not self._asked.ending:
            workers.tick()
            self._asked.wait(_TICK_SECONDS)
            ticks += 1
            if ticks % int(_FILES_EVERY_SECONDS / _TICK_SECONDS) == 0:
                self._expect_in_place(store)
                self._look_after_server(server, listeners)
                fresh = _stamps(loaded)
                if fresh != stamps:
                    stamps = fresh
                    self._asked.reload()
            if self._asked.take_reload() and (following := self._following(workers, store)):
                return following
        return None

    def _look_after_server(self, server: ListServer, listeners: Listeners) -> None:
        """Take up a renewed certificate, and keep who fetched what."""
        server.renew()
        with suppress(UnavailableError):  # the next look writes it
            listeners.keep(server.fetches(), server.certificate)

    def _expect_in_place(self, store: Store) -> None:
        try:
            store.database.expect_in_place()
        except StoreError as error:
            self._fail(error)

    def _following(self, workers: Workers, store: Store) -> Workers | None:
        """Return the new configuration, ready to start, or None if that is not possible.

        It is built while the running one keeps working, so that one can simply continue.
        """
        try:
            with isolate_bugs(config=str(self._path)):
                following = self._workers_of(load(self._path, self._registry), store)
        except ConfigError as error:
            _refuse(error)
            return None
        except UnavailableError as error:  # the state is locked, or its disk full
            log.error("config.postponed", why=str(error), kept="the running configuration")
            workers.scheduler.every(_AGAIN_SECONDS).seconds.do(self._reload_once)
            return None
        log.info("config.reloaded", config=str(self._path))
        return following

    def _reload_once(self) -> object:
        self.reload()
        return CancelJob

    def _fail(self, error: BaseException) -> None:
        log.error("service.failed", why=str(error))
        self._fatal = error
        self._asked.end()

    def end(self) -> None:
        """Stop after the current write."""
        self._asked.end()

    def reload(self) -> None:
        """Read the file again; keep the running configuration if it is invalid."""
        self._asked.reload()

    def obey_signals(self) -> None:
        """Stop on SIGTERM and SIGINT, reload on SIGHUP."""

        def ends(_signal: int, _frame: FrameType | None) -> None:
            self.end()

        def reloads(_signal: int, _frame: FrameType | None) -> None:
            self.reload()

        signal.signal(signal.SIGTERM, ends)
        signal.signal(signal.SIGINT, ends)
        signal.signal(signal.SIGHUP, reloads)


def _refuse(error: ConfigError | UnavailableError) -> None:
    problems = list(error.problems) if isinstance(error, ConfigError) else [str(error)]
    log.error("config.refused", problems=problems, kept="the running configuration")


def _stamps(loaded: Loaded) -> dict[Path, tuple[int, int]]:
    stamps = {}
    for path in loaded.files:
        try:
            found = os.stat(path)
            stamps[path] = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamps[path] = (0, 0)
    return stamps
