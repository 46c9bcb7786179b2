"""What the core hands to an adapter beside its options."""

import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector.adapter.http import Http
from connector.adapter.login import Login, Session
from connector.errors import ConfigError, UnavailableError
from connector.log import log
from connector.model import ObservableType

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["OutputContext", "import_extra"]


class OutputLog:
    """The log, with the output's name in each line: an event's constant name, and fields."""

    __slots__ = ("_output",)

    def __init__(self, output: str) -> None:
        self._output = output

    def debug(self, event: str, **fields: Any) -> None:
        """Tell developers."""
        log.debug(event, **{"output": self._output, **fields})

    def info(self, event: str, **fields: Any) -> None:
        """Tell what was done."""
        log.info(event, **{"output": self._output, **fields})

    def warning(self, event: str, **fields: Any) -> None:
        """Tell that someone may have to act."""
        log.warning(event, **{"output": self._output, **fields})


class OutputContext:
    """Where an output is kept, and the means that the core lends its adapter.

    `types` are the types of observable that the output writes; all where the file names none.
    `mapped` are the fields that its mapping fills, in the file's order.
    `state` holds a few texts that are kept with the ledger. `session` is a place for what one
    connection needs, shared by the outputs of which `shares` names the same device. `version` is
    the number of the whole list that is being published: it only grows, as a zone's serial must.
    """

    __slots__ = (
        "_http", "_sessions", "_sleep", "_tls", "log", "mapped", "output", "publish_folder",
        "session", "state", "types", "version",
    )  # fmt: skip

    def __init__(
        self,
        output: str,
        publish_folder: Path,
        types: frozenset[ObservableType] = frozenset(ObservableType),
        *,
        http: Http | None = None,
        tls: "Callable[[], SSLContext] | None" = None,
        state: MutableMapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        mapped: Sequence[str] = (),
    ) -> None:
        self.output = output
        self.mapped = tuple(mapped)
        self.state: MutableMapping[str, str] = {} if state is None else state
        self.session: MutableMapping[str, Any] = {}
        self.version = 0
        self.log = OutputLog(output)
        self._tls = tls
        self.publish_folder = publish_folder
        self.types = types
        self._http = http
        self._sleep = sleep
        self._sessions: list[Session] = []

    def logged_in(self, login: Login) -> Session:
        """Return what asks the target in a session, which the core ends after the last use.

        Outputs of which `shares` names the same device have one session together.
        """
        session = Session(login, self.http, lambda: self.session)
        self._sessions.append(session)
        return session

    @contextmanager
    def unit_of_work(self) -> Iterator[None]:
        """Have no session opened anew in the midst of what is staged in one; the core does it."""
        for session in self._sessions:
            session.stage()
        try:
            yield
        finally:
            for session in self._sessions:
                session.staged()

    def close(self) -> None:
        """End sessions and close connections; the core does it after `Adapter.close`."""
        try:
            for session in self._sessions:
                session.close()
        finally:
            if self._http is not None:
                self._http.close()

    @property
    def http(self) -> Http:
        """The client made from this output's options, which must be an `HttpSettings`."""
        if self._http is None:
            raise RuntimeError("an adapter that uses HTTP needs options derived from HttpSettings")
        return self._http

    @property
    def tls(self) -> "SSLContext":
        """A new context for TLS without HTTP, made from options that are a `TlsSettings`.

        It verifies the server, by the private authority if one is configured, and sends our
        certificate. Raises ConfigError where the options cannot work.
        """
        if self._tls is None:
            raise RuntimeError("an adapter that uses TLS needs options derived from TlsSettings")
        return self._tls()

    def wait(
        self, done: Callable[[], bool], deadline: timedelta, every: timedelta = timedelta(seconds=1)
    ) -> None:
        """Ask again and again until the target is done, as with a commit that takes minutes.

        Raises UnavailableError at the deadline.
        """
        pause = every.total_seconds()
        for _ in range(max(1, round(deadline / every))):
            if done():
                return
            self._sleep(pause)
        if not done():
            raise UnavailableError(
                f"the target was not done after {deadline.total_seconds():g} seconds"
            )


def import_extra(module: str, install: str) -> Any:
    """Return a module that not every installation has.

    Raises ConfigError with the command that installs it: `install` is what pip is to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        text = f"needs the Python package {module}; install it with: pip install '{install}'"
        raise ConfigError([text]) from error
