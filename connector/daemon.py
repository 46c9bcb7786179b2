"""The daemon: every feed and output on its own interval, reload, signals, an orderly end."""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry

from connector.answers import healthy, status
from connector.assembly import assemble
from connector.carrying import Carrier
from connector.config.loading import Loaded, load
from connector.errors import ConfigError, ConnectorError
from connector.metrics import StatusCollector
from connector.registry import Registry
from connector.server.listserver import ListServer
from connector.service import microseconds
from connector.state import address_of, open_store
from connector.store.store import Store
from connector.workers import Generation

log = structlog.get_logger()

_TICK_SECONDS: Final = 0.5
_FILES_EVERY_SECONDS: Final = 5


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
        store, self._address = open_store(loaded), address_of(loaded)
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
        if address_of(loaded) != self._address:
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


def _stamps(loaded: Loaded) -> dict[Path, tuple[int, int]]:
    stamps = {}
    for path in loaded.files:
        try:
            found = os.stat(path)
            stamps[path] = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamps[path] = (0, 0)
    return stamps
