"""What keeps a bug in one cycle from stopping the others."""

from collections.abc import Iterator
from contextlib import contextmanager

from connector.errors import ConnectorError, UnavailableError
from connector.log import log
from connector.sync.apply import StoppedError


@contextmanager
def isolate_bugs(**what: str) -> Iterator[None]:
    """Make of a bug in a cycle a failure of that cycle alone: it stops no other."""
    try:
        yield
    except (ConnectorError, StoppedError):
        raise
    except Exception as error:
        log.exception("cycle.bug", **what)
        words = f"a bug, see the traceback in the log: {error!r}"
        raise UnavailableError(words) from error
