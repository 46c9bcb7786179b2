"""The HTTP server for devices and monitoring, in a thread of the daemon."""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.errors import ConfigError, UnavailableError
from connector.http.serving import ServerTls
from connector.server import answers
from connector.server.acceptor import Acceptor
from connector.server.authentication import Authenticator, Client
from connector.server.connections import ConnectionBounds, Connections, Standing
from connector.server.fetches import Fetch, FetchLog
from connector.server.file_cache import FileCache
from connector.server.lists import KeptFiles, Lists
from connector.server.monitoring import Monitoring, Status
from connector.server.protocol import ClientConnection
from connector.server.renewal import CertificateCollector, Renewal
from connector.server.seldom import SeldomFilter

_SECONDS_TO_START: Final = 10.0
_SECONDS_TO_FINISH: Final = 3
_LOGGERS: Final = ("uvicorn.error", "asyncio")  # they log a line per request or connection
# Another process may free the port, and an interface may get its address only after boot.
_MAY_PASS: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, socket.EAI_AGAIN)


class ListServer:
    """Serves `/lists/NAME`, `/healthz` and `/metrics`."""

    def __init__(
        self,
        listen: str,
        clients: Sequence[Client],
        publish_folder: Path,
        status: Status,
        registry: CollectorRegistry,
        bounds: ConnectionBounds | None = None,
        kept: KeptFiles | None = None,
        tls: ServerTls | None = None,
    ) -> None:
        self._host, self._port = _host_and_port(listen)
        if not clients and not _is_loopback(self._host):
            problem = (
                "can be reached from other machines: list the permitted ones in server.clients"
            )
            raise ConfigError([f"server.listen: {listen} {problem}"])
        self._authenticator = Authenticator(clients)
        self._folder, self._status, self._registry = publish_folder, status, registry
        self._kept = kept or KeptFiles()
        self._tls = None if tls is None else Renewal(tls)
        self._log = FetchLog()
        self._connections = Connections(bounds or ConnectionBounds())
        self._seldom = SeldomFilter()
        self._collectors = (self._log, self._connections, CertificateCollector(self._tls))
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """The URL, such as `http://127.0.0.1:8099`; the port is known once it runs."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def certificate(self) -> Renewal | None:
        """The certificate in force; None without TLS."""
        return self._tls

    def renew(self) -> None:
        """Take up a renewed certificate for new connections; called every few seconds."""
        if self._tls is not None:
            self._tls.look()

    def fetches(self) -> tuple[Fetch, ...]:
        """Return the last fetch of each client and list."""
        return self._log.fetches()

    def start(self) -> None:
        """Start to listen; return once requests would be answered.

        Raises UnavailableError if the address may become free later, else ConfigError.
        """
        listening = self._bound()
        self._port = listening.getsockname()[1]
        lists = Lists(FileCache(self._folder), self._authenticator, self._log, self._kept)
        config, known = _config(self._app(lists)), self._authenticator.by_certificate
        self._server = server = _Server(
            config, self._connections, self._tls,
            partial(ClientConnection, unchanged=lists.unchanged, by_certificate=known,
                    repeated=lists.repeated),
        )  # fmt: skip
        self._thread = Thread(
            target=server.run, args=([listening],), name="list-server", daemon=True
        )
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._seldom)
        for collector in self._collectors:
            self._registry.register(collector)
        self._thread.start()
        if not server.ready.wait(_SECONDS_TO_START):
            self.stop()
            listening.close()
            raise UnavailableError(f"{self.url}: the list server did not start")

    def stop(self) -> None:
        """Finish the current responses, then stop; do nothing if it is not running."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(2 * _SECONDS_TO_FINISH)
        for collector in self._collectors:
            self._registry.unregister(collector)
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._seldom)
        self._server = self._thread = None

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            if isinstance(error, socket.gaierror):  # its numbers belong to the resolver
                why = error.strerror
            else:  # the socket module appends to `strerror` what our message says already
                why = os.strerror(error.errno) if error.errno else str(error)
            told = f"server.listen: cannot listen on {self._host}:{self._port}: {why}"
            if error.errno in _MAY_PASS:
                raise UnavailableError(told) from error
            raise ConfigError([told]) from error

    def _app(self, lists: Lists) -> Starlette:
        monitoring = Monitoring(
            self._status, self._registry, self._authenticator, self._connections, self._tls
        )
        app = Starlette(
            routes=[
                Route("/lists/{name:path}", lists),
                Route("/healthz", monitoring.health),
                Route("/metrics", monitoring.metrics),
            ],
            # Starlette sends this response and re-raises, so the log still has the traceback.
            exception_handlers={404: _not_found, Exception: _unavailable},
        )
        app.router.redirect_slashes = False
        return app


class _Server(uvicorn.Server):
    """Signals when it is ready; leaves signals to the daemon, which has another thread.

    It accepts connections itself, within their limits.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        tls: Renewal | None,
        connection: Callable[..., ClientConnection],
    ) -> None:
        super().__init__(config)
        self._connection = connection
        self._tls = tls
        self.ready = Event()
        self._connections = connections
        self._acceptors: list[Acceptor] = []
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.servers = []
        self._acceptors = [
            Acceptor(listening, self._connections, self._made, self._tls)
            for listening in sockets or []
        ]
        for acceptor in self._acceptors:
            acceptor.open()
        self._watching = asyncio.create_task(self._connections.watch())
        self.started = True
        self.ready.set()

    def _made(self, address: str, knock: Standing | None) -> ClientConnection:
        return self._connection(self.config, self.server_state, self._connections, address, knock)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._watching is not None:
            self._watching.cancel()
        for acceptor in self._acceptors:
            await acceptor.close()
        await super().shutdown(sockets=sockets)
        self._connections.drop_all()  # those of stalled readers, and who has not asked yet
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # so that the loop notifies the closed connections


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # anyone can send X-Forwarded-For, and addresses are credentials
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )


async def _not_found(_request: Request, _error: Exception) -> Response:
    return answers.not_found()


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return answers.unavailable()


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError([f"server.listen: should be host:port, is {listen!r}"])
    return host.removeprefix("[").removesuffix("]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
