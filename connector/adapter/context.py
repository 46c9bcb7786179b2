"""What the core hands to an adapter beside its options."""

import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from ssl import SSLContext
from typing import Any, Protocol

from connector.errors import ConfigError, ConnectorError, UnavailableError
from connector.log import log
from connector.model import ObservableType

__all__ = ["Http", "OutputContext", "Response", "import_extra"]


class Response(Protocol):
    """The part of an HTTP response that an adapter reads."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...
    def json(self) -> Any:
        """Return the body, which should be JSON; raise UnavailableError that says what came."""
        ...

    def error(self, words: str = "", *, refused: bool = False) -> ConnectorError:
        """Return the error to raise for an answer that says in its body that it failed.

        It is UnavailableError, or RefusedError where the body says that we may not: `refused`. The
        target's words are shown on one line, cut and without secrets.
        """
        ...


class Http(Protocol):
    """The one HTTP client: it takes care of TLS, proxy, credentials, timeouts and redaction."""

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        accept_statuses: frozenset[int] = frozenset(),
        repeatable: bool = False,
    ) -> Response:
        """Return the response if its status is 2xx or in `accept_statuses`, else raise.

        `repeatable` says that this changes nothing, as a read by POST: it is then tried again
        after a failure, as GET is.
        """
        ...

    def keep_secret(self, text: str) -> None:
        """Keep a text that the target gave us, such as a session's token, out of all messages."""
        ...


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
    `state` holds a few texts that are kept with the ledger. `session` is a place for what one
    connection needs, shared by the outputs of which `shares` names the same device. `version` is
    the number of the whole list that is being published: it only grows, as a zone's serial must.
    """

    __slots__ = (
        "_http", "_sleep", "_tls", "log", "output", "publish_folder", "session", "state", "types",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        output: str,
        publish_folder: Path,
        types: frozenset[ObservableType] = frozenset(ObservableType),
        *,
        http: Http | None = None,
        tls: Callable[[], SSLContext] | None = None,
        state: MutableMapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.output = output
        self.state: MutableMapping[str, str] = {} if state is None else state
        self.session: MutableMapping[str, Any] = {}
        self.version = 0
        self.log = OutputLog(output)
        self._tls = tls
        self.publish_folder = publish_folder
        self.types = types
        self._http = http
        self._sleep = sleep

    @property
    def http(self) -> Http:
        """The client made from this output's options, which must be an `HttpSettings`."""
        if self._http is None:
            raise RuntimeError("an adapter that uses HTTP needs options derived from HttpSettings")
        return self._http

    @property
    def tls(self) -> SSLContext:
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
