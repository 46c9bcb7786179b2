"""The log of all modules; structlog is imported for the first line that is written.

Its import costs as much as that of all modules that a look at the state needs from us.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Final

__all__ = ["log"]


class Log:
    """Writes lines as structlog's logger does: a constant event name, and fields."""

    def __init__(self) -> None:
        self._set_up: Callable[[], None] | None = None
        self._setting_up = Lock()

    def set_up_by(self, set_up: Callable[[], None]) -> None:
        """Set the log up: now where a plugin imported structlog, else before the first line."""
        if "structlog" in sys.modules:
            set_up()
        else:
            self._set_up = set_up

    def naming(self, **fields: Any) -> AbstractContextManager[None]:
        """Return what adds these fields to all lines of this thread while it lasts."""
        from structlog.contextvars import bound_contextvars  # noqa: PLC0415 - as below

        return bound_contextvars(**fields)

    def __getattr__(self, level: str) -> Any:
        import structlog  # noqa: PLC0415 - most looks write no line

        with self._setting_up:
            if self._set_up is not None:
                self._set_up()
                self._set_up = None
        return getattr(structlog.get_logger(), level)


log: Final = Log()
