"""Keeps a bug in one cycle from stopping the others."""

from collections.abc import Iterator
from contextlib import contextmanager

from connector.errors import ConnectorError, StoppedError, UnavailableError
from connector.log import log


@contextmanager
def isolate_bugs(**what: str) -> Iterator[None]:
    """Turn a bug in a cycle into a failure of that cycle only."""
    try:
        yield
    except (ConnectorError, StoppedError):
        raise
    except Exception as error:
        log.exception("cycle.bug", **what)
        words = f"a bug, see the traceback in the log: {error!r}"
        raise UnavailableError(words) from error
